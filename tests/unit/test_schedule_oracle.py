"""10,000 random cron expressions at random times give the same results as the oracle (schedules.py) and as croniter."""

from __future__ import annotations

import random
import re
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from croniter import CroniterBadDateError, croniter

from kindler.core.autoscaling.schedule.cron import ScheduleError
from kindler.core.autoscaling.schedule.schedule import Schedule, parse
from tests.unit.schedules import MONTHS, WEEKDAYS, Oracle, expression, numbered

# Each date is in the middle of the tested days. On most dates the clock changes: by an hour forward, an hour back, half
# an hour, at midnight, or by a whole day. On the other dates it does not change.
WINDOWS = (
    ("Europe/Berlin", date(2025, 3, 30)),
    ("Europe/Berlin", date(2024, 10, 27)),
    ("America/New_York", date(2024, 3, 10)),
    ("America/New_York", date(2025, 11, 2)),
    ("Australia/Lord_Howe", date(2025, 10, 5)),
    ("Australia/Lord_Howe", date(2025, 4, 6)),
    ("Africa/Cairo", date(2025, 4, 25)),
    ("America/Santiago", date(2025, 9, 7)),
    ("Pacific/Apia", date(2011, 12, 30)),
    ("Asia/Kathmandu", date(2025, 1, 1)),
    ("UTC", date(2024, 2, 29)),
    ("Pacific/Kiritimati", date(2024, 12, 31)),
)
EACH = 10_000 // len(WINDOWS) + 1
REACH = timedelta(days=24)


def read(text: str, zone: str = "UTC") -> Schedule | None:
    """The parsed schedule, or None if it names a day that never comes."""
    try:
        return parse(f"cron({text})", zone)
    except ScheduleError as error:
        assert "no such day comes" in str(error), error
        return None


@pytest.mark.parametrize(("zone", "change"), WINDOWS, ids=[f"{zone} {change}" for zone, change in WINDOWS])
def test_the_oracle_finds_the_same_times(zone: str, change: date) -> None:
    dice = random.Random(f"{zone} {change}")
    begin, end = (
        int(datetime(d.year, d.month, d.day, tzinfo=ZoneInfo(zone)).timestamp())
        for d in (change - REACH, change + REACH)
    )
    found = 0
    for _ in range(EACH):
        text = expression(dice)
        schedule, oracle = read(text, zone), Oracle(text, zone, change - REACH - timedelta(days=1), change + REACH)
        near = (begin + end) // 2
        now = dice.choice(
            (
                dice.uniform(begin, end),
                float(dice.randint(begin, end) // 60 * 60),
                float(dice.randint(near - 30_000, near + 100_000) // 60 * 60),
            )
        )
        later, earlier = oracle.after(now), oracle.until(now)
        following = schedule.next(now, 0) if schedule else None
        assert following == later or (later is None and (following is None or following >= end)), (text, now)
        assert (schedule.last(now, begin - 1, 0) if schedule else None) == (
            earlier if earlier is not None and earlier >= begin else None
        ), (text, now)
        found += later is not None
    assert found > EACH / 6  # enough of the expressions have a time in the tested days


def test_croniter_finds_the_same_times() -> None:
    """In UTC, both find the same next time for every expression that croniter can also express."""
    dice = random.Random("croniter")
    found = 0
    while found < 3_000:
        text = expression(dice)
        theirs = in_croniter(text)
        if theirs is None:
            continue
        now = datetime.fromtimestamp(dice.randint(1_600_000_000, 2_000_000_000), UTC)
        schedule = read(text)
        other = croniter(theirs, now, max_years_between_matches=230)
        try:
            later = other.get_next(float)
        except CroniterBadDateError:
            later = None
        assert (schedule.next(now.timestamp(), 0) if schedule else None) == later, (text, theirs, now)
        found += 1


def in_croniter(text: str) -> str | None:
    """The expression in croniter's form: minute hour day-of-month month day-of-week second year.

    Sunday is 0, the last Friday is L5, and the last year is 2099. The result is None if croniter does not support the
    expression or reads it in another way. That is so for L-3 and LW, for ranges like 8-8 (croniter reads them as all
    values), and for ranges across the end with a step (croniter does not count from the start of the range).
    """
    minutes, hours, days, months, weekdays, years = text.replace("?", "*").replace("2199", "2099").split()
    numbers = f"{minutes} {hours} {days} {numbered(months, MONTHS)} {numbered(weekdays, WEEKDAYS)}"
    ranges = re.findall(r"(\d+)-(\d+)(/?)", numbers)
    if (
        "L-" in days
        or days == "LW"
        or any(first == last or (step and int(first) > int(last)) for first, last, step in ranges)
    ):
        return None
    day, _, nth = weekdays.partition("#")
    day = re.sub(r"(?<!/)[1-7]", lambda found: WEEKDAYS[int(found[0]) - 1], "SAT" if day == "L" else day)
    weekdays = f"L{WEEKDAYS.index(day[:-1])}" if day.endswith("L") else f"{day}#{nth}" if nth else day
    return f"{minutes} {hours} {days} {months} {weekdays} 0 {years}"
