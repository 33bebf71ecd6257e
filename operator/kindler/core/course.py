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
from kindler.core import attempts
from kindler.core.digest import resolved
from kindler.core.facts import Attempt, Course, Json, Kept, Observed, Obstacle, Pool, PoolWish, Routed, Said
from kindler.core.hindrance import answering
from kindler.core.pods import Trouble
from kindler.core.provision import Provision
from kindler.core.release import let_go
from kindler.core.revision import Shape, instances, revision_of, route_of
from kindler.core.warmpool import first_size, provision, with_warm_pool

LEFTOVER_LOOK = 1.0  # seconds between looks at pools that have not been let go

Render = Callable[[Shape], Json]


@dataclass(frozen=True, slots=True)
class _Build:
    """What is being brought up. `provision`: the decision about its warm pool."""

    target: Routed
    kept: Kept
    attempt: Attempt
    wishes: tuple[PoolWish, ...]
    provision: Provision
    full: bool
    failure: Trouble | None
    deadline: float


def judge(seen: Observed, render: Render, pin: bool, hold: bool = False) -> Course:
    """`render` makes the pod spec of a new revision; `pin`: hold new pods to the digest that the runtime found.

    `hold`: what stands in the way of the writes of this pass keeps the route from moving.
    """
    if seen.deleting:
        return Course(keep=seen.kept, available=False)
    present = _present(seen)
    serving = _adapted(seen, present)
    serves = provision(seen, serving.route) if serving else None
    build = _build(seen, serving, serves, render)
    routed = serving
    moves = build is not None and build.full and not hold
    if build is not None and moves:
        routed = replace(build.target, at=int(seen.now))
    elif hold:
        routed = present if "route" in seen.status else None
    keep = _keep(seen, present, build, routed, render)
    wishes = _wishes(seen, serving, serves, build, keep)
    unwished = tuple(p for p in seen.pools if not _stays(p, wishes))
    remove = tuple(p for p in unwished if not p.deleting and let_go(seen, present, p)) if routed is present else ()
    hindrance, available = answering(seen, serving.route if serving else None)
    pending = build if not moves else None
    decided = build.provision if build and moves else serves if routed else None
    course = Course(
        keep=tuple(replace(k, resolved=resolved(seen, k, pin)) for k in keep.values()),
        pools=wishes,
        remove=remove,
        routed=routed,
        obstacle=_obstacle(seen, present),
        hindrance=hindrance,
        available=available if present else routed is not None,
        provision=decided,
        coming=pending.provision if pending else None,
        again=_again(seen, serving, pending, decided, leftover=len(unwished) > len(remove) or routed is not present),
    )
    if pending is None:
        return course
    return replace(course, target=pending.target, attempt=pending.attempt, failure=pending.failure, deadline=pending.deadline)


def asks(seen: Observed) -> bool:
    """Whether the decision needs what the activators know: something is to come, to go, or to be made anew."""
    route = seen.status.get("route") or {}
    pools = route.get("pools") or {}
    known = set(pools.values())
    return bool(route) and (seen.status.get("endpointConfigName") != seen.config_name or known != {p.name for p in seen.pools})


# --- What serves


def _present(seen: Observed) -> Routed | None:
    """What activators serve now: status.route; where that was lost, the last revision that was routed to."""
    routed = max((k for k in seen.kept if k.routed), key=lambda k: k.number, default=None)
    try:
        route = Route.from_json(seen.status["route"])
    except (KeyError, TypeError, ValueError):
        return routed.routed if routed else None
    kept = next((k for k in seen.kept if k.revision == route.revision), None)
    before = kept.routed if kept else None
    stands = kept is not None or any(seen.pool(name) for name in (route.demand_pool, route.warm_pool))
    if not stands and not (isinstance(seen.said, Said) and revision_of(seen.said.shape) == route.revision):
        return None  # the revision and its pools are lost, and nobody says any more what they were
    at = before.at if before else int(seen.now)
    config = seen.status.get("endpointConfigName") or (before.config_name if before else "")
    return Routed(route, str(config), at)


