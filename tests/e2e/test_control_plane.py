"""The control plane may be restarted, doubled or gone at any moment: requests are answered, and nothing is written needlessly or twice."""

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
RETRY, SLACK = 2, 3  # seconds between tries (the chart's default), and for a busy machine
COST = "controller.kubernetes.io/pod-deletion-cost"


@pytest.fixture
def controllers(system: Kubectl, api: KubeApi) -> Iterator[Callable[[int], None]]:
    """Sets how many controllers run, and waits until it is so; back to one at the end."""

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
    """Every change within the next seconds that Kindler makes to any object of the namespace, or that nobody else signs to an object of Kindler's.

    Changes that another field manager signs are not Kindler's: the kubelet and kube-controller-manager write statuses and Events when they want to.
    """

    def changes(plural: str) -> Iterator[str]:
        listed = journey.api.call("GET", journey.api.path(plural, journey.namespace))
        last = {item["metadata"]["uid"]: signatures(item) for item in listed["items"]}
        for kind, found in journey.api.follow(
            plural, journey.namespace, listed["metadata"]["resourceVersion"], {}, seconds
        ):
            metadata, signed = found["metadata"], signatures(found)
            writers = {manager for manager, *_ in signed - last.get(metadata["uid"], set())}
            last[metadata["uid"]] = signed
            ours = plural in KINDS or LABEL in (metadata.get("labels") or {})
            if any(writer.startswith("kindler") for writer in writers) or (ours and not writers):
                yield f"{kind} {plural}/{metadata['name']} by {', '.join(sorted(writers)) or '?'}"

    with ThreadPoolExecutor(len(WATCHED)) as pool:
        return [line for lines in pool.map(lambda plural: list(changes(plural)), WATCHED) for line in lines]


def signatures(found: Json) -> set[tuple[str, ...]]:
    """Who wrote the object, how and when (whole seconds): a new write adds one. A deletion is not signed."""
    fields = found["metadata"].get("managedFields", [])
    return {(each["manager"], each["operation"], each.get("subresource", ""), each.get("time", "")) for each in fields}


def counts(found: Json | None) -> tuple[int, int]:
    """Pods as the status tells them: on demand, warm."""
    (variant,) = (found or {})["status"]["productionVariants"]
    return variant.get("demandInstanceCount", 0), variant.get("warmInstanceCount", 0)


def kill(pod: Json) -> None:
    """kill -9 of the pod's process: no farewell of any kind."""
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
    """The pod that holds the controllers' Lease; "" when nobody does."""
    lease = api.get("leases", system.namespace, CONTROLLER)
    return str(lease["spec"].get("holderIdentity") or "") if lease else ""


def test_a_restart_writes_nothing_when_nothing_is_to_do(journey: Journey, system: Kubectl) -> None:
    journey.serving("asleep", idle=1)
    journey.serving("warm", idle=1, warm=1)
    journey.create("waiting", model="nobody")
    journey.create("failed", image="localhost:5000/ECHO:1")
    journey.reaches("waiting", rows.CREATING, reason="ModelNotFound")
    journey.reaches("failed", rows.FAILED)
    journey.asleep("asleep")
    uid = journey.endpoint("failed")["metadata"]["uid"]
    journey.kubectl.delete("kep", "failed")
    journey.leaves_nothing(uid, "failed")  # the garbage collector deletes the children in any order
    system("rollout", "restart", "deployment", CONTROLLER)
    system("rollout", "status", "deployment", CONTROLLER, "--timeout=90s")
    journey.reaches("warm", rows.IN_SERVICE)
    # What is written late by intention: counts of pods at most each 10 s, and the low deletion cost of a warm pod that was idle for 5 s.
    for name, demand, warm in (("asleep", 0, 0), ("warm", 0, 1)):
        journey.api.until("endpoints", journey.namespace, name, lambda found: counts(found) == (demand, warm))  # noqa: B023
    journey.until_pods(lambda pods: all(COST in pod["metadata"].get("annotations", {}) for pod in pods), None)
    assert writes(journey, 30) == []


