"""Which component scales the warm pool, and to which size: each row of the tables in decision.py and decide.py."""

from __future__ import annotations

from typing import Any

import pytest

from kindler.core.autoscaling.decide import FIRST_MINUTE_RESYNC_SECONDS, IDLE_RESYNC_SECONDS, RESYNC_SECONDS, decide
from kindler.core.autoscaling.decision import MetricsApi
from kindler.core.autoscaling.tracking import Recommendation
from tests.unit.autoscaling import MORNING, NIGHT, NOW, SINCE, WARM, bounds, facts, hpa, pool, route, status, target
from tests.unit.autoscaling import policy as tracks

NONE, EXTERNAL, CUSTOM = MetricsApi.NONE, MetricsApi.EXTERNAL, MetricsApi.CUSTOM
SLEPT = hpa(("ScaledToZero", "True", "ScaledToZero", ""))
BUSY = tracks()
AT_ONCE = tracks(cooldown=0)
FOREIGN = {
    "policyName": "queue",
    "targetTrackingScalingPolicyConfiguration": {
        "targetValue": 10,
        "customizedMetricSpecification": {"metricName": "queue", "namespace": "Team", "statistic": "Average"},
    },
}


def pinned(size: int) -> dict[str, Any]:
    """An HPA whose minimum and maximum are the same size."""
    made = hpa()
    return made | {"spec": made["spec"] | {"minReplicas": size, "maxReplicas": size}}


