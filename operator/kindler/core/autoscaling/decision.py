"""The input and the result of the scaling decision: frozen values.

spec.autoscaling  policies  maximum in force  who scales the warm pool
----------------  --------  ----------------  ------------------------
none              -         -                 the controller: provisionedConcurrency
yes               none      any               the controller: the current size, clamped to the bounds in force
yes               some      0                 the controller: 0, and no HPA
yes               some      above             the HPA; the controller only from 0, and from 1 to 0 if the API server
                                              rejects an HPA with minReplicas 0
yes               some      above, no API     the HPA, with minReplicas and maxReplicas pinned to the size that the
                                              controller computes by the HPA's rule; from and to 0 as in the row above

The controller scales from 0, because an HPA ignores a pool at 0 unless the HPA itself scaled it to 0. All cases are in
core/autoscaling/decide.py.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kindler.api.autoscaling import ScalableTarget
from kindler.api.route import Route
from kindler.core.autoscaling.tracking import History
from kindler.core.common.blockers import Blocker
from kindler.core.common.objects import Json
from kindler.core.common.pools import Pool


class MetricsApi(enum.Enum):
    """The API through which HPAs read our metrics.

    A cluster has one server for each API. The server may belong to another product.
    """

    EXTERNAL = "external"
    CUSTOM = "custom"
    NONE = "none"  # other servers serve both APIs, so the controller computes sizes


@dataclass(frozen=True, slots=True)
class ClusterCapabilities:
    """What the cluster offers. `zero`: it accepts HPAs with minReplicas 0."""

    api: MetricsApi = MetricsApi.EXTERNAL
    zero: bool = True


@dataclass(frozen=True, slots=True)
class Load:
    """The load of one policy that the controller measured: see core/autoscaling/metrics/usage.py.

    `value` None: there is no data, for the reason in `reason`. It is never 0 for "no data". The number of desired
    replicas is ceil(value / (targetValue x requests per instance)).
    """

    value: float | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ScalingState:
    """The input of the decision for one Endpoint's warm pool. `now`, `created`: epoch seconds.

    endpoint, status  the Endpoint, and its whole status as read: earlier decisions stored their results there
    target            the ScalableTarget of the serving variant (its entry of spec.autoscaling); None: no autoscaling
    route             the route that serves
    warm, ready       the warm pool of the serving revision (None: not created yet), and the number of its Ready pods
    hpa               our HPA as read; None: it does not exist
    capabilities      what the cluster offers
    loads             loads by policyName; empty unless the last decision set measures_load
    history           ScalingDecision.history of the last pass. It is () after a restart of the controller. Then the
                      pool is not scaled in for one ScaleInCooldown, as if the controller of an HPA had restarted
    """

    endpoint: Json
    target: ScalableTarget | None
    route: Route
    warm: Pool | None
    ready: int
    hpa: Json | None
    capabilities: ClusterCapabilities
    loads: Mapping[str, Load]
    status: Json
    created: float
    now: float
    history: History = ()


@dataclass(frozen=True, slots=True)
class ScalingDecision:
    """The decision. Sizes in pods (replicas of the warm pool), capacities in units of provisioned concurrency.

    size           replicas that the controller sets now; None: the HPA scales the pool
    floor          Ready pods that a warm pool needs before a route names it, and the first size of a new pool
    hpa            the desired spec of the HPA; None: there must be no HPA
    status         the entry of status.autoscaling; None without autoscaling
    desired        DesiredProvisionedConcurrency in units
    current        units that are reached; an increase counts when its pods are Ready
    cause          a sentence why the desired size differs from status, for example "scheduled action 'morning' set the
                   minimum to 4"; empty if it does not differ
    active         the condition ScalingActive as (status, reason, message); None without autoscaling
    blocker        what the user must correct in spec.autoscaling; the endpoint continues to serve
    measures_load  the controller must know the loads before the next pass
    idle           the load can change the decision only when the next request arrives
    requeue_after  seconds after which the decision can change even without an event; None: never
    history        recommendations of the stabilization window: input of the next pass, kept in memory; () if nothing is
                   measured
    """

    size: int | None
    floor: int
    hpa: dict[str, Any] | None = None
    status: dict[str, Any] | None = None
    desired: int = 0
    current: int = 0
    cause: str = ""
    active: tuple[str, str, str] | None = None
    blocker: Blocker | None = None
    measures_load: bool = False
    idle: bool = False
    requeue_after: float | None = None
    history: History = ()
