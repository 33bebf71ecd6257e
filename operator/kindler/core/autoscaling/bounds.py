"""The bounds in force: what the user registered, and what scheduled actions have made of it since.

Decided anew from the entry, the memory in status and the time, so a moment that nobody was awake for is made good, and an action counts as it reads now:
added or edited later, it is in force at once if it was due since the bounds were registered; taken away, it was never there.

what happened                         base            since   from then on
-------------                         ----            -----   ------------
first seen, or its bounds edited      as registered   now     actions that come due
seen before anything has served       as registered   birth   the same: bringing it up takes minutes, in which moments pass
an action is due                      -               -       its bounds, each by itself, until another is due for the same one
scheduled scaling is suspended        as in force     now     the base, whatever comes due
scheduled scaling is resumed          as it is        now     actions that come due; what was due meanwhile is skipped, as AWS does

The minimum is what the last action said that names a minimum, the maximum likewise; of two at one moment the one later in the list is the last (AWS runs
them in order, too). Where the minimum would lie above the maximum, the one that was set later takes the other along. startTime and endTime bound an action's
moments, both included; one that recurs also acts at its startTime.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final

from kindler.api.autoscaling import ScalableTarget, ScheduledAction
from kindler.core.autoscaling.schedule.schedule import At, Schedule, ScheduleError, parse
from kindler.core.common.objects import Json
from kindler.core.common.timestamps import format_timestamp, parse_timestamp

_READINGS: Final = 4096  # texts with their zones that are kept as read, 5 KB each


@dataclass(frozen=True, slots=True)
class Bounds:
    """Units of provisioned concurrency."""

    minimum: int
    maximum: int


@dataclass(frozen=True, slots=True)
class DueAction:
    """A scheduled action and one of its moments, in epoch seconds."""

    name: str
    at: float


@dataclass(frozen=True, slots=True)
class BoundsMemory:
    """What status keeps of one entry. `since`: whole epoch seconds; actions count that come due later. `base`: the bounds until then.

    `registered`: the bounds as the user wrote them when `base` was set, to see that they are edited. `suspended`: whether scheduled scaling was then.
    """

    since: float
    registered: Bounds
    base: Bounds
    suspended: bool

    @staticmethod
    def from_status(entry: Json) -> BoundsMemory | None:
        """The memory in an entry of status.autoscaling; None if it holds none."""
        since, registered, base = (
            parse_timestamp(entry.get("boundsSince")),
            _bounds(entry.get("registered")),
            _bounds(entry.get("base")),
        )
        if since is None or registered is None or base is None:
            return None
        return BoundsMemory(since, registered, base, bool(entry.get("scheduledScalingSuspended")))

    def to_status(self) -> dict[str, Any]:
        """Its part of an entry of status.autoscaling."""
        return {
            "boundsSince": format_timestamp(self.since),
            "registered": _written(self.registered),
            "base": _written(self.base),
            "scheduledScalingSuspended": self.suspended,
        }


@dataclass(frozen=True, slots=True)
class BoundsInForce:
    """`bounds`, and which action set them; None: the base. `memory`: to be kept. `last`, `next`: of all actions, None while suspended.

    `troubles`: what the user must mend, a sentence for each action that cannot be read; it is left out.
    """

    bounds: Bounds
    memory: BoundsMemory
    minimum_by: DueAction | None
    maximum_by: DueAction | None
    last: DueAction | None
    next: DueAction | None
    failures: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Timed:
    """An action and its schedule. `start`: the first second in which it may act, and what a rate counts from; `end`: the last."""

    action: ScheduledAction
    schedule: Schedule
    start: float
    end: float

    def last(self, until: float, after: float) -> float | None:
        until = min(until, self.end)
        found = self.schedule.last(until, max(after, self.start - 1), self.start)
        begin = self.start if self.begins and after < self.start <= until else None
        return max((m for m in (found, begin) if m is not None), default=None)

    def next(self, after: float) -> float | None:
        if self.begins and after < self.start:
            return self.start if self.start <= self.end else None
        found = self.schedule.next(max(after, self.start - 1), self.start)
        return found if found is not None and found <= self.end else None

    @property
    def begins(self) -> bool:
        """Whether it acts at its start, too."""
        return self.action.start_time is not None and not isinstance(self.schedule, At)


def bounds_in_force(
    target: ScalableTarget, memory: BoundsMemory | None, created: float, now: float, served: bool = True
) -> BoundsInForce:
    """The bounds at `now`, and the memory for the next time. Never raises for a schedule's text.

    `created`: what rates count from that have no startTime. `served`: whether the endpoint has, so that without a memory it was given its bounds just now.
    """
    actions, failures = _readable(target.scheduled_actions or (), created)
    registered, suspended = (
        Bounds(target.min_capacity, target.max_capacity),
        target.suspended_state.scheduled_scaling_suspended,
    )
    if memory is not None and memory.since > now:  # by a clock that was ahead
        memory = replace(memory, since=math.floor(now))
    if memory is None or memory.registered != registered:
        begins = now if served or memory is not None else min(created, now)
        memory = BoundsMemory(math.floor(begins), registered, registered, suspended)
    elif suspended and not memory.suspended:
        memory = replace(
            memory, since=math.floor(now), base=_settled(memory, _dues(actions, memory, now))[0], suspended=True
        )
    elif memory.suspended and not suspended:
        memory = replace(memory, since=math.floor(now), suspended=False)
    if suspended:
        return BoundsInForce(memory.base, memory, None, None, None, None, failures)
    dues = _dues(actions, memory, now)
    bounds, minimum_by, maximum_by = _settled(memory, dues)
    coming = [DueAction(a.action.scheduled_action_name, at) for a in actions if (at := a.next(now)) is not None]
    return BoundsInForce(
        bounds,
        memory,
        minimum_by,
        maximum_by,
        dues[-1][0] if dues else None,
        min(reversed(coming), key=lambda due: due.at, default=None),
        failures,
    )


def _dues(actions: Sequence[_Timed], memory: BoundsMemory, now: float) -> list[tuple[DueAction, ScheduledAction]]:
    """What each action did last since the memory began, in the order in which they acted: by moment, then by place in the list."""
    found = [
        (DueAction(a.action.scheduled_action_name, at), a.action)
        for a in actions
        if (at := a.last(now, memory.since)) is not None
    ]
    return sorted(found, key=lambda due: due[0].at)


def _settled(
    memory: BoundsMemory, dues: Sequence[tuple[DueAction, ScheduledAction]]
) -> tuple[Bounds, DueAction | None, DueAction | None]:
    """The bounds after the actions, and which of them set the minimum and the maximum."""
    minimum, maximum = memory.base.minimum, memory.base.maximum
    raised, capped = -1, -1  # the turn in which either was set; before the first: by the base
    for turn, (_, action) in enumerate(dues):
        sets = action.scalable_target_action
        if sets.min_capacity is not None:
            minimum, raised = sets.min_capacity, turn
        if sets.max_capacity is not None:
            maximum, capped = sets.max_capacity, turn
    if minimum > maximum:
        minimum, maximum = (minimum, minimum) if raised > capped else (maximum, maximum)
        raised = capped = max(raised, capped)
    return Bounds(minimum, maximum), dues[raised][0] if raised >= 0 else None, dues[capped][0] if capped >= 0 else None


def _readable(actions: Iterable[ScheduledAction], created: float) -> tuple[list[_Timed], tuple[str, ...]]:
    timed, failures = [], []
    for action in actions:
        schedule = _read(action.schedule, action.timezone)
        if isinstance(schedule, str):
            failures.append(f"scheduledActions '{action.scheduled_action_name}': {schedule}.")
            continue
        start = created if action.start_time is None else action.start_time.timestamp()
        end = math.inf if action.end_time is None else action.end_time.timestamp()
        timed.append(_Timed(action, schedule, math.ceil(start), end))
    return timed, tuple(failures)


@lru_cache(_READINGS)
def _read(text: str, timezone: str) -> Schedule | str:
    """The schedule, or what is wrong with its text: either is read once."""
    try:
        return parse(text, timezone)
    except ScheduleError as wrong:
        return str(wrong)


def _bounds(written: Json | None) -> Bounds | None:
    low, high = (written or {}).get("minCapacity"), (written or {}).get("maxCapacity")
    return None if low is None or high is None else Bounds(low, high)


def _written(bounds: Bounds) -> dict[str, int]:
    return {"minCapacity": bounds.minimum, "maxCapacity": bounds.maximum}