SIZERS: dict[str, tuple[dict[str, Any], int | None, tuple[int, int] | None, bool]] = {
    "nothing scales": ({"leads": route(provisioned=3), "replicas": 1}, 3, None, False),
    "nothing scales, nor is anything provisioned": ({"leads": route(warm_pool=None), "replicas": None}, 0, None, False),
    "autoscaling taken away": ({"leads": route(provisioned=3), "replicas": 9, "hpa": hpa()}, 3, None, False),
    "no policies: below the minimum": ({"scales": target(2, 8), "replicas": 1}, 2, None, False),
    "no policies: within": ({"scales": target(2, 8), "replicas": 5}, 5, None, False),
    "no policies: above the maximum": ({"scales": target(2, 8), "replicas": 9}, 8, None, False),
    "no policies: an HPA left over": ({"scales": target(2, 8), "replicas": 5, "hpa": hpa()}, 5, None, False),
    "no policies, maximum 0": ({"scales": target(0, 0), "replicas": 5}, 0, None, False),
    "the HPA's": ({"scales": target(1, 8, BUSY), "replicas": 3}, None, (1, 8), False),
    "the HPA's by the other API": ({"scales": target(1, 8, BUSY), "replicas": 3, "api": CUSTOM}, None, (1, 8), False),
    "the HPA's, also outside of the bounds": ({"scales": target(2, 8, BUSY), "replicas": 9}, None, (2, 8), False),
    "the HPA's, also below": ({"scales": target(2, 8, BUSY), "replicas": 1}, None, (2, 8), False),
    "no HPA yet": ({"scales": target(2, 8, BUSY), "replicas": 1, "hpa": None}, 2, (2, 8), False),
    "the HPA leads elsewhere": (
        {"scales": target(2, 8, BUSY), "replicas": 9, "hpa": hpa(targets_pool="old")},
        8,
        (2, 8),
        False,
    ),
    "maximum 0": ({"scales": target(0, 0, BUSY), "replicas": 3}, 0, None, False),
    "maxConcurrency 1 holds the maximum": (
        {"scales": target(0, 9, BUSY), "leads": route(limit=1), "replicas": 3},
        None,
        (0, 1),
        False,
    ),
    "from 0 to the minimum": ({"scales": target(2, 8, BUSY), "replicas": 0}, 2, (2, 8), False),
    "… though the HPA slept": ({"scales": target(2, 8, BUSY), "replicas": 0, "hpa": SLEPT}, 2, (2, 8), False),
    "… while all suspended": (
        {"scales": target(2, 8, BUSY, suspended="in out scheduled"), "replicas": 0},
        2,
        (2, 8),
        False,
    ),
    "minimum 0, the HPA's": ({"scales": target(0, 8, BUSY), "replicas": 3}, None, (0, 8), False),
    "at 0 by the HPA": ({"scales": target(0, 8, BUSY), "replicas": 0, "hpa": SLEPT}, None, (0, 8), False),
    "at 0 not by the HPA, idle": (
        {"scales": target(0, 8, BUSY), "replicas": 0, "loads": {"busy": 0.0}},
        0,
        (0, 8),
        True,
    ),
    "at 0 not by the HPA, load": (
        {"scales": target(0, 8, BUSY), "replicas": 0, "loads": {"busy": 3.0}},
        5,
        (0, 8),
        True,
    ),
    "at 0 not by the HPA, much": (
        {"scales": target(0, 8, BUSY), "replicas": 0, "loads": {"busy": 30.0}},
        8,
        (0, 8),
        True,
    ),
    "at 0, not measured yet": ({"scales": target(0, 8, BUSY), "replicas": 0}, 0, (0, 8), True),
    "at 0, no data": ({"scales": target(0, 8, BUSY), "replicas": 0, "loads": {"busy": None}}, 0, (0, 8), True),
    "at 0, scaling out suspended": (
        {"scales": target(0, 8, BUSY, suspended="out"), "replicas": 0, "loads": {"busy": 3.0}},
        0,
        (0, 8),
        True,
    ),
    "at 0, one of two has data": (
        {"scales": target(0, 8, BUSY, tracks("b")), "replicas": 0, "loads": {"busy": 3.0, "b": None}},
        5,
        (0, 8),
        True,
    ),
    "at 0, no HPA yet": (
        {"scales": target(0, 8, BUSY), "replicas": 0, "hpa": None, "loads": {"busy": 3.0}},
        5,
        (0, 8),
        True,
    ),
    "zero rejected, busy": (
        {"scales": target(0, 8, AT_ONCE), "replicas": 4, "zero": False, "loads": {"busy": 1.0}},
        None,
        (1, 8),
        True,
    ),
    "zero rejected, 4 and idle: the HPA comes first": (
        {"scales": target(0, 8, AT_ONCE), "replicas": 4, "zero": False, "loads": {"busy": 0.0}},
        None,
        (1, 8),
        True,
    ),
    "zero rejected, 1 and idle": (
        {"scales": target(0, 8, AT_ONCE), "replicas": 1, "zero": False, "loads": {"busy": 0.0}},
        0,
        (1, 8),
        True,
    ),
    "zero rejected, 1 and idle, in the window": (
        {"scales": target(0, 8, BUSY), "replicas": 1, "zero": False, "loads": {"busy": 0.0}},
        None,
        (1, 8),
        True,
    ),
    "zero rejected, 1 and no data": (
        {"scales": target(0, 8, AT_ONCE), "replicas": 1, "zero": False, "loads": {"busy": None}},
        None,
        (1, 8),
        True,
    ),
    "zero rejected, scaling in suspended": (
        {"scales": target(0, 8, AT_ONCE, suspended="in"), "replicas": 1, "zero": False, "loads": {"busy": 0.0}},
        None,
        (1, 8),
        True,
    ),
    "zero rejected, never scaled in": (
        {"scales": target(0, 8, tracks(cooldown=0, keeps=True)), "replicas": 1, "zero": False, "loads": {"busy": 0.0}},
        None,
        (1, 8),
        True,
    ),
    "zero rejected, at 0, load": (
        {"scales": target(0, 8, BUSY), "replicas": 0, "zero": False, "loads": {"busy": 3.0}},
        5,
        (1, 8),
        True,
    ),
    "zero rejected, minimum above": ({"scales": target(1, 8, BUSY), "replicas": 4, "zero": False}, None, (1, 8), False),
    "no API, more": (
        {"scales": target(1, 8, BUSY), "replicas": 2, "api": NONE, "loads": {"busy": 3.0}},
        None,
        (5, 5),
        True,
    ),
    "no API, less": (
        {"scales": target(1, 8, AT_ONCE), "replicas": 7, "api": NONE, "loads": {"busy": 3.0}},
        None,
        (5, 5),
        True,
    ),
    "no API, less, in the window": (
        {"scales": target(1, 8, BUSY), "replicas": 7, "api": NONE, "loads": {"busy": 3.0}},
        None,
        (7, 7),
        True,
    ),
    "no API, the maximum": (
        {"scales": target(1, 8, BUSY), "replicas": 2, "api": NONE, "loads": {"busy": 30.0}},
        None,
        (8, 8),
        True,
    ),
    "no API, no data": (
        {"scales": target(1, 8, BUSY), "replicas": 3, "api": NONE, "loads": {"busy": None}},
        None,
        (3, 3),
        True,
    ),
    "no API, not measured yet": ({"scales": target(1, 8, BUSY), "replicas": 3, "api": NONE}, None, (3, 3), True),
    "no API, not measured yet, pinned": (
        {"scales": target(1, 8, BUSY), "replicas": 4, "api": NONE, "hpa": pinned(7)},
        None,
        (7, 7),
        True,
    ),
    "no API, no data, pinned": (
        {"scales": target(1, 8, BUSY), "api": NONE, "hpa": pinned(7), "loads": {"busy": None}},
        None,
        (7, 7),
        True,
    ),
    "no API, data, pinned": (
        {"scales": target(1, 8, BUSY), "api": NONE, "hpa": pinned(7), "loads": {"busy": 1.4}},
        None,
        (2, 2),
        True,
    ),
    "no API, not measured yet, pinned, above the maximum": (
        {"scales": target(1, 5, BUSY), "api": NONE, "hpa": pinned(7)},
        None,
        (5, 5),
        True,
    ),
    "no API, not measured yet, at 0 though pinned": (
        {"scales": target(0, 8, BUSY), "replicas": 0, "api": NONE, "zero": False, "hpa": pinned(1)},
        0,
        (1, 1),
        True,
    ),
    "an API, bounds of one size": (
        {"scales": target(0, 8, AT_ONCE), "replicas": 2, "zero": False, "hpa": pinned(7)},
        None,
        (1, 8),
        True,
    ),
    "no API, no data, below the minimum": (
        {"scales": target(4, 8, BUSY), "replicas": 3, "api": NONE},
        None,
        (4, 4),
        True,
    ),
    "no API, no HPA yet": (
        {"scales": target(1, 8, BUSY), "replicas": 2, "api": NONE, "hpa": None, "loads": {"busy": 3.0}},
        5,
        (5, 5),
        True,
    ),
    "no API, from 0": (
        {"scales": target(0, 8, BUSY), "replicas": 0, "api": NONE, "loads": {"busy": 3.0}},
        5,
        (5, 5),
        True,
    ),
    "no API, from 0 to the minimum": (
        {"scales": target(2, 8, BUSY), "replicas": 0, "api": NONE, "loads": {"busy": 0.0}},
        2,
        (2, 2),
        True,
    ),
    "no API, at 0": (
        {"scales": target(0, 8, BUSY), "replicas": 0, "api": NONE, "loads": {"busy": 0.0}},
        0,
        (0, 1),
        True,
    ),
    "no API, at 0 once by the HPA": (
        {"scales": target(0, 8, BUSY), "replicas": 0, "api": NONE, "hpa": SLEPT, "loads": {"busy": 2.0}},
        3,
        (3, 3),
        True,
    ),
    "no API, to 1 first": (
        {"scales": target(0, 8, AT_ONCE), "replicas": 4, "api": NONE, "loads": {"busy": 0.0}},
        None,
        (0, 1),
        True,
    ),
    "no API, to 0": (
        {"scales": target(0, 8, AT_ONCE), "replicas": 1, "api": NONE, "loads": {"busy": 0.0}},
        0,
        (0, 1),
        True,
    ),
    "no API, zero rejected, to 0": (
        {"scales": target(0, 8, AT_ONCE), "replicas": 1, "api": NONE, "zero": False, "loads": {"busy": 0.0}},
        0,
        (1, 1),
        True,
    ),
    "no API, maximum 0": ({"scales": target(0, 0, BUSY), "replicas": 4, "api": NONE}, 0, None, False),
    "a policy that cannot be followed is none": (
        {"scales": target(2, 8, tracks(metric="CPUUtilization")), "replicas": 1},
        2,
        None,
        False,
    ),
    "no pool yet": ({"scales": target(2, 8, BUSY), "replicas": None, "hpa": None}, 2, (2, 8), False),
}


