"""Where an Endpoint is on its way, and what has to stand for that: the decisions of creation, update, failure and removal.

    routed   target                     what stands                                     then
    ------   ------                     -----------                                     ----
    none     none (obstacle)            nothing                                         wait for the reference, or for the user
    none     new                        the target's pools                              full: route to it
    old      none (spec names it)       the old one's pools                             -
    old      equal shape, new limits    the same pools, the warm one grown if need be   full: the route alone moves
    old      new                        both                                            full: route to it; let go: the old pools go
    any      new, failed                as before, the target's tried again             full: route to it
    old      any; spec.autoscaling      as before, with a warm pool, or without one     the route says so at once; let go: the warm pool goes
             came or went

"Full": each pool has its size and each of its pods has been Ready, that is, has answered the health path.
"Let go": every activator says that it serves the routed revision and has nothing in flight on older ones; or the longest invocation time is over.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from kindler.api import conditions, names
from kindler.api.route import Route
from kindler.core.autoscaling.decision import ScalingDecision
from kindler.core.common.blockers import Blocker
from kindler.core.common.capacity import instances
from kindler.core.common.objects import Json
from kindler.core.common.pods import PodFailure
from kindler.core.common.pools import Pool
from kindler.core.endpoint import attempts
from kindler.core.endpoint.availability import availability
from kindler.core.endpoint.digest import resolved_image
from kindler.core.endpoint.draining import drained
from kindler.core.endpoint.revision import PodShape, revision_of, route_of
from kindler.core.endpoint.state import (
    Attempt,
    DesiredPool,
    Observed,
    ResolvedRefs,
    RolloutPlan,
    RouteRecord,
    StoredRevision,
)
from kindler.core.endpoint.warmpool import decide_scaling, first_size, with_warm_pool

LEFTOVER_LOOK = 1.0  # seconds between looks at pools that have not been let go

Render = Callable[[PodShape], Json]


@dataclass(frozen=True, slots=True)
class _Build:
    """What is being brought up. `provision`: the decision about its warm pool."""

    target: RouteRecord
    revisions: StoredRevision
    attempt: Attempt
    desired_pools: tuple[DesiredPool, ...]
    scaling: ScalingDecision
    full: bool
    failure: PodFailure | None
    deadline: float


def decide(observed: Observed, render: Render, pin: bool, hold: bool = False) -> RolloutPlan:
    """`render` makes the pod spec of a new revision; `pin`: hold new pods to the digest that the runtime found.

    `hold`: what stands in the way of the writes of this pass keeps the route from moving.
    """
    if observed.deleting:
        return RolloutPlan(revisions=observed.revisions, available=False)
    present = _present(observed)
    serving = _adapted(observed, present)
    serves = decide_scaling(observed, serving.route) if serving else None
    build = _build(observed, serving, serves, render)
    routed = serving
    moves = build is not None and build.full and not hold
    if build is not None and moves:
        routed = replace(build.target, at=int(observed.now))
    elif hold:
        routed = present if "route" in observed.status else None
    keep = _keep(observed, present, build, routed, render)
    desired_pools = _desired_pools(observed, serving, serves, build, keep)
    undesired = tuple(p for p in observed.pools if not _stays(p, desired_pools))
    remove = (
        tuple(p for p in undesired if not p.deleting and drained(observed, present, p)) if routed is present else ()
    )
    degraded, available = availability(observed, serving.route if serving else None)
    pending = build if not moves else None
    decided = build.scaling if build and moves else serves if routed else None
    rollout = RolloutPlan(
        revisions=tuple(replace(k, resolved=resolved_image(observed, k, pin)) for k in keep.values()),
        pools=desired_pools,
        remove=remove,
        routed=routed,
        blocker=_blocker(observed, present),
        degraded=degraded,
        available=available if present else routed is not None,
        scaling=decided,
        target_scaling=pending.scaling if pending else None,
        requeue_after=_again(
            observed, serving, pending, decided, leftover=len(undesired) > len(remove) or routed is not present
        ),
    )
    if pending is None:
        return rollout
    return replace(
        rollout, target=pending.target, attempt=pending.attempt, failure=pending.failure, deadline=pending.deadline
    )


def needs_activator_stats(observed: Observed) -> bool:
    """Whether the decision needs what the activators know: something is to come, to go, or to be made anew."""
    route = observed.status.get("route") or {}
    pools = route.get("pools") or {}
    known = set(pools.values())
    return bool(route) and (
        observed.status.get("endpointConfigName") != observed.config_name or known != {p.name for p in observed.pools}
    )


# --- What serves


def _present(observed: Observed) -> RouteRecord | None:
    """What activators serve now: status.route; where that was lost, the last revision that was routed to."""
    routed = max((k for k in observed.revisions if k.routed), key=lambda k: k.number, default=None)
    try:
        route = Route.from_json(observed.status["route"])
    except (KeyError, TypeError, ValueError):
        return routed.routed if routed else None
    stored = next((k for k in observed.revisions if k.revision == route.revision), None)
    before = stored.routed if stored else None
    stands = stored is not None or any(observed.pool(name) for name in (route.demand_pool, route.warm_pool))
    if not stands and not (
        isinstance(observed.refs, ResolvedRefs) and revision_of(observed.refs.shape) == route.revision
    ):
        return None  # the revision and its pools are lost, and nobody says any more what they were
    at = before.at if before else int(observed.now)
    config = observed.status.get("endpointConfigName") or (before.config_name if before else "")
    return RouteRecord(route, str(config), at)


def _adapted(observed: Observed, present: RouteRecord | None) -> RouteRecord | None:
    """The same with a warm pool, or without one, as spec.autoscaling asks for now: that is no update, and nothing has to be full before."""
    if present is None:
        return None
    route = with_warm_pool(observed, present.route)
    return present if route == present.route else replace(present, route=route, at=int(observed.now))


def _settled(observed: Observed, present: RouteRecord | None) -> bool:
    """The spec names what serves: whatever became of the objects of that name since changes nothing."""
    return present is not None and present.config_name == observed.config_name


def _blocker(observed: Observed, present: RouteRecord | None) -> Blocker | None:
    """What keeps the spec from being followed. What serves needs no reference any more; a name that is an older object's is told in any case."""
    if not isinstance(observed.refs, Blocker) or (
        _settled(observed, present) and observed.refs.reason != conditions.NAME_TAKEN
    ):
        return None
    return observed.refs


