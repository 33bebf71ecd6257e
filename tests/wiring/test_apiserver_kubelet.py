"""The cluster behind the API server in memory moves pods through the same states as a real one."""

from __future__ import annotations

import pytest

from tests.apiserver import ApiServer, Object
from tests.apiserver.kubelet import Behaviour, Kubelet

LABELS = {"app": "r"}


def replica_set(server: ApiServer, replicas: int) -> Object:
    template = {"metadata": {"labels": LABELS}, "spec": {"containers": [{"name": "model", "image": "a:1"}]}}
    spec = {"replicas": replicas, "selector": {"matchLabels": LABELS}, "template": template}
    return server.store.create(server.store.kind("replicasets"), "default", {"metadata": {"name": "r"}, "spec": spec})


def pods(server: ApiServer) -> list[Object]:
    return server.store.all(server.store.kind("pods"), "default")


def waiting(pod: Object) -> str:
    return str(pod["status"]["containerStatuses"][0]["state"].get("waiting", {}).get("reason", ""))


async def test_a_replica_set_gets_ready_pods_and_reports_them() -> None:
    async with ApiServer() as server:
        Kubelet(server)
        replica_set(server, 2)
        found = await server.until(
            lambda: (
                server.store.get(server.store.kind("replicasets"), "default", "r")["status"].get("readyReplicas") == 2
            )
        )
        assert found and len({pod["status"]["podIP"] for pod in pods(server)}) == 2


async def test_a_pod_goes_through_its_states_one_by_one() -> None:
    async with ApiServer() as server:
        kubelet = Kubelet(server, automatic=False)
        replica_set(server, 1)
        seen = []
        while kubelet.tick():
            for pod in pods(server):
                status = pod["status"]
                container = (status.get("containerStatuses") or [{}])[0]
                seen.append(
                    (
                        bool(pod["spec"].get("nodeName")),
                        "podIP" in status,
                        *container.get("state", {"": 0}),
                        container.get("started", False),
                    )
                )
        assert seen == [
            (True, False, "", False),
            (True, False, "waiting", False),
            (True, True, "waiting", False),
            (True, True, "running", False),
            (True, True, "running", True),
            (True, True, "running", True),
        ]


@pytest.mark.parametrize(
    ("behaviour", "phase", "reason"),
    [
        (Behaviour.UNSCHEDULABLE, "Pending", None),
        (Behaviour.IMAGE_MISSING, "Pending", "ImagePullBackOff"),
        (Behaviour.CRASHES, "Running", "CrashLoopBackOff"),
        (Behaviour.NEVER_PINGS, "Running", ""),
    ],
)
async def test_a_failing_pod_stays_so_until_the_cause_is_removed(
    behaviour: Behaviour, phase: str, reason: str | None
) -> None:
    async with ApiServer() as server:
        kubelet = Kubelet(server, automatic=False)
        kubelet.behave = lambda _: behaviour
        replica_set(server, 1)
        kubelet.settle()
        (pod,) = pods(server)
        assert pod["status"]["phase"] == phase and (reason is None or waiting(pod) == reason)
        kubelet.behave = lambda _: Behaviour.READY
        kubelet.settle()
        (pod,) = pods(server)
        assert pod["status"]["containerStatuses"][0]["ready"]


async def test_the_ready_pod_with_the_lowest_deletion_cost_is_deleted_first_and_can_linger() -> None:
    async with ApiServer() as server:
        kubelet = Kubelet(server, automatic=False)
        replica_set(server, 3)
        kubelet.settle()
        names = [pod["metadata"]["name"] for pod in pods(server)]
        cost = {"metadata": {"annotations": {"controller.kubernetes.io/pod-deletion-cost": "-1"}}}
        server.store.merge_patch(server.store.kind("pods"), "default", names[1], cost)
        kubelet.lingers = lambda _: True
        server.store.scale(server.store.kind("replicasets"), "default", "r", {"spec": {"replicas": 2}})
        kubelet.settle()
        assert [pod["metadata"]["name"] for pod in pods(server) if "deletionTimestamp" in pod["metadata"]] == [names[1]]
        kubelet.lingers = lambda _: False
        kubelet.settle()
        assert sorted(pod["metadata"]["name"] for pod in pods(server)) == sorted({*names} - {names[1]})


async def test_the_replica_set_reports_a_pod_that_cannot_be_created() -> None:
    async with ApiServer() as server:
        kubelet = Kubelet(server, automatic=False)
        kubelet.replica_sets.refuse = lambda _: 'pods "r-" is forbidden: exceeded quota: small'
        replica_set(server, 1)
        kubelet.settle()
        conditions = server.store.get(server.store.kind("replicasets"), "default", "r")["status"]["conditions"]
        assert not pods(server) and "exceeded quota" in conditions[0]["message"]