@pytest.mark.parametrize("row", SIZERS.values(), ids=SIZERS)
def test_who_scales_the_pool_and_to_which_size(
    row: tuple[dict[str, Any], int | None, tuple[int, int] | None, bool],
) -> None:
    found, size, wanted, measure = row
    decided = decide(facts(**found))
    assert (decided.size, bounds(decided.hpa), decided.measures_load) == (size, wanted, measure)
    assert (decided.requeue_after is not None) == measure


@pytest.mark.parametrize(
    ("found", "again", "quiet"),
    [
        ({"scales": target(0, 8, BUSY), "replicas": 0}, RESYNC_SECONDS, False),
        (
            {"scales": target(0, 8, BUSY), "replicas": 0, "history": (Recommendation(NOW - 5, 0),)},
            FIRST_MINUTE_RESYNC_SECONDS,
            False,
        ),
        ({"scales": target(0, 8, BUSY), "replicas": 0, "loads": {"busy": None}}, RESYNC_SECONDS, False),
        ({"scales": target(0, 8, BUSY), "replicas": 0, "loads": {"busy": 0.0}}, IDLE_RESYNC_SECONDS, True),
        ({"scales": target(0, 8, BUSY), "replicas": 0, "loads": {"busy": 0.1}}, RESYNC_SECONDS, False),
        (
            {"scales": target(0, 8, BUSY, tracks("b")), "replicas": 0, "loads": {"busy": 0.0, "b": None}},
            RESYNC_SECONDS,
            False,
        ),
        ({"scales": target(2, 8, BUSY), "replicas": 2, "api": NONE, "loads": {"busy": 0.0}}, IDLE_RESYNC_SECONDS, True),
        ({"scales": target(2, 8, BUSY), "replicas": 3, "api": NONE, "loads": {"busy": 0.0}}, RESYNC_SECONDS, False),
        ({"scales": target(2, 8, BUSY), "replicas": 1, "api": NONE, "loads": {"busy": 0.0}}, RESYNC_SECONDS, False),
        (
            {"scales": target(0, 8, AT_ONCE), "replicas": 1, "zero": False, "loads": {"busy": 0.0}},
            RESYNC_SECONDS,
            False,
        ),
        ({"scales": target(0, 8, FOREIGN), "replicas": 0, "loads": {"queue": 0.0}}, RESYNC_SECONDS, False),
        ({"scales": target(1, 8, BUSY), "replicas": 1}, None, False),
    ],
)
def test_the_next_pass_comes_as_soon_as_loads_can_change_the_size(
    found: dict[str, Any], again: float | None, quiet: bool
) -> None:
    decided = decide(facts(**found))
    assert (decided.requeue_after, decided.idle) == (again, quiet)


