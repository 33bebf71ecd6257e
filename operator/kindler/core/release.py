"""When an old pool may go: nothing that an activator sends, or has sent, needs it any more."""

from __future__ import annotations

from kindler.api import names
from kindler.api.stats import Stats
from kindler.core.facts import Observed, Pool, Routed

LET_GO_MARGIN = 5  # seconds beyond the longest invocation time, for replicas that do not answer
VETO = 600  # seconds beyond that, for replicas that say they need it: what this controller has heard, or its clock, may be behind


def let_go(seen: Observed, present: Routed | None, pool: Pool) -> bool:
    """Whether nothing in this pool is needed any more.

    the revision          every activator says so   one says it needs it   neither
    ------------          -----------------------   --------------------   -------
    was never routed to   yes                       after the VETO         yes
    was routed to         yes                       after the VETO         after the longest invocation time
    """
    if present is None:
        return True
    routes = [present, *(k.routed for k in seen.kept if k.routed)]
    longest = max(r.route.invocation_timeout_in_seconds for r in routes)
    overdue = seen.now - max(r.at for r in routes) - longest - LET_GO_MARGIN
    answers = tuple((seen.activators or {}).values())
    if any(_needs(seen, pool, stats) for stats in answers):
        return overdue >= VETO
    kept = next((k for k in seen.kept if k.revision == pool.revision), None)
    if overdue >= 0 or (kept is not None and kept.routed is None):
        return True
    return bool(answers) and all(_says_so(seen, present, pool, stats) for stats in answers)


def _needs(seen: Observed, pool: Pool, stats: Stats | None) -> bool:
    """Whether a replica sends requests there, or waits for answers from there."""
    told = stats.endpoints.get(f"{seen.namespace}/{seen.name}") if stats else None
    if told is None or told.uid != seen.uid:
        return False
    if pool.revision == told.revision:
        return pool.pool != names.WARM or told.warm > 0
    return bool(told.older.get(pool.revision))


def _says_so(seen: Observed, present: Routed, pool: Pool, stats: Stats | None) -> bool:
    """One replica's word. No answer is no; an endpoint that it does not know is yes."""
    if stats is None:
        return False
    told = stats.endpoints.get(f"{seen.namespace}/{seen.name}")
    if told is None or told.uid != seen.uid:
        return True
    if told.revision != present.route.revision:
        return False
    if pool.revision == told.revision:
        return pool.pool == names.WARM and told.warm == 0
    return not told.older.get(pool.revision)
