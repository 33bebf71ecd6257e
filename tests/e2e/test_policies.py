"""What the activator's ServiceAccount may do is what it needs and no more: RBAC cannot say "this annotation only", the chart's policies do."""

from __future__ import annotations

from typing import Any

import pytest

from hack.kubeapi import ApiError
from tests.e2e.support import manifests
from tests.e2e.support.journey import LABEL, Journey
from tests.e2e.support.kubectl import CommandError, Kubectl

Json = dict[str, Any]

COST = "controller.kubernetes.io/pod-deletion-cost"
OURS = {LABEL: "mine"}
TOUCH = "the activator may only touch pods of Kindler endpoints"
CHANGE = "the activator may only change a pod's deletion cost"
SCALE = "the activator may only scale pools of Kindler endpoints"
DEMAND = "the activator may only scale on-demand pools"


def pod_spec() -> Json:
    container: Json = {
        "name": "model",
        "image": manifests.ECHO,
        "resources": {"limits": {"memory": "64Mi", "cpu": "100m"}},
    }
    container["securityContext"] = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    security = {"runAsNonRoot": True, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}}
    # Bound to no node: nothing runs, and the pod can still be patched and deleted.
    return {
        "containers": [container],
        "securityContext": security,
        "schedulerName": "nobody",
        "terminationGracePeriodSeconds": 0,
    }


def pod(name: str, labels: dict[str, str]) -> Json:
    metadata = {"name": name, "labels": labels, "annotations": {"kept": "yes"}, "finalizers": ["example.org/held"]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": pod_spec()}


def pool(name: str, labels: dict[str, str]) -> Json:
    spec = {
        "replicas": 0,
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": pod_spec()},
    }
    return {"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": name, "labels": OURS}, "spec": spec}


class Activator:
    """kubectl as the activator, in the journey's namespace."""

    def __init__(self, journey: Journey, system: Kubectl) -> None:
        deployment = system.get("deployment", "kindler-activator")
        account = deployment["spec"]["template"]["spec"]["serviceAccountName"]
        self.user = f"system:serviceaccount:{system.namespace}:{account}"
        self.who = f"--as={self.user}"
        self.journey, self.kubectl = journey, journey.kubectl

    def patch(self, kind: str, name: str, change: Json, *options: str) -> str:
        return self.kubectl.patch(kind, name, change, self.who, *options)

    def scale(self, name: str, replicas: int) -> None:
        """By one bare PATCH, as the activator does it: kubectl would read the Scale first, which it may not."""
        api = self.journey.api
        api.call(
            "PATCH",
            api.path("replicasets", self.journey.namespace, name, "scale"),
            {"spec": {"replicas": replicas}},
            user=self.user,
        )

    def may(self, verb: str, resource: str) -> bool:
        """What `kubectl auth can-i` answers; it takes `a/b` for a name, so a subresource is said apart."""
        plural, _, sub = resource.partition("/")
        try:
            return self.kubectl("auth", "can-i", verb, plural, f"--subresource={sub}", self.who).strip() == "yes"
        except CommandError:
            return False


@pytest.fixture
def activator(journey: Journey, system: Kubectl) -> Activator:
    journey.kubectl.apply(pod("ours", OURS | {"role": "model"}), pod("foreign", {"app": "somebody"}))
    return Activator(journey, system)


@pytest.fixture(autouse=True)
def let_go(journey: Journey, activator: Activator) -> Any:
    """The pods' finalizers are there to be tampered with; the namespace could not go with them."""
    yield
    for name in ("ours", "foreign"):
        journey.kubectl(
            "patch", "pod", name, "--type=merge", "-p", '{"metadata": {"finalizers": null}}', "--request-timeout=10s"
        )


def refused(message: str, act: Any, *words: Any) -> None:
    with pytest.raises((CommandError, ApiError)) as caught:
        act(*words)
    assert message in str(caught.value)


