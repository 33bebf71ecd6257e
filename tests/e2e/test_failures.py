"""What cannot start says why, in words that name the cause, and is healed by what the user does about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from hack.kubeapi import KubeApi
from tests.e2e.support import manifests, registry, rows
from tests.e2e.support.journey import Journey
from tests.e2e.support.kubectl import Kubectl

CRASHING = {"CRASH_AT_START": "true"}
MUTE = {"PING_FAIL": "true"}


@pytest.fixture
def full_cluster(api: KubeApi, system: Kubectl) -> Iterator[Callable[[bool], None]]:
    """A switch: True closes all nodes for new pods, False opens them; open again in any case at the end."""
    nodes = [node["metadata"]["name"] for node in api.items("nodes")]

    def switch(full: bool) -> None:
        system("cordon" if full else "uncordon", *nodes)

    yield switch
    switch(False)


def test_what_the_user_must_mend(journey: Journey) -> None:
    """Image missing, image name malformed, crash at start, a ping that never answers: side by side, each Failed with its cause; a good config heals."""
    journey.create("missing", image="localhost:5000/echo:never-pushed")
    journey.create("malformed", image="localhost:5000/ECHO:1")
    journey.create("crashing", environment=CRASHING)
    journey.create("mute", environment=MUTE, startup=60)
    journey.kubectl.apply(manifests.model("good"), manifests.config("good", idle=300))
    causes = {
        "missing": "localhost:5000/echo:never-pushed",
        "malformed": "localhost:5000/ECHO:1",
        "crashing": "exit code 1",
        "mute": "/ping",
    }
    for name, cause in causes.items():
        found = journey.reaches(name, rows.FAILED, timeout=150)
        assert cause in found["status"]["failureReason"], found["status"]["failureReason"]
        assert rows.condition(found, "Ready")["message"] == found["status"]["failureReason"]
        refused = journey.invoke(name)
        assert refused.status == 503, refused
        journey.api.until_all(
            "events",
            journey.namespace,
            lambda events: any(warns_of(event, name) for event in events),  # noqa: B023
        )
    for name in causes:
        journey.kubectl.patch("kep", name, {"spec": {"endpointConfigName": "good"}})
    for name in causes:
        healed = journey.reaches(name, rows.IN_SERVICE, timeout=150)
        assert "failureReason" not in healed["status"]
        assert journey.invoke(name).status == 200


def limit(journey: Journey, what: str, count: int) -> None:
    """A quota in the journey's namespace, in force when this returns."""
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
        lambda found: found is not None and bool(found.get("status", {}).get("used")),
    )


def test_what_the_cluster_lacks_heals_by_itself(
    journeys: Callable[[], Journey], full_cluster: Callable[[bool], None]
) -> None:
    """No quota for pods, no node with room, an image that is pushed later, an update that a quota refuses: side by side, each says its cause, and is in
    service when what was lacking is there, without a change by the user."""
    quota, room, late, update = (journeys() for _ in range(4))
    update.serving(idle=300)
    limit(update, "count/replicasets.apps", 1)
    update.kubectl.apply(manifests.config("bigger", model="echo", memory=2048, idle=300, startup=60))
    update.kubectl.patch("kep", "echo", {"spec": {"endpointConfigName": "bigger"}})
    late.create(image=f"localhost:5000/{late.namespace}:1")
    late.reaches("echo", rows.FAILED, timeout=120)
    limit(quota, "pods", 0)
    full_cluster(True)
    quota.create(startup=60)
    room.create(startup=60)
    for journey, row, cause in (
        (update, rows.UPDATE_FAILED, "quota"),
        (quota, rows.FAILED, "quota"),
        (room, rows.FAILED, "node"),
    ):
        found = journey.reaches("echo", row, timeout=120)
        assert cause in found["status"]["failureReason"], found["status"]["failureReason"]
    assert update.invoke().status == 200, "the old one serves on"
    full_cluster(False)
    quota.kubectl.delete("resourcequota", "limit")
    update.kubectl.delete("resourcequota", "limit")
    registry.copy("echo:1", f"{late.namespace}:1")
    for journey in (quota, room, late, update):
        assert "failureReason" not in journey.reaches("echo", rows.IN_SERVICE, timeout=150)["status"]
        assert journey.invoke().status == 200
    assert update.endpoint()["status"]["endpointConfigName"] == "bigger"


def test_a_private_image_needs_its_secret(journey: Journey) -> None:
    """Without the Secret: Failed, and the reason names the image; at once in service when the Secret appears."""
    registry.copy("echo:1", "echo:1", private=True)
    model = manifests.model("echo", image="localhost:5001/echo:1", imagePullSecrets=[{"name": "registry"}])
    journey.kubectl.apply(model, manifests.config("echo", idle=300), manifests.endpoint("echo"))
    found = journey.reaches("echo", rows.FAILED, timeout=120)
    assert "localhost:5001/echo:1" in found["status"]["failureReason"]
    words = [
        "--docker-server=localhost:5001",
        f"--docker-username={registry.USER}",
        f"--docker-password={registry.PASSWORD}",
    ]
    journey.kubectl("create", "secret", "docker-registry", "registry", *words)
    journey.reaches("echo", rows.IN_SERVICE)
    assert journey.invoke().status == 200


def warns_of(event: dict[str, Any], name: str) -> bool:
    """Whether `kubectl describe kep NAME` shows this event as a warning."""
    return bool(
        event["type"] == "Warning"
        and event["involvedObject"].get("kind") == "Endpoint"
        and event["involvedObject"].get("name") == name
    )