@pytest.mark.parametrize(
    ("low", "high", "limit", "per", "pods", "held"),
    [
        (1, 8, 20, 1, (1, 8), (1, 8)),
        (1, 8, 20, 3, (1, 3), (1, 8)),
        (4, 9, 20, 3, (2, 3), (4, 9)),
        (1, 50, 20, 1, (1, 20), (1, 20)),  # limited to maxConcurrency
        (30, 50, 20, 1, (20, 20), (20, 20)),
        (30, 50, 20, 8, (3, 3), (20, 20)),
        (0, 50, 20, 50, (0, 1), (0, 20)),
    ],
)
def test_sizes_in_units_and_pods(
    low: int, high: int, limit: int, per: int, pods: tuple[int, int], held: tuple[int, int]
) -> None:
    decided = decide(facts(target(low, high, BUSY), leads=route(limit=limit, per=per)))
    assert bounds(decided.hpa) == pods
    assert decided.status is not None
    assert (decided.status["minCapacity"], decided.status["maxCapacity"]) == held


def test_the_target_of_a_pod_is_the_sum_for_its_units() -> None:
    decided = decide(facts(target(1, 8, BUSY), leads=route(per=4)))
    assert decided.hpa is not None
    assert decided.hpa["metrics"][0]["external"]["target"] == {"type": "AverageValue", "averageValue": "2800m"}


