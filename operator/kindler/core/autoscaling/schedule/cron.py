"""A cron expression: which wall-clock times it means, in order, upwards or downwards. Knows no time zone.

A walk takes the fields like the wheels of a counter, the year first, and only turns through values that are meant: the cost of the next time does not
depend on how far away it is, but for years without the day that is meant (29 February: at most eight).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from kindler.core.autoscaling.schedule import cronfields
from kindler.core.autoscaling.schedule.cronfields import (
    DAY_OF_MONTH,
    DAY_OF_WEEK,
    HOURS,
    MINUTES,
    MONTH,
    SECONDS,
    YEAR,
    Days,
    UnreadableError,
)

EXAMPLE: Final = "cron(0 8 * * ? *)"
_BEGIN: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - a wall clock has no zone
_NAMES: Final = "minutes hours day-of-month month day-of-week year"


class ScheduleError(ValueError):
    """A schedule cannot be read. The message names the place in the text, says what to write, and gives a right example."""


@dataclass(frozen=True, slots=True)
class Cron:
    """The values of each field, rising; `days` by year and month. `second`: the one second of the minute."""

    years: Sequence[int]
    months: Sequence[int]
    days: Days
    hours: Sequence[int]
    minutes: Sequence[int]
    second: int

    def walk(self, bound: datetime, up: bool) -> Iterator[datetime]:
        """All times from `bound` on, itself included: later and later ones, or (not `up`) earlier and earlier ones. Times are naive, to the second."""
        limits = (bound.year, bound.month, bound.day, bound.hour, bound.minute, bound.second)
        wheels = (self.years, self.months, self.days, self.hours, self.minutes, (self.second,))

        def turn(head: tuple[int, ...], at_bound: bool) -> Iterator[datetime]:
            place = len(head)
            if place == len(wheels):
                year, month, day, hour, minute, second = head
                yield datetime(year, month, day, hour, minute, second)  # noqa: DTZ001 - as above
                return
            wheel = wheels[place]
            values = wheel(*head) if callable(wheel) else wheel
            if at_bound:
                values = (
                    values[bisect_left(values, limits[place]) :]
                    if up
                    else values[: bisect_right(values, limits[place])]
                )
            for value in values if up else reversed(values):
                yield from turn((*head, value), at_bound and value == limits[place])

        return turn((), True)


def read(text: str) -> Cron:
    """What `text`, the part within cron(…), means. Raises ScheduleError, also where no such day ever comes."""
    parts = text.split()
    if len(parts) not in (6, 7):
        raise ScheduleError(f"cron({text}): has {len(parts)} fields: use six, {_NAMES}, as {EXAMPLE}")
    shown = 7 - len(parts)  # the index of the first field that is written
    seven = ["0"] * shown + parts
    try:
        return _read(seven)
    except UnreadableError as wrong:
        field, whole = wrong.field, seven[wrong.field.place]
        found = f"is {whole}" if wrong.item.upper() == whole.upper() else f"has {wrong.item or 'an empty item'}"
        where = f"{field.name} (field {field.place - shown + 1}) {found}"
        raise ScheduleError(f"cron({text}): {where}: {wrong.remedy}, as {_mended(seven, shown, wrong)}") from None


def _read(parts: list[str]) -> Cron:
    seconds, minutes, hours = (cronfields.values(field, parts[field.place]) for field in (SECONDS, MINUTES, HOURS))
    if len(seconds) != 1:
        raise UnreadableError(SECONDS, parts[SECONDS.place], "use one number, for no schedule is finer than a minute")
    by_month, by_week = parts[DAY_OF_MONTH.place], parts[DAY_OF_WEEK.place]
    if (by_month == "?") == (by_week == "?"):
        how = "write ? here or in day-of-week, and a day in the other"
        raise UnreadableError(DAY_OF_MONTH, by_month, how, "*" if by_month == "?" or by_week == "*" else "?")
    days = cronfields.days_of_week(by_week) if by_month == "?" else cronfields.days_of_month(by_month)
    months, years = cronfields.values(MONTH, parts[MONTH.place]), cronfields.values(YEAR, parts[YEAR.place])
    cron = Cron(years, months, days, hours, minutes, seconds[0])
    if next(cron.walk(_BEGIN, up=True), None) is None:
        field, sample = (DAY_OF_WEEK, "6L") if by_month == "?" else (DAY_OF_MONTH, "L")
        raise UnreadableError(
            field, parts[field.place], "no such day comes in these months and years, use a day that does", sample
        )
    return cron


def _mended(parts: list[str], shown: int, wrong: UnreadableError) -> str:
    """The user's own text with the one field put right, if the rest is right."""
    mended = parts.copy()
    mended[wrong.field.place] = wrong.sample
    try:
        _read(mended)
    except UnreadableError:
        return EXAMPLE
    return f"cron({' '.join(mended[shown:])})"
