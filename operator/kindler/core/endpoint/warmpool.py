"""The warm pool of a route: whether the route has a warm pool, and the pool's size.

provisionedConcurrency   entry in spec.autoscaling   warm pool   first size
----------------------   -------------------------   ---------   ----------
none                     no                          no          -
n                        no                          yes         n
none                     yes                         yes         the minimum in force
n                        yes                         yes         n, within the bounds in force
any                      yes, an update              yes         the serving pool's size, within the bounds in force
"""

from __future__ import annotations

from dataclasses import replace

from kindler.api import conditions, names
from kindler.api.autoscaling import ScalableTarget
from kindler.api.base import unreadable
from kindler.api.route import Route
from kindler.core.autoscaling.decide import decide
from kindler.core.autoscaling.decision import ScalingDecision, ScalingState
from kindler.core.autoscaling.entry import entry_for
from kindler.core.common.blockers import Blocker, BlockerKind
from kindler.core.common.capacity import instances
from kindler.core.common.objects import Json
from kindler.core.common.timestamps import parse_timestamp
from kindler.core.endpoint.state import Observed, ResolvedRefs


def with_warm_pool(observed: Observed, route: Route) -> Route:
    """The route. It has a warm pool if and only if its variant has provisioned concurrency, fixed or scaled."""
    warm = names.pool_name(observed.name, route.revision, names.WARM)
    return replace(route, warm_pool=warm if route.provisioned_concurrency or _entry(observed, route)[0] else None)


def decide_scaling(observed: Observed, route: Route, begins: bool = False) -> ScalingDecision:
    """The decision about the warm pool of `route`. `begins`: decide as if the pool did not exist yet."""
    raw, entry_blocker = _entry(observed, route)
    warm = None if begins else observed.pool(route.warm_pool)
    try:
        target = ScalableTarget.parse(dict(raw)) if raw else None
    except ValueError as error:
        return _unchanged(observed, route, unreadable(error))
    state = ScalingState(
        endpoint=observed.endpoint,
        target=target,
        route=route,
        warm=warm,
        ready=sum(pod.ready for pod in observed.of(warm)),
        hpa=observed.hpa,
        capabilities=observed.capabilities,
        loads=observed.loads,
        status=observed.status,
        created=parse_timestamp(observed.endpoint["metadata"].get("creationTimestamp")) or observed.now,
        now=observed.now,
        history=observed.history,
    )
    decided = decide(state)
    return replace(decided, blocker=entry_blocker) if entry_blocker and decided.blocker is None else decided


def first_size(observed: Observed, serving: Route | None, route: Route) -> int:
    """The first size of the warm pool of `route`, in pods. It gets the route when this many of its pods are Ready.

    With spec.autoscaling an update keeps the current size, because an update at noon must not shrink the pool to the
    size that it has at night. `serving`: the route that serves now.
    """
    decided = decide_scaling(observed, route, begins=True)
    old = observed.pool(serving.warm_pool) if serving else None
    if serving is None or old is None or decided.status is None:
        return decided.floor
    present = old.replicas * serving.max_concurrency_per_instance
    # The status has no bounds if no pass could read the entry.
    low, high = int(decided.status.get("minCapacity", 0)), int(decided.status.get("maxCapacity", present))
    return instances(min(max(present, low), high, route.max_concurrency), route)


def _entry(observed: Observed, route: Route) -> tuple[Json | None, Blocker | None]:
    next_variant = observed.refs.limits.variant_name if isinstance(observed.refs, ResolvedRefs) else None
    return entry_for(observed.endpoint, route.variant_name, next_variant)


def _unchanged(observed: Observed, route: Route, failure: str) -> ScalingDecision:
    """The decision for an entry that cannot be read, because it was stored under other rules: the size stays as it is.

    An existing HPA must target the pool of this route. `failure`: why the entry cannot be read.
    """
    warm = observed.pool(route.warm_pool)
    reported = dict(next(iter(observed.status.get("autoscaling") or ()), {})) | {"variantName": route.variant_name}
    message = f"spec.autoscaling cannot be read: {failure.rstrip('.')}. Correct it; the size stays as it is until then."
    size = warm.replicas if warm else instances(route.provisioned_concurrency, route)
    desired = int(reported.get("desiredCapacity", size * route.max_concurrency_per_instance))
    spec = dict(observed.hpa["spec"]) if observed.hpa and route.warm_pool else None
    return ScalingDecision(
        size=None,
        floor=size,
        hpa=spec and spec | {"scaleTargetRef": dict(spec["scaleTargetRef"]) | {"name": route.warm_pool}},
        status=reported,
        desired=desired,
        current=int(reported.get("currentCapacity", desired)),
        active=(conditions.FALSE, conditions.INVALID_AUTOSCALING, message),
        blocker=Blocker(BlockerKind.STALLED, conditions.INVALID_AUTOSCALING, message, blocking=False),
    )
