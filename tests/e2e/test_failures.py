"""An endpoint that cannot start reports the cause, and recovers when the cause is removed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from hack.kubeapi import KubeApi
from tests.e2e.support import manifests, registry, rows
from tests.e2e.support.journey import Journey
from tests.e2e.support.kubectl import Kubectl

CRASHING = {"CRASH_AT_START": "true"}
NO_PING = {"PING_FAIL": "true"}


@pytest.fixture
def cordoned_nodes(api: KubeApi, system: Kubectl) -> Iterator[Callable[[bool], None]]:
    """A function of one argument: True cordons all nodes, False uncordons them. After the test they are uncordoned."""
    nodes = [node["metadata"]["name"] for node in api.items("nodes")]

    def switch(full: bool) -> None:
        system("cordon" if full else "uncordon", *nodes)

    yield switch
    switch(False)


def test_endpoints_that_the_user_must_correct_fail_with_their_cause(journey: Journey) -> None:
    """Four endpoints fail: missing image, invalid image name, crash at start, no response to pings.

    Each is Failed and reports its cause. Each recovers when it refers to a valid EndpointConfig.
    """
    journey.create("missing", image="localhost:5000/echo:never-pushed")
    journey.create("malformed", image="localhost:5000/ECHO:1")
    journey.create("crashing", environment=CRASHING)
    journey.create("no-ping", environment=NO_PING, startup=60)
    journey.kubectl.apply(manifests.model("good"), manifests.config("good", idle=300))
    causes = {
        "missing": "localhost:5000/echo:never-pushed",
        "malformed": "localhost:5000/ECHO:1",
        "crashing": "exit code 1",
        "no-ping": "/ping",
    }
    for name, cause in causes.items():
        endpoint = journey.reaches(name, rows.FAILED, timeout=150)
        assert cause in endpoint["status"]["failureReason"], endpoint["status"]["failureReason"]
        assert rows.condition(endpoint, "Ready")["message"] == endpoint["status"]["failureReason"]
        rejected = journey.invoke(name)
        assert rejected.status == 503, rejected
        journey.api.until_all(
            "events",
            journey.namespace,
            lambda events: any(is_warning_about(event, name) for event in events),  # noqa: B023
        )
    for name in causes:
        journey.kubectl.patch("kep", name, {"spec": {"endpointConfigName": "good"}})
    for name in causes:
        recovered = journey.reaches(name, rows.IN_SERVICE, timeout=150)
        assert "failureReason" not in recovered["status"]
        assert journey.invoke(name).status == 200


def limit(journey: Journey, what: str, count: int) -> None:
    """Creates a quota in the journey's namespace, and waits until it is in force."""
    journey.kubectl.apply(
        {
            "apiVersion": "v1",
            "kind": "ResourceQuota",
            "metadata": {"name": "limit"},
            "spec": {"hard": {what: str(count)}},
        }
    )
    journey.api.until(
        "resourcequotas",
        journey.namespace,
        "limit",
        lambda obj: obj is not None and bool(obj.get("status", {}).get("used")),
    )


def test_endpoints_recover_when_the_cluster_has_what_was_missing(
    journeys: Callable[[], Journey], cordoned_nodes: Callable[[bool], None]
) -> None:
    """Four endpoints fail: a quota allows no pods, no node has room, an image is missing, a quota rejects an update.

    Each reports its cause. Each is in service after the cause is removed, without a change of the endpoint by the user.
    """
    quota, room, late, update = (journeys() for _ in range(4))
    update.serving(idle=300)
    limit(update, "count/replicasets.apps", 1)
    update.kubectl.apply(manifests.config("bigger", model="echo", memory=2048, idle=300, startup=60))
    update.kubectl.patch("kep", "echo", {"spec": {"endpointConfigName": "bigger"}})
    late.create(image=f"localhost:5000/{late.namespace}:1")
    late.reaches("echo", rows.FAILED, timeout=120)
    limit(quota, "pods", 0)
    cordoned_nodes(True)
    quota.create(startup=60)
    room.create(startup=60)
    for journey, row, cause in (
        (update, rows.UPDATE_FAILED, "quota"),
        (quota, rows.FAILED, "quota"),
        (room, rows.FAILED, "node"),
    ):
        endpoint = journey.reaches("echo", row, timeout=120)
        assert cause in endpoint["status"]["failureReason"], endpoint["status"]["failureReason"]
    assert update.invoke().status == 200, "the old configuration must stay in service"
    cordoned_nodes(False)
    quota.kubectl.delete("resourcequota", "limit")
    update.kubectl.delete("resourcequota", "limit")
    registry.copy("echo:1", f"{late.namespace}:1")
    for journey in (quota, room, late, update):
        assert "failureReason" not in journey.reaches("echo", rows.IN_SERVICE, timeout=150)["status"]
        assert journey.invoke().status == 200
    assert update.endpoint()["status"]["endpointConfigName"] == "bigger"


def test_a_private_image_needs_its_secret(journey: Journey) -> None:
    """Without the Secret, the endpoint is Failed and the reason names the image.

    The endpoint is in service soon after the Secret is created.
    """
    registry.copy("echo:1", "echo:1", private=True)
    model = manifests.model("echo", image="localhost:5001/echo:1", imagePullSecrets=[{"name": "registry"}])
    journey.kubectl.apply(model, manifests.config("echo", idle=300), manifests.endpoint("echo"))
    endpoint = journey.reaches("echo", rows.FAILED, timeout=120)
    assert "localhost:5001/echo:1" in endpoint["status"]["failureReason"]
    words = [
        "--docker-server=localhost:5001",
        f"--docker-username={registry.USER}",
        f"--docker-password={registry.PASSWORD}",
    ]
    journey.kubectl("create", "secret", "docker-registry", "registry", *words)
    journey.reaches("echo", rows.IN_SERVICE)
    assert journey.invoke().status == 200


def is_warning_about(event: dict[str, Any], name: str) -> bool:
    """True if `kubectl describe kep NAME` shows this event as a warning."""
    return bool(
        event["type"] == "Warning"
        and event["involvedObject"].get("kind") == "Endpoint"
        and event["involvedObject"].get("name") == name
    )
