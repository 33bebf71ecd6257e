"""When a scheduled action is due: at(…), rate(…) and cron(…), by the names and rules of Application Auto Scaling.

Times are whole epoch seconds. at and cron use the clock of a time zone (IANA name). The time zone database is that of
the system. If the system has no database, Python uses the package tzdata, which the image contains.

When a clock is set forward, it skips some times; an action is not due at such a time. When a clock is set back, it
shows some times twice; an action is due only the first time. AWS documents this for EventBridge Scheduler ("Schedule
types", daylight saving time: docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html). For Application Auto
Scaling, AWS only says that an action "automatically adjusts". Rates count seconds and use no clock.

This is our own code, because no maintained library fits. cronsim and croniter read other dialects (Sunday is 0, both
day fields count, no L-3). aws-croniter reads this dialect, but only in UTC, and requires python-dateutil below 3. The
tests compare our results with croniter's.
"""

from __future__ import annotations

import difflib
import math
import re
import zoneinfo
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Final, Protocol
from zoneinfo import ZoneInfo

from kindler.core.autoscaling.schedule import cron
from kindler.core.autoscaling.schedule.cron import Cron, ScheduleError

__all__ = ["At", "Rate", "Recurring", "Schedule", "ScheduleError", "parse"]

_FORM: Final = re.compile(r"(?P<form>at|rate|cron)\((?P<what>.*)\)", re.DOTALL)
_AT: Final = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}", re.ASCII)
_RATE: Final = re.compile(r"(?P<value>[0-9]+)\s+(?P<unit>minute|hour|day)(?P<many>s?)")
_SECONDS: Final = {"minute": 60, "hour": 3600, "day": 86400}
_LAST_TIME: Final = datetime(2200, 1, 2, tzinfo=UTC).timestamp()
_MACHINE_DEPENDENT: Final = frozenset({"Factory", "localtime", "posixrules"})  # their meaning depends on the machine


class Schedule(Protocol):
    """When an action is due, in epoch seconds. `start`: the time from which a rate counts; other forms ignore it."""

    def last(self, until: float, after: float, start: float) -> float | None:
        """The last time t with after < t <= until; None if there is no such time."""

    def next(self, after: float, start: float) -> float | None:
        """The first time t with after < t; None if there is no such time."""


def parse(text: str, timezone: str = "UTC") -> Schedule:
    """Parses the text of a schedule.

    Raises ScheduleError for invalid text, and for a time that never occurs (31 February, or a time that the clocks of
    the zone skip).
    """
    zone = _zone(timezone)
    match = _FORM.fullmatch(text.strip())
    if match is None:
        raise ScheduleError(f"{text}: is none of at(…), rate(…) and cron(…): use one of them, as {cron.EXAMPLE}")
    if match["form"] == "at":
        return _at(match["what"].strip(), zone)
    if match["form"] == "rate":
        return _rate(match["what"].strip())
    schedule = Recurring(cron.read(match["what"].strip()), zone)
    if schedule.next(-1, 0) is None:
        raise ScheduleError(f"{text}: the clocks of {timezone} skip this time: use another hour, as {cron.EXAMPLE}")
    return schedule


@dataclass(frozen=True, slots=True)
class At:
    """The schedule at(…): one single time."""

    timestamp: float

    def last(self, until: float, after: float, start: float) -> float | None:
        """The last time t with after < t <= until; None if there is no such time."""
        return self.timestamp if after < self.timestamp <= until else None

    def next(self, after: float, start: float) -> float | None:
        """The first time t with after < t; None if there is no such time."""
        return self.timestamp if after < self.timestamp else None


@dataclass(frozen=True, slots=True)
class Rate:
    """The schedule rate(…): due every `period` seconds, at `start`, and after each whole number of periods."""

    period: int

    def last(self, until: float, after: float, start: float) -> float | None:
        """The last time t with after < t <= until; None if there is no such time."""
        timestamp = math.floor(start) + (math.floor(until) - math.floor(start)) // self.period * self.period
        return timestamp if timestamp >= math.floor(start) and timestamp > after else None

    def next(self, after: float, start: float) -> float | None:
        """The first time t with after < t."""
        passed = (math.floor(after) - math.floor(start)) // self.period + 1
        return math.floor(start) + max(0, passed) * self.period


