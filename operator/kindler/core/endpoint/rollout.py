"""The rollout of an Endpoint: creation, update, failure and removal. `decide` composes the decisions of this package.

    routed   target                     pools that exist                             next step
    ------   ------                     ----------------                             ---------
    none     none (blocker)             none                                         wait for the reference or the user
    none     new                        the target's                                 when full, route to it
    old      none (spec in effect)      those of the old revision                    -
    old      equal shape, new limits    the same; the warm pool grows if necessary   when full, only the route changes
    old      new                        both                                         when full, route to it;
                                                                                     when drained, delete the old pools
    any      new, failed                as before; the target is tried again         when full, route to it
    old      any; spec.autoscaling      as before, with or without a warm pool       the route changes at once;
             was added or removed                                                    when drained, delete the warm pool

"Full": each pool has as many Ready pods as it needs. A Ready pod has responded on the health path.
"Drained": every activator reports that it serves the routed revision and that no request is in flight on an older
revision; or the longest invocation time is over (draining.py).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from kindler.core.autoscaling.decision import ScalingDecision
from kindler.core.common.blockers import Blocker
from kindler.core.common.deadlines import startup_deadline
from kindler.core.common.pods import PodFailure
from kindler.core.common.pools import Pool
from kindler.core.endpoint import attempts, desiredpools
from kindler.core.endpoint.availability import availability
from kindler.core.endpoint.digest import resolved_image
from kindler.core.endpoint.draining import drained
from kindler.core.endpoint.revision import route_of
from kindler.core.endpoint.revisionhistory import Render, new_revision, required_revisions
from kindler.core.endpoint.serving import in_effect, present_route, reference_blocker
from kindler.core.endpoint.state import Attempt, DesiredPool, Observed, RolloutPlan, RouteRecord, StoredRevision
from kindler.core.endpoint.warmpool import decide_scaling, first_size, with_warm_pool

DRAIN_CHECK_SECONDS = 1.0  # seconds between two checks of pools that are not drained


@dataclass(frozen=True, slots=True)
class _Target:
    """The revision that is being brought up: `stored`. `scaling`: the decision about its warm pool."""

    record: RouteRecord
    stored: StoredRevision
    attempt: Attempt
    pools: tuple[DesiredPool, ...]
    scaling: ScalingDecision
    full: bool
    failure: PodFailure | None
    deadline: float


def decide(observed: Observed, render: Render, pin: bool, hold: bool = False) -> RolloutPlan:
    """The rollout after this pass. `render` makes the pod spec of a new revision.

    `pin`: pin new pods to the digest that the runtime resolved. `hold`: writes of this pass were blocked, so the route
    must not change.
    """
    if observed.deleting:
        return RolloutPlan(revisions=observed.revisions, available=False)
    present = present_route(observed)
    serving = _with_autoscaling(observed, present)
    scaling = decide_scaling(observed, serving.route) if serving else None
    target = _target(observed, serving, scaling, render)
    pending, routed, decided = target, serving, scaling
    if target is not None and target.full and not hold:
        pending, routed, decided = None, replace(target.record, at=int(observed.now)), target.scaling
    elif hold:
        # The status keeps the route that activators serve. Only a pass without a blocker restores a lost route.
        routed = present if "route" in observed.status else None
        decided = scaling if routed else None
    revisions = required_revisions(observed, present, target.stored if target else None, routed, render)
    stored = serving if serving and serving.route.revision in revisions else None
    pools = desiredpools.all_pools(observed, stored, scaling, target.pools if target else ())
    # A pass that changes the route deletes no pool, because activators have not seen the new route yet.
    undesired = tuple(pool for pool in observed.pools if not desiredpools.is_desired(pool, pools))
    remove = _removable(observed, present, undesired) if routed is present else ()
    draining = len(undesired) > len(remove) or routed is not present
    degraded, available = availability(observed, serving.route if serving else None)
    return RolloutPlan(
        revisions=tuple(replace(r, resolved=resolved_image(observed, r, pin)) for r in revisions.values()),
        pools=pools,
        remove=remove,
        routed=routed,
        target=pending.record if pending else None,
        attempt=pending.attempt if pending else None,
        blocker=reference_blocker(observed, present),
        failure=pending.failure if pending else None,
        deadline=pending.deadline if pending else None,
        degraded=degraded,
        available=available if present else routed is not None,
        scaling=decided,
        target_scaling=pending.scaling if pending else None,
        requeue_after=_requeue_after(observed, serving, pending, decided, draining),
    )


def needs_activator_stats(observed: Observed) -> bool:
    """Whether the decision needs the stats of the activators: a pool has to be created, deleted or replaced."""
    route = observed.status.get("route") or {}
    pools = route.get("pools") or {}
    known = set(pools.values())
    return bool(route) and (
        observed.status.get("endpointConfigName") != observed.config_name or known != {p.name for p in observed.pools}
    )


def _with_autoscaling(observed: Observed, present: RouteRecord | None) -> RouteRecord | None:
    """The route with or without a warm pool, as spec.autoscaling requires now.

    This change is not an update of the endpoint, so it does not wait until a pool is full.
    """
    if present is None:
        return None
    route = with_warm_pool(observed, present.route)
    return present if route == present.route else replace(present, route=route, at=int(observed.now))


def _target(
    observed: Observed, serving: RouteRecord | None, scaling: ScalingDecision | None, render: Render
) -> _Target | None:
    """What must be brought up; None if the spec is already in effect, or if it cannot be followed.

    `scaling`: the decision about the warm pool of `serving`.
    """
    refs = observed.refs
    if isinstance(refs, Blocker) or in_effect(observed, serving):
        return None
    route = with_warm_pool(observed, route_of(observed.name, refs.shape, refs.limits))
    same = serving is not None and serving.route.revision == route.revision
    stored = next((r for r in observed.revisions if r.revision == route.revision), None)
    stored = stored or new_revision(observed, refs.shape, render)
    current = attempts.current_attempt(observed, stored, route, refs, same)
    scaling_decision = decide_scaling(observed, route)
    scales = scaling_decision.status is not None or (scaling is not None and scaling.status is not None)
    pools: tuple[DesiredPool, ...] = ()
    if not desiredpools.needs_no_pods(serving, route, scales):
        warm_size = first_size(observed, serving.route if serving else None, route)
        pools = desiredpools.target_pools(observed, serving, route, current.attempt, warm_size)
    full = all(desiredpools.is_full(observed, desired) for desired in pools)
    return _Target(
        record=RouteRecord(route, refs.config_name, 0),
        stored=replace(stored, attempt=current.attempt),
        attempt=current.attempt,
        pools=pools,
        scaling=scaling_decision,
        full=full,
        failure=None if full else current.failure,
        deadline=current.deadline,
    )


def _removable(observed: Observed, present: RouteRecord | None, undesired: tuple[Pool, ...]) -> tuple[Pool, ...]:
    return tuple(pool for pool in undesired if not pool.deleting and drained(observed, present, pool))


def _requeue_after(
    observed: Observed,
    serving: RouteRecord | None,
    pending: _Target | None,
    decided: ScalingDecision | None,
    draining: bool,
) -> float | None:
    """Seconds until the decision may change even without an event."""
    times = [observed.now + DRAIN_CHECK_SECONDS] if draining else []
    if decided and decided.requeue_after is not None:
        times.append(observed.now + decided.requeue_after)
    if pending:
        times += [pending.deadline, pending.deadline + attempts.NO_PROGRESS_SECONDS]
        if pending.failure:
            times.append(attempts.retry_at(pending.attempt))
    for record in (serving, pending.record if pending else None):
        times += _startup_deadlines(observed, record) if record else []
    ahead = [at - observed.now for at in times if at > observed.now]
    return min(ahead) if ahead else None


def _startup_deadlines(observed: Observed, record: RouteRecord) -> list[float]:
    """When each pod that is not Ready becomes overdue, counted from its creation and from its start."""
    timeout = record.route.startup_timeout_in_seconds
    return [
        startup_deadline(began, timeout)
        for pool in (observed.pool(record.route.demand_pool), observed.pool(record.route.warm_pool))
        for facts in observed.of(pool)
        if not facts.ready
        for began in (facts.created, facts.started or facts.created)
    ]
