"""The rule by which a HorizontalPodAutoscaler sizes a pool on targets of type AverageValue, as Kubernetes computes it (replica_calculator.go, horizontal.go).

The controller uses it where no HPA can: no API for metrics is free, or the pool is to go to or from 0. One step after the other:

    bounds    above `high`: high; below `low`, and not 0: low; no load is asked
    wish      of each load: the present size while load / (size x per_replica) is within 0.9 .. 1.1, else ceil(load / per_replica)
    most      the largest wish counts; with a load missing none below the present size does, with all of them missing the present size stays
    window    a smaller size waits until no wish of the last `window` seconds is above it; the first look counts the present size as a wish
    resting   not below the present size without `scales_in`, not above it without `scales_out`
    bounds    within `low` .. `high`

Loads and targets are counted in thousandths, rounded up, as Kubernetes counts quantities.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

_BAND: Final = 0.1


@dataclass(frozen=True, slots=True)
class Tracked:
    """One policy as the rule sees it: its load (None: it is not known), and how much of it a replica is to have."""

    load: float | None
    per_replica: float


@dataclass(frozen=True, slots=True)
class Rules:
    """Sizes in replicas, `window` (of scale-in) in seconds."""

    low: int
    high: int
    window: float = 300.0
    scales_in: bool = True
    scales_out: bool = True

    def clamp(self, size: int) -> int:
        return max(self.low, min(size, self.high))


@dataclass(frozen=True, slots=True)
class Recommendation:
    """What the loads asked for at a moment, in epoch seconds."""

    at: float
    replicas: int


History = tuple[Recommendation, ...]


def replicas(
    tracked: Iterable[Tracked], current: int, rules: Rules, history: History, now: float
) -> tuple[int, History]:
    """The size that `tracked` asks for, `current` being the present one, and the history to come with next time; it begins as ()."""
    history = tuple(w for w in history if w.at <= now) or (
        Recommendation(now, current),
    )  # none of a clock that was ahead
    if current > rules.high or 0 < current < rules.low:
        return rules.clamp(current), history
    wanted = _largest(tracked, current)
    if wanted is None:
        return rules.clamp(current), history
    held = max((w.replicas for w in history if w.at > now - rules.window), default=0)
    size = wanted if wanted >= current else min(current, max(wanted, held))
    if (size < current and not rules.scales_in) or (size > current and not rules.scales_out):
        size = current
    return rules.clamp(size), _remembered(history, wanted, rules.window, now)


def recommend(load: float, per_replica: float, current: int) -> int:
    """Replicas that one load asks for, all bounds aside."""
    usage, target = thousandths(load), thousandths(per_replica)
    if current > 0 and 1.0 - _BAND <= usage / (target * current) <= 1.0 + _BAND:
        return current
    return -(-usage // target)


def thousandths(value: float) -> int:
    """As Kubernetes rounds quantities: up. The last digits of a float are no reason to: 3 x 0.1 is 300."""
    return math.ceil(Decimal(f"{value:.12g}") * 1000)


def _largest(tracked: Iterable[Tracked], current: int) -> int | None:
    """The largest wish; None where a missing load forbids to follow it."""
    loads = tuple(tracked)
    recommendations = [recommend(t.load, t.per_replica, current) for t in loads if t.load is not None]
    if not recommendations or (len(recommendations) < len(loads) and max(recommendations) < current):
        return None
    return max(recommendations)


def _remembered(history: History, wanted: int, window: float, now: float) -> History:
    """Only what can still hold a size: a wish that a later one reaches cannot. So it never has more entries than there are sizes."""
    return (*(w for w in history if w.at > now - window and w.replicas > wanted), Recommendation(now, wanted))
