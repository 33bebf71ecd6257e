"""Scale-down of the demand pool: which pods may be removed, and when `replicas` may be lowered.

The ReplicaSet controller deletes pods that are unassigned, Pending or not Ready first, and only then those with the
lowest deletion cost. So a pod is removed in three steps:

    marked     It was idle for the whole idle timeout; the least recently used pods come first. It takes no new request,
               and its deletion cost is lowered.
    removing   2 s after its cost was written, `replicas` is lowered by the number of such pods, but only while every
               other pod of the pool is Ready.
    deleted    By the ReplicaSet controller. If it deleted another pod, or if load came back, the pod is unmarked.

When all pods of the pool may be removed, `replicas` goes to zero at once: no pod needs protection by costs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

# Seconds between a written cost and the lower `replicas`: the lag that the ReplicaSet controller's cache may have.
COST_SETTLE_SECONDS: Final = 2.0
LOW_COST: Final = -100
WARM_IDLE_SECONDS: Final = 5.0  # after which an unused warm pod carries the low cost


@dataclass(frozen=True, slots=True)
class Candidate:
    """One pod of the demand pool that is not being deleted. Times in monotonic seconds.

    `idle_since`: None while it works or may still start. For a pod that never answered: the end of its startup time, so
    that a crash loop cannot stay for ever. `low_cost_since`: when its low cost was written, as far as we know.
    `removing`: `replicas` was lowered for this pod.
    """

    uid: str
    idle_since: float | None
    ready: bool
    marked: bool = False
    low_cost_since: float | None = None
    removing: bool = False


@dataclass(frozen=True, slots=True)
class DemandPool:
    """The demand pool. `replicas`: the size last requested, `raised_at`: when it became so large (monotonic seconds),
    `desired`: the size that the load needs.
    """

    replicas: int
    raised_at: float
    desired: int
    pods: tuple[Candidate, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """What to do now: uids of pods to mark and to unmark; the new size (None: no change) and the uids of the pods
    that it is lowered for.
    """

    mark: tuple[str, ...] = ()
    unmark: tuple[str, ...] = ()
    replicas: int | None = None
    remove: tuple[str, ...] = ()


def decide(pool: DemandPool, idle_timeout: float, now: float) -> Step:
    """The next step towards the size that the load needs.

    Nothing is removed before one idle timeout after `raised_at` and after a pod's last use. Both are at the earliest
    the start of the process.
    """
    removing = [p for p in pool.pods if p.removing]
    if removing and len(pool.pods) <= pool.replicas:
        # The ReplicaSet has its number of pods, and these still exist: its controller deleted others instead.
        return Step(unmark=tuple(p.uid for p in removing))
    others = [p for p in pool.pods if not p.removing]
    idle = _removable(others, pool.desired, idle_timeout, now)
    mark = tuple(p.uid for p in idle if not p.marked)
    unmark = tuple(p.uid for p in others if p.marked and p not in idle)
    if removing:
        return Step(mark, unmark)
    timeout_over = now - pool.raised_at >= idle_timeout
    if pool.desired == 0 and pool.replicas > 0 and timeout_over and len(idle) == len(others):
        return Step(mark, unmark, 0, tuple(p.uid for p in idle))
    remove = [
        p for p in idle if p.marked and p.low_cost_since is not None and now - p.low_cost_since >= COST_SETTLE_SECONDS
    ]
    if remove and len(others) == pool.replicas and all(p.ready for p in others if p not in remove):
        return Step(mark, unmark, pool.replicas - len(remove), tuple(p.uid for p in remove))
    needed = max(pool.desired, len(others))
    if timeout_over and needed < pool.replicas:
        # Requested pods that were never created (for example a quota): no request waits for them any more.
        return Step(mark, unmark, needed)
    return Step(mark, unmark)


def _removable(pods: list[Candidate], desired: int, idle_timeout: float, now: float) -> list[Candidate]:
    """Pods that were idle for the whole timeout and exceed `desired`, the least recently used first."""
    idle = [
        (p.idle_since, n, p)
        for n, p in enumerate(pods)
        if p.idle_since is not None and now - p.idle_since >= idle_timeout
    ]
    return [p for _, _, p in sorted(idle)[: max(0, len(pods) - desired)]]


def warm_deletion_cost(cost: int, in_use: int, last_used: float, now: float) -> int:
    """The deletion cost that a warm pod should carry, so that an HPA removes idle pods first; `cost`: its present one.

    The low cost comes in time. The HPA follows an average over 60 s and ignores differences below 10 %. So it removes
    nothing within 6 s after even all load has ended, and later the more load is left. Between the two bounds a pod
    keeps its cost: occasional short requests must not cause a write each.
    """
    if in_use:
        return 0
    return LOW_COST if now - last_used >= WARM_IDLE_SECONDS else cost
