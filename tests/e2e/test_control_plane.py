"""The control plane can be restarted, doubled or stopped at any time.

Requests still succeed. Kindler makes only the necessary writes, and each of them once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from hack.kubeapi import KubeApi
from tests.e2e.support import manifests, rows
from tests.e2e.support.gateway import Load
from tests.e2e.support.installation import running
from tests.e2e.support.journey import LABEL, Journey
from tests.e2e.support.kubectl import Kubectl, command

Json = dict[str, Any]

KINDS = ("models", "endpointconfigs", "endpoints")
WATCHED = (*KINDS, "replicasets", "services", "controllerrevisions", "pods", "events")
CONTROLLER = "kindler-controller"
SELECTOR = "app.kubernetes.io/component=controller"
RETRY, SLACK = 2, 3  # seconds: between attempts to get the Lease (the chart's default); extra time for a busy machine
COST = "controller.kubernetes.io/pod-deletion-cost"


@pytest.fixture
def controllers(system: Kubectl, api: KubeApi) -> Iterator[Callable[[int], None]]:
    """Sets the number of controllers and waits until that many run. Restores 1 after the test."""

    def scale(count: int) -> None:
        system("scale", "deployment", CONTROLLER, f"--replicas={count}")
        api.until_all(
            "pods",
            system.namespace,
            lambda pods: len(pods) == count and all(map(ready, pods)),
            selector=SELECTOR,
            timeout=90,
        )

    yield scale
    scale(1)


def ready(pod: Json) -> bool:
    return any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"].get("conditions", []))


def writes(journey: Journey, seconds: float) -> list[str]:
    """Kindler's changes of objects in the namespace within the next seconds.

    These are changes by a field manager of Kindler to any object, and changes without a new field manager to an object
    of Kindler. Changes by other field managers do not count: the kubelet and kube-controller-manager write statuses and
    Events at any time.
    """

    def changes(plural: str) -> Iterator[str]:
        listed = journey.api.call("GET", journey.api.path(plural, journey.namespace))
        last = {item["metadata"]["uid"]: manager_entries(item) for item in listed["items"]}
        for kind, obj in journey.api.follow(
            plural, journey.namespace, listed["metadata"]["resourceVersion"], {}, seconds
        ):
            metadata, entries = obj["metadata"], manager_entries(obj)
            writers = {manager for manager, *_ in entries - last.get(metadata["uid"], set())}
            last[metadata["uid"]] = entries
            of_kindler = plural in KINDS or LABEL in (metadata.get("labels") or {})
            if any(writer.startswith("kindler") for writer in writers) or (of_kindler and not writers):
                yield f"{kind} {plural}/{metadata['name']} by {', '.join(sorted(writers)) or '?'}"

    with ThreadPoolExecutor(len(WATCHED)) as pool:
        return [line for lines in pool.map(lambda plural: list(changes(plural)), WATCHED) for line in lines]


def manager_entries(obj: Json) -> set[tuple[str, ...]]:
    """The writers of the object, with operation and time in whole seconds.

    A new write adds an entry. A deletion does not add an entry.
    """
    fields = obj["metadata"].get("managedFields", [])
    return {(each["manager"], each["operation"], each.get("subresource", ""), each.get("time", "")) for each in fields}


def counts(obj: Json | None) -> tuple[int, int]:
    """The numbers of demand and warm pods in status."""
    (variant,) = (obj or {})["status"]["productionVariants"]
    return variant.get("demandInstanceCount", 0), variant.get("warmInstanceCount", 0)


def kill(pod: Json) -> None:
    """Kills the pod's process with SIGKILL, so that the process cannot release or write anything before its end."""
    container = pod["status"]["containerStatuses"][0]["containerID"].removeprefix("containerd://")
    command(
        "docker",
        "exec",
        pod["spec"]["nodeName"],
        "ctr",
        "-n",
        "k8s.io",
        "tasks",
        "kill",
        "--signal",
        "SIGKILL",
        container,
    )


def holder(api: KubeApi, system: Kubectl) -> str:
    """The pod that holds the controllers' Lease, or ""."""
    lease = api.get("leases", system.namespace, CONTROLLER)
    return str(lease["spec"].get("holderIdentity") or "") if lease else ""


def test_a_restarted_controller_writes_nothing_if_nothing_changed(journey: Journey, system: Kubectl) -> None:
    journey.serving("asleep", idle=1)
    journey.serving("warm", idle=1, warm=1)
    journey.create("waiting", model="nobody")
    journey.create("failed", image="localhost:5000/ECHO:1")
    journey.reaches("waiting", rows.CREATING, reason="ModelNotFound")
    journey.reaches("failed", rows.FAILED)
    journey.until_scaled_to_zero("asleep")
    uid = journey.endpoint("failed")["metadata"]["uid"]
    journey.kubectl.delete("kep", "failed")
    journey.until_nothing_is_left(uid, "failed")  # the garbage collector deletes the children in no fixed order
    system("rollout", "restart", "deployment", CONTROLLER)
    system("rollout", "status", "deployment", CONTROLLER, "--timeout=90s")
    journey.reaches("warm", rows.IN_SERVICE)
    # Kindler delays two writes: counts of pods (at most every 10 s), and the low deletion cost of a warm pod (after 5 s
    # without a request).
    for name, demand, warm in (("asleep", 0, 0), ("warm", 0, 1)):
        journey.api.until(
            "endpoints",
            journey.namespace,
            name,
            lambda obj, expected=(demand, warm): counts(obj) == expected,  # type: ignore[misc]
        )
    journey.until_pods(lambda pods: all(COST in pod["metadata"].get("annotations", {}) for pod in pods), None)
    assert writes(journey, 30) == []