# --- What is to come


def _build(
    observed: Observed, present: RouteRecord | None, serves: ScalingDecision | None, render: Render
) -> _Build | None:
    """`present`: what serves, `serves`: the decision about its warm pool."""
    refs = observed.refs
    if isinstance(refs, Blocker) or _settled(observed, present):
        return None
    target = RouteRecord(
        with_warm_pool(observed, route_of(observed.name, refs.shape, refs.limits)), refs.config_name, 0
    )
    revision = target.route.revision
    same = present is not None and present.route.revision == revision
    stored = next((k for k in observed.revisions if k.revision == revision), None)
    if stored is None:
        stored = StoredRevision(
            names.revision_name(observed.name, revision), "", revision, 0, refs.shape, render(refs.shape)
        )
    tried, failure, deadline = attempts.current_attempt(observed, stored, target.route, refs, same)
    wanted = decide_scaling(observed, target.route)
    scales = wanted.status is not None or (serves is not None and serves.status is not None)
    if _has_room(present, target.route, scales):
        return _Build(target, stored, tried, (), wanted, True, None, deadline)
    desired_pools = _target_pools(observed, present, target.route, tried, same)
    full = all(_is_full(observed, desired) for desired in desired_pools)
    return _Build(target, stored, tried, desired_pools, wanted, full, None if full else failure, deadline)


def _target_pools(
    observed: Observed, present: RouteRecord | None, route: Route, attempt: Attempt, same: bool
) -> tuple[DesiredPool, ...]:
    """The target's pools: the controller's to size until it is routed to. The demand pool is never made smaller: it may come with pods that served."""
    warm, demand = observed.pool(route.warm_pool), observed.pool(route.demand_pool)
    unproven = (
        attempt.number > 0 and not same and not any(f.ready for pool in (warm, demand) for f in observed.of(pool))
    )
    most = 1 if unproven else route.max_concurrency  # what has failed is tried again with one pod, not with hundreds
    begins = first_size(observed, present.route if present else None, route)
    desired_pools = []
    if route.warm_pool:
        size = min(most, begins)
        serves = present is not None and present.route.warm_pool == route.warm_pool
        desired_pools.append(
            DesiredPool(route.warm_pool, route.revision, names.WARM, size, size, "" if serves else attempt.id)
        )
    if not same:
        start = min(most, max(_demand(observed, present, route, begins), 0 if begins else 1))
        size = max(start, demand.replicas if demand else 0)
        desired_pools.append(DesiredPool(route.demand_pool, route.revision, names.DEMAND, start, size, attempt.id))
    return tuple(desired_pools)


def _demand(observed: Observed, present: RouteRecord | None, route: Route, warm: int) -> int:
    """Pods on demand that what is in flight now needs beside so many `warm` ones: from the activators, else as many as there are."""
    most = instances(route.max_concurrency, route)
    if present is None:
        return 0
    told = [
        stats.endpoints.get(f"{observed.namespace}/{observed.name}") if stats else None
        for stats in (observed.activators or {}).values()
    ]
    if observed.activators and all(observed.activators.values()):
        busy = sum(t.in_flight + t.held for t in told if t and t.uid == observed.uid)
    else:
        pods = len(observed.of(observed.pool(present.route.demand_pool))) + len(
            observed.of(observed.pool(present.route.warm_pool))
        )
        busy = pods * present.route.max_concurrency_per_instance
    return min(most, max(0, instances(busy, route) - warm))