def test_the_second_controller_takes_over_and_nothing_happens_twice(
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
        lambda found: found is not None and found["spec"]["holderIdentity"] not in ("", first),
        60,
    )
    taken = time.monotonic() - begin
    journey.reaches("after", rows.IN_SERVICE, timeout=60)
    assert lease is not None
    assert taken < lease["spec"]["leaseDurationSeconds"] + RETRY + SLACK, "expired, found at the next try"
    for name in ("before", "after"):
        uid = journey.endpoint(name)["metadata"]["uid"]
        assert len([child for child in journey.children(uid) if child.startswith("replicasets/")]) == 1
        reasons = [event["reason"] for event in journey.events(name)]
        assert len(reasons) == len(set(reasons)), f"said twice: {reasons}"
        assert all(event.get("count", 1) == 1 for event in journey.events(name))


def test_without_a_controller_endpoints_wake_sleep_and_serve(
    journey: Journey, controllers: Callable[[int], None]
) -> None:
    journey.serving(idle=1)
    journey.asleep()
    controllers(0)
    assert journey.invoke().status == 200, "wakes"
    journey.asleep()
    assert journey.invoke().status == 200
    journey.kubectl.apply(manifests.config("bigger", model="echo", memory=2048, idle=1))
    journey.kubectl.patch("kep", "echo", {"spec": {"endpointConfigName": "bigger"}})
    controllers(1)
    assert journey.reaches("echo", rows.IN_SERVICE, timeout=120)["status"]["endpointConfigName"] == "bigger", (
        "what was missed is caught up with"
    )


def test_a_controller_that_dies_in_the_middle_changes_no_end(journey: Journey, api: KubeApi, system: Kubectl) -> None:
    """Killed (-9) during a creation and again during an update under load: the end is the same and no request fails."""
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
        found = journey.reaches("echo", rows.IN_SERVICE, timeout=120)
        others = f"{LABEL}=echo,serving.kindler.dev/revision!={found['status']['route']['revision']}"
        journey.api.until_all("pods", journey.namespace, lambda pods: not pods, selector=others, timeout=120)
    assert load.failed() == []


def test_the_activator_comes_back_and_knows_everything(journey: Journey, system: Kubectl) -> None:
    """A restarted activator finds routes and pods by looking, and scales nothing in before an idle timeout has passed."""
    journey.serving(idle=300)
    pods = {pod["metadata"]["uid"] for pod in journey.pods()}
    system("rollout", "restart", "deployment", "kindler-activator")
    system("rollout", "status", "deployment", "kindler-activator", "--timeout=120s")
    answer = journey.invoke()
    assert answer.status == 200, answer
    assert "x-kindler-cold-start" not in answer.headers
    assert {pod["metadata"]["uid"] for pod in journey.pods()} == pods


def test_ready_pods_serve_while_the_api_server_is_away(journey: Journey, api: KubeApi) -> None:
    """The API server is stopped (not killed) for a while: requests to pods that are there go on; afterwards all is as before."""
    journey.serving(idle=300, warm=1)
    node = api.items("nodes")[0]["metadata"]["name"]
    server = "pidof kube-apiserver"
    with Load(1, lambda: journey.invoke(body={"sleep": 0.2}, timeout=20)) as load:
        command("docker", "exec", node, "sh", "-c", f"kill -STOP $({server})")
        try:
            answers = [journey.invoke(body={"sleep": 0.5}, timeout=20) for _ in range(20)]
        finally:
            command("docker", "exec", node, "sh", "-c", f"kill -CONT $({server})")
    assert {answer.status for answer in answers} == {200}, [str(answer) for answer in answers if answer.status != 200]
    assert load.failed() == []
    journey.kubectl.apply(manifests.endpoint("second", config="echo"))
    journey.reaches("second", rows.IN_SERVICE, timeout=120)