def _adapted(seen: Observed, present: Routed | None) -> Routed | None:
    """The same with a warm pool, or without one, as spec.autoscaling asks for now: that is no update, and nothing has to be full before."""
    if present is None:
        return None
    route = with_warm_pool(seen, present.route)
    return present if route == present.route else replace(present, route=route, at=int(seen.now))


def _settled(seen: Observed, present: Routed | None) -> bool:
    """The spec names what serves: whatever became of the objects of that name since changes nothing."""
    return present is not None and present.config_name == seen.config_name


def _obstacle(seen: Observed, present: Routed | None) -> Obstacle | None:
    """What keeps the spec from being followed. What serves needs no reference any more; a name that is an older object's is told in any case."""
    if not isinstance(seen.said, Obstacle) or (_settled(seen, present) and seen.said.reason != conditions.NAME_TAKEN):
        return None
    return seen.said


# --- What is to come


def _build(seen: Observed, present: Routed | None, serves: Provision | None, render: Render) -> _Build | None:
    """`present`: what serves, `serves`: the decision about its warm pool."""
    said = seen.said
    if isinstance(said, Obstacle) or _settled(seen, present):
        return None
    target = Routed(with_warm_pool(seen, route_of(seen.name, said.shape, said.limits)), said.config_name, 0)
    revision = target.route.revision
    same = present is not None and present.route.revision == revision
    kept = next((k for k in seen.kept if k.revision == revision), None)
    if kept is None:
        kept = Kept(names.revision_name(seen.name, revision), "", revision, 0, said.shape, render(said.shape))
    tried, failure, deadline = attempts.attempt(seen, kept, target.route, said, same)
    wanted = provision(seen, target.route)
    scales = wanted.status is not None or (serves is not None and serves.status is not None)
    if _has_room(present, target.route, scales):
        return _Build(target, kept, tried, (), wanted, True, None, deadline)
    wishes = _target_wishes(seen, present, target.route, tried, same)
    full = all(_is_full(seen, wish) for wish in wishes)
    return _Build(target, kept, tried, wishes, wanted, full, None if full else failure, deadline)


def _target_wishes(seen: Observed, present: Routed | None, route: Route, attempt: Attempt, same: bool) -> tuple[PoolWish, ...]:
    """The target's pools: the controller's to size until it is routed to. The demand pool is never made smaller: it may come with pods that served."""
    warm, demand = seen.pool(route.warm_pool), seen.pool(route.demand_pool)
    unproven = attempt.number > 0 and not same and not any(f.ready for pool in (warm, demand) for f in seen.of(pool))
    most = 1 if unproven else route.max_concurrency  # what has failed is tried again with one pod, not with hundreds
    begins = first_size(seen, present.route if present else None, route)
    wishes = []
    if route.warm_pool:
        size = min(most, begins)
        serves = present is not None and present.route.warm_pool == route.warm_pool
        wishes.append(PoolWish(route.warm_pool, route.revision, names.WARM, size, size, "" if serves else attempt.id))
    if not same:
        start = min(most, max(_demand(seen, present, route, begins), 0 if begins else 1))
        size = max(start, demand.replicas if demand else 0)
        wishes.append(PoolWish(route.demand_pool, route.revision, names.DEMAND, start, size, attempt.id))
    return tuple(wishes)


def _demand(seen: Observed, present: Routed | None, route: Route, warm: int) -> int:
    """Pods on demand that what is in flight now needs beside so many `warm` ones: from the activators, else as many as there are."""
    most = instances(route.max_concurrency, route)
    if present is None:
        return 0
    told = [stats.endpoints.get(f"{seen.namespace}/{seen.name}") if stats else None for stats in (seen.activators or {}).values()]
    if seen.activators and all(seen.activators.values()):
        busy = sum(t.in_flight + t.held for t in told if t and t.uid == seen.uid)
    else:
        pods = len(seen.of(seen.pool(present.route.demand_pool))) + len(seen.of(seen.pool(present.route.warm_pool)))
        busy = pods * present.route.max_concurrency_per_instance
    return min(most, max(0, instances(busy, route) - warm))