# --- Capacities


@pytest.mark.parametrize(
    ("replicas", "ready", "before", "desired", "current"),
    [
        (2, 2, (2, 2), 2, 2),
        (4, 2, (2, 2), 4, 2),  # the size was increased, and the new pods are not Ready yet
        (4, 3, (4, 2), 4, 2),
        (4, 4, (4, 2), 4, 4),
        (4, 5, (4, 2), 4, 4),
        (2, 4, (4, 4), 2, 2),  # a decrease counts at once
        (4, 1, (4, 4), 4, 4),  # a pod that fails does not change the current capacity
        (9, 9, (4, 4), 8, 8),  # the pool still scales in to the maximum
        (6, 5, (8, 3), 6, 3),
    ],
)
def test_an_increase_counts_when_its_pods_are_ready(
    replicas: int, ready: int, before: tuple[int, int], desired: int, current: int
) -> None:
    decided = decide(facts(target(1, 8, BUSY), replicas=replicas, ready=ready, status=status(*before)))
    assert (decided.desired, decided.current) == (desired, current)
    assert decided.status is not None
    assert (decided.status["desiredCapacity"], decided.status["currentCapacity"]) == (desired, current)


@pytest.mark.parametrize(("replicas", "desired"), [(1, 3), (2, 6), (3, 8), (4, 8)])
def test_desired_in_units_never_passes_the_maximum(replicas: int, desired: int) -> None:
    assert decide(facts(target(1, 8, BUSY), replicas=replicas, leads=route(per=3))).desired == desired


def test_without_autoscaling_the_capacity_is_that_of_the_configuration() -> None:
    decided = decide(facts(leads=route(per=2, provisioned=5), replicas=3))
    assert (decided.size, decided.floor, decided.desired, decided.current, decided.status, decided.active) == (
        3,
        3,
        5,
        5,
        None,
        None,
    )


@pytest.mark.parametrize(
    ("found", "floor"),
    [
        ({"scales": target(2, 8, BUSY), "replicas": None}, 2),
        ({"scales": target(2, 8, BUSY), "replicas": None, "leads": route(provisioned=5)}, 5),
        ({"scales": target(2, 8, BUSY), "replicas": None, "leads": route(provisioned=12)}, 8),
        (
            {
                "scales": target(2, 8, BUSY),
                "replicas": None,
                "leads": route(provisioned=5),
                "status": status(7, desiredCapacity=7),
            },
            7,
        ),  # the pool was deleted, so the desired size in status counts
        ({"scales": target(2, 8, BUSY), "replicas": 6, "leads": route(provisioned=3)}, 6),
        ({"scales": target(2, 8, BUSY), "replicas": 6, "leads": route(limit=4)}, 4),
        ({"scales": target(2, 8, BUSY), "replicas": 9}, 8),
        ({"scales": target(0, 8, BUSY), "replicas": None}, 0),
        ({"scales": target(5, 8, BUSY), "replicas": None, "leads": route(per=2)}, 3),
        ({"replicas": None, "leads": route(provisioned=3)}, 3),
    ],
)
def test_the_first_size_of_a_new_pool(found: dict[str, Any], floor: int) -> None:
    assert decide(facts(**({"hpa": None} | found))).floor == floor


# --- Schedules


