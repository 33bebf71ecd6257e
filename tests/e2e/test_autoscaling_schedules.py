"""Bounds that change by the clock, sizes that outlive an update, and who writes them: several endpoints live through the same minutes."""

from __future__ import annotations

import time
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.e2e.support import manifests, pools, rows
from tests.e2e.support.gateway import Load
from tests.e2e.support.journey import Journey
from tests.e2e.support.manifests import action, scaling, tracking
from tests.e2e.support.pools import CONTROLLER, CREATOR, Watched

Json = dict[str, Any]

SOON = timedelta(seconds=4)  # that a patch reaches the controller before the moment


def at(moment: datetime) -> str:
    return f"at({moment:%Y-%m-%dT%H:%M:%S})"


def now() -> datetime:
    """Schedules know no fractions of a second."""
    return datetime.now(UTC).replace(microsecond=0)


def scheduled(found: Json | None, which: str) -> Json:
    """status.autoscaling's `last` or `next` scheduled action, or an empty object."""
    entries = (found or {}).get("status", {}).get("autoscaling", [])
    return dict(entries[0].get(f"{which}ScheduledAction", {})) if entries else {}


def causes(journey: Journey, name: str) -> list[str]:
    """Of all changes of the desired size, the latest first."""
    return [activity["cause"] for activity in journey.endpoint(name)["status"].get("scalingActivities", [])]


@pytest.mark.timeout(300)  # a whole minute of the clock
def test_bounds_follow_the_clock(journey: Journey) -> None:
    """Idle to zero and back by a schedule; a cron's minute and an `at` shortly after it; and a schedule that rests is skipped, not made up for."""
    minute = now().replace(second=0) + timedelta(minutes=1)
    if minute - now() < timedelta(seconds=15):  # all must stand before it
        minute += timedelta(minutes=1)
    after = minute + timedelta(seconds=5)
    clock = (action("minute", "cron(* * * * ? *)", low=2), action("after", at(after), high=1))
    journey.create("sleepy", limit=3, warm=1, scaling=scaling(0, 2, tracking(0.7)))
    journey.create(
        "frozen",
        limit=3,
        warm=1,
        scaling=scaling(0, 3, actions=(action("never", at(now() + SOON), low=3),), suspended=("Scheduled",)),
    )
    journey.create("clock", limit=3, warm=1, scaling=scaling(0, 3, actions=clock))
    found = {name: journey.reaches(name, rows.IN_SERVICE) for name in ("sleepy", "frozen", "clock")}
    pool = {name: pools.name_of(endpoint) for name, endpoint in found.items()}
    with (
        Watched(journey.api, journey.namespace) as watched,
        Load(1, lambda: journey.invoke("clock", {"sleep": 0.02})) as load,
    ):
        pools.reached(journey, "sleepy", 0)  # nothing has asked: a true zero, so it scales in
        morning = now() + SOON
        journey.kubectl.patch(
            "kep", "sleepy", {"spec": scaling(0, 2, tracking(0.7), actions=(action("morning", at(morning), low=2),))}
        )
        pools.reached(journey, "sleepy", 2)
        assert causes(journey, "sleepy")[0] == "scheduled action 'morning' set the minimum to 2"
        assert scheduled(journey.endpoint("sleepy"), "last") == {
            "name": "morning",
            "time": f"{morning:%Y-%m-%dT%H:%M:%SZ}",
        }

        assert watched.sizes(pool["frozen"]) == [1], "its moment has passed"
        journey.kubectl.patch(
            "kep", "frozen", {"spec": scaling(0, 3, actions=(action("never", at(morning - SOON), low=3),))}
        )
        evening = now() + SOON
        bounds = (action("morning", at(morning), low=2), action("evening", at(evening), low=0))
        journey.kubectl.patch("kep", "sleepy", {"spec": scaling(0, 2, tracking(0.7), actions=bounds)})
        pools.reached(journey, "sleepy", 0)

        told = journey.api.until(
            "endpoints", journey.namespace, "clock", lambda found: scheduled(found, "last").get("name") == "after", 150
        )
        pools.sized(journey, "clock", 1)
        assert scheduled(told, "next")["name"] == "minute"
        assert causes(journey, "clock")[:2] == [
            "scheduled action 'after' set the maximum to 1",
            "scheduled action 'minute' set the minimum to 2",
        ]
    assert pools.not_fitting(load.answers) == []
    assert watched.sizes(pool["clock"]) == [1, 2, 1], "without policies the size is held within the bounds"
    assert watched.sizes(pool["frozen"]) == [1]
    assert watched.sizes(pool["sleepy"])[-4:] == [1, 0, 2, 0]
    assert pools.rescales(journey, "sleepy") == {0}, (
        "the HPA goes to zero, and the controller leaves it where the minimum is above: an HPA would not"
    )
    assert journey.api.get("horizontalpodautoscalers", journey.namespace, "clock-warm") is None, (
        "nothing to track: no HPA"
    )
    told_of = {
        "morning": (pool["sleepy"], 2, morning),
        "minute": (pool["clock"], 2, minute),
        "after": (pool["clock"], 1, after),
    }
    lags = {name: lag(watched, *about) for name, about in told_of.items()}
    pools.keep("autoscaling_moments", {"secondsFromTheMomentToTheSize": lags, "requests": len(load.answers)})
    assert all(value >= 0 for value in lags.values()), f"no sooner than its moment: {lags}"


