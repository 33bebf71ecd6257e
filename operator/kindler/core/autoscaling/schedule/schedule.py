"""When a scheduled action acts: at(…), rate(…) and cron(…), in the words and by the rules of Application Auto Scaling.

Moments are whole epoch seconds. at and cron mean the clock of a time zone (IANA name; the tz database is the system's, else the package tzdata, which the
image holds). Where the clock is put forward, a time that it skips does not come; where it is put back, a time that comes twice acts once, the first time:
so says AWS of EventBridge Scheduler ("Schedule types", daylight saving time: docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html); of
Application Auto Scaling it only says that an action "automatically adjusts". Rates count seconds and know no clock.

Own code, and no library: of those that are kept up, cronsim and croniter speak other dialects (Sunday is 0, both day fields count, no L-3), and aws-croniter
speaks this one, but in UTC only, and ties python-dateutil below 3. croniter is an oracle of the tests.
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
_LAST: Final = datetime(2200, 1, 2, tzinfo=UTC).timestamp()
_MACHINE: Final = frozenset({"Factory", "localtime", "posixrules"})  # what they mean is another thing on each machine


class Schedule(Protocol):
    """Moments in epoch seconds. `start`: what a rate counts from; the others do not look at it."""

    def last(self, until: float, after: float, start: float) -> float | None:
        """The last moment m with after < m <= until, None if there is none."""

    def next(self, after: float, start: float) -> float | None:
        """The first moment m with after < m, None if there never is one."""


def parse(text: str, timezone: str = "UTC") -> Schedule:
    """What a schedule's text means. Raises ScheduleError, also for what can never come (31 February, a time that the zone's clocks skip)."""
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
    """Once."""

    moment: float

    def last(self, until: float, after: float, start: float) -> float | None:
        """See Schedule."""
        return self.moment if after < self.moment <= until else None

    def next(self, after: float, start: float) -> float | None:
        """See Schedule."""
        return self.moment if after < self.moment else None


@dataclass(frozen=True, slots=True)
class Rate:
    """Each `period` seconds: at `start`, and after each whole number of periods."""

    period: int

    def last(self, until: float, after: float, start: float) -> float | None:
        """See Schedule."""
        moment = math.floor(start) + (math.floor(until) - math.floor(start)) // self.period * self.period
        return moment if moment >= math.floor(start) and moment > after else None

    def next(self, after: float, start: float) -> float | None:
        """See Schedule."""
        passed = (math.floor(after) - math.floor(start)) // self.period + 1
        return math.floor(start) + max(0, passed) * self.period


@dataclass(frozen=True, slots=True)
class Recurring:
    """By the clock of a zone."""

    cron: Cron
    zone: ZoneInfo

    def last(self, until: float, after: float, start: float) -> float | None:
        """See Schedule."""
        clock = datetime.fromtimestamp(_known(until), self.zone)
        first = clock.replace(fold=0)
        shown = first + (
            _offset(first) - _offset(clock)
        )  # in a repeated hour the clock has shown what is still ahead, too
        for time in self.cron.walk(shown.replace(tzinfo=None), up=False):
            moment = _moment(time, self.zone)
            if moment is not None and moment <= until:
                return moment if moment > after else None
        return None

    def next(self, after: float, start: float) -> float | None:
        """See Schedule."""
        clock = datetime.fromtimestamp(_known(after), self.zone).replace(tzinfo=None)
        for time in self.cron.walk(clock, up=True):
            moment = _moment(time, self.zone)
            if moment is not None and moment > after:
                return moment
        return None


def _moment(time: datetime, zone: ZoneInfo) -> float | None:
    """When a zone's clock first shows `time`; None if it is put forward over it."""
    first = time.replace(tzinfo=zone)
    return None if _offset(first) < _offset(first.replace(fold=1)) else first.timestamp()


def _offset(time: datetime) -> timedelta:
    return time.utcoffset() or timedelta()


def _known(moment: float) -> int:
    """A moment within the years of cron, for calendars end."""
    return math.floor(min(max(moment, 0.0), _LAST))


def _at(what: str, zone: ZoneInfo) -> At:
    text = f"at({what})"
    if not _AT.fullmatch(what):
        raise ScheduleError(
            f"{text}: {what or 'nothing'} is no date and time: use yyyy-mm-ddThh:mm:ss without a zone, as at(2027-01-31T08:00:00)"
        )
    try:
        time = datetime.fromisoformat(what)
    except ValueError as wrong:
        raise ScheduleError(f"{text}: {wrong}: use a day and time that exist, as at(2027-01-31T08:00:00)") from None
    if not 1970 <= time.year <= 2199:
        raise ScheduleError(f"{text}: the year is {time.year:04}: use 1970 to 2199, as at(2027-01-31T08:00:00)")
    moment = _moment(time, zone)
    if moment is None:
        later = datetime.fromtimestamp(time.replace(tzinfo=zone).timestamp(), zone).strftime("%Y-%m-%dT%H:%M:%S")
        raise ScheduleError(f"{text}: the clocks of {zone.key} skip this time: use one that they show, as at({later})")
    return At(moment)


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
    return frozenset(zoneinfo.available_timezones()) - _MACHINE


def _zone(name: str) -> ZoneInfo:
    """The time zone of that name, in its exact letters: a file system that ignores case would know more names than another."""
    if name in _zones():
        return ZoneInfo(name)
    folded = {known.casefold(): known for known in _zones()}
    near = difflib.get_close_matches(name.casefold(), folded, 1, 0.7)
    raise ScheduleError(
        f"timezone '{name}' is not in the IANA time zone database: use a name of it, as {folded[near[0]] if near else 'Europe/Berlin'}"
    )
