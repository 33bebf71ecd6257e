"""What one activator told of one endpoint in the last minutes: counts that only grow, and levels, at the moments when it was asked."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any, Final

from kindler.api.stats import EndpointStats, Totals

ZERO: Final = Totals()
WIDEST: Final = 15.0  # seconds between two readings that may be bridged
YOUNG: Final = 60.0  # the same between a beginning and the first reading: a process that starts answers late, and has done next to nothing by then
LESS: Final = 0.001  # load seconds: sums of the same numbers in another order differ by less
_COUNTS: Final = tuple((f.name, f.type == "int") for f in fields(Totals))


@dataclass(slots=True)
class Reading:
    """`at`: seconds of our clock. `level`: executions and held requests at that moment."""

    at: float
    totals: Totals
    level: int


class Track:
    """Readings of one endpoint, at one activator, in one life of it, in order of time.

    `born`: when the counts were still zero, since this life had not begun; minus infinity: not known. `owned`: since when this activator admits for the
    endpoint, None while it does not. `allocated`: as last told. `ended`: when it was first missing: gone, alive anew, or not serving the endpoint any more.
    """

    __slots__ = ("_readings", "allocated", "born", "ended", "owned")

    def __init__(self, born: float) -> None:
        self.born = born
        self.owned: float | None = None
        self.ended: float | None = None
        self.allocated = 0
        self._readings: list[Reading] = []

    @property
    def last(self) -> Reading:
        """The newest reading."""
        return self._readings[-1]

    def add(self, at: float, stats: EndpointStats, totals: Totals) -> None:
        """Takes a reading."""
        known, level = self._readings, stats.in_flight + stats.held
        self.allocated, self.ended = stats.allocated, None
        self.owned = (self.owned or at) if stats.owner else None
        before = known[-1] if known else None
        if before is not None and (before.totals, before.level) == (totals, level):
            totals = before.totals
            if len(known) > 1 and known[-2].totals is totals and known[-2].level == level:
                before.at = at  # nothing happens: the first and the last of such readings say all, and most endpoints cost next to no memory
                return
        known.append(Reading(at, totals, level))

    def restarts(self, totals: Totals) -> bool:
        """Whether these counts began anew after the last reading."""
        return (
            totals.load_seconds < self.last.totals.load_seconds - LESS
            or totals.invocations < self.last.totals.invocations
        )

    def forget(self, before: float) -> None:
        """Drops readings that are older, but for the last of them."""
        surplus = bisect_right(self._readings, before, key=_at) - 1
        if surplus > 0:
            del self._readings[:surplus]

    def at(self, moment: float, created: float) -> Totals | None:
        """The counts at a moment; between two readings as if the way were even. None: not known.

        `created`: when the endpoint began, before which nothing was counted.
        """
        after = bisect_right(self._readings, moment, key=_at)
        earlier, widest = self._readings[after - 1], WIDEST
        if not after:
            born = max(created, self.born)
            if moment <= born or self._readings[0].totals == ZERO:
                return ZERO
            earlier, widest = Reading(born, ZERO, 0), YOUNG
        if earlier.at == moment or after == len(self._readings):
            return earlier.totals
        later = self._readings[after]
        if later.totals is earlier.totals:
            return later.totals
        return (
            between(earlier.totals, later.totals, (moment - earlier.at) / (later.at - earlier.at))
            if later.at - earlier.at <= widest
            else None
        )

    def levels(self, moments: list[float]) -> Iterator[int]:
        """The level at each moment: as last told, 0 before the first reading and after the end."""
        for moment in moments:
            known = bisect_right(self._readings, moment, key=_at)
            gone = self.ended is not None and moment >= self.ended
            yield self._readings[known - 1].level if known and not gone else 0


def _at(reading: Reading) -> float:
    return reading.at


def between(low: Totals, high: Totals, share: float) -> Totals:
    """`low`, and `share` (0 … 1) of the way to `high`."""
    return _each(lambda a, b: a + (b - a) * share, low, high)


def minus(high: Totals, low: Totals) -> Totals:
    """What was added from `low` to `high`."""
    return _each(lambda a, b: a - b, high, low)


def plus(one: Totals, other: Totals) -> Totals:
    """Both together."""
    return _each(lambda a, b: a + b, one, other)


def _each(combine: Any, one: Totals, other: Totals) -> Totals:
    numbers = {name: combine(getattr(one, name), getattr(other, name)) for name, _ in _COUNTS}
    return Totals(**{name: round(numbers[name]) if whole else numbers[name] for name, whole in _COUNTS})
