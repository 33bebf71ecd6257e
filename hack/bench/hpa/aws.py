"""Target tracking on provisioned concurrency, as Application Auto Scaling documents it, without I/O and clock.

AWS documents: the metric is utilization (executions / provisioned concurrency), averaged over one minute. Above the
target, AWS scales out in proportion and rounds up. Below the target, AWS scales in only if utilization is clearly
lower, and not if utilization would be above the target with the smaller size. Without data, the size does not change.
Of several policies the largest size counts. The size decreases only if every policy that may scale in recommends it.

Some values are not documented for SageMaker. These are estimates from Lambda's provisioned concurrency: the high alarm
needs 3 datapoints; the low alarm needs 15, below 90 % of the target; desired = ceil(current x metric / target).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

HIGH_MINUTES, LOW_MINUTES, LOW_PART = 3, 15, Fraction(9, 10)


@dataclass(frozen=True, slots=True)
class Policy:
    """One target tracking policy. `target`: a ratio, for the predefined metric. Cooldowns in minutes."""

    target: Fraction
    disable_scale_in: bool = False
    scale_in_cooldown: int = 5
    scale_out_cooldown: int = 5


@dataclass(frozen=True, slots=True)
class Bounds:
    """Minimum and maximum capacity, in units of provisioned concurrency."""

    low: int
    high: int

    def clamp(self, size: int) -> int:
        return min(max(size, self.low), self.high)


class Variant:
    """The provisioned concurrency of one variant: a state machine with one step a minute."""

    def __init__(self, policies: Sequence[Policy], bounds: Bounds, size: int) -> None:
        self.policies = policies
        self.bounds = bounds
        self.size = size
        self.minute = 0
        self._points: list[list[Fraction | None]] = [[] for _ in policies]
        self._last_out = self._last_in = -10_000  # the minutes of the last scale-out and scale-in
        self._last_size_out = 0  # the size after the last scale-out: in its cooldown only a larger size follows

    def add_minute(self, points: Sequence[Fraction | None], *, scale_in: bool = True, scale_out: bool = True) -> int:
        """Adds one datapoint for each policy, or None without data. Returns the size after this minute."""
        self.minute += 1
        for series, point in zip(self._points, points, strict=True):
            series.append(point)
        recommended = [self._recommend(*pair) for pair in zip(self.policies, self._points, strict=True)]
        largest = max((size for size in recommended if size is not None), default=self.size)
        if largest > self.size:
            self._scale_out(largest if scale_out else self.size)
        elif scale_in:
            self._scale_in(recommended)
        self.size = self.bounds.clamp(self.size)
        return self.size

    def _recommend(self, policy: Policy, series: list[Fraction | None]) -> int | None:
        """The size that the policy recommends while one of its alarms is active; None: no alarm is active."""
        high, low = series[-HIGH_MINUTES:], series[-LOW_MINUTES:]
        over = len(high) == HIGH_MINUTES and all(point is not None and point > policy.target for point in high)
        limit = LOW_PART * policy.target
        under = len(low) == LOW_MINUTES and all(point is not None and point < limit for point in low)
        last = series[-1]
        return _ceil(self.size * last / policy.target) if last is not None and (over or under) else None

    def _scale_out(self, size: int) -> None:
        size = self.bounds.clamp(size)
        cooldown = min(policy.scale_out_cooldown for policy in self.policies)
        cooling = self.minute - self._last_out < cooldown
        if size > self.size and not (cooling and size <= self._last_size_out):
            self.size = self._last_size_out = size
            self._last_out = self.minute
            self._discard_points()

    def _scale_in(self, recommended: Sequence[int | None]) -> None:
        """Scales in to the largest recommended size, if every policy that may scale in recommends a size."""
        pairs = zip(self.policies, recommended, strict=True)
        allowed = [size for policy, size in pairs if not policy.disable_scale_in]
        smaller = [size for size in allowed if size is not None and size < self.size]
        cooldown = max(policy.scale_in_cooldown for policy in self.policies)
        cooling = self.minute - max(self._last_in, self._last_out) < cooldown
        if smaller and len(smaller) == len(allowed) and not cooling:
            self.size = max(smaller)
            self._last_in = self.minute
            self._discard_points()

    def _discard_points(self) -> None:
        """Removes the datapoints, because they belong to the former size."""
        for series in self._points:
            series.clear()


def _ceil(value: Fraction) -> int:
    return -(-value.numerator // value.denominator)
