"""The rule by which a HorizontalPodAutoscaler scales a pool with targets of type AverageValue.

The steps are those of Kubernetes (replica_calculator.go, horizontal.go). The controller uses the rule if no HPA can
scale the pool: no metrics API is free, or the pool scales from or to 0.

    bounds          if the size is above `high`: high; if it is below `low` and not 0: low. Then no load is read
    recommendation  for each load: the current size if load / (size x per_replica) is within 0.9 .. 1.1,
                    else ceil(load / per_replica)
    largest         the largest recommendation counts. If a load is missing, a size below the current size does not
                    count; if all loads are missing, the current size stays
    window          the size falls only to the largest recommendation of the last `window` seconds; the first pass
                    counts the current size as a recommendation
    switches        without `scales_in` the size does not fall; without `scales_out` it does not rise
    bounds          the result is limited to `low` .. `high`

Loads and targets are counted in thousandths, rounded up, as Kubernetes counts quantities.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

_TOLERANCE: Final = 0.1


@dataclass(frozen=True, slots=True)
class Tracked:
    """One policy as input of the rule: its load (None: no data), and its target load per replica."""

    load: float | None
    per_replica: float


@dataclass(frozen=True, slots=True)
class Rules:
    """Limits of the rule. `low`, `high`: sizes in replicas. `window`: stabilization window of scale-in, in seconds."""

    low: int
    high: int
    window: float = 300.0
    scales_in: bool = True
    scales_out: bool = True

    def clamp(self, size: int) -> int:
        return max(self.low, min(size, self.high))


@dataclass(frozen=True, slots=True)
class Recommendation:
    """The size that the loads required at a time. `at`: epoch seconds."""

    at: float
    replicas: int


History = tuple[Recommendation, ...]


def replicas(
    tracked: Iterable[Tracked], current: int, rules: Rules, history: History, now: float
) -> tuple[int, History]:
    """The size for `tracked`, and the history for the next call.

    `current`: the current size. `history`: what the previous call returned; () in the first call.
    """
    # A controller whose clock was ahead may have left recommendations from the future.
    history = tuple(r for r in history if r.at <= now) or (Recommendation(now, current),)
    if current > rules.high or 0 < current < rules.low:
        return rules.clamp(current), history
    recommended = _largest_recommendation(tracked, current)
    if recommended is None:
        return rules.clamp(current), history
    stabilized = max((r.replicas for r in history if r.at > now - rules.window), default=0)
    size = recommended if recommended >= current else min(current, max(recommended, stabilized))
    if (size < current and not rules.scales_in) or (size > current and not rules.scales_out):
        size = current
    return rules.clamp(size), _stabilization_history(history, recommended, rules.window, now)


def recommend(load: float, per_replica: float, current: int) -> int:
    """The replicas that one load requires, without bounds."""
    usage, target = thousandths(load), thousandths(per_replica)
    if current > 0 and 1.0 - _TOLERANCE <= usage / (target * current) <= 1.0 + _TOLERANCE:
        return current
    return -(-usage // target)


def thousandths(value: float) -> int:
    """The value in thousandths, rounded up like Kubernetes' quantities. Float errors have no effect: 3 x 0.1 is 300."""
    return math.ceil(Decimal(f"{value:.12g}") * 1000)


def _largest_recommendation(tracked: Iterable[Tracked], current: int) -> int | None:
    """The largest recommendation; None if loads are missing and the current size must stay."""
    loads = tuple(tracked)
    recommendations = [recommend(t.load, t.per_replica, current) for t in loads if t.load is not None]
    if not recommendations or (len(recommendations) < len(loads) and max(recommendations) < current):
        return None
    return max(recommendations)


def _stabilization_history(history: History, recommended: int, window: float, now: float) -> History:
    """The recommendations that can still prevent a smaller size.

    A later recommendation replaces an earlier one that is not larger. So the history never has more entries than there
    are sizes.
    """
    return (*(r for r in history if r.at > now - window and r.replicas > recommended), Recommendation(now, recommended))