def lag(watched: Watched, pool: str, replicas: int, moment: datetime) -> float:
    """Seconds from an action's moment until the pool was given that size."""
    begin = moment.timestamp() - (time.time() - time.monotonic())
    return round([c.at for c in watched.changes if (c.pool, c.replicas) == (pool, replicas)][-1] - begin, 1)


def test_an_update_keeps_the_size_and_each_size_has_one_writer(journey: Journey) -> None:
    """Autoscaling comes, lives through an update under load, and goes; every size has one author, and nobody writes over another."""
    journey.create("moves", limit=5, warm=1, scaling=scaling(3, 4, tracking(0.7)))
    journey.create("late", limit=3, idle=300)
    old = pools.name_of(journey.reaches("moves", rows.IN_SERVICE))
    assert journey.reaches("late", rows.IN_SERVICE)["status"]["route"]["pools"].keys() == {"demand"}
    journey.kubectl.apply(manifests.config("bigger", model="moves", memory=2048, limit=5, warm=1))
    with ExitStack() as stack:
        watched = stack.enter_context(Watched(journey.api, journey.namespace))
        with Load(2, lambda: journey.invoke("moves", {"sleep": 0.1})) as load:
            journey.kubectl.patch("kep", "moves", {"spec": {"endpointConfigName": "bigger"}})
            journey.kubectl.patch("kep", "late", {"spec": scaling(1, 2, tracking(0.7))})
            new = pools.name_of(journey.reaches("moves", rows.IN_SERVICE, timeout=120))
            journey.api.until(
                "horizontalpodautoscalers", journey.namespace, "moves-warm", lambda found: target(found) == new
            )
            journey.api.until("replicasets", journey.namespace, old, lambda found: found is None, 120)
            journey.kubectl.wait("kep", "moves", "condition=ScalingActive=True")
            pools.reached(journey, "moves", 3)
        assert new != old
        assert pools.not_fitting(load.answers) == [], (
            "the new pool is filled to the size in force before the route moves"
        )
        late = pools.name_of(pools.reached(journey, "late", 1))
        assert target(journey.api.get("horizontalpodautoscalers", journey.namespace, "late-warm")) == late

        journey.kubectl.patch("kep", "moves", {"spec": {"autoscaling": None}})
        found = pools.reached(journey, "moves", 1)
        journey.api.until("horizontalpodautoscalers", journey.namespace, "moves-warm", lambda found: found is None)
        assert "autoscaling" not in found["status"]
        assert causes(journey, "moves")[0].startswith("autoscaling was taken away")
    assert watched.writers(new) == [(3, CREATOR), (1, CONTROLLER)], "the config says 1, but 3 is in force"
    assert 1 not in watched.sizes(old), "the old pool goes as a whole"
    assert watched.writers(late) == [(1, CREATOR)]
    hpa = journey.api.get("horizontalpodautoscalers", journey.namespace, "late-warm")
    assert hpa is not None
    spec = {m["manager"] for m in hpa["metadata"]["managedFields"] if "f:spec" in m["fieldsV1"]}
    assert spec <= {CREATOR, "kindler"}, "and the HPA's own spec is Kindler's"


def test_the_examples_scale_as_they_say(journey: Journey) -> None:
    """examples/provisioned, as they are: the load's, the clock's, and both."""
    for manifest in ("target", "schedule", "both"):
        journey.kubectl("apply", "-f", f"examples/provisioned/{manifest}.yaml")
    for name, low, tracks in (("echo-target", 1, True), ("echo-schedule", 0, False), ("echo-both", 0, True)):
        journey.reaches(name, rows.IN_SERVICE)
        journey.kubectl.wait("kep", name, "condition=ScalingActive=True")
        found = pools.reached(journey, name, low)
        assert (scheduled(found, "next") == {}) == (name == "echo-target")
        hpa = journey.api.get("horizontalpodautoscalers", journey.namespace, f"{name}-warm")
        assert (hpa is not None) == tracks
        assert journey.invoke(name).status == 200


def target(autoscaler: Json | None) -> str:
    return str(autoscaler["spec"]["scaleTargetRef"]["name"]) if autoscaler else ""
