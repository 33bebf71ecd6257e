"""What activators serve now, and whether that is what the spec requires."""

from __future__ import annotations

from kindler.api import conditions
from kindler.api.route import Route
from kindler.core.common.blockers import Blocker
from kindler.core.endpoint.revision import revision_of
from kindler.core.endpoint.state import Observed, ResolvedRefs, RouteRecord


def present_route(observed: Observed) -> RouteRecord | None:
    """What activators serve now: status.route. If status.route is lost: the last revision that had the route."""
    last = max((r for r in observed.revisions if r.routed), key=lambda r: r.number, default=None)
    try:
        route = Route.from_json(observed.status["route"])
    except (KeyError, TypeError, ValueError):
        return last.routed if last else None
    stored = next((r for r in observed.revisions if r.revision == route.revision), None)
    before = stored.routed if stored else None
    if stored is None and not _can_rebuild(observed, route):
        return None  # the revision and its pools are lost, and no object defines them any more
    at = before.at if before else int(observed.now)
    config = observed.status.get("endpointConfigName") or (before.config_name if before else "")
    return RouteRecord(route, str(config), at)


def in_effect(observed: Observed, present: RouteRecord | None) -> bool:
    """Whether the spec names the EndpointConfig that is in service.

    If so, later changes of the objects with that name have no effect, because SageMaker resolves the name when it is
    set.
    """
    return present is not None and present.config_name == observed.config_name


def reference_blocker(observed: Observed, present: RouteRecord | None) -> Blocker | None:
    """Why the references of the spec cannot be followed.

    A configuration that is already in service does not need its references any more. Then only a conflict of names is
    reported.
    """
    if not isinstance(observed.refs, Blocker):
        return None
    if in_effect(observed, present) and observed.refs.reason != conditions.NAME_TAKEN:
        return None
    return observed.refs


def _can_rebuild(observed: Observed, route: Route) -> bool:
    """Whether a pool of the revision, or the spec, still defines a revision whose ControllerRevision is lost."""
    if any(observed.pool(name) for name in (route.demand_pool, route.warm_pool)):
        return True
    return isinstance(observed.refs, ResolvedRefs) and revision_of(observed.refs.shape) == route.revision
