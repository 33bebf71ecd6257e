"""Which demand pods may go, and when their pool may be made smaller.

A ReplicaSet deletes first what is unassigned, Pending or not Ready, and only then what has the lower deletion cost. So a pod goes in three steps:

    chosen     idle for the whole idle timeout, least recently used first: it takes no new request, and its cost is lowered
    lowered    2 s after its cost was written: `replicas` is lowered by as many, while every other pod of the pool is Ready
    deleted    by the ReplicaSet; if that took another pod, or load came back, the choice is taken back

When all pods of the pool may go, it goes straight to zero: nothing is left to be protected by costs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

SETTLE: Final = (
    2.0  # seconds between a written cost and the smaller pool: what the ReplicaSet controller's cache may lag
)
LOW_COST: Final = -100
WARM_IDLE: Final = 5.0  # seconds after which an unused warm pod carries the low cost


@dataclass(frozen=True, slots=True)
class Candidate:
    """One pod of the demand pool that is not being deleted. Times in monotonic seconds.

    `idle_since`: None while it works or may still start. For a pod that never answered: the end of its startup time, so that a crash loop
    cannot stay for ever. `costed`: since when its low cost is known to be written. `lowered`: the pool was made smaller on its account.
    """

    uid: str
    idle_since: float | None
    ready: bool
    marked: bool = False
    costed: float | None = None
    lowered: bool = False


@dataclass(frozen=True, slots=True)
class DemandPool:
    """The demand pool: the size last asked for, since when it is so large, what the load wants, and its pods."""

    replicas: int
    raised: float
    wanted: int
    pods: tuple[Candidate, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """What to do now: uids to choose and to take back; the new size and the chosen pods that it is lowered for, or None to leave it."""

    mark: tuple[str, ...] = ()
    unmark: tuple[str, ...] = ()
    replicas: int | None = None
    lowered: tuple[str, ...] = field(default=())


def decide(pool: DemandPool, idle_timeout: float, now: float) -> Step:
    """The next step towards the size that the load wants. Nothing goes before one idle timeout after `raised` (the process's start at the earliest)."""
    going = [p for p in pool.pods if p.lowered]
    if (
        going and len(pool.pods) <= pool.replicas
    ):  # the ReplicaSet is content and they are still here: it deleted others
        return Step(unmark=tuple(p.uid for p in going))
    kept = [p for p in pool.pods if not p.lowered]
    may_go = _may_go(kept, pool.wanted, idle_timeout, now)
    mark = tuple(p.uid for p in may_go if not p.marked)
    back = tuple(p.uid for p in kept if p.marked and p not in may_go)
    if going:
        return Step(mark, back)
    rested = now - pool.raised >= idle_timeout
    if pool.wanted == 0 and pool.replicas > 0 and rested and len(may_go) == len(kept):
        return Step(mark, back, 0, tuple(p.uid for p in may_go))
    ripe = [p for p in may_go if p.marked and p.costed is not None and now - p.costed >= SETTLE]
    if ripe and len(kept) == pool.replicas and all(p.ready for p in kept if p not in ripe):
        return Step(mark, back, pool.replicas - len(ripe), tuple(p.uid for p in ripe))
    least = max(pool.wanted, len(kept))
    if rested and least < pool.replicas:  # asked for, never created (a quota): nobody waits for them any more
        return Step(mark, back, least)
    return Step(mark, back)


def _may_go(pods: list[Candidate], wanted: int, idle_timeout: float, now: float) -> list[Candidate]:
    idle = [
        (p.idle_since, n, p)
        for n, p in enumerate(pods)
        if p.idle_since is not None and now - p.idle_since >= idle_timeout
    ]
    return [p for _, _, p in sorted(idle)[: max(0, len(pods) - wanted)]]


def warm_deletion_cost(cost: int, in_use: int, last_used: float, now: float) -> int:
    """The deletion cost that a warm pod should carry, so that an HPA takes idle ones; `cost`: the one it carries.

    In time: an HPA follows an average over 60 s and leaves differences of 10 % alone, so it takes nothing within 6 s after even all load has ended, and the
    later the more is left. Between the two bounds a pod keeps its cost: short requests now and then shall not cost a write each.
    """
    if in_use:
        return 0
    return LOW_COST if now - last_used >= WARM_IDLE else cost
