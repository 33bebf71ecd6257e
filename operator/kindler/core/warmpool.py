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
from kindler.core.facts import Json, Kind, Observed, Obstacle, Said
from kindler.core.moments import moment
from kindler.core.provision import Facts, Provision
from kindler.core.provisioned import choose, provide, renamed
from kindler.core.revision import instances


def with_warm_pool(seen: Observed, route: Route) -> Route:
    """The route with a warm pool exactly where its variant has provisioned concurrency, fixed or scaling."""
    warm = names.pool_name(seen.name, route.revision, names.WARM)
    return replace(route, warm_pool=warm if route.provisioned_concurrency or _entry(seen, route)[0] else None)


def provision(seen: Observed, route: Route, begins: bool = False) -> Provision:
    """What is decided about the warm pool of `route`. `begins`: as if it did not stand yet."""
    (raw, strange), warm = _entry(seen, route), None if begins else seen.pool(route.warm_pool)
    try:
        target = ScalableTarget.parse(dict(raw)) if raw else None
    except ValueError as trouble:
        return _held(seen, route, unreadable(trouble))
    facts = Facts(
        endpoint=seen.endpoint,
        target=target,
        route=route,
        warm=warm,
        ready=sum(pod.ready for pod in seen.of(warm)),
        autoscaler=seen.autoscaler,
        around=seen.around,
        loads=seen.loads,
        status=seen.status,
        created=moment(seen.endpoint["metadata"].get("creationTimestamp")) or seen.now,
        now=seen.now,
        history=seen.history,
    )
    decided = provide(facts)
    return replace(decided, obstacle=strange) if strange and decided.obstacle is None else decided


def first_size(seen: Observed, serving: Route | None, route: Route) -> int:
    """Pods that the warm pool of `route` begins with, and needs before it is routed to. A switch at noon must not shrink it to what the night began with."""
    wanted, old = provision(seen, route, begins=True), seen.pool(serving.warm_pool) if serving else None
    if serving is None or old is None or wanted.status is None:
        return wanted.floor
    stands = old.replicas * serving.max_concurrency_per_instance
    low, high = int(wanted.status.get("minCapacity", 0)), int(wanted.status.get("maxCapacity", stands))  # none of an entry that could never be read
    return instances(min(max(stands, low), high, route.max_concurrency), route)


def _entry(seen: Observed, route: Route) -> tuple[Json | None, Obstacle | None]:
    chosen, strange = choose(seen.endpoint["spec"].get("autoscaling") or (), route.variant_name)
    coming = renamed(seen.endpoint) if chosen is None else None
    if coming is None or (isinstance(seen.said, Said) and coming.get("variantName") != seen.said.limits.variant_name):
        return chosen, strange
    return coming, None


def _held(seen: Observed, route: Route, trouble: str) -> Provision:
    """For an entry that cannot be read (stored under other rules): all stays as it is, an HPA that stands leads to the pool of this route."""
    warm = seen.pool(route.warm_pool)
    told = dict(next(iter(seen.status.get("autoscaling") or ()), {})) | {"variantName": route.variant_name}
    message = f"spec.autoscaling cannot be read: {trouble.rstrip('.')}. Correct it; the size stays as it is until then."
    size = warm.replicas if warm else instances(route.provisioned_concurrency, route)
    desired = int(told.get("desiredCapacity", size * route.max_concurrency_per_instance))
    stands = dict(seen.autoscaler["spec"]) if seen.autoscaler and route.warm_pool else None
    return Provision(
        size=None,
        floor=size,
        autoscaler=stands and stands | {"scaleTargetRef": dict(stands["scaleTargetRef"]) | {"name": route.warm_pool}},
        status=told,
        desired=desired,
        current=int(told.get("currentCapacity", desired)),
        active=(conditions.FALSE, conditions.INVALID_AUTOSCALING, message),
        obstacle=Obstacle(Kind.STALLED, conditions.INVALID_AUTOSCALING, message, blocking=False),
    )
