"""Scheduled bounds, sizes during an update, and the writer of each size.

One journey observes several endpoints at the same time.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.e2e.support import manifests, pools, rows
from tests.e2e.support.gateway import Load
from tests.e2e.support.journey import Journey
from tests.e2e.support.manifests import action, scaling, tracking
from tests.e2e.support.pools import CONTROLLER, CREATOR, Watched

Json = dict[str, Any]

SOON = timedelta(seconds=4)  # enough for a patch to reach the controller before the action is due


def at(moment: datetime) -> str:
    return f"at({moment:%Y-%m-%dT%H:%M:%S})"


def now() -> datetime:
    """The current time in whole seconds: schedules have no fractions of a second."""
    return datetime.now(UTC).replace(microsecond=0)


def scheduled(obj: Json | None, which: str) -> Json:
    """The `last` or `next` scheduled action in status.autoscaling, or an empty object."""
    entries = (obj or {}).get("status", {}).get("autoscaling", [])
    return dict(entries[0].get(f"{which}ScheduledAction", {})) if entries else {}


def causes(journey: Journey, name: str) -> list[str]:
    """The causes of all changes of the desired size, the latest first."""
    return [activity["cause"] for activity in journey.endpoint(name)["status"].get("scalingActivities", [])]


def test_bounds_follow_the_clock(journey: Journey) -> None:
    """Three endpoints with scheduled actions.

    "idle" scales to zero without load; one action raises its minimum and one lowers it. "clock" has a cron action
    and, 5 s later, an `at` action. "suspended" suspends its actions: actions that are due while they are suspended are
    skipped and not applied later.
    """
    with Watched(journey.api, journey.namespace) as watched:
        pool = create_scheduled(journey)
        with Load(1, lambda: journey.invoke("clock", {"sleep": 0.02})) as load:
            minute, after = act_in_the_next_minute(journey)
            morning = raise_minimum_of_idle(journey)
            assert watched.sizes(pool["suspended"]) == [1], "the suspended action was due and must not be applied"
            journey.kubectl.patch(
                "kep", "suspended", {"spec": scaling(0, 3, actions=(action("never", at(morning - SOON), low=3),))}
            )
            evening = now() + SOON
            bounds = (action("morning", at(morning), low=2), action("evening", at(evening), low=0))
            journey.kubectl.patch("kep", "idle", {"spec": scaling(0, 2, tracking(0.7), actions=bounds)})
            pools.reached(journey, "idle", 0)
            clock = journey.api.until(
                "endpoints", journey.namespace, "clock", lambda obj: scheduled(obj, "last").get("name") == "after", 150
            )
            pools.until_sized(journey, "clock", 1)
            assert scheduled(clock, "next")["name"] == "minute"
            assert causes(journey, "clock")[:2] == [
                "scheduled action 'after' set the maximum to 1",
                "scheduled action 'minute' set the minimum to 2",
            ]
    assert pools.not_served_warm(load.responses) == []
    assert watched.sizes(pool["clock"]) == [1, 2, 1], "without policies, the size changes only with the bounds"
    assert watched.sizes(pool["suspended"]) == [1]
    assert watched.sizes(pool["idle"])[-4:] == [1, 0, 2, 0]
    assert pools.rescales(journey, "idle") == {0}, (
        "the HPA scales to zero; the controller scales up from zero when the minimum is higher, because an HPA does not"
    )
    assert journey.api.get("horizontalpodautoscalers", journey.namespace, "clock-warm") is None, (
        "without a policy there must be no HPA"
    )
    due = {
        "morning": (pool["idle"], 2, morning),
        "minute": (pool["clock"], 2, minute),
        "after": (pool["clock"], 1, after),
    }
    delays = {name: delay(watched, *change) for name, change in due.items()}
    pools.save("autoscaling_moments", {"secondsFromTheMomentToTheSize": delays, "requests": len(load.responses)})
    assert all(value >= 0 for value in delays.values()), f"an action must not be applied before it is due: {delays}"


def create_scheduled(journey: Journey) -> dict[str, str]:
    """Creates the three endpoints and waits until they are in service. Returns their warm pools by name."""
    journey.create("idle", limit=3, warm=1, scaling=scaling(0, 2, tracking(0.7)))
    journey.create(
        "suspended",
        limit=3,
        warm=1,
        scaling=scaling(0, 3, actions=(action("never", at(now() + SOON), low=3),), suspended=("Scheduled",)),
    )
    journey.create("clock", limit=3, warm=1, scaling=scaling(0, 3))
    endpoints = {name: journey.reaches(name, rows.IN_SERVICE) for name in ("idle", "suspended", "clock")}
    return {name: pools.name_of(endpoint) for name, endpoint in endpoints.items()}


def act_in_the_next_minute(journey: Journey) -> tuple[datetime, datetime]:
    """Gives "clock" its two actions, at least 15 s before the first one. Returns the times of both.

    The times are chosen when the endpoints are in service, because the time until then differs between machines.
    """
    minute = now().replace(second=0) + timedelta(minutes=1)
    if minute - now() < timedelta(seconds=15):
        minute += timedelta(minutes=1)
    after = minute + timedelta(seconds=5)
    # Once an hour, so that a slow machine does not see the cron action a second time within the journey.
    actions = (action("minute", f"cron({minute.minute} * * * ? *)", low=2), action("after", at(after), high=1))
    journey.kubectl.patch("kep", "clock", {"spec": scaling(0, 3, actions=actions)})
    return minute, after


def raise_minimum_of_idle(journey: Journey) -> datetime:
    """After "idle" is at zero, a scheduled action raises its minimum to 2. Returns the time of the action."""
    pools.reached(journey, "idle", 0)  # there were no requests: the metric is 0, so the HPA scales in
    morning = now() + SOON
    journey.kubectl.patch(
        "kep", "idle", {"spec": scaling(0, 2, tracking(0.7), actions=(action("morning", at(morning), low=2),))}
    )
    pools.reached(journey, "idle", 2)
    assert causes(journey, "idle")[0] == "scheduled action 'morning' set the minimum to 2"
    assert scheduled(journey.endpoint("idle"), "last") == {
        "name": "morning",
        "time": f"{morning:%Y-%m-%dT%H:%M:%SZ}",
    }
    return morning


def delay(watched: Watched, pool: str, replicas: int, moment: datetime) -> float:
    """Seconds from the time of an action until the pool got the size that the action requires."""
    begin = moment.timestamp() - (time.time() - time.monotonic())
    return round([c.at for c in watched.changes if (c.pool, c.replicas) == (pool, replicas)][-1] - begin, 1)


def test_an_update_keeps_the_size_and_each_size_has_one_writer(journey: Journey) -> None:
    """Autoscaling is added, stays through an update under load, and is removed.

    The watch sees every change of a pool's size and its field manager: there must be no other change than expected.
    """
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
                "horizontalpodautoscalers", journey.namespace, "moves-warm", lambda obj: target(obj) == new
            )
            journey.api.until("replicasets", journey.namespace, old, lambda obj: obj is None, 120)
            journey.kubectl.wait("kep", "moves", "condition=ScalingActive=True")
            pools.reached(journey, "moves", 3)
        assert new != old
        assert pools.not_served_warm(load.responses) == [], (
            "the new pool must have the size in force before the route changes"
        )
        late = pools.name_of(pools.reached(journey, "late", 1))
        assert target(journey.api.get("horizontalpodautoscalers", journey.namespace, "late-warm")) == late

        journey.kubectl.patch("kep", "moves", {"spec": {"autoscaling": None}})
        endpoint = pools.reached(journey, "moves", 1)
        journey.api.until("horizontalpodautoscalers", journey.namespace, "moves-warm", lambda obj: obj is None)
        assert "autoscaling" not in endpoint["status"]
        assert causes(journey, "moves")[0].startswith("autoscaling was taken away")
    assert watched.writers(new) == [(3, CREATOR), (1, CONTROLLER)], (
        "the new pool starts with the size in force (3), not with the size in the config (1)"
    )
    assert 1 not in watched.sizes(old), "the old pool must be deleted as a whole, not scaled in"
    assert watched.writers(late) == [(1, CREATOR)]
    hpa = journey.api.get("horizontalpodautoscalers", journey.namespace, "late-warm")
    assert hpa is not None
    spec = {m["manager"] for m in hpa["metadata"]["managedFields"] if "f:spec" in m["fieldsV1"]}
    assert spec <= {CREATOR, "kindler"}, "only Kindler may write the spec of its HPA"


def test_the_provisioned_examples_scale(journey: Journey) -> None:
    """The manifests in examples/provisioned scale by load, by schedule, and by both."""
    for manifest in ("target", "schedule", "both"):
        journey.kubectl("apply", "-f", f"examples/provisioned/{manifest}.yaml")
    for name, low, tracks in (("echo-target", 1, True), ("echo-schedule", 0, False), ("echo-both", 0, True)):
        journey.reaches(name, rows.IN_SERVICE)
        journey.kubectl.wait("kep", name, "condition=ScalingActive=True")
        endpoint = pools.reached(journey, name, low)
        assert (scheduled(endpoint, "next") == {}) == (name == "echo-target")
        hpa = journey.api.get("horizontalpodautoscalers", journey.namespace, f"{name}-warm")
        assert (hpa is not None) == tracks
        assert journey.invoke(name).status == 200


def target(autoscaler: Json | None) -> str:
    return str(autoscaler["spec"]["scaleTargetRef"]["name"]) if autoscaler else ""