def test_of_a_pod_only_the_deletion_cost_may_change(journey: Journey, activator: Activator) -> None:
    before = journey.kubectl.get("pod", "ours")
    (container,) = before["spec"]["containers"]
    other = [container | {"image": "example.org/evil:1"}]
    for change in (
        {"spec": {"containers": other}},
        {"metadata": {"labels": {"role": "other"}}},
        {"metadata": {"labels": {LABEL: None}}},
        {"metadata": {"labels": None}},
        {"metadata": {"annotations": {"own": "x"}}},
        {"metadata": {"annotations": {"kept": "no"}}},
        {"metadata": {"annotations": {"kept": None}}},
        {"metadata": {"annotations": {COST: "1", "own": "x"}}},
        {"metadata": {"finalizers": None}},
        {
            "metadata": {
                "ownerReferences": [
                    {"apiVersion": "v1", "kind": "Pod", "name": "foreign", "uid": before["metadata"]["uid"]}
                ]
            }
        },
        {"spec": {"activeDeadlineSeconds": 1}},
    ):
        refused(CHANGE, activator.patch, "pod", "ours", change)
    after = journey.kubectl.get("pod", "ours")
    assert (after["metadata"]["resourceVersion"], after["spec"]) == (
        before["metadata"]["resourceVersion"],
        before["spec"],
    )
    for value in ("-100", "100", None):
        activator.patch("pod", "ours", {"metadata": {"annotations": {COST: value}}})
        assert journey.kubectl.get("pod", "ours")["metadata"]["annotations"].get(COST) == value


def test_a_foreign_pod_is_neither_changed_nor_deleted(journey: Journey, activator: Activator) -> None:
    refused(TOUCH, activator.patch, "pod", "foreign", {"metadata": {"annotations": {COST: "1"}}})
    refused(TOUCH, activator.patch, "pod", "foreign", {"metadata": {"labels": OURS}})
    refused(TOUCH, activator.kubectl, "delete", "pod", "foreign", "--wait=false", activator.who)
    assert "deletionTimestamp" not in journey.kubectl.get("pod", "foreign")["metadata"]
    activator.kubectl("delete", "pod", "ours", "--wait=false", activator.who)
    assert "deletionTimestamp" in journey.kubectl.get("pod", "ours")["metadata"]


def test_only_demand_pools_of_ours_are_scaled(journey: Journey, activator: Activator) -> None:
    lookalike = {f"x{LABEL}": "mine"}
    journey.kubectl.apply(
        pool("mine-1-demand", OURS),
        pool("mine-1-warm", OURS),
        pool("other-demand", {"app": "somebody"}),
        pool("lookalike-demand", lookalike),
    )
    refused(DEMAND, activator.scale, "mine-1-warm", 1)
    refused(SCALE, activator.scale, "other-demand", 1)
    refused(SCALE, activator.scale, "lookalike-demand", 1)
    refused("cannot patch resource", activator.patch, "replicaset", "mine-1-demand", {"spec": {"replicas": 1}})
    activator.scale("mine-1-demand", 1)
    wanted = {"mine-1-demand": 1, "mine-1-warm": 0, "other-demand": 0, "lookalike-demand": 0}
    assert {name: journey.kubectl.get("replicaset", name)["spec"]["replicas"] for name in wanted} == wanted
    activator.scale("mine-1-demand", 0)


def test_others_are_not_bound(journey: Journey) -> None:
    journey.kubectl.patch("pod", "foreign", {"metadata": {"labels": {"changed": "by-its-owner"}}})
    journey.kubectl.patch("pod", "ours", {"metadata": {"annotations": {"own": "x"}}})
    assert journey.kubectl.get("pod", "foreign")["metadata"]["labels"]["changed"] == "by-its-owner"
    assert journey.kubectl.get("pod", "ours")["metadata"]["annotations"]["own"] == "x"


def test_the_roads_to_more_power_are_closed(activator: Activator) -> None:
    for verb, resource in (
        ("get", "pods"),
        ("patch", "pods"),
        ("delete", "pods"),
        ("patch", "replicasets/scale"),
        ("watch", "endpoints.serving.kindler.dev"),
    ):
        assert activator.may(verb, resource), f"{verb} {resource}"
    for verb, resource in (
        ("create", "pods"),
        ("create", "pods/exec"),
        ("patch", "pods/ephemeralcontainers"),
        ("patch", "pods/status"),
        ("update", "pods"),
        ("deletecollection", "pods"),
        ("get", "secrets"),
        ("patch", "replicasets"),
        ("create", "replicasets"),
        ("patch", "endpoints.serving.kindler.dev"),
        ("patch", "endpoints.serving.kindler.dev/status"),
        ("patch", "deployments"),
        ("create", "serviceaccounts/token"),
    ):
        assert not activator.may(verb, resource), f"{verb} {resource}"
