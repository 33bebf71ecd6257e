"""Computes the series with Kindler's own copy of the HPA's rule. The sizes must be equal to those of real HPAs."""

from __future__ import annotations

from hack.bench.hpa.cases import Case
from hack.bench.hpa.cluster import DWELL, SYNC
from kindler.core.autoscaling.tracking import History, Rules, Tracked, replicas


def sizes(case: Case) -> list[int] | None:
    """The size at the end of each step.

    None for a pool of 0 pods with a minimum above 0: an HPA does not scale such a pool, and the controller does not use
    the rule for it.
    """
    if case.start == 0 and case.low > 0:
        return None
    history: History = ()
    size, now, ends = case.start, 0.0, []
    for step, (low, high) in zip(case.steps, case.bounds(), strict=True):
        rules = Rules(low, high, case.window, case.scale_in, case.scale_out)
        for _ in range(round(DWELL / SYNC)):
            now += SYNC
            pairs = zip(step.loads, case.targets, strict=True)
            tracked = [_tracked(case, load, float(target), size) for load, target in pairs]
            size, history = replicas(tracked, size, rules, history, now)
        ends.append(size)
    return ends


def _tracked(case: Case, load: float | None, target: float, size: int) -> Tracked:
    units = max(size, 1) * case.per if case.customized else 1
    return Tracked(None if load is None else load * units, target * case.per)
