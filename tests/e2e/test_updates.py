"""Updates: capacity first, then the switch, then the old goes; nothing fails, and nothing restarts that need not."""

from __future__ import annotations

from tests.e2e.support import manifests, rows
from tests.e2e.support.gateway import Load, together
from tests.e2e.support.journey import LABEL, Journey


def limits(journey: Journey) -> set[str]:
    return {pod["spec"]["containers"][0]["resources"]["limits"]["memory"] for pod in journey.pods()}


def test_a_bigger_tier_under_load_fails_no_request(journey: Journey) -> None:
    first = journey.serving(idle=300, limit=6)
    old = first["status"]["route"]["revision"]
    journey.kubectl.apply(manifests.config("bigger", model="echo", memory=2048, limit=6, idle=300))
    with Load(4, lambda: journey.invoke(body={"sleep": 0.2})) as load:
        journey.kubectl.patch("kep", "echo", {"spec": {"endpointConfigName": "bigger"}})
        found = journey.reaches("echo", rows.IN_SERVICE, timeout=120)
        assert found["status"]["endpointConfigName"] == "bigger"
        for kind in ("replicasets", "pods"):
            journey.api.until_all(
                kind,
                journey.namespace,
                lambda found: not found,
                selector=f"{LABEL}=echo,serving.kindler.dev/revision={old}",
                timeout=120,
            )
    assert load.failed() == []
    assert {answer.headers["x-echo-concurrent"] for answer in load.answers} == {"1"}
    assert limits(journey) == {"2Gi"}


def test_an_update_at_zero_moves_without_a_request(journey: Journey) -> None:
    old = journey.serving(idle=1)["status"]["route"]["revision"]
    journey.asleep()
    journey.kubectl.apply(manifests.config("bigger", model="echo", memory=2048, idle=1))
    journey.kubectl.patch("kep", "echo", {"spec": {"endpointConfigName": "bigger"}})
    found = journey.reaches("echo", rows.IN_SERVICE, timeout=120)
    assert found["status"]["route"]["revision"] != old
    journey.asleep()
    assert journey.invoke().status == 200
    assert limits(journey) == {"2Gi"}


def test_new_limits_alone_restart_no_pod(journey: Journey) -> None:
    before = journey.serving(idle=300, limit=2)
    assert [answer.status for answer in together(2, lambda _: journey.invoke(body={"sleep": 1}))] == [200, 200]
    pods = {pod["metadata"]["uid"] for pod in journey.pods()}
    journey.kubectl.apply(manifests.config("wider", model="echo", limit=4, idle=200))
    journey.kubectl.patch("kep", "echo", {"spec": {"endpointConfigName": "wider"}})
    after = journey.reaches("echo", rows.IN_SERVICE)
    assert after["status"]["route"]["revision"] == before["status"]["route"]["revision"]
    assert after["status"]["route"]["maxConcurrency"] == 4
    assert pods <= {pod["metadata"]["uid"] for pod in journey.pods()}
    assert [answer.status for answer in together(4, lambda _: journey.invoke(body={"sleep": 2}))] == [200] * 4, (
        "the new limit is in force"
    )


def test_the_way_back_and_a_change_of_mind(journey: Journey) -> None:
    """A second update while the first is under way: the last word counts, and only its pods stay."""
    journey.serving(idle=300)
    journey.kubectl.apply(
        manifests.model("slow", environment={"START_SECONDS": "20"}),
        manifests.config("slow", idle=300),
        manifests.config("bigger", model="echo", memory=2048, idle=300),
    )
    journey.kubectl.patch("kep", "echo", {"spec": {"endpointConfigName": "slow"}})
    journey.reaches("echo", rows.UPDATING)
    journey.kubectl.patch("kep", "echo", {"spec": {"endpointConfigName": "bigger"}})
    found = journey.reaches("echo", rows.IN_SERVICE, timeout=120)
    assert found["status"]["endpointConfigName"] == "bigger"
    revision = found["status"]["route"]["revision"]
    journey.api.until_all(
        "replicasets",
        journey.namespace,
        lambda sets: all(revision in each["metadata"]["name"] for each in sets),
        selector=f"{LABEL}=echo",
        timeout=120,
    )
    assert journey.invoke().status == 200
