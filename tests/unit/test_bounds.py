"""The bounds in force at times of 24 November 2026 in UTC. The user registered a minimum of 1 and a maximum of 10."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kindler.api.autoscaling import ScalableTarget
from kindler.core.autoscaling.bounds import Bounds, BoundsInForce, BoundsMemory, DueAction, bounds_in_force

DAY = datetime(2026, 11, 24, tzinfo=UTC).timestamp()  # a Tuesday
CREATED = DAY - 3 * 86400


def clock(time: str, days: int = 0) -> float:
    """Epoch seconds of hh:mm or hh:mm:ss, `days` after that day."""
    return datetime.fromisoformat(f"2026-11-24T{time}+00:00").timestamp() + days * 86400


def action(name: str, schedule: str, low: int | None = None, high: int | None = None, **more: Any) -> dict[str, Any]:
    sets = {k: v for k, v in (("minCapacity", low), ("maxCapacity", high)) if v is not None}
    return {"scheduledActionName": name, "schedule": schedule, "scalableTargetAction": sets, **more}


def target(*actions: dict[str, Any], low: int = 1, high: int = 10, suspended: bool = False) -> ScalableTarget:
    entry = {
        "variantName": "v",
        "minCapacity": low,
        "maxCapacity": high,
        "suspendedState": {"scheduledScalingSuspended": suspended},
    }
    return ScalableTarget.model_validate({**entry, **({"scheduledActions": actions} if actions else {})})


def memory(since: str = "00:00", low: int = 1, high: int = 10, suspended: bool = False) -> BoundsMemory:
    return BoundsMemory(clock(since), Bounds(1, 10), Bounds(low, high), suspended)


MORNING = action("morning", "cron(0 8 * * ? *)", low=4)
NOON = action("noon", "cron(0 12 * * ? *)", high=20)
EVENING = action("evening", "cron(0 20 * * ? *)", low=0, high=2)


def bounds_at(
    now: str, *actions: dict[str, Any], stored: BoundsMemory | None = None, days: int = 0, **entry: Any
) -> BoundsInForce:
    return bounds_in_force(target(*actions, **entry), stored or memory(), CREATED, clock(now, days))


def test_without_actions_the_registered_bounds_are_in_force() -> None:
    found = bounds_at("13:00")
    assert found == BoundsInForce(Bounds(1, 10), memory(), None, None, None, None, ())


def test_without_memory_the_bounds_are_registered_now() -> None:
    found = bounds_in_force(target(MORNING), None, CREATED, clock("13:00:07") + 0.5)
    assert found.memory == BoundsMemory(clock("13:00:07"), Bounds(1, 10), Bounds(1, 10), False)
    assert (found.bounds, found.last, found.next) == (Bounds(1, 10), None, DueAction("morning", clock("08:00", 1)))


def test_actions_that_came_due_while_an_endpoint_was_created_are_in_force() -> None:
    """The Endpoint was created at 07:58 and serves at 08:03. No reconcile between these times stores the bounds.

    The result would be the same after the loss of a stored status.
    """
    found = bounds_in_force(target(MORNING), None, clock("07:58"), clock("08:03"), served=False)
    assert (found.bounds, found.memory) == (
        Bounds(4, 10),
        BoundsMemory(clock("07:58"), Bounds(1, 10), Bounds(1, 10), False),
    )
    assert bounds_in_force(target(MORNING), None, clock("07:58"), clock("08:03")).bounds == Bounds(1, 10), (
        "autoscaling that is added later begins then"
    )


def test_a_memory_from_the_future_counts_from_now() -> None:
    """The clock of the former leader was ahead, so the stored time is in the future."""
    found = bounds_in_force(target(MORNING), memory("08:01"), CREATED, clock("07:59"))
    assert found.memory == memory("07:59")
    assert bounds_in_force(target(MORNING), found.memory, CREATED, clock("08:00")).bounds == Bounds(4, 10)


def test_an_action_sets_one_bound_and_leaves_the_other() -> None:
    at = clock("08:00")
    assert bounds_at("07:59:59", MORNING).bounds == Bounds(1, 10)
    found = bounds_at("08:00", MORNING)
    assert (found.bounds, found.minimum_by, found.maximum_by) == (Bounds(4, 10), DueAction("morning", at), None)
    assert (found.last, found.next) == (DueAction("morning", at), DueAction("morning", clock("08:00", 1)))
    assert found.memory == memory()  # the action is not stored, because it follows from the time


def test_each_bound_is_set_by_the_last_action_that_names_it() -> None:
    found = bounds_at("13:00", MORNING, NOON, EVENING, stored=memory("07:00"))
    assert (found.bounds, found.minimum_by, found.maximum_by) == (
        Bounds(4, 20),
        DueAction("morning", clock("08:00")),
        DueAction("noon", clock("12:00")),
    )
    assert (found.last, found.next) == (DueAction("noon", clock("12:00")), DueAction("evening", clock("20:00")))
    found = bounds_at("21:00", MORNING, NOON, EVENING, stored=memory("07:00"))
    assert (found.bounds, found.minimum_by, found.maximum_by) == (
        Bounds(0, 2),
        DueAction("evening", clock("20:00")),
        DueAction("evening", clock("20:00")),
    )


def test_the_order_in_the_list_does_not_matter_at_different_times() -> None:
    assert bounds_at("21:00", EVENING, NOON, MORNING).bounds == bounds_at("21:00", MORNING, NOON, EVENING).bounds


def test_of_two_actions_at_the_same_time_the_later_in_the_list_wins() -> None:
    other = action("other", "at(2026-11-24T08:00:00)", low=6)
    assert bounds_at("08:00", MORNING, other).bounds == Bounds(6, 10)
    found = bounds_at("08:00", other, MORNING)
    assert (found.bounds, found.minimum_by, found.last) == (
        Bounds(4, 10),
        DueAction("morning", clock("08:00")),
        DueAction("morning", clock("08:00")),
    )
    assert bounds_at("07:00", MORNING, other).next == DueAction("other", clock("08:00"))


def test_actions_missed_while_no_controller_ran_are_applied() -> None:
    """No controller ran from Tuesday to Friday noon: only the last due actions are applied, not every missed action."""
    found = bounds_at("12:30", MORNING, NOON, EVENING, days=3)
    assert (found.bounds, found.last) == (Bounds(4, 20), DueAction("noon", clock("12:00", 3)))


def test_a_later_minimum_above_the_maximum_also_sets_the_maximum() -> None:
    found = bounds_at("13:00", action("more", "at(2026-11-24T12:00:00)", low=15))
    assert (found.bounds, found.minimum_by, found.maximum_by) == (
        Bounds(15, 15),
        *[DueAction("more", clock("12:00"))] * 2,
    )


def test_a_later_maximum_below_the_minimum_also_sets_the_minimum() -> None:
    less = action("less", "at(2026-11-24T12:00:00)", high=2)
    found = bounds_at("13:00", MORNING, less)
    assert (found.bounds, found.minimum_by, found.maximum_by) == (
        Bounds(2, 2),
        *[DueAction("less", clock("12:00"))] * 2,
    )
    assert bounds_at("13:00", MORNING, less, days=1).bounds == Bounds(4, 4)  # MORNING is now the later one
    again = action("again", "at(2026-11-24T13:00:00)", high=8)
    assert bounds_at("13:00", MORNING, less, again).bounds == Bounds(4, 8)  # the minimum of 4 applies again


def test_an_edit_of_the_registered_bounds_registers_them_again() -> None:
    found = bounds_in_force(target(MORNING, low=2, high=10), memory(), CREATED, clock("09:00"))
    assert (found.bounds, found.last) == (Bounds(2, 10), None)
    assert found.memory == BoundsMemory(clock("09:00"), Bounds(2, 10), Bounds(2, 10), False)
    later = bounds_in_force(target(MORNING, low=2, high=10), found.memory, CREATED, clock("08:00", 1))
    assert (later.bounds, later.memory) == (Bounds(4, 10), found.memory)


def test_an_edit_in_the_same_second_as_an_action_counts_after_it() -> None:
    found = bounds_in_force(target(MORNING, low=2), memory(), CREATED, clock("08:00") + 0.4)
    again = bounds_in_force(
        target(MORNING, low=2), BoundsMemory.from_status(found.memory.to_status()), CREATED, clock("08:01")
    )
    assert found.bounds == again.bounds == Bounds(2, 10)


def test_the_present_text_of_an_action_counts() -> None:
    stored = memory()
    assert bounds_at("13:00", MORNING, stored=stored).bounds == Bounds(4, 10)
    assert bounds_at("13:00", {**MORNING, "scalableTargetAction": {"minCapacity": 7}}, stored=stored).bounds == Bounds(
        7, 10
    )  # the action was edited after it was due
    assert bounds_at("13:00", stored=stored).bounds == Bounds(1, 10)  # the action was removed
    assert bounds_at("13:00", MORNING, stored=memory("09:00")).bounds == Bounds(
        1, 10
    )  # the action was due before the bounds were registered


def test_suspended_scaling_freezes_the_bounds_in_force() -> None:
    frozen = bounds_at("13:00", MORNING, EVENING, suspended=True)
    assert frozen.memory == BoundsMemory(clock("13:00"), Bounds(1, 10), Bounds(4, 10), True)
    assert (frozen.bounds, frozen.minimum_by, frozen.last, frozen.next) == (Bounds(4, 10), None, None, None)
    later = bounds_in_force(target(MORNING, EVENING, suspended=True), frozen.memory, CREATED, clock("23:00"))
    assert (later.bounds, later.memory) == (Bounds(4, 10), frozen.memory)


def test_actions_that_were_due_while_suspended_are_skipped() -> None:
    stored = memory("13:00", low=4, suspended=True)
    resumed = bounds_at("21:00", MORNING, EVENING, stored=stored)
    assert (resumed.bounds, resumed.last, resumed.next) == (
        Bounds(4, 10),
        None,
        DueAction("morning", clock("08:00", 1)),
    )
    assert resumed.memory == BoundsMemory(clock("21:00"), Bounds(1, 10), Bounds(4, 10), False)
    assert bounds_in_force(target(MORNING, EVENING), resumed.memory, CREATED, clock("20:00", 1)).bounds == Bounds(0, 2)


def test_an_edit_while_suspended_is_in_force_at_once() -> None:
    found = bounds_in_force(
        target(MORNING, low=3, suspended=True), memory("13:00", low=4, suspended=True), CREATED, clock("14:00")
    )
    assert (found.bounds, found.memory) == (
        Bounds(3, 10),
        BoundsMemory(clock("14:00"), Bounds(3, 10), Bounds(3, 10), True),
    )


def test_start_and_end_limit_the_recurrence_and_are_inclusive() -> None:
    held = action("held", "cron(0 8 * * ? *)", low=4, startTime="2026-11-25T08:00:00Z", endTime="2026-11-26T08:00:00Z")
    assert (bounds_at("12:00", held).bounds, bounds_at("12:00", held).next) == (
        Bounds(1, 10),
        DueAction("held", clock("08:00", 1)),
    )
    assert (bounds_at("12:00", held, days=1).bounds, bounds_at("12:00", held, days=1).next) == (
        Bounds(4, 10),
        DueAction("held", clock("08:00", 2)),
    )
    over = bounds_at("12:00", held, days=5)
    assert (over.bounds, over.last, over.next) == (
        Bounds(4, 10),
        DueAction("held", clock("08:00", 2)),
        None,
    )  # after its end time, the bounds that the action set stay


def test_a_recurring_action_also_acts_at_its_start_time() -> None:
    late = action("late", "cron(0 8 * * ? *)", low=4, startTime="2026-11-24T10:30:00+01:00")
    assert bounds_at("09:00", late).next == DueAction("late", clock("09:30"))
    assert bounds_at("09:30", late).bounds == Bounds(4, 10)
    found = bounds_at("10:00", late)
    assert (found.bounds, found.last, found.next) == (
        Bounds(4, 10),
        DueAction("late", clock("09:30")),
        DueAction("late", clock("08:00", 1)),
    )


def test_a_start_time_before_the_bounds_were_registered_has_no_effect() -> None:
    found = bounds_at("07:00", action("old", "cron(0 8 * * ? *)", low=4, startTime="2026-11-01T00:00:00Z"))
    assert (found.bounds, found.last) == (Bounds(1, 10), None)


def test_an_at_schedule_acts_once_and_not_at_its_start_time() -> None:
    once = action("once", "at(2026-11-24T12:00:00)", low=4, timezone="Europe/Berlin", startTime="2026-11-24T09:00:00Z")
    assert (bounds_at("10:00", once).bounds, bounds_at("10:00", once).next) == (
        Bounds(1, 10),
        DueAction("once", clock("11:00")),
    )
    assert (bounds_at("11:00", once).bounds, bounds_at("11:00", once).next) == (Bounds(4, 10), None)
    assert bounds_at("13:00", once, stored=memory("12:00")).bounds == Bounds(1, 10)  # due before the registration
    just = action(
        "just", "at(2026-11-24T12:00:00)", low=4, startTime="2026-11-24T12:00:00Z", endTime="2026-11-24T12:00:00Z"
    )
    assert (bounds_at("11:00", just).next, bounds_at("13:00", just).bounds) == (
        DueAction("just", clock("12:00")),
        Bounds(4, 10),
    )
    outside = action("outside", "at(2026-11-24T12:00:00)", low=4, startTime="2026-11-24T13:00:00Z")
    assert (bounds_at("14:00", outside).bounds, bounds_at("11:00", outside).next) == (Bounds(1, 10), None)


def test_a_rate_counts_from_its_start_time() -> None:
    often = action("often", "rate(5 hours)", low=4, startTime="2026-11-24T01:15:00Z")
    found = bounds_at("13:00", often)
    assert (found.bounds, found.last, found.next) == (
        Bounds(4, 10),
        DueAction("often", clock("11:15")),
        DueAction("often", clock("16:15")),
    )
    assert bounds_at("01:00", often).next == DueAction("often", clock("01:15"))


def test_a_rate_without_start_time_counts_from_the_creation() -> None:
    found = bounds_in_force(target(action("often", "rate(5 hours)", low=4)), None, clock("13:20"), clock("13:20"))
    assert (found.bounds, found.next) == (
        Bounds(1, 10),
        DueAction("often", clock("18:20")),
    )  # the rate is not due at the creation itself, so the registered bounds are in force
    assert bounds_in_force(
        target(action("often", "rate(5 hours)", low=4)), found.memory, clock("13:20"), clock("18:20")
    ).bounds == Bounds(4, 10)


def test_an_action_that_cannot_be_parsed_is_reported_and_left_out() -> None:
    found = bounds_at(
        "13:00",
        action("bad", "cron(0 25 * * ? *)", low=9),
        MORNING,
        action("lost", "rate(5 minutes)", low=9, timezone="Mars"),
    )
    assert found.bounds == Bounds(4, 10)
    assert found.failures == (
        "scheduledActions 'bad': cron(0 25 * * ? *): hours (field 2) is 25: use 0 to 23, as cron(0 8 * * ? *).",
        "scheduledActions 'lost': timezone 'Mars' is not in the IANA time zone database: "
        "use a name of it, as Europe/Berlin.",
    )


def test_memory_survives_a_round_trip_through_status() -> None:
    stored = BoundsMemory(clock("13:00"), Bounds(1, 10), Bounds(4, 10), True)
    entry = stored.to_status()
    assert entry == {
        "boundsSince": "2026-11-24T13:00:00Z",
        "registered": {"minCapacity": 1, "maxCapacity": 10},
        "base": {"minCapacity": 4, "maxCapacity": 10},
        "scheduledScalingSuspended": True,
    }
    assert BoundsMemory.from_status({"variantName": "v", "minCapacity": 4, **entry}) == stored


@pytest.mark.parametrize("gone", ["boundsSince", "registered", "base"])
def test_an_incomplete_memory_is_none(gone: str) -> None:
    entry = memory().to_status()
    del entry[gone]
    assert BoundsMemory.from_status(entry) is None
    assert BoundsMemory.from_status({**memory().to_status(), "base": {"minCapacity": 1}}) is None


def test_a_clock_that_is_set_back_changes_no_bound() -> None:
    found = bounds_in_force(target(MORNING), memory("13:00", low=4), CREATED, clock("07:00"))
    assert (found.bounds, found.memory) == (Bounds(4, 10), memory("07:00", low=4))


# ---- compared with a replay: every action is applied at each of its times, hour by hour

SETS = st.tuples(st.integers(0, 9) | st.none(), st.integers(0, 9) | st.none()).filter(
    lambda s: s != (None, None) and (None in s or s[0] <= s[1])
)  # type: ignore[operator]
HOURS = st.lists(st.integers(0, 23), min_size=1, max_size=3)


@given(st.lists(st.tuples(HOURS, SETS), max_size=5), st.integers(0, 71), st.integers(1, 71))
def test_the_result_equals_a_replay_of_each_action(
    said: list[tuple[list[int], tuple[int | None, int | None]]], since: int, hours: int
) -> None:
    actions = [action(f"a{n}", f"cron(0 {','.join(map(str, at))} * * ? *)", *sets) for n, (at, sets) in enumerate(said)]
    begin = datetime.fromtimestamp(DAY, UTC) + timedelta(hours=since)
    low, high, low_set, high_set = 1, 10, 0, 0
    for turn in range(1, hours + 1):
        for n, (at, sets) in enumerate(said):
            if (begin + timedelta(hours=turn)).hour in at:
                low, low_set = (low, low_set) if sets[0] is None else (sets[0], turn * 10 + n)
                high, high_set = (high, high_set) if sets[1] is None else (sets[1], turn * 10 + n)
    if low > high:
        low, high = (low, low) if low_set > high_set else (high, high)
    stored = BoundsMemory(begin.timestamp(), Bounds(1, 10), Bounds(1, 10), False)
    found = bounds_in_force(target(*actions), stored, CREATED, begin.timestamp() + hours * 3600)
    assert found.bounds == Bounds(low, high)
    ahead = [begin + timedelta(hours=hours + turn) for turn in range(1, 25)]
    first = next((time.timestamp() for time in ahead if any(time.hour in at for at, _ in said)), None)
    assert (found.next.at if found.next else None) == first
