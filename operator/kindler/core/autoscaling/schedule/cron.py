"""A cron expression: the wall-clock times that match it, in ascending or descending order, without a time zone.

`walk` nests loops over the fields, the year outermost, and visits only values that match. So it finds a distant time as
fast as a near time. Only years without a matching day take longer (for 29 February, at most eight years).
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
_FIRST_TIME: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - a wall clock has no zone
_NAMES: Final = "minutes hours day-of-month month day-of-week year"


class ScheduleError(ValueError):
    """A schedule cannot be parsed.

    The message names the position in the text and the remedy, and gives a valid example.
    """


@dataclass(frozen=True, slots=True)
class Cron:
    """The values of each field, ascending. `days` gives the days of a year and month. `second` is one single value."""

    years: Sequence[int]
    months: Sequence[int]
    days: Days
    hours: Sequence[int]
    minutes: Sequence[int]
    second: int

    def walk(self, bound: datetime, up: bool) -> Iterator[datetime]:
        """All times from `bound` on, inclusive: ascending if `up`, else descending. Times are naive, to the second."""
        limits = (bound.year, bound.month, bound.day, bound.hour, bound.minute, bound.second)
        fields = (self.years, self.months, self.days, self.hours, self.minutes, (self.second,))

        def descend(head: tuple[int, ...], at_bound: bool) -> Iterator[datetime]:
            index = len(head)
            if index == len(fields):
                year, month, day, hour, minute, second = head
                yield datetime(year, month, day, hour, minute, second)  # noqa: DTZ001 - a wall clock has no zone
                return
            field_values = fields[index]
            values = field_values(*head) if callable(field_values) else field_values
            if at_bound:
                values = (
                    values[bisect_left(values, limits[index]) :]
                    if up
                    else values[: bisect_right(values, limits[index])]
                )
            for value in values if up else reversed(values):
                yield from descend((*head, value), at_bound and value == limits[index])

        return descend((), True)


def read(text: str) -> Cron:
    """Parses `text`, the part inside cron(…). Raises ScheduleError if it is invalid, or if no day matches."""
    parts = text.split()
    if len(parts) not in (6, 7):
        raise ScheduleError(f"cron({text}): has {len(parts)} fields: use six, {_NAMES}, as {EXAMPLE}")
    first_written = 7 - len(parts)  # index of the first field in the text: 0 if the text has seconds, else 1
    seven = ["0"] * first_written + parts
    try:
        return _read(seven)
    except UnreadableError as error:
        field, whole = error.field, seven[error.field.index]
        problem = f"is {whole}" if error.item.upper() == whole.upper() else f"has {error.item or 'an empty item'}"
        where = f"{field.name} (field {field.index - first_written + 1}) {problem}"
        raise ScheduleError(
            f"cron({text}): {where}: {error.remedy}, as {_corrected(seven, first_written, error)}"
        ) from None


def _read(parts: list[str]) -> Cron:
    seconds, minutes, hours = (cronfields.values(field, parts[field.index]) for field in (SECONDS, MINUTES, HOURS))
    if len(seconds) != 1:
        raise UnreadableError(SECONDS, parts[SECONDS.index], "use one number, for no schedule is finer than a minute")
    by_month, by_week = parts[DAY_OF_MONTH.index], parts[DAY_OF_WEEK.index]
    if (by_month == "?") == (by_week == "?"):
        how = "write ? here or in day-of-week, and a day in the other"
        raise UnreadableError(DAY_OF_MONTH, by_month, how, "*" if by_month == "?" or by_week == "*" else "?")
    days = cronfields.days_of_week(by_week) if by_month == "?" else cronfields.days_of_month(by_month)
    months, years = cronfields.values(MONTH, parts[MONTH.index]), cronfields.values(YEAR, parts[YEAR.index])
    cron = Cron(years, months, days, hours, minutes, seconds[0])
    if next(cron.walk(_FIRST_TIME, up=True), None) is None:
        field, sample = (DAY_OF_WEEK, "6L") if by_month == "?" else (DAY_OF_MONTH, "L")
        raise UnreadableError(
            field, parts[field.index], "no such day comes in these months and years, use a day that does", sample
        )
    return cron


def _corrected(parts: list[str], first_written: int, error: UnreadableError) -> str:
    """The user's own text with the wrong field replaced, if the rest is valid; else a general example."""
    corrected = parts.copy()
    corrected[error.field.index] = error.sample
    try:
        _read(corrected)
    except UnreadableError:
        return EXAMPLE
    return f"cron({' '.join(corrected[first_written:])})"
