"""Scale-down of the demand pool: which pods may be removed, and when `replicas` may be lowered.

The ReplicaSet controller first deletes pods that are unassigned, Pending or not Ready, and only then the pods with the
lowest deletion cost. So a pod is removed in three steps:

    marked     The pod was idle for the whole idle timeout; the least recently used pods come first. It takes no new
               request, and its deletion cost is lowered.
    removing   2 s after the cost was written, `replicas` is lowered by the number of such pods, but only while every
               other pod of the pool is Ready.
    deleted    The ReplicaSet controller deletes the pod. If it deleted another pod instead, or if the load has
               increased again, the pod is unmarked.

If all pods of the pool may be removed, `replicas` is set to zero at once, because no pod must be protected by costs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

# Seconds between the write of a cost and the lower `replicas`, because the ReplicaSet controller's cache may lag.
COST_SETTLE_SECONDS: Final = 2.0
LOW_COST: Final = -100
WARM_IDLE_SECONDS: Final = 5.0  # a warm pod that is unused for this time gets the low cost


@dataclass(frozen=True, slots=True)
class Candidate:
    """One pod of the demand pool that is not being deleted. Times in monotonic seconds.

    `idle_since`: None while the pod works or may still start. For a pod that never answered, it is the end of its
    startup time, so that a pod in a crash loop is removed, too. `low_cost_since`: when its low cost was written;
    None if that is not known. `removing`: `replicas` was lowered for this pod.
    """

    uid: str
    idle_since: float | None
    ready: bool
    marked: bool = False
    low_cost_since: float | None = None
    removing: bool = False


@dataclass(frozen=True, slots=True)
class DemandPool:
    """The demand pool. `replicas`: the last requested size. `desired`: the size that the load needs.

    `raised_at`: when the pool was raised to this size (monotonic seconds).
    """

    replicas: int
    raised_at: float
    desired: int
    pods: tuple[Candidate, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """What to do now.

    The fields: the uids of the pods to mark and to unmark, the new size (None: no change), and the uids of the pods for
    which the size is lowered.
    """

    mark: tuple[str, ...] = ()
    unmark: tuple[str, ...] = ()
    replicas: int | None = None
    remove: tuple[str, ...] = ()


def decide(pool: DemandPool, idle_timeout: float, now: float) -> Step:
    """The next step towards the size that the load needs.

    A pod is removed only if one idle timeout has passed since `raised_at` and since its last use. Neither time is
    earlier than the start of the process.
    """
    removing = [p for p in pool.pods if p.removing]
    if removing and len(pool.pods) <= pool.replicas:
        # The ReplicaSet has the right number of pods, and these pods still exist. So its controller deleted other pods.
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
        # Some requested pods were never created (for example because of a quota), and no request waits for them now.
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
    """The deletion cost that a warm pod should have, so that an HPA removes idle pods first. `cost`: its current cost.

    The low cost is set before the HPA removes a pod. The HPA follows an average over 60 s and ignores differences below
    10 %. So it removes no pod in the first 6 s after the load has ended. If some load remains, the HPA waits longer.
    An idle pod keeps its cost for WARM_IDLE_SECONDS, because not every short request should cause a write.
    """
    if in_use:
        return 0
    return LOW_COST if now - last_used >= WARM_IDLE_SECONDS else cost
