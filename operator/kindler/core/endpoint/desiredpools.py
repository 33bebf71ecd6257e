"""Which pools must exist, and with how many pods: the pools of the target and of the revision that serves."""

from __future__ import annotations

from kindler.api import names
from kindler.api.route import Route
from kindler.core.autoscaling.decision import ScalingDecision
from kindler.core.common.capacity import instances
from kindler.core.common.pools import Pool
from kindler.core.endpoint.state import Attempt, DesiredPool, Observed, RouteRecord


def target_pools(
    observed: Observed, serving: RouteRecord | None, route: Route, attempt: Attempt, warm_size: int
) -> tuple[DesiredPool, ...]:
    """The pools of the target `route`. The controller sizes them until the target has the route.

    `warm_size`: the first size of the warm pool. The demand pool is never made smaller, because it may have served
    before. If the target is the revision that serves, only the warm pool belongs to the target.
    """
    same = serving is not None and serving.route.revision == route.revision
    warm, demand = observed.pool(route.warm_pool), observed.pool(route.demand_pool)
    any_ready = any(f.ready for pool in (warm, demand) for f in observed.of(pool))
    # A retry after a failure begins with one pod, not with hundreds.
    most = 1 if attempt.number > 0 and not same and not any_ready else route.max_concurrency
    pools = []
    if route.warm_pool:
        size = min(most, warm_size)
        serves = serving is not None and serving.route.warm_pool == route.warm_pool
        mark = "" if serves else attempt.id
        pools.append(DesiredPool(route.warm_pool, route.revision, names.WARM, size, size, mark))
    if not same:
        start = min(most, max(_demand(observed, serving, route, warm_size), 0 if warm_size else 1))
        size = max(start, demand.replicas if demand else 0)
        pools.append(DesiredPool(route.demand_pool, route.revision, names.DEMAND, start, size, attempt.id))
    return tuple(pools)


def all_pools(
    observed: Observed, serving: RouteRecord | None, scaling: ScalingDecision | None, target: tuple[DesiredPool, ...]
) -> tuple[DesiredPool, ...]:
    """The `target` pools, and the pools of the revision that serves.

    `scaling`: the decision about the warm pool that serves.
    """
    pools = {desired.name: desired for desired in target}
    if serving is None or scaling is None:
        return target
    route = serving.route
    demand = _demand(observed, serving, route, scaling.floor)
    pools[route.demand_pool] = DesiredPool(route.demand_pool, route.revision, names.DEMAND, demand, None)
    if route.warm_pool:
        grown = pools.get(route.warm_pool)
        size = scaling.size if grown is None or grown.size is None else max(scaling.size or 0, grown.size)
        start = scaling.floor if size is None else size
        pools[route.warm_pool] = DesiredPool(route.warm_pool, route.revision, names.WARM, start, size)
    return tuple(pools.values())


def is_desired(pool: Pool, desired_pools: tuple[DesiredPool, ...]) -> bool:
    """Whether this pool must exist, and was created for the attempt that its DesiredPool names."""
    desired = next((d for d in desired_pools if d.name == pool.name), None)
    return desired is not None and desired.attempt in ("", pool.attempt)


def is_full(observed: Observed, desired: DesiredPool) -> bool:
    """Whether the pool has as many Ready pods as it must have before it gets the route."""
    pool = observed.pool(desired.name)
    return (
        pool is not None
        and not pool.deleting
        and desired.attempt in ("", pool.attempt)
        and sum(f.ready for f in observed.of(pool)) >= desired.start
    )


def needs_no_pods(serving: RouteRecord | None, target: Route, scales: bool) -> bool:
    """Whether the target needs no pods except those that serve. Then a failing pod must not delay the new route.

    `scales`: spec.autoscaling determines the size of the warm pool.
    """
    route = serving.route if serving else None
    if route is None or route.revision != target.revision or target.warm_pool not in (None, route.warm_pool):
        return False
    return scales or route.provisioned_concurrency >= target.provisioned_concurrency


def _demand(observed: Observed, serving: RouteRecord | None, route: Route, warm: int) -> int:
    """The number of demand pods that the current requests need in addition to `warm` warm pods.

    The activators report the requests. If an activator does not respond, each existing pod counts as busy.
    """
    most = instances(route.max_concurrency, route)
    if serving is None:
        return 0
    if observed.activators and all(observed.activators.values()):
        reports = [observed.reported_by(stats) for stats in observed.activators.values()]
        busy = sum(report.in_flight + report.held for report in reports if report)
    else:
        pools = (observed.pool(serving.route.demand_pool), observed.pool(serving.route.warm_pool))
        pods = sum(len(observed.of(pool)) for pool in pools)
        busy = pods * serving.route.max_concurrency_per_instance
    return min(most, max(0, instances(busy, route) - warm))