def test_a_second_controller_takes_over_and_does_nothing_twice(
    journey: Journey, api: KubeApi, system: Kubectl, controllers: Callable[[int], None]
) -> None:
    journey.serving("before", idle=300)
    controllers(2)
    first = holder(api, system)
    begin = time.monotonic()
    kill(next(pod for pod in api.items("pods", system.namespace) if first.startswith(pod["metadata"]["name"])))
    journey.create("after", idle=300)
    lease = api.until(
        "leases",
        system.namespace,
        CONTROLLER,
        lambda obj: obj is not None and obj["spec"]["holderIdentity"] not in ("", first),
        60,
    )
    taken = time.monotonic() - begin
    journey.reaches("after", rows.IN_SERVICE, timeout=60)
    assert lease is not None
    assert taken < lease["spec"]["leaseDurationSeconds"] + RETRY + SLACK, (
        "the Lease must change its holder at the first attempt after it expired"
    )
    for name in ("before", "after"):
        uid = journey.endpoint(name)["metadata"]["uid"]
        assert len([child for child in journey.children(uid) if child.startswith("replicasets/")]) == 1
        reasons = [event["reason"] for event in journey.events(name)]
        assert len(reasons) == len(set(reasons)), f"an Event was written twice: {reasons}"
        assert all(event.get("count", 1) == 1 for event in journey.events(name))


def test_endpoints_scale_from_and_to_zero_without_a_controller(
    journey: Journey, controllers: Callable[[int], None]
) -> None:
    journey.serving(idle=1)
    journey.until_scaled_to_zero()
    controllers(0)
    assert journey.invoke().status == 200, "the activator must scale up from zero without a controller"
    journey.until_scaled_to_zero()
    assert journey.invoke().status == 200
    journey.kubectl.apply(manifests.config("bigger", model="echo", memory=2048, idle=1))
    journey.kubectl.patch("kep", "echo", {"spec": {"endpointConfigName": "bigger"}})
    controllers(1)
    assert journey.reaches("echo", rows.IN_SERVICE, timeout=120)["status"]["endpointConfigName"] == "bigger", (
        "the new controller must apply the change that was made while none ran"
    )


def test_a_killed_controller_does_not_change_the_result(journey: Journey, api: KubeApi, system: Kubectl) -> None:
    """The controller is killed during a creation, and again during an update under load.

    The creation and the update still complete, and no request fails.
    """
    journey.create(environment={"START_SECONDS": "4"}, idle=300, limit=4)
    journey.reaches("echo", rows.CREATING)
    (controller,) = running(api, "controller")
    kill(controller)
    journey.reaches("echo", rows.IN_SERVICE, timeout=120)
    journey.kubectl.apply(manifests.config("bigger", model="echo", memory=2048, limit=4, idle=300))
    with Load(2, lambda: journey.invoke(body={"sleep": 0.2})) as load:
        journey.kubectl.patch("kep", "echo", {"spec": {"endpointConfigName": "bigger"}})
        journey.reaches("echo", rows.UPDATING)
        kill(running(api, "controller")[0])
        endpoint = journey.reaches("echo", rows.IN_SERVICE, timeout=120)
        selector = f"{LABEL}=echo,serving.kindler.dev/revision!={endpoint['status']['route']['revision']}"
        journey.api.until_all("pods", journey.namespace, lambda pods: not pods, selector=selector, timeout=120)
    assert load.failed() == []


def test_a_restarted_activator_knows_all_routes_and_pods(journey: Journey, system: Kubectl) -> None:
    """A restarted activator reads the routes and the pods from the cluster, and serves a request without a cold start.

    It deletes no pod before an idle timeout has passed.
    """
    journey.serving(idle=300)
    pods = {pod["metadata"]["uid"] for pod in journey.pods()}
    system("rollout", "restart", "deployment", "kindler-activator")
    system("rollout", "status", "deployment", "kindler-activator", "--timeout=120s")
    response = journey.invoke()
    assert response.status == 200, response
    assert "x-kindler-cold-start" not in response.headers
    assert {pod["metadata"]["uid"] for pod in journey.pods()} == pods


def test_ready_pods_serve_while_the_api_server_is_paused(journey: Journey, api: KubeApi) -> None:
    """The API server is paused for some time. Ready pods still serve requests.

    When the API server continues, new endpoints can be created as before.
    """
    journey.serving(idle=300, warm=1)
    node = api.items("nodes")[0]["metadata"]["name"]
    server = "pidof kube-apiserver"
    with Load(1, lambda: journey.invoke(body={"sleep": 0.2}, timeout=20)) as load:
        command("docker", "exec", node, "sh", "-c", f"kill -STOP $({server})")
        try:
            responses = [journey.invoke(body={"sleep": 0.5}, timeout=20) for _ in range(20)]
        finally:
            command("docker", "exec", node, "sh", "-c", f"kill -CONT $({server})")
    assert {response.status for response in responses} == {200}, [
        str(response) for response in responses if response.status != 200
    ]
    assert load.failed() == []
    journey.kubectl.apply(manifests.endpoint("second", config="echo"))
    journey.reaches("second", rows.IN_SERVICE, timeout=120)