@dataclass(frozen=True, slots=True)
class Recurring:
    """The schedule cron(…): a cron expression, and the time zone whose clock it uses."""

    cron: Cron
    zone: ZoneInfo

    def last(self, until: float, after: float, start: float) -> float | None:
        """The last time t with after < t <= until; None if there is no such time."""
        clock = datetime.fromtimestamp(_clamp(until), self.zone)
        first = clock.replace(fold=0)
        latest_shown = first + (
            _offset(first) - _offset(clock)
        )  # in a repeated hour the clock has already shown the later times of that hour
        for time in self.cron.walk(latest_shown.replace(tzinfo=None), up=False):
            timestamp = _timestamp(time, self.zone)
            if timestamp is not None and timestamp <= until:
                return timestamp if timestamp > after else None
        return None

    def next(self, after: float, start: float) -> float | None:
        """The first time t with after < t; None if there is no such time."""
        clock = datetime.fromtimestamp(_clamp(after), self.zone).replace(tzinfo=None)
        for time in self.cron.walk(clock, up=True):
            timestamp = _timestamp(time, self.zone)
            if timestamp is not None and timestamp > after:
                return timestamp
        return None


def _timestamp(time: datetime, zone: ZoneInfo) -> float | None:
    """When a zone's clock shows `time` for the first time; None if it skips that time."""
    first = time.replace(tzinfo=zone)
    return None if _offset(first) < _offset(first.replace(fold=1)) else first.timestamp()


def _offset(time: datetime) -> timedelta:
    return time.utcoffset() or timedelta()


def _clamp(timestamp: float) -> int:
    """The timestamp, limited to the years of cron, because `datetime` cannot represent all times."""
    return math.floor(min(max(timestamp, 0.0), _LAST_TIME))


def _at(what: str, zone: ZoneInfo) -> At:
    text = f"at({what})"
    if not _AT.fullmatch(what):
        raise ScheduleError(
            f"{text}: {what or 'nothing'} is no date and time: "
            "use yyyy-mm-ddThh:mm:ss without a zone, as at(2027-01-31T08:00:00)"
        )
    try:
        time = datetime.fromisoformat(what)
    except ValueError as error:
        raise ScheduleError(f"{text}: {error}: use a day and time that exist, as at(2027-01-31T08:00:00)") from None
    if not 1970 <= time.year <= 2199:
        raise ScheduleError(f"{text}: the year is {time.year:04}: use 1970 to 2199, as at(2027-01-31T08:00:00)")
    timestamp = _timestamp(time, zone)
    if timestamp is None:
        later = datetime.fromtimestamp(time.replace(tzinfo=zone).timestamp(), zone).strftime("%Y-%m-%dT%H:%M:%S")
        raise ScheduleError(f"{text}: the clocks of {zone.key} skip this time: use one that they show, as at({later})")
    return At(timestamp)


def _rate(what: str) -> Rate:
    match = _RATE.fullmatch(what)
    if match is None:
        raise ScheduleError(
            f"rate({what}): is no value and unit: use a whole number and minutes, hours or days, as rate(5 minutes)"
        )
    value, unit = match["value"], match["unit"]
    if len(value) > 6 or int(value) == 0:
        raise ScheduleError(f"rate({what}): the value is {value}: use 1 to 999999, as rate(5 {unit}s)")
    right = unit if int(value) == 1 else f"{unit}s"
    if unit + match["many"] != right:
        raise ScheduleError(
            f"rate({what}): the unit of {int(value)} is {right}: write it so, as rate({int(value)} {right})"
        )
    return Rate(int(value) * _SECONDS[unit])


@cache
def _zones() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones()) - _MACHINE_DEPENDENT


def _zone(name: str) -> ZoneInfo:
    """The time zone with exactly this name.

    ZoneInfo alone would also accept the name in another case if the file system ignores case.
    """
    if name in _zones():
        return ZoneInfo(name)
    folded = {known.casefold(): known for known in _zones()}
    near = difflib.get_close_matches(name.casefold(), folded, 1, 0.7)
    example = folded[near[0]] if near else "Europe/Berlin"
    raise ScheduleError(f"timezone '{name}' is not in the IANA time zone database: use a name of it, as {example}")