def _has_room(present: Routed | None, target: Route, scales: bool) -> bool:
    """Whether what serves is all that the target needs: then no pod in trouble may hold it up. `scales`: the pool has its size by spec.autoscaling."""
    serving = present.route if present else None
    if serving is None or serving.revision != target.revision or target.warm_pool not in (None, serving.warm_pool):
        return False
    return scales or serving.provisioned_concurrency >= target.provisioned_concurrency


def _is_full(seen: Observed, wish: PoolWish) -> bool:
    pool = seen.pool(wish.name)
    return pool is not None and not pool.deleting and wish.attempt in ("", pool.attempt) and sum(f.ready for f in seen.of(pool)) >= wish.start


# --- What is kept, what stands


def _keep(seen: Observed, present: Routed | None, build: _Build | None, routed: Routed | None, render: Render) -> dict[str, Kept]:
    """The ControllerRevisions as they must stand; one that is neither served, nor built, nor has pools any more is left out, and goes."""
    used = {p.revision for p in seen.pools} | {r.route.revision for r in (present, build and build.target) if r}
    keep = {k.revision: k for k in seen.kept if k.revision in used}
    if build:
        keep[build.kept.revision] = replace(build.kept, attempt=build.attempt)
    if present and present.route.revision not in keep and (lost := _rebuilt(seen, present.route, render)):
        keep[lost.revision] = lost
    if routed and (kept := keep.get(routed.route.revision)):
        highest = max((k.number for k in seen.kept if k.revision != kept.revision), default=0)
        number = kept.number if kept.number > highest else highest + 1
        keep[kept.revision] = replace(kept, number=number, routed=routed)
    return keep


def _rebuilt(seen: Observed, route: Route, render: Render) -> Kept | None:
    """The serving revision, whose ControllerRevision somebody deleted: as its pools still have it, else as it is still said."""
    name = names.revision_name(seen.name, route.revision)
    if pool := seen.pool(route.demand_pool) or seen.pool(route.warm_pool):
        return Kept(name, "", route.revision, 0, None, pool.found["spec"]["template"]["spec"])
    if isinstance(seen.said, Said) and revision_of(seen.said.shape) == route.revision:
        return Kept(name, "", route.revision, 0, seen.said.shape, render(seen.said.shape))
    return None


def _wishes(seen: Observed, present: Routed | None, serves: Provision | None, build: _Build | None, keep: dict[str, Kept]) -> tuple[PoolWish, ...]:
    wishes = {w.name: w for w in build.wishes} if build else {}
    if present is None or serves is None or present.route.revision not in keep:
        return tuple(wishes.values())
    route = present.route
    wishes[route.demand_pool] = PoolWish(route.demand_pool, route.revision, names.DEMAND, _demand(seen, present, route, serves.floor), None)
    if route.warm_pool:
        grown = wishes.get(route.warm_pool)
        size = serves.size if grown is None or grown.size is None else max(serves.size or 0, grown.size)
        wishes[route.warm_pool] = PoolWish(route.warm_pool, route.revision, names.WARM, serves.floor if size is None else size, size)
    return tuple(wishes.values())


def _stays(pool: Pool, wishes: tuple[PoolWish, ...]) -> bool:
    wish = next((w for w in wishes if w.name == pool.name), None)
    return wish is not None and wish.attempt in ("", pool.attempt)


def _again(seen: Observed, present: Routed | None, pending: _Build | None, decided: Provision | None, leftover: bool) -> float | None:
    """Seconds until time alone may change the decision."""
    moments = [seen.now + LEFTOVER_LOOK] if leftover else []
    if decided and decided.again is not None:
        moments.append(seen.now + decided.again)
    if pending:
        moments += [pending.deadline, pending.deadline + attempts.QUIET_START]
        if pending.failure:
            moments.append(attempts.retry_at(pending.attempt))
    for route in (r.route for r in (present, pending and pending.target) if r):
        startup = route.startup_timeout_in_seconds
        for pool in (seen.pool(route.demand_pool), seen.pool(route.warm_pool)):
            moments += [moment + startup for f in seen.of(pool) if not f.ready for moment in (f.created, f.started or f.created)]
    ahead = [m - seen.now for m in moments if m > seen.now]
    return min(ahead) if ahead else None
