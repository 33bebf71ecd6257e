"""The warm pool of a route: whether there is one, and what is decided about its size.

provisionedConcurrency   entry in spec.autoscaling   warm pool   first size
----------------------   -------------------------   ---------   ----------
none                     no                          no          -
n                        no                          yes         n
none                     yes                         yes         the minimum in force
n                        yes                         yes         n, held within the bounds in force
any                      yes, an update              yes         what the pool that serves has now, held within the bounds in force
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
    """The route with a warm pool exactly where its variant has provisioned concurrency, fixed or scaling."""
    warm = names.pool_name(observed.name, route.revision, names.WARM)
    return replace(route, warm_pool=warm if route.provisioned_concurrency or _entry(observed, route)[0] else None)


def decide_scaling(observed: Observed, route: Route, begins: bool = False) -> ScalingDecision:
    """What is decided about the warm pool of `route`. `begins`: as if it did not stand yet."""
    (raw, strange), warm = _entry(observed, route), None if begins else observed.pool(route.warm_pool)
    try:
        target = ScalableTarget.parse(dict(raw)) if raw else None
    except ValueError as error:
        return _held(observed, route, unreadable(error))
    facts = ScalingState(
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
    decided = decide(facts)
    return replace(decided, blocker=strange) if strange and decided.blocker is None else decided


def first_size(observed: Observed, serving: Route | None, route: Route) -> int:
    """Pods that the warm pool of `route` begins with, and needs before it is routed to. A switch at noon must not shrink it to what the night began with."""
    wanted, old = decide_scaling(observed, route, begins=True), observed.pool(serving.warm_pool) if serving else None
    if serving is None or old is None or wanted.status is None:
        return wanted.floor
    stands = old.replicas * serving.max_concurrency_per_instance
    low, high = (
        int(wanted.status.get("minCapacity", 0)),
        int(wanted.status.get("maxCapacity", stands)),
    )  # none of an entry that could never be read
    return instances(min(max(stands, low), high, route.max_concurrency), route)


def _entry(observed: Observed, route: Route) -> tuple[Json | None, Blocker | None]:
    next_variant = observed.refs.limits.variant_name if isinstance(observed.refs, ResolvedRefs) else None
    return entry_for(observed.endpoint, route.variant_name, next_variant)


def _held(observed: Observed, route: Route, failure: str) -> ScalingDecision:
    """For an entry that cannot be read (stored under other rules): all stays as it is, an HPA that stands leads to the pool of this route."""
    warm = observed.pool(route.warm_pool)
    told = dict(next(iter(observed.status.get("autoscaling") or ()), {})) | {"variantName": route.variant_name}
    message = f"spec.autoscaling cannot be read: {failure.rstrip('.')}. Correct it; the size stays as it is until then."
    size = warm.replicas if warm else instances(route.provisioned_concurrency, route)
    desired = int(told.get("desiredCapacity", size * route.max_concurrency_per_instance))
    stands = dict(observed.hpa["spec"]) if observed.hpa and route.warm_pool else None
    return ScalingDecision(
        size=None,
        floor=size,
        hpa=stands and stands | {"scaleTargetRef": dict(stands["scaleTargetRef"]) | {"name": route.warm_pool}},
        status=told,
        desired=desired,
        current=int(told.get("currentCapacity", desired)),
        active=(conditions.FALSE, conditions.INVALID_AUTOSCALING, message),
        blocker=Blocker(BlockerKind.STALLED, conditions.INVALID_AUTOSCALING, message, blocking=False),
    )
