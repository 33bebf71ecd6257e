"""What Application Auto Scaling documents for target tracking on provisioned concurrency, as a pure function of one-minute datapoints.

Documented: the metric is utilization (executions / provisioned concurrency), averaged over one minute. Above the target it scales out in proportion, rounding
up; below it scales in only when utilization is clearly lower, not where the smaller size would be above the target again. No data: no scaling, either way. Of
several policies the largest size wins, and all (with scale-in enabled) must agree to scale in.

Best estimates where nothing is documented for SageMaker: the high alarm after 3 datapoints, the low one after 15 and at 90 % of the target (as for its sister,
Lambda's provisioned concurrency), and desired = ceil(current x metric / target).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

HIGH_MINUTES, LOW_MINUTES, LOW_PART = 3, 15, Fraction(9, 10)


@dataclass(frozen=True, slots=True)
class Policy:
    """One target tracking policy. `target`: a ratio for the predefined metric. Cooldowns in minutes."""

    target: Fraction
    disable_scale_in: bool = False
    scale_in_cooldown: int = 5
    scale_out_cooldown: int = 5


@dataclass(frozen=True, slots=True)
class Bounds:
    low: int
    high: int

    def hold(self, size: int) -> int:
        return min(max(size, self.low), self.high)


class Variant:
    """The provisioned concurrency of one variant: a state machine that is told one datapoint of each policy a minute, None where there is none."""

    def __init__(self, policies: Sequence[Policy], bounds: Bounds, size: int) -> None:
        self.policies = policies
        self.bounds = bounds
        self.size = size
        self.minute = 0
        self._points: list[list[Fraction | None]] = [[] for _ in policies]
        self._out = self._in = -10_000  # minutes of the last activities
        self._added_to = 0  # the size that the last scale-out went to: within the cooldown only a larger one follows

    def tell(self, points: Sequence[Fraction | None], *, scale_in: bool = True, scale_out: bool = True) -> int:
        """The next minute; the size after it."""
        self.minute += 1
        for seen, point in zip(self._points, points, strict=True):
            seen.append(point)
        wishes = [self._wish(policy, seen) for policy, seen in zip(self.policies, self._points, strict=True)]
        largest = max((wish for wish in wishes if wish is not None), default=self.size)
        if largest > self.size:
            self._scale_out(largest if scale_out else self.size)
        elif scale_in:
            self._scale_in(wishes)
        self.size = self.bounds.hold(self.size)
        return self.size

    def _wish(self, policy: Policy, seen: list[Fraction | None]) -> int | None:
        """The size that the policy's alarms ask for; None: neither is in alarm."""
        high, low = seen[-HIGH_MINUTES:], seen[-LOW_MINUTES:]
        over = len(high) == HIGH_MINUTES and all(point is not None and point > policy.target for point in high)
        under = len(low) == LOW_MINUTES and all(point is not None and point < LOW_PART * policy.target for point in low)
        last = seen[-1]
        return _ceil(self.size * last / policy.target) if last is not None and (over or under) else None

    def _scale_out(self, wanted: int) -> None:
        wanted = self.bounds.hold(wanted)
        rests = self.minute - self._out < min(policy.scale_out_cooldown for policy in self.policies)
        if wanted > self.size and not (rests and wanted <= self._added_to):
            self.size = self._added_to = wanted
            self._out = self.minute
            self._forget()

    def _scale_in(self, wishes: Sequence[int | None]) -> None:
        """All policies with scale-in enabled must ask for it, and the most careful one is followed."""
        heard = [wish for policy, wish in zip(self.policies, wishes, strict=True) if not policy.disable_scale_in]
        agreed = [wish for wish in heard if wish is not None and wish < self.size]
        rests = self.minute - max(self._in, self._out) < max(policy.scale_in_cooldown for policy in self.policies)
        if agreed and len(agreed) == len(heard) and not rests:
            self.size = max(agreed)
            self._in = self.minute
            self._forget()

    def _forget(self) -> None:
        """Datapoints of another size say nothing about this one."""
        for seen in self._points:
            seen.clear()


def _ceil(value: Fraction) -> int:
    return -(-value.numerator // value.denominator)
