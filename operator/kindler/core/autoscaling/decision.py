"""The input and the result of the scaling decision: frozen values.

spec.autoscaling  policies  maximum in force  who scales the warm pool
----------------  --------  ----------------  ------------------------
none              -         -                 the controller: provisionedConcurrency
yes               none      any               the controller: the present size, clamped to the bounds in force
yes               some      0                 the controller: 0, and no HPA
yes               some      above             the HPA; the controller only from 0, and from 1 to 0 if the API server
                                              rejects an HPA with minReplicas 0
yes               some      above, no API     the HPA, with minReplicas and maxReplicas pinned to the size that the
                                              controller computes by the HPA's rule; from and to 0 as above

The controller scales from 0 because an HPA ignores a pool at 0 that the HPA did not scale to 0 itself. The cases are
in core/autoscaling/decide.py.
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
    """The API by which HPAs read our metrics. A cluster has one server for each API, perhaps another product's."""

    EXTERNAL = "external"
    CUSTOM = "custom"
    NONE = "none"  # other servers have both: the controller computes sizes


@dataclass(frozen=True, slots=True)
class ClusterCapabilities:
    """What the cluster offers. `zero`: it accepts HPAs with minReplicas 0."""

    api: MetricsApi = MetricsApi.EXTERNAL
    zero: bool = True


@dataclass(frozen=True, slots=True)
class Load:
    """The load of one policy, as the controller measured it: see core/autoscaling/metrics/usage.py.

    `value` None: no data, for `reason`; never 0 for "no data". Desired replicas are
    ceil(value / (targetValue x requests per instance)).
    """

    value: float | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ScalingState:
    """The input of the decision for one Endpoint's warm pool. `now`, `created`: epoch seconds.

    endpoint, status  the Endpoint, and its whole status as read: the decision's memory
    target            the ScalableTarget of the serving variant (its entry of spec.autoscaling); None: no autoscaling
    route             the route that serves
    warm, ready       the warm pool of the serving revision (None: not created yet), and the number of its Ready pods
    hpa               our HPA as read; None: there is none
    capabilities      what the cluster offers
    loads             by policyName; only if the last decision set measures_load, else empty
    history           ScalingDecision.history of the last pass, () after a restart of the controller. The pool is then
                      not scaled in for one ScaleInCooldown, as by an HPA whose controller restarted
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
    hpa            the desired spec of the HPA; None: there must be none
    status         the entry of status.autoscaling; None without autoscaling
    desired        DesiredProvisionedConcurrency in units
    current        units that are reached: an increase counts when its pods are Ready
    cause          a sentence why the desired size differs from status, as "scheduled action 'morning' set the minimum
                   to 4"; empty if it does not differ
    active         the condition ScalingActive as (status, reason, message); None without autoscaling
    blocker        what the user must correct in spec.autoscaling; the endpoint serves on
    measures_load  the controller must know the loads by the next pass
    idle           of all loads only the next request can change the decision
    requeue_after  seconds after which time alone can change the decision; None: never
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
