"""Updates: the new pods start, then the route changes, then the old pods are deleted.

No request fails, and no pod restarts without need.
"""

from __future__ import annotations

from tests.e2e.support import manifests, rows
from tests.e2e.support.gateway import Load, together
from tests.e2e.support.journey import LABEL, Journey


def limits(journey: Journey) -> set[str]:
    return {pod["spec"]["containers"][0]["resources"]["limits"]["memory"] for pod in journey.pods()}


def test_an_update_to_more_memory_under_load_fails_no_request(journey: Journey) -> None:
    first = journey.serving(idle=300, limit=6)
    old = first["status"]["route"]["revision"]
    journey.kubectl.apply(manifests.config("bigger", model="echo", memory=2048, limit=6, idle=300))
    with Load(4, lambda: journey.invoke(body={"sleep": 0.2})) as load:
        journey.kubectl.patch("kep", "echo", {"spec": {"endpointConfigName": "bigger"}})
        endpoint = journey.reaches("echo", rows.IN_SERVICE, timeout=120)
        assert endpoint["status"]["endpointConfigName"] == "bigger"
        for kind in ("replicasets", "pods"):
            journey.api.until_all(
                kind,
                journey.namespace,
                lambda objects: not objects,
                selector=f"{LABEL}=echo,serving.kindler.dev/revision={old}",
                timeout=120,
            )
    assert load.failed() == []
    assert {response.headers["x-echo-concurrent"] for response in load.responses} == {"1"}
    assert limits(journey) == {"2Gi"}


def test_an_update_at_zero_pods_needs_no_request(journey: Journey) -> None:
    old = journey.serving(idle=1)["status"]["route"]["revision"]
    journey.until_scaled_to_zero()
    journey.kubectl.apply(manifests.config("bigger", model="echo", memory=2048, idle=1))
    journey.kubectl.patch("kep", "echo", {"spec": {"endpointConfigName": "bigger"}})
    endpoint = journey.reaches("echo", rows.IN_SERVICE, timeout=120)
    assert endpoint["status"]["route"]["revision"] != old
    journey.until_scaled_to_zero()
    assert journey.invoke().status == 200
    assert limits(journey) == {"2Gi"}


def test_an_update_of_limits_restarts_no_pod(journey: Journey) -> None:
    before = journey.serving(idle=300, limit=2)
    assert [response.status for response in together(2, lambda _: journey.invoke(body={"sleep": 1}))] == [200, 200]
    pods = {pod["metadata"]["uid"] for pod in journey.pods()}
    journey.kubectl.apply(manifests.config("wider", model="echo", limit=4, idle=200))
    journey.kubectl.patch("kep", "echo", {"spec": {"endpointConfigName": "wider"}})
    after = journey.reaches("echo", rows.IN_SERVICE)
    assert after["status"]["route"]["revision"] == before["status"]["route"]["revision"]
    assert after["status"]["route"]["maxConcurrency"] == 4
    assert pods <= {pod["metadata"]["uid"] for pod in journey.pods()}
    assert [response.status for response in together(4, lambda _: journey.invoke(body={"sleep": 2}))] == [200] * 4, (
        "the new limit must be in force"
    )


def test_an_update_replaces_an_update_in_progress(journey: Journey) -> None:
    """A second update begins during the first. The second one is applied, and only its pods stay."""
    journey.serving(idle=300)
    journey.kubectl.apply(
        manifests.model("slow", environment={"START_SECONDS": "20"}),
        manifests.config("slow", idle=300),
        manifests.config("bigger", model="echo", memory=2048, idle=300),
    )
    journey.kubectl.patch("kep", "echo", {"spec": {"endpointConfigName": "slow"}})
    journey.reaches("echo", rows.UPDATING)
    journey.kubectl.patch("kep", "echo", {"spec": {"endpointConfigName": "bigger"}})
    endpoint = journey.reaches("echo", rows.IN_SERVICE, timeout=120)
    assert endpoint["status"]["endpointConfigName"] == "bigger"
    revision = endpoint["status"]["route"]["revision"]
    journey.api.until_all(
        "replicasets",
        journey.namespace,
        lambda sets: all(revision in each["metadata"]["name"] for each in sets),
        selector=f"{LABEL}=echo",
        timeout=120,
    )
    assert journey.invoke().status == 200
