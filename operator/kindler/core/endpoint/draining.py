"""When an old pool may go: nothing that an activator sends, or has sent, needs it any more."""

from __future__ import annotations

from kindler.api import names
from kindler.api.stats import Stats
from kindler.core.common.pools import Pool
from kindler.core.endpoint.state import Observed, RouteRecord

DRAIN_MARGIN = 5  # seconds beyond the longest invocation time, for replicas that do not answer
VETO = 600  # seconds beyond that, for replicas that say they need it: what this controller has heard, or its clock, may be behind


def drained(observed: Observed, present: RouteRecord | None, pool: Pool) -> bool:
    """Whether nothing in this pool is needed any more.

    the revision          every activator says so   one says it needs it   neither
    ------------          -----------------------   --------------------   -------
    was never routed to   yes                       after the VETO         yes
    was routed to         yes                       after the VETO         after the longest invocation time
    """
    if present is None:
        return True
    routes = [present, *(k.routed for k in observed.revisions if k.routed)]
    longest = max(r.route.invocation_timeout_in_seconds for r in routes)
    overdue = observed.now - max(r.at for r in routes) - longest - DRAIN_MARGIN
    answers = tuple((observed.activators or {}).values())
    if any(_needs(observed, pool, stats) for stats in answers):
        return overdue >= VETO
    stored = next((k for k in observed.revisions if k.revision == pool.revision), None)
    if overdue >= 0 or (stored is not None and stored.routed is None):
        return True
    return bool(answers) and all(_says_so(observed, present, pool, stats) for stats in answers)


def _needs(observed: Observed, pool: Pool, stats: Stats | None) -> bool:
    """Whether a replica sends requests there, or waits for answers from there."""
    told = stats.endpoints.get(f"{observed.namespace}/{observed.name}") if stats else None
    if told is None or told.uid != observed.uid:
        return False
    if pool.revision == told.revision:
        return pool.pool != names.WARM or told.warm > 0
    return bool(told.older.get(pool.revision))


def _says_so(observed: Observed, present: RouteRecord, pool: Pool, stats: Stats | None) -> bool:
    """One replica's word. No answer is no; an endpoint that it does not know is yes."""
    if stats is None:
        return False
    told = stats.endpoints.get(f"{observed.namespace}/{observed.name}")
    if told is None or told.uid != observed.uid:
        return True
    if told.revision != present.route.revision:
        return False
    if pool.revision == told.revision:
        return pool.pool == names.WARM and told.warm == 0
    return not told.older.get(pool.revision)
