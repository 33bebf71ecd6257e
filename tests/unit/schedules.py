"""Tables of schedules, random cron expressions, and an oracle that reads them minute by minute.

The oracle shares no code and no method with the product. For each minute in UTC it computes the wall-clock time, and
checks whether each field of the expression matches that time.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

DAY = timedelta(days=1)
MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
WEEKDAYS = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]


def rows(table: str) -> list[list[str]]:
    """The cells of a table's lines, without its headings."""
    return [
        [cell.strip() for cell in line.split(" | ")]
        for line in table.strip("\n").splitlines()
        if not line.startswith("# ")
    ]


# ---- random expressions


def expression(dice: random.Random) -> str:
    """Six fields in EventBridge's dialect."""
    by_week = dice.random() < 0.45
    return " ".join(
        (
            _field(dice, 0, 59),
            _field(dice, 0, 23),
            "?" if by_week else _day_of_month(dice),
            "*" if dice.random() < 0.6 else _field(dice, 1, 12, MONTHS),
            _day_of_week(dice) if by_week else "?",
            dice.choice(("*", "*", "*", "*", "*", "2024-2027", "2025,2027", "2024/2", "2025/3", "1970-2199/4")),
        )
    )


def _field(dice: random.Random, low: int, high: int, names: list[str] | None = None) -> str:
    return ",".join(_item(dice, low, high, names) for _ in range(dice.choice((1, 1, 1, 2, 3))))


def _item(dice: random.Random, low: int, high: int, names: list[str] | None) -> str:
    def value() -> str:
        number = dice.randint(low, high)
        return names[number - low] if names and dice.random() < 0.5 else str(number)

    step = f"/{dice.randint(1, high - low + 1)}"
    return dice.choice(
        (
            "*",
            value(),
            value(),
            value(),
            f"{value()}-{value()}",
            f"*{step}",
            f"{value()}{step}",
            f"{value()}-{value()}{step}",
        )
    )


def _day_of_month(dice: random.Random) -> str:
    special = (
        "L",
        f"L-{dice.randint(0, 30)}",
        "LW",
        f"L-{dice.randint(0, 30)}W",
        f"{dice.randint(1, 31)}W",
        "*",
        "31",
        "30",
        "29",
    )
    return dice.choice(special) if dice.random() < 0.6 else _field(dice, 1, 31)


def _day_of_week(dice: random.Random) -> str:
    number = dice.randint(1, 7)
    day = dice.choice((str(number), WEEKDAYS[number - 1]))
    return (
        dice.choice(("L", f"{day}L", f"{day}#{dice.randint(1, 5)}", "MON-FRI", "FRI-MON"))
        if dice.random() < 0.6
        else _field(dice, 1, 7, WEEKDAYS)
    )


# ---- the oracle


class Oracle:
    """Finds the times of the six fields `text` on the days from `first` to `last` of the zone's calendar."""

    def __init__(self, text: str, zone: str, first: date, last: date) -> None:
        self.zone, self.first, self.last = zone, first, last
        minutes, hours, days, months, weekdays, years = text.upper().split()
        self.minutes = {m for m in range(60) if _fits(m, minutes, 0, 59)}
        self.hours = {h for h in range(24) if _fits(h, hours, 0, 23)}
        self.fits_day: Callable[[date], bool] = lambda day: (
            _fits(day.year, years, 1970, 2199)
            and _fits(day.month, numbered(months, MONTHS), 1, 12)
            and (_fits_weekday(day, weekdays) if days == "?" else _fits_day(day, days))
        )

    def after(self, moment: float) -> int | None:
        """The first time later than `moment`; None if the tested days contain no such time."""
        day = max(self.first, datetime.fromtimestamp(moment, ZoneInfo(self.zone)).date())
        while day <= self.last:
            if found := next((m for m in self._moments(day) if m > moment), None):
                return found
            day += DAY
        return None

    def until(self, moment: float) -> int | None:
        """The last time not later than `moment`; None if the tested days contain no such time."""
        day = min(self.last, datetime.fromtimestamp(moment, ZoneInfo(self.zone)).date() + DAY)
        while day >= self.first:
            if found := [m for m in self._moments(day) if m <= moment]:
                return found[-1]
            day -= DAY
        return None

    def _moments(self, day: date) -> Iterator[int]:
        if self.fits_day(day):
            for moment, hour, minute in shown(self.zone, day):
                if minute in self.minutes and hour in self.hours:
                    yield moment


@cache
def shown(zone: str, day: date) -> tuple[tuple[int, int, int], ...]:
    """(epoch seconds, hour, minute) of each minute of a zone's day. A minute that the clock repeats is in it once."""
    midnight = int(
        datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)).timestamp()
    )  # approximate: only the times that the zone's clock shows on this day are returned
    clocks = (
        (t, datetime.fromtimestamp(t, ZoneInfo(zone))) for t in range(midnight - 2 * 3600, midnight + 27 * 3600, 60)
    )
    return tuple((t, clock.hour, clock.minute) for t, clock in clocks if clock.date() == day and not clock.fold)


def _fits(value: int, text: str, low: int, high: int) -> bool:
    return any(_fits_item(value, item, low, high) for item in text.split(","))


def _fits_item(value: int, item: str, low: int, high: int) -> bool:
    """Whether an item of a cron field contains the value.

    The value is in the item's range, and its distance from the first value is a multiple of the step. If the first
    value is larger than the last value, counting continues from `low` after `high`.
    """
    span, _, step = item.partition("/")
    first, _, last = span.partition("-")
    begin = low if first == "*" else int(first)
    end = int(last) if last else high if first == "*" or step else begin
    size = high - low + 1
    return (value - begin) % size <= (end - begin) % size and (value - begin) % size % int(step or 1) == 0


def numbered(text: str, names: list[str]) -> str:
    for number, name in enumerate(names, 1):
        text = text.replace(name, str(number))
    return text


def _fits_day(day: date, text: str) -> bool:
    if text[0] != "L" and text[-1] != "W":
        return _fits(day.day, text, 1, 31)
    month = [day.replace(day=1) + n * DAY for n in range(31) if (day.replace(day=1) + n * DAY).month == day.month]
    back = text.removesuffix("W").removeprefix("L").removeprefix("-")
    meant = (month[-1].day - int(back or 0)) if text[0] == "L" else int(back)
    if not 1 <= meant <= month[-1].day:
        return False
    if text[-1] != "W":
        return day.day == meant
    return day == min((other for other in month if other.isoweekday() <= 5), key=lambda other: abs(other.day - meant))


def _fits_weekday(day: date, text: str) -> bool:
    text = numbered("SAT" if text == "L" else text, WEEKDAYS)
    number = day.isoweekday() % 7 + 1
    if "#" in text:
        return number == int(text[0]) and (day.day - 1) // 7 + 1 == int(text[-1])
    if text.endswith("L"):
        return number == int(text[0]) and (day + 7 * DAY).month != day.month
    return _fits(number, text, 1, 7)
