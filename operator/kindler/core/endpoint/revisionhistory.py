"""Which ControllerRevisions must exist: those of revisions that serve, are being brought up, or still have pools."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from kindler.api import names
from kindler.api.route import Route
from kindler.core.common.objects import Json
from kindler.core.endpoint.revision import PodShape, revision_of
from kindler.core.endpoint.state import Observed, ResolvedRefs, RouteRecord, StoredRevision

Render = Callable[[PodShape], Json]  # makes the pod spec of a new revision


def required_revisions(
    observed: Observed,
    present: RouteRecord | None,
    target: StoredRevision | None,
    routed: RouteRecord | None,
    render: Render,
) -> dict[str, StoredRevision]:
    """The ControllerRevisions that must exist, by revision; every other one is deleted.

    `present`: what serves now. `target`: what is being brought up. `routed`: what serves after this pass.
    """
    used = {p.revision for p in observed.pools}
    used |= {present.route.revision} if present else set()
    used |= {target.revision} if target else set()
    required = {r.revision: r for r in observed.revisions if r.revision in used}
    if target:
        required[target.revision] = target
    if present and present.route.revision not in required and (lost := _rebuilt(observed, present.route, render)):
        required[lost.revision] = lost
    if routed and (stored := required.get(routed.route.revision)):
        highest = max((r.number for r in observed.revisions if r.revision != stored.revision), default=0)
        number = stored.number if stored.number > highest else highest + 1
        required[stored.revision] = replace(stored, number=number, routed=routed)
    return required


def new_revision(observed: Observed, shape: PodShape, render: Render) -> StoredRevision:
    """A revision that no ControllerRevision stores yet."""
    revision = revision_of(shape)
    return StoredRevision(names.revision_name(observed.name, revision), "", revision, 0, shape, render(shape))


def _rebuilt(observed: Observed, route: Route, render: Render) -> StoredRevision | None:
    """The serving revision if somebody deleted its ControllerRevision: rebuilt from its pools, else from the spec."""
    if pool := observed.pool(route.demand_pool) or observed.pool(route.warm_pool):
        name = names.revision_name(observed.name, route.revision)
        return StoredRevision(name, "", route.revision, 0, None, pool.found["spec"]["template"]["spec"])
    if isinstance(observed.refs, ResolvedRefs) and revision_of(observed.refs.shape) == route.revision:
        return new_revision(observed, observed.refs.shape, render)
    return None
