"""The reports of one activator about one endpoint in the last minutes: growing counts and levels, with times."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any, Final

from kindler.api.stats import EndpointStats, Totals

ZERO: Final = Totals()
MAX_GAP_SECONDS: Final = 15.0  # longest gap between two readings that is interpolated
# The longest gap between an activator's start and its first reading. A starting activator responds late, and its counts
# are small.
MAX_START_GAP_SECONDS: Final = 60.0
ROUNDING: Final = 0.001  # load seconds: sums of the same numbers in another order differ by less
_COUNTS: Final = tuple((f.name, f.type == "int") for f in fields(Totals))


@dataclass(slots=True)
class Reading:
    """One report of an activator. `at`: seconds of our clock. `level`: executions and held requests at that time."""

    at: float
    totals: Totals
    level: int


class Track:
    """The readings of one endpoint from one run (boot) of one activator, in order of time.

    `started`: a time before this run began, so its counts were zero then; minus infinity: not known. `owned`: since
    when this activator admits requests for the endpoint, None while it does not. `allocated`: the last reported
    `EndpointStats.allocated`. `ended`: when we first saw that the activator did not exist any more, had restarted, or
    did not serve the endpoint any more.
    """

    __slots__ = ("_readings", "allocated", "ended", "owned", "started")

    def __init__(self, started: float) -> None:
        self.started = started
        self.owned: float | None = None
        self.ended: float | None = None
        self.allocated = 0
        self._readings: list[Reading] = []

    @property
    def last(self) -> Reading:
        """The newest reading."""
        return self._readings[-1]

    def add(self, at: float, stats: EndpointStats, totals: Totals) -> None:
        """Adds a reading."""
        readings, level = self._readings, stats.in_flight + stats.held
        self.allocated, self.ended = stats.allocated, None
        self.owned = (self.owned or at) if stats.owner else None
        previous = readings[-1] if readings else None
        if previous is not None and (previous.totals, previous.level) == (totals, level):
            totals = previous.totals
            if len(readings) > 1 and readings[-2].totals is totals and readings[-2].level == level:
                # The last three readings are equal. The first and the last of them are enough, which saves memory for
                # most endpoints.
                previous.at = at
                return
        readings.append(Reading(at, totals, level))

    def restarts(self, totals: Totals) -> bool:
        """Whether these counts began at zero again after the last reading."""
        return (
            totals.load_seconds < self.last.totals.load_seconds - ROUNDING
            or totals.invocations < self.last.totals.invocations
        )

    def forget(self, before: float) -> None:
        """Drops the readings before `before`, except the newest of them."""
        outdated = bisect_right(self._readings, before, key=_at) - 1
        if outdated > 0:
            del self._readings[:outdated]

    def at(self, time: float, created: float) -> Totals | None:
        """The counts at a time, interpolated linearly between two readings. None: not known.

        `created`: when the endpoint was created. Nothing was counted before that.
        """
        after = bisect_right(self._readings, time, key=_at)
        earlier, max_gap = self._readings[after - 1], MAX_GAP_SECONDS
        if not after:
            started = max(created, self.started)
            if time <= started or self._readings[0].totals == ZERO:
                return ZERO
            earlier, max_gap = Reading(started, ZERO, 0), MAX_START_GAP_SECONDS
        if earlier.at == time or after == len(self._readings):
            return earlier.totals
        later = self._readings[after]
        if later.totals is earlier.totals:
            return later.totals
        return (
            interpolate(earlier.totals, later.totals, (time - earlier.at) / (later.at - earlier.at))
            if later.at - earlier.at <= max_gap
            else None
        )

    def levels(self, times: list[float]) -> Iterator[int]:
        """The level at each time: as last reported, 0 before the first reading and after the end."""
        for time in times:
            count = bisect_right(self._readings, time, key=_at)
            ended = self.ended is not None and time >= self.ended
            yield self._readings[count - 1].level if count and not ended else 0


def _at(reading: Reading) -> float:
    return reading.at


def interpolate(earlier: Totals, later: Totals, share: float) -> Totals:
    """The counts at `share` (0 .. 1) of the way from `earlier` to `later`."""
    return _each(lambda a, b: a + (b - a) * share, earlier, later)


def subtract(later: Totals, earlier: Totals) -> Totals:
    """What was added from `earlier` to `later`."""
    return _each(lambda a, b: a - b, later, earlier)


def add_totals(one: Totals, other: Totals) -> Totals:
    """The sum of two counts."""
    return _each(lambda a, b: a + b, one, other)


def _each(combine: Any, one: Totals, other: Totals) -> Totals:
    numbers = {name: combine(getattr(one, name), getattr(other, name)) for name, _ in _COUNTS}
    return Totals(**{name: round(numbers[name]) if is_integer else numbers[name] for name, is_integer in _COUNTS})
