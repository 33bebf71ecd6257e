"""The bounds in force: the registered MinCapacity and MaxCapacity, and later changes by scheduled actions.

Each pass computes them from the entry, the memory in status and the time. So actions that were due while no controller
ran are applied when a controller starts. Only the current text of an action counts. If an action is added or edited
after the bounds were registered, and it was due in the meantime, it applies at once. A removed action has no effect any
more.

event                                  base           since          bounds after the event
-----                                  ----           -----          ----------------------
first seen, or the bounds were edited  as registered  now            the base, changed by actions that become due
first seen, nothing has served yet     as registered  creation time  as in the first row; actions can become due while
                                                                     the endpoint is created, which takes minutes
an action becomes due                  -              -              its minimum and its maximum; each applies until
                                                                     another action sets the same bound
scheduled scaling is suspended         as in force    now            the base; actions that become due have no effect
scheduled scaling is resumed           unchanged      now            the base, changed by actions that become due;
                                                                     actions that were due during the suspension are
                                                                     skipped, as in AWS

The last action that contains a minimum sets the minimum; the same is true for the maximum. If two actions are due at
the same time, the later action in the list counts as the last (AWS runs them in order, too). If the minimum would be
above the maximum, the bound that was set later also sets the other bound. startTime and endTime limit the times of an
action, both inclusive. A recurring action also acts at its startTime.
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

_PARSED_SCHEDULES: Final = 4096  # cached pairs of text and zone, 5 KB each


@dataclass(frozen=True, slots=True)
class Bounds:
    """MinCapacity and MaxCapacity, in units of provisioned concurrency."""

    minimum: int
    maximum: int


@dataclass(frozen=True, slots=True)
class DueAction:
    """A scheduled action and one time at which it is due, in epoch seconds."""

    name: str
    at: float


@dataclass(frozen=True, slots=True)
class BoundsMemory:
    """What status stores of one entry. `since`: whole epoch seconds; only actions that are due later count.

    `base`: the bounds at `since`. `registered`: the bounds in the spec when `base` was set. If the spec differs now,
    the user has edited it. `suspended`: whether scheduled scaling was suspended.
    """

    since: float
    registered: Bounds
    base: Bounds
    suspended: bool

    @staticmethod
    def from_status(entry: Json) -> BoundsMemory | None:
        """The memory in an entry of status.autoscaling; None if the entry contains no memory."""
        since, registered, base = (
            parse_timestamp(entry.get("boundsSince")),
            _from_json(entry.get("registered")),
            _from_json(entry.get("base")),
        )
        if since is None or registered is None or base is None:
            return None
        return BoundsMemory(since, registered, base, bool(entry.get("scheduledScalingSuspended")))

    def to_status(self) -> dict[str, Any]:
        """The fields of the memory in an entry of status.autoscaling."""
        return {
            "boundsSince": format_timestamp(self.since),
            "registered": _to_json(self.registered),
            "base": _to_json(self.base),
            "scheduledScalingSuspended": self.suspended,
        }


@dataclass(frozen=True, slots=True)
class BoundsInForce:
    """`bounds`: the bounds in force. `minimum_by`, `maximum_by`: the actions that set them; None: `base` sets them.

    `memory`: what the controller must store in status. `last`, `next`: the last action that was due, and the next one;
    None while scheduled scaling is suspended. `failures`: a sentence for each action that cannot be parsed and is left
    out; the user must correct the action.
    """

    bounds: Bounds
    memory: BoundsMemory
    minimum_by: DueAction | None
    maximum_by: DueAction | None
    last: DueAction | None
    next: DueAction | None
    failures: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _TimedAction:
    """An action and its schedule. `start`: its first second, when a rate begins to count; `end`: its last second."""

    action: ScheduledAction
    schedule: Schedule
    start: float
    end: float

    def last(self, until: float, after: float) -> float | None:
        until = min(until, self.end)
        recurring = self.schedule.last(until, max(after, self.start - 1), self.start)
        first = self.start if self.acts_at_start and after < self.start <= until else None
        return max((m for m in (recurring, first) if m is not None), default=None)

    def next(self, after: float) -> float | None:
        if self.acts_at_start and after < self.start:
            return self.start if self.start <= self.end else None
        recurring = self.schedule.next(max(after, self.start - 1), self.start)
        return recurring if recurring is not None and recurring <= self.end else None

    @property
    def acts_at_start(self) -> bool:
        """Whether the action also acts at its startTime."""
        return self.action.start_time is not None and not isinstance(self.schedule, At)


def bounds_in_force(
    target: ScalableTarget, memory: BoundsMemory | None, created: float, now: float, served: bool = True
) -> BoundsInForce:
    """The bounds at `now`, and the memory for the next pass. An action with an invalid schedule is left out.

    `created`: the time from which rates without startTime count. `served`: whether the endpoint has served. If the
    endpoint has served and there is no memory, its bounds are registered now.
    """
    actions, failures = _parse_actions(target.scheduled_actions or (), created)
    registered, suspended = (
        Bounds(target.min_capacity, target.max_capacity),
        target.suspended_state.scheduled_scaling_suspended,
    )
    if memory is not None and memory.since > now:  # written by a controller whose clock was ahead
        memory = replace(memory, since=math.floor(now))
    if memory is None or memory.registered != registered:
        since = now if served or memory is not None else min(created, now)
        memory = BoundsMemory(math.floor(since), registered, registered, suspended)
    elif suspended and not memory.suspended:
        memory = replace(
            memory, since=math.floor(now), base=_apply(memory, _last_runs(actions, memory, now))[0], suspended=True
        )
    elif memory.suspended and not suspended:
        memory = replace(memory, since=math.floor(now), suspended=False)
    if suspended:
        return BoundsInForce(memory.base, memory, None, None, None, None, failures)
    runs = _last_runs(actions, memory, now)
    bounds, minimum_by, maximum_by = _apply(memory, runs)
    upcoming = [DueAction(a.action.scheduled_action_name, at) for a in actions if (at := a.next(now)) is not None]
    return BoundsInForce(
        bounds,
        memory,
        minimum_by,
        maximum_by,
        runs[-1][0] if runs else None,
        min(reversed(upcoming), key=lambda due: due.at, default=None),
        failures,
    )


def _last_runs(
    actions: Sequence[_TimedAction], memory: BoundsMemory, now: float
) -> list[tuple[DueAction, ScheduledAction]]:
    """The last run of each action after `memory.since`, sorted by time, then by position in the list."""
    runs = [
        (DueAction(a.action.scheduled_action_name, at), a.action)
        for a in actions
        if (at := a.last(now, memory.since)) is not None
    ]
    return sorted(runs, key=lambda due: due[0].at)


def _apply(
    memory: BoundsMemory, runs: Sequence[tuple[DueAction, ScheduledAction]]
) -> tuple[Bounds, DueAction | None, DueAction | None]:
    """The bounds after these runs, and the runs that set the minimum and the maximum."""
    minimum, maximum = memory.base.minimum, memory.base.maximum
    minimum_set, maximum_set = -1, -1  # index of the run that set each bound; -1: the base
    for position, (_, action) in enumerate(runs):
        change = action.scalable_target_action
        if change.min_capacity is not None:
            minimum, minimum_set = change.min_capacity, position
        if change.max_capacity is not None:
            maximum, maximum_set = change.max_capacity, position
    if minimum > maximum:
        minimum, maximum = (minimum, minimum) if minimum_set > maximum_set else (maximum, maximum)
        minimum_set = maximum_set = max(minimum_set, maximum_set)
    return (
        Bounds(minimum, maximum),
        runs[minimum_set][0] if minimum_set >= 0 else None,
        runs[maximum_set][0] if maximum_set >= 0 else None,
    )


def _parse_actions(actions: Iterable[ScheduledAction], created: float) -> tuple[list[_TimedAction], tuple[str, ...]]:
    timed, failures = [], []
    for action in actions:
        schedule = _parse(action.schedule, action.timezone)
        if isinstance(schedule, str):
            failures.append(f"scheduledActions '{action.scheduled_action_name}': {schedule}.")
            continue
        start = created if action.start_time is None else action.start_time.timestamp()
        end = math.inf if action.end_time is None else action.end_time.timestamp()
        timed.append(_TimedAction(action, schedule, math.ceil(start), end))
    return timed, tuple(failures)


@lru_cache(_PARSED_SCHEDULES)
def _parse(text: str, timezone: str) -> Schedule | str:
    """The schedule, or the error in its text. Both are cached."""
    try:
        return parse(text, timezone)
    except ScheduleError as error:
        return str(error)


def _from_json(written: Json | None) -> Bounds | None:
    low, high = (written or {}).get("minCapacity"), (written or {}).get("maxCapacity")
    return None if low is None or high is None else Bounds(low, high)


def _to_json(bounds: Bounds) -> dict[str, int]:
    return {"minCapacity": bounds.minimum, "maxCapacity": bounds.maximum}
