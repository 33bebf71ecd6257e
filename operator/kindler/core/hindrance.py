"""Whether what serves answers, and why pods of it do not start."""

from __future__ import annotations

from typing import Final

from kindler.api import conditions
from kindler.api.route import Route
from kindler.core.facts import Observed, Pool
from kindler.core.pods import Trouble

# A pool that may create no pods says so only as long as that is so: no need to wait before telling.
_TOLD_AT_ONCE: Final = ("QuotaExceeded", "FailedCreate")


def answering(seen: Observed, route: Route | None) -> tuple[Trouble | None, bool]:
    """Why pods of what serves do not start, and whether it answers all the same.

    pods ready   warm pool in trouble   demand pool in trouble   hindrance   available
    some         no                     any                      -           True
    some         yes                    any                      warm's      True
    none         any                    any                      first       False
    none         no                     no (asleep, waking)      -           True
    """
    if route is None:
        return None, False
    demand, warm = seen.pool(route.demand_pool), seen.pool(route.warm_pool)
    warm_trouble = _standing_trouble(seen, warm, route)
    if any(f.ready for pool in (warm, demand) for f in seen.of(pool)):
        return warm_trouble, True
    trouble = warm_trouble or _standing_trouble(seen, demand, route)
    return trouble, trouble is None


def _standing_trouble(seen: Observed, pool: Pool | None, route: Route) -> Trouble | None:
    """Trouble that will not go by itself, or has lasted for the startup time, or of which status tells already.

    An image that cannot be pulled is ErrImagePull and ImagePullBackOff by turns, and only the latter is final: told once, it stands while there is any.
    """
    if pool is None:
        return None
    told = any(c.get("type") == conditions.READY and c.get("reason") == conditions.CANNOT_START for c in seen.status.get("conditions") or ())
    if pool.trouble and pool.trouble.reason in _TOLD_AT_ONCE:
        return pool.trouble
    for facts in sorted(seen.of(pool), key=lambda f: (f.created, f.name)):
        trouble = facts.trouble
        if trouble and (told or trouble.final or seen.now - facts.created >= route.startup_timeout_in_seconds):
            return trouble
    return None
