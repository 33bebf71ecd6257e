"""Requests as (arrival, service time), in seconds, the arrival from the trace's midnight on."""

from __future__ import annotations

import csv
import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

DAY, HOUR, MINUTE = 86400.0, 3600.0, 60.0
MIDNIGHT = datetime(2027, 3, 2, tzinfo=UTC)  # of traces that tell no date: a Tuesday

FORM = """the file has a header and these columns:

    time       when: seconds (from midnight), or ISO 8601 as 2027-03-02T08:15:00Z
    seconds    how long the model works on it; may be left out with --service
    count      how many such requests come between this row's time and the next one's, spread at random; left out: one request, at that time
"""


class TraceError(ValueError):
    """A file that is no trace. The message names the line and says how it should be."""


@dataclass(frozen=True, slots=True, eq=False)
class Request:
    """Two of the same moment and length are two."""

    at: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Trace:
    """`requests` in order of arrival. `midnight`: epoch seconds of moment 0. `span`: seconds that are looked at, whole days."""

    name: str
    requests: tuple[Request, ...]
    midnight: float
    span: float

    def per_minute(self) -> list[float]:
        """The average number of requests that would be at work in each minute if none ever waited."""
        minutes = [0.0] * math.ceil(self.span / MINUTE)
        for request in self.requests:
            begin, end = request.at, request.at + request.seconds
            for minute in range(int(begin // MINUTE), min(int(end // MINUTE) + 1, len(minutes))):
                minutes[minute] += max(0.0, min(end, (minute + 1) * MINUTE) - max(begin, minute * MINUTE)) / MINUTE
        return minutes


def made_up(seed: int, service: float, scale: float) -> Trace:
    """Night: nothing. 07:30: the first few. 08:00: a step up to `scale` at work. 12:00: 40 minutes of three times as much. From 17:00: a long tail."""
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

    requests = tuple(Request(at, _service(draw, service)) for at in _arrivals(draw, level, 3 * scale, service))
    return Trace("a made-up day", requests, MIDNIGHT.timestamp(), DAY)


def _arrivals(draw: random.Random, level: Callable[[float], float], most: float, service: float) -> Iterator[float]:
    """Poisson arrivals, so that on average `level` requests of `service` seconds are at work."""
    at = 0.0
    while (at := at + draw.expovariate(most / service)) < DAY:
        if draw.random() < level(at) / most:
            yield at


def _service(draw: random.Random, mean: float) -> float:
    """Log-normal: most near the mean, a few much longer."""
    spread = 0.5
    return draw.lognormvariate(math.log(mean) - spread**2 / 2, spread)


def read(file: Path, service: float | None, seed: int) -> Trace:
    """A trace from a CSV file (see FORM). `service`: seconds of requests that tell none. Raises TraceError."""
    with file.open(newline="") as text:
        rows = list(csv.DictReader(text))
    if not rows or "time" not in rows[0]:
        raise TraceError(f"{file} is no trace: {FORM}")
    midnight, moments = _moments(file, [_time(file, line, row) for line, row in enumerate(rows, 2)])
    requests = sorted(_spread(file, rows, moments, service, random.Random(seed)), key=lambda request: request.at)
    if not requests:
        raise TraceError(f"{file}: there is no request in it")
    return Trace(file.name, tuple(requests), midnight.timestamp(), DAY * (requests[-1].at // DAY + 1))


def _moments(file: Path, times: list[float | datetime]) -> tuple[datetime, list[float]]:
    """The first day's midnight, and each time in seconds after it."""
    dates = [time for time in times if isinstance(time, datetime)]
    if dates and len(dates) < len(times):
        raise TraceError(f"{file}: some times are dates and others are seconds: write all of them in one form")
    midnight = dates[0].replace(hour=0, minute=0, second=0, microsecond=0) if dates else MIDNIGHT
    moments = [(time - midnight) / timedelta(seconds=1) if isinstance(time, datetime) else time for time in times]
    if sorted(moments) != moments or moments[0] < 0:
        raise TraceError(f"{file}: times must be in order, none before midnight of the first day")
    return midnight, moments


def _time(file: Path, line: int, row: dict[str, str]) -> float | datetime:
    text = (row["time"] or "").strip()
    try:
        return float(text)
    except ValueError:
        pass
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise TraceError(f"{file}, line {line}: {text or 'nothing'} is no time; {FORM}") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _spread(
    file: Path, rows: list[dict[str, str]], moments: list[float], service: float | None, draw: random.Random
) -> Iterator[Request]:
    """The requests of each row."""
    for number, (row, at) in enumerate(zip(rows, moments, strict=True)):
        try:
            count = int(row.get("count") or 1)
            seconds = float(row["seconds"]) if row.get("seconds") else service
        except ValueError as wrong:
            raise TraceError(f"{file}, line {number + 2}: {wrong}; {FORM}") from None
        if seconds is None or not 0 < seconds < math.inf or count < 0:
            raise TraceError(
                f"{file}, line {number + 2}: needs seconds above 0 (or --service) and no negative count; {FORM}"
            )
        if row.get("count"):
            other = (
                (moments[number], moments[number + 1])
                if number + 1 < len(moments)
                else (moments[number - 1] if number else at - MINUTE, at)
            )
            yield from (Request(at + draw.random() * (other[1] - other[0]), seconds) for _ in range(count))
        else:
            yield Request(at, seconds)
