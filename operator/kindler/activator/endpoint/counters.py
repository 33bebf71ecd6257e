"""Counters of one endpoint: plain numbers, which its requests increase, and which `activator.metrics` renders."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from typing import Final

from kindler.activator.endpoint.records import FinishedRequest, Identity, RejectedRequest
from kindler.activator.endpoint.requests import Cause, ColdStart, Outcome
from kindler.api.stats import Totals

# Upper bounds of buckets, in seconds. Each histogram has one more bucket for larger values.
REQUEST_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
COLD_BUCKETS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0, 120.0, 180.0)
# The classes of a model's responses: status below 400, status 400 to 499, status 500 and above.
STATUS_CLASSES: Final = ("ok", "client_error", "model_error")
_OK, _CLIENT_ERROR, _MODEL_ERROR = STATUS_CLASSES
CLIENT_LEFT: Final = "client_left"  # a held request ended: its client left, or the wire rejected it


class Histogram:
    """Counts values in buckets. `counts`: one number per bucket, not cumulative; the last bucket has no upper bound."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def add(self, seconds: float) -> None:
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.total += seconds


class Counters:
    """Counts the requests of one endpoint since the process began to serve it, as a RequestObserver.

    Histograms are None before their first value, because most endpoints are scaled to zero and must cost no memory.
    `provisioned` counts placements in the warm pool. `spilled` counts placements in the demand pool of an endpoint that
    also has a warm pool. `wasted_seconds`: time that admitted requests spent here without a response from a pod,
    because their client left or they were rejected later. `load_seconds`: the load that was last reported.
    """

    __slots__ = (
        "cold_starts",
        "invocation",
        "load_seconds",
        "model",
        "outcomes",
        "overhead",
        "provisioned",
        "received",
        "sent",
        "spilled",
        "throttled",
        "wasted_seconds",
    )

    def __init__(self) -> None:
        self.outcomes: dict[str, int] = {}
        self.throttled = self.provisioned = self.spilled = self.received = self.sent = 0
        self.wasted_seconds = self.load_seconds = 0.0
        self.invocation: Histogram | None = None
        self.model: Histogram | None = None
        self.overhead: Histogram | None = None
        self.cold_starts: dict[str, Histogram] = {}  # by phase

    def finished(self, record: FinishedRequest) -> None:
        """Counts a placed request that ended."""
        _, _, _, outcome, status, received, sent, arrived, placed, ended = record
        if outcome is Outcome.ANSWERED:
            key = _OK if status < 400 else _CLIENT_ERROR if status < 500 else _MODEL_ERROR
        else:
            key = outcome.value
        self.outcomes[key] = self.outcomes.get(key, 0) + 1
        self.received += received
        self.sent += sent
        invocation, model, overhead = self.invocation, self.model, self.overhead
        if invocation is None or model is None or overhead is None:
            invocation, model, overhead = (Histogram(REQUEST_BUCKETS) for _ in range(3))
            self.invocation, self.model, self.overhead = invocation, model, overhead
        invocation.add(ended - arrived)
        model.add(ended - placed)
        overhead.add(placed - arrived)

    def rejected(self, record: RejectedRequest) -> None:
        """Counts a request that the throttler or the wire rejected."""
        cause = record.rejection.cause
        if cause is Cause.THROTTLED:
            self.throttled += 1
        self.outcomes[cause.value] = self.outcomes.get(cause.value, 0) + 1

    def cold_start(self, identity: Identity, pod: str, cold: ColdStart) -> None:
        """Counts the start of a pod that a request needed."""
        for phase, milliseconds in cold.phases().items():
            if phase not in self.cold_starts:
                self.cold_starts[phase] = Histogram(COLD_BUCKETS)
            self.cold_starts[phase].add(milliseconds / 1000)

    def client_left(self) -> None:
        """Counts a held request whose client left."""
        self.outcomes[CLIENT_LEFT] = self.outcomes.get(CLIENT_LEFT, 0) + 1

    def totals(self, arrivals: Iterable[float], now: float) -> Totals:
        """The sums for `/stats`. `arrivals`: the arrival time of each request that executes or is held now.

        Each such request adds the time since its arrival to the load. A request that has ended adds its whole time. So
        the sum is exact at any time.
        """
        open_seconds = [now - arrived for arrived in arrivals]
        # When a request ends, its time moves from one sum to another. The order of addition changes, so rounding can
        # make the new sum slightly smaller. `max` keeps the reported load from decreasing.
        load_seconds = _total(self.invocation) + self.wasted_seconds + sum(open_seconds)
        self.load_seconds = max(self.load_seconds, load_seconds)
        # In these counters NOT_READY is only a reply to a ping, and a ping is not an invocation
        ended = sum(count for outcome, count in self.outcomes.items() if outcome != Cause.NOT_READY.value)
        return Totals(
            load_seconds=self.load_seconds,
            invocations=ended + len(open_seconds),
            client_errors=self.outcomes.get(_CLIENT_ERROR, 0),
            model_errors=sum(self.outcomes.get(outcome, 0) for outcome in _MODEL_ERRORS),
            provisioned=self.provisioned,
            spillover=self.spilled,
            answered=_number(self.model),
            model_seconds=_total(self.model),
            overhead_seconds=_total(self.overhead),
            cold_starts=_number(self.cold_starts.get("ping")),
            setup_seconds=_total(self.cold_starts.get("ping")),
        )


def _total(histogram: Histogram | None) -> float:
    return histogram.total if histogram else 0.0


def _number(histogram: Histogram | None) -> int:
    return sum(histogram.counts) if histogram else 0


_MODEL_ERRORS: Final = (_MODEL_ERROR, Outcome.BROKE_OFF.value, Outcome.TIMED_OUT.value)
