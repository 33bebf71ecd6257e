"""Traces: requests as (arrival, service time). A made-up day, or a CSV file of a user.

Not here: what happens to the requests (world.py).
"""

from __future__ import annotations

import csv
import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

DAY, HOUR, MINUTE = 86400.0, 3600.0, 60.0
MIDNIGHT = datetime(2027, 3, 2, tzinfo=UTC)  # the start of traces without dates: a Tuesday

FORM = """the file has a header and these columns:

    time       when: seconds (from midnight), or ISO 8601 as 2027-03-02T08:15:00Z
    seconds    how long the model works on the request; not needed with --service
    count      how many requests arrive between this row's time and the next one's, spread at random;
               without it the row is one request, at that time
"""


class TraceError(ValueError):
    """A file that is not a trace. The message names the line and the expected form."""


@dataclass(frozen=True, slots=True, eq=False)
class Request:
    """One request. `at`: seconds after the trace's midnight. `seconds`: the service time.

    Two requests with the same values are two different requests.
    """

    at: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Trace:
    """`requests` in order of arrival. `midnight`: the start (epoch seconds). `span`: the length (seconds)."""

    name: str
    requests: tuple[Request, ...]
    midnight: float
    span: float

    def per_minute(self) -> list[float]:
        """The average concurrency of each minute if no request ever waited."""
        minutes = [0.0] * math.ceil(self.span / MINUTE)
        for request in self.requests:
            begin, end = request.at, request.at + request.seconds
            for minute in range(int(begin // MINUTE), min(int(end // MINUTE) + 1, len(minutes))):
                overlap = min(end, (minute + 1) * MINUTE) - max(begin, minute * MINUTE)
                minutes[minute] += max(0.0, overlap) / MINUTE
        return minutes


def made_up(seed: int, service: float, scale: float) -> Trace:
    """A day with a shape that is typical for offices. `scale`: the concurrency of the morning.

    No requests come at night. A few come from 07:30, `scale` at a time from 08:00, three times as many for 40 minutes
    at 12:00, and slowly fewer from 17:00. `service`: the mean service time in seconds.
    """
    draw = random.Random(seed)

    def level(at: float) -> float:
        hour = at / HOUR
        if hour < 7.5:
            return 0.0
        if hour < 8:
            return 0.1 * scale
        if 12 <= hour < 12 + 40 / 60:
            return 3 * scale
        return scale * math.exp(-max(0.0, hour - 17) / 1.6)

    arrivals = _arrivals(draw, level, 3 * scale, service)
    requests = tuple(Request(at, _service(draw, service)) for at in arrivals)
    return Trace("a made-up day", requests, MIDNIGHT.timestamp(), DAY)


def _arrivals(draw: random.Random, level: Callable[[float], float], most: float, service: float) -> Iterator[float]:
    """Poisson arrivals, so that the average concurrency is `level` with `service` seconds per request."""
    at = 0.0
    while (at := at + draw.expovariate(most / service)) < DAY:
        if draw.random() < level(at) / most:
            yield at


def _service(draw: random.Random, mean: float) -> float:
    """A random service time. Most are near the mean and a few are much longer, because they are log-normal."""
    spread = 0.5
    return draw.lognormvariate(math.log(mean) - spread**2 / 2, spread)


def read(file: Path, service: float | None, seed: int) -> Trace:
    """A trace from a CSV file (see FORM). `service`: seconds for rows without a value. Raises TraceError."""
    with file.open(newline="") as text:
        rows = list(csv.DictReader(text))
    if not rows or "time" not in rows[0]:
        raise TraceError(f"{file} is not a trace: {FORM}")
    times = [_time(file, line, row) for line, row in enumerate(rows, 2)]
    midnight, arrivals = _since_midnight(file, times)
    requests = sorted(_requests(file, rows, arrivals, service, random.Random(seed)), key=lambda request: request.at)
    if not requests:
        raise TraceError(f"{file} contains no request")
    return Trace(file.name, tuple(requests), midnight.timestamp(), DAY * (requests[-1].at // DAY + 1))


def _since_midnight(file: Path, times: list[float | datetime]) -> tuple[datetime, list[float]]:
    """The first day's midnight, and each time in seconds after it."""
    dates = [time for time in times if isinstance(time, datetime)]
    if dates and len(dates) < len(times):
        raise TraceError(f"{file}: some times are dates and others are seconds: use one form for all")
    midnight = dates[0].replace(hour=0, minute=0, second=0, microsecond=0) if dates else MIDNIGHT
    seconds = [(time - midnight) / timedelta(seconds=1) if isinstance(time, datetime) else time for time in times]
    if sorted(seconds) != seconds or seconds[0] < 0:
        raise TraceError(f"{file}: times must be in order, and none may be before midnight of the first day")
    return midnight, seconds


def _time(file: Path, line: int, row: dict[str, str]) -> float | datetime:
    text = (row["time"] or "").strip()
    try:
        return float(text)
    except ValueError:
        pass
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise TraceError(f"{file}, line {line}: {text or 'nothing'} is not a time; {FORM}") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _requests(
    file: Path, rows: list[dict[str, str]], arrivals: list[float], service: float | None, draw: random.Random
) -> Iterator[Request]:
    """The requests that the rows of the file stand for."""
    for number, (row, at) in enumerate(zip(rows, arrivals, strict=True)):
        where = f"{file}, line {number + 2}"
        try:
            count = int(row.get("count") or 1)
            seconds = float(row["seconds"]) if row.get("seconds") else service
        except ValueError as wrong:
            raise TraceError(f"{where}: {wrong}; {FORM}") from None
        if seconds is None or not 0 < seconds < math.inf or count < 0:
            raise TraceError(f"{where}: needs seconds above 0 (or --service) and a count of 0 or more; {FORM}")
        if row.get("count"):
            begin, end = _interval(arrivals, number)
            yield from (Request(at + draw.random() * (end - begin), seconds) for _ in range(count))
        else:
            yield Request(at, seconds)


def _interval(arrivals: list[float], number: int) -> tuple[float, float]:
    """Two times, whose difference is how long the requests of a row may be spread: until the time of the next row.

    The last interval is as long as the one before it. If there is only one row, the interval is one minute.
    """
    at = arrivals[number]
    if number + 1 < len(arrivals):
        return at, arrivals[number + 1]
    return (arrivals[number - 1] if number else at - MINUTE), at
