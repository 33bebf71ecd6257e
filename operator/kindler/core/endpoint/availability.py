"""Whether what serves answers, and why pods of it do not start."""

from __future__ import annotations

from typing import Final

from kindler.api import conditions
from kindler.api.route import Route
from kindler.core.common.pods import PodFailure
from kindler.core.common.pools import Pool
from kindler.core.endpoint.state import Observed

# A pool that may create no pods says so only as long as that is so: no need to wait before telling.
_TOLD_AT_ONCE: Final = ("QuotaExceeded", "FailedCreate")


def availability(observed: Observed, route: Route | None) -> tuple[PodFailure | None, bool]:
    """Why pods of what serves do not start, and whether it answers all the same.

    pods ready   warm pool in trouble   demand pool in trouble   hindrance   available
    some         no                     any                      -           True
    some         yes                    any                      warm's      True
    none         any                    any                      first       False
    none         no                     no (asleep, waking)      -           True
    """
    if route is None:
        return None, False
    demand, warm = observed.pool(route.demand_pool), observed.pool(route.warm_pool)
    warm_failure = _standing_failure(observed, warm, route)
    if any(f.ready for pool in (warm, demand) for f in observed.of(pool)):
        return warm_failure, True
    failure = warm_failure or _standing_failure(observed, demand, route)
    return failure, failure is None


def _standing_failure(observed: Observed, pool: Pool | None, route: Route) -> PodFailure | None:
    """Trouble that will not go by itself, or has lasted for the startup time, or of which status tells already.

    An image that cannot be pulled is ErrImagePull and ImagePullBackOff by turns, and only the latter is final: told once, it stands while there is any.
    """
    if pool is None:
        return None
    told = any(
        c.get("type") == conditions.READY and c.get("reason") == conditions.CANNOT_START
        for c in observed.status.get("conditions") or ()
    )
    if pool.failure and pool.failure.reason in _TOLD_AT_ONCE:
        return pool.failure
    for facts in sorted(observed.of(pool), key=lambda f: (f.created, f.name)):
        failure = facts.failure
        if failure and (told or failure.final or observed.now - facts.created >= route.startup_timeout_in_seconds):
            return failure
    return None