def _has_room(present: RouteRecord | None, target: Route, scales: bool) -> bool:
    """Whether what serves is all that the target needs: then no pod in trouble may hold it up. `scales`: the pool has its size by spec.autoscaling."""
    serving = present.route if present else None
    if serving is None or serving.revision != target.revision or target.warm_pool not in (None, serving.warm_pool):
        return False
    return scales or serving.provisioned_concurrency >= target.provisioned_concurrency


def _is_full(observed: Observed, desired: DesiredPool) -> bool:
    pool = observed.pool(desired.name)
    return (
        pool is not None
        and not pool.deleting
        and desired.attempt in ("", pool.attempt)
        and sum(f.ready for f in observed.of(pool)) >= desired.start
    )


# --- What is kept, what stands


def _keep(
    observed: Observed, present: RouteRecord | None, build: _Build | None, routed: RouteRecord | None, render: Render
) -> dict[str, StoredRevision]:
    """The ControllerRevisions as they must stand; one that is neither served, nor built, nor has pools any more is left out, and goes."""
    used = {p.revision for p in observed.pools} | {r.route.revision for r in (present, build and build.target) if r}
    keep = {k.revision: k for k in observed.revisions if k.revision in used}
    if build:
        keep[build.revisions.revision] = replace(build.revisions, attempt=build.attempt)
    if present and present.route.revision not in keep and (lost := _rebuilt(observed, present.route, render)):
        keep[lost.revision] = lost
    if routed and (stored := keep.get(routed.route.revision)):
        highest = max((k.number for k in observed.revisions if k.revision != stored.revision), default=0)
        number = stored.number if stored.number > highest else highest + 1
        keep[stored.revision] = replace(stored, number=number, routed=routed)
    return keep


def _rebuilt(observed: Observed, route: Route, render: Render) -> StoredRevision | None:
    """The serving revision, whose ControllerRevision somebody deleted: as its pools still have it, else as it is still said."""
    name = names.revision_name(observed.name, route.revision)
    if pool := observed.pool(route.demand_pool) or observed.pool(route.warm_pool):
        return StoredRevision(name, "", route.revision, 0, None, pool.found["spec"]["template"]["spec"])
    if isinstance(observed.refs, ResolvedRefs) and revision_of(observed.refs.shape) == route.revision:
        return StoredRevision(name, "", route.revision, 0, observed.refs.shape, render(observed.refs.shape))
    return None


def _desired_pools(
    observed: Observed,
    present: RouteRecord | None,
    serves: ScalingDecision | None,
    build: _Build | None,
    keep: dict[str, StoredRevision],
) -> tuple[DesiredPool, ...]:
    desired_pools = {w.name: w for w in build.desired_pools} if build else {}
    if present is None or serves is None or present.route.revision not in keep:
        return tuple(desired_pools.values())
    route = present.route
    desired_pools[route.demand_pool] = DesiredPool(
        route.demand_pool, route.revision, names.DEMAND, _demand(observed, present, route, serves.floor), None
    )
    if route.warm_pool:
        grown = desired_pools.get(route.warm_pool)
        size = serves.size if grown is None or grown.size is None else max(serves.size or 0, grown.size)
        desired_pools[route.warm_pool] = DesiredPool(
            route.warm_pool, route.revision, names.WARM, serves.floor if size is None else size, size
        )
    return tuple(desired_pools.values())


def _stays(pool: Pool, desired_pools: tuple[DesiredPool, ...]) -> bool:
    desired = next((w for w in desired_pools if w.name == pool.name), None)
    return desired is not None and desired.attempt in ("", pool.attempt)


def _again(
    observed: Observed,
    present: RouteRecord | None,
    pending: _Build | None,
    decided: ScalingDecision | None,
    leftover: bool,
) -> float | None:
    """Seconds until time alone may change the decision."""
    moments = [observed.now + LEFTOVER_LOOK] if leftover else []
    if decided and decided.requeue_after is not None:
        moments.append(observed.now + decided.requeue_after)
    if pending:
        moments += [pending.deadline, pending.deadline + attempts.QUIET_START]
        if pending.failure:
            moments.append(attempts.retry_at(pending.attempt))
    for route in (r.route for r in (present, pending and pending.target) if r):
        startup = route.startup_timeout_in_seconds
        for pool in (observed.pool(route.demand_pool), observed.pool(route.warm_pool)):
            moments += [
                moment + startup
                for f in observed.of(pool)
                if not f.ready
                for moment in (f.created, f.started or f.created)
            ]
    ahead = [m - observed.now for m in moments if m > observed.now]
    return min(ahead) if ahead else None
