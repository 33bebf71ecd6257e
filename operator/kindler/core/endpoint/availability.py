"""Whether the routed revision responds to requests, and why pods of it do not start."""

from __future__ import annotations

from typing import Final

from kindler.api import conditions
from kindler.api.route import Route
from kindler.core.common.deadlines import startup_deadline
from kindler.core.common.pods import PodFailure
from kindler.core.common.pools import Pool
from kindler.core.endpoint.reported import reported_condition
from kindler.core.endpoint.state import Observed

# A ReplicaSet reports these failures only while they are true. So Kindler reports them before the deadline, too.
_REPORTED_AT_ONCE: Final = ("QuotaExceeded", "FailedCreate")


def availability(observed: Observed, route: Route | None) -> tuple[PodFailure | None, bool]:
    """Why pods of the routed revision do not start, and whether the endpoint still responds to requests.

    pods ready   warm pool fails   demand pool fails            failure                available
    ----------   ---------------   -----------------            -------                ---------
    some         no                any                          none                   True
    some         yes               any                          of the warm pool       True
    none         yes               any                          of the warm pool       False
    none         no                yes                          of the demand pool     False
    none         no                no (at zero, or starting)    none                   True
    """
    if route is None:
        return None, False
    demand, warm = observed.pool(route.demand_pool), observed.pool(route.warm_pool)
    warm_failure = _lasting_failure(observed, warm, route)
    if any(f.ready for pool in (warm, demand) for f in observed.of(pool)):
        return warm_failure, True
    failure = warm_failure or _lasting_failure(observed, demand, route)
    return failure, failure is None


def _lasting_failure(observed: Observed, pool: Pool | None, route: Route) -> PodFailure | None:
    """A failure that is final, has lasted for the startup timeout, or is reported by the status or the ReplicaSet.

    A pod whose image cannot be pulled alternates between ErrImagePull and ImagePullBackOff, and only the latter is
    final. Therefore a reported failure stays reported while there is any failure.
    """
    if pool is None:
        return None
    reported = reported_condition(observed.status, conditions.READY).get("reason") == conditions.CANNOT_START
    if pool.failure and pool.failure.reason in _REPORTED_AT_ONCE:
        return pool.failure
    for facts in sorted(observed.of(pool), key=lambda f: (f.created, f.name)):
        overdue = observed.now >= startup_deadline(facts.created, route.startup_timeout_in_seconds)
        if facts.failure and (reported or facts.failure.final or overdue):
            return facts.failure
    return None
