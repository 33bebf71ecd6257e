"""What one endpoint has done, in plain numbers: counted on the hot path, rendered by `metrics`."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from typing import Final

from kindler.activator.endpoint.requests import Cause, Outcome
from kindler.api.stats import Totals

# Upper bounds in seconds; one more bucket holds what is above.
REQUEST_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
COLD_BUCKETS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0, 120.0, 180.0)


class Histogram:
    """`counts` has one more entry than `bounds`; they are not cumulative."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def add(self, seconds: float) -> None:
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.total += seconds


class Counters:
    """Since the process began. Histograms are None before their first value: most endpoints sleep, and cost nothing.

    `provisioned` and `spilled` count placements in the warm and, beside a warm pool, in the demand pool. `in_vain`: seconds that requests were in before
    they ended without a pod's answer: their client left, or they were refused after all. `load_seconds`: as last told.
    """

    __slots__ = (
        "cold",
        "in_vain",
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
    )

    def __init__(self) -> None:
        self.outcomes: dict[str, int] = {}
        self.throttled = self.provisioned = self.spilled = self.received = self.sent = 0
        self.in_vain = self.load_seconds = 0.0
        self.invocation: Histogram | None = None
        self.model: Histogram | None = None
        self.overhead: Histogram | None = None
        self.cold: dict[str, Histogram] = {}

    def served(
        self, outcome: Outcome, status: int, arrived: float, placed: float, now: float, received: int, sent: int
    ) -> None:
        """A call that had a place ended. Moments in monotonic seconds, bodies in bytes."""
        key = _ANSWERED[min(status // 100, 5)] if outcome is Outcome.ANSWERED else outcome.value
        self.outcomes[key] = self.outcomes.get(key, 0) + 1
        self.received += received
        self.sent += sent
        invocation, model, overhead = self.invocation, self.model, self.overhead
        if invocation is None or model is None or overhead is None:
            invocation, model, overhead = (Histogram(REQUEST_BUCKETS) for _ in range(3))
            self.invocation, self.model, self.overhead = invocation, model, overhead
        invocation.add(now - arrived)
        model.add(now - placed)
        overhead.add(placed - arrived)

    def rejected(self, cause: Cause) -> None:
        """A call was answered by us."""
        if cause is Cause.THROTTLED:
            self.throttled += 1
        self.outcomes[cause.value] = self.outcomes.get(cause.value, 0) + 1

    def left(self) -> None:
        """A client was gone before its call had a place."""
        self.outcomes["client_left"] = self.outcomes.get("client_left", 0) + 1

    def started(self, phases: dict[str, int]) -> None:
        """A cold start; `phases` in milliseconds since it was asked for."""
        for name, milliseconds in phases.items():
            if name not in self.cold:
                self.cold[name] = Histogram(COLD_BUCKETS)
            self.cold[name].add(milliseconds / 1000)

    def totals(self, inside: Iterable[float], now: float) -> Totals:
        """`inside`: when each of those came that execute or are held. Each spends `now - arrived` of load, and has it counted for good when it ends:
        so the integral is exact at any moment, and costs a request nothing.
        """
        spent = [now - arrived for arrived in inside]
        self.load_seconds = max(
            self.load_seconds, _total(self.invocation) + self.in_vain + sum(spent)
        )  # sums in another order may round down
        ended = sum(
            count for outcome, count in self.outcomes.items() if outcome != Cause.NOT_READY.value
        )  # that is a ping's answer alone
        return Totals(
            load_seconds=self.load_seconds,
            invocations=ended + len(spent),
            client_errors=self.outcomes.get("client_error", 0),
            model_errors=sum(self.outcomes.get(outcome, 0) for outcome in _MODEL_ERRORS),
            provisioned=self.provisioned,
            spillover=self.spilled,
            answered=_number(self.model),
            model_seconds=_total(self.model),
            overhead_seconds=_total(self.overhead),
            cold_starts=_number(self.cold.get("ping")),
            setup_seconds=_total(self.cold.get("ping")),
        )


def _total(histogram: Histogram | None) -> float:
    return histogram.total if histogram else 0.0


def _number(histogram: Histogram | None) -> int:
    return sum(histogram.counts) if histogram else 0


_ANSWERED: Final = ("ok", "ok", "ok", "ok", "client_error", "model_error")
_MODEL_ERRORS: Final = ("model_error", Outcome.BROKE_OFF.value, Outcome.TIMED_OUT.value)