def test_a_scheduled_action_acts_at_its_time_and_not_before() -> None:
    scales = target(1, 8, BUSY, actions=(MORNING,))
    before = decide(facts(scales, status=status(1, **SINCE), now=NOW - 1.5))
    assert (bounds(before.hpa), before.requeue_after, before.desired) == ((1, 8), 1.5, 1)
    assert before.status is not None
    assert before.status["nextScheduledAction"] == {"name": "morning", "time": "2027-01-15T08:00:00Z"}
    assert "lastScheduledAction" not in before.status
    after = decide(facts(scales, status=status(1, **SINCE), now=NOW))
    assert (bounds(after.hpa), after.requeue_after, after.desired, after.size) == ((4, 8), None, 4, None)
    assert after.cause == "scheduled action 'morning' set the minimum to 4"
    assert after.status is not None
    assert after.status["lastScheduledAction"] == {"name": "morning", "time": "2027-01-15T08:00:00Z"}
    assert after.status["boundsSince"] == SINCE["boundsSince"]


def test_a_schedule_without_policies_and_without_hpa() -> None:
    asleep = decide(facts(target(1, 8, actions=(NIGHT, MORNING)), replicas=5, status=status(5, **SINCE), now=NOW - 60))
    assert (asleep.size, asleep.hpa, asleep.requeue_after) == (0, None, 60)
    assert asleep.cause == "scheduled action 'night' set the maximum to 0"
    awake = decide(facts(target(1, 8, actions=(NIGHT, MORNING)), replicas=0, status=status(0, **SINCE), now=NOW))
    assert (awake.size, awake.cause) == (4, "scheduled action 'morning' set the minimum to 4")


def test_the_next_scheduled_action_requeues_before_the_next_resync() -> None:
    found = {"scales": target(1, 8, BUSY, actions=(MORNING,)), "api": NONE, "status": status(1, **SINCE)}
    assert decide(facts(**found, now=NOW - 2)).requeue_after == 2
    assert decide(facts(**found, now=NOW - 20)).requeue_after == RESYNC_SECONDS


def test_suspended_scheduled_scaling() -> None:
    decided = decide(
        facts(
            target(1, 8, BUSY, actions=(MORNING,), suspended="scheduled"),
            status=status(1, **SINCE, scheduledScalingSuspended=True),
            now=NOW + 5,
        )
    )
    assert bounds(decided.hpa) == (1, 8)
    assert decided.active is not None
    assert "Scheduled actions are suspended" in decided.active[2]


# --- The history


def test_the_history_is_kept_only_while_loads_are_measured() -> None:
    past = (Recommendation(NOW - 10, 6),)
    computed = decide(facts(target(1, 8, BUSY), replicas=6, api=NONE, loads={"busy": 1.0}, history=past))
    assert bounds(computed.hpa) == (6, 6)
    assert computed.history == (*past, Recommendation(NOW, 2))
    later = decide(
        facts(target(1, 8, BUSY), replicas=6, api=NONE, loads={"busy": 1.0}, history=computed.history, now=NOW + 291)
    )
    assert bounds(later.hpa) == (2, 2)
    assert decide(facts(target(1, 8, BUSY), history=past)).history == ()


def test_a_lost_history_holds_the_size_for_one_cooldown() -> None:
    first = decide(facts(target(1, 8, BUSY), replicas=6, api=NONE, loads={"busy": 1.0}))
    assert bounds(first.hpa) == (6, 6)
    assert bounds(
        decide(
            facts(target(1, 8, BUSY), replicas=6, api=NONE, loads={"busy": 1.0}, history=first.history, now=NOW + 301)
        ).hpa
    ) == (2, 2)


def test_the_hpa_targets_the_pool_of_the_route() -> None:
    decided = decide(facts(target(1, 8, BUSY), hpa=hpa(targets_pool="iris-old-warm")))
    assert decided.hpa is not None
    assert decided.hpa["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": WARM}
    assert pool(1).name == WARM


@pytest.mark.parametrize(("api", "desired"), [(EXTERNAL, 4), (NONE, 8)])
def test_desired_is_the_size_by_whoever_scales_the_pool(api: MetricsApi, desired: int) -> None:
    """If the API server rejects minReplicas 0, the controller also computes sizes, but the HPA sets all sizes above 0.

    Therefore the desired size is the size that the HPA has set. Without a metrics API, the controller's size counts.
    """
    assert decide(facts(target(0, 8, BUSY), replicas=4, api=api, zero=False, loads={"busy": 5.6})).desired == desired
