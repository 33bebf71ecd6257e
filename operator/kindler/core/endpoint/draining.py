"""When an old pool may be deleted: no activator sends requests to it or waits for responses from it."""

from __future__ import annotations

from kindler.api import names
from kindler.api.stats import Stats
from kindler.core.common.pools import Pool
from kindler.core.endpoint.state import Observed, RouteRecord

DRAIN_MARGIN = 5  # seconds in addition to the longest invocation time, for activators that do not respond
# Seconds in addition to the longest invocation time and DRAIN_MARGIN, for activators that report that they need the
# pool. This limit exists because the stats may be out of date, or this controller's clock may be wrong.
NEEDED_MARGIN = 600


def drained(observed: Observed, present: RouteRecord | None, pool: Pool) -> bool:
    """Whether no request needs this pool any more.

    the revision          all activators report it drained   one activator still needs it   any other case
    ------------          --------------------------------   ----------------------------   --------------
    never had the route   yes                                after NEEDED_MARGIN            yes
    has had the route     yes                                after NEEDED_MARGIN            after the invocation time

    The invocation time is the longest of all revisions that have had the route.
    """
    if present is None:
        return True
    routes = [present, *(r.routed for r in observed.revisions if r.routed)]
    longest = max(r.route.invocation_timeout_in_seconds for r in routes)
    overdue = observed.now - max(r.at for r in routes) - longest - DRAIN_MARGIN
    responses = tuple((observed.activators or {}).values())
    if any(_needs(observed, pool, stats) for stats in responses):
        return overdue >= NEEDED_MARGIN
    stored = next((r for r in observed.revisions if r.revision == pool.revision), None)
    if overdue >= 0 or (stored is not None and stored.routed is None):
        return True
    return bool(responses) and all(_reports_drained(observed, present, pool, stats) for stats in responses)


def _needs(observed: Observed, pool: Pool, stats: Stats | None) -> bool:
    """True if this activator sends requests to the pool, or waits for responses from it."""
    reported = observed.reported_by(stats)
    if reported is None:
        return False
    if pool.revision == reported.revision:
        return pool.pool != names.WARM or reported.warm > 0
    return bool(reported.older.get(pool.revision))


def _reports_drained(observed: Observed, present: RouteRecord, pool: Pool, stats: Stats | None) -> bool:
    """True if this activator does not need the pool any more, or does not know the endpoint.

    False if the activator did not respond.
    """
    if stats is None:
        return False
    reported = observed.reported_by(stats)
    if reported is None:
        return True
    if reported.revision != present.route.revision:
        return False
    if pool.revision == reported.revision:
        return pool.pool == names.WARM and reported.warm == 0
    return not reported.older.get(pool.revision)
