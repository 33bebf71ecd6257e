"""What the decision about provisioned concurrency is made from, and what it is: frozen values.

spec.autoscaling   policies   maximum in force   who sizes the warm pool
----------------   --------   ----------------   -----------------------
none               -          -                  the controller: provisionedConcurrency
yes                none       any                the controller: what stands, held within the bounds in force
yes                some       0                  the controller: 0, and no HPA
yes                some       above              the HPA; the controller only from 0, and from 1 to 0 where an HPA may have no minimum of 0
yes                some       above, no API      the HPA, its minimum and maximum pinned to what the controller computes by its rule; from and to 0 as above

From 0, since an HPA leaves a pool there that it has not brought there itself. Case by case: core/autoscaling/decide.py.
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
    """By which API HPAs read our metrics: each can have one server in a cluster, and others may have them."""

    EXTERNAL = "external"
    CUSTOM = "custom"
    NONE = "none"  # both are somebody else's: the controller computes sizes


@dataclass(frozen=True, slots=True)
class ClusterCapabilities:
    """What the cluster offers. `zero`: its HPAs may have a minimum of 0."""

    api: MetricsApi = MetricsApi.EXTERNAL
    zero: bool = True


@dataclass(frozen=True, slots=True)
class Load:
    """What the controller measured itself for one policy, where it must: see core/autoscaling/metrics/usage.py. `value` None: no data, for `reason`, never 0.

    Replicas wanted: ceil(value / (targetValue x requests per instance)).
    """

    value: float | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ScalingState:
    """All that matters for one Endpoint's warm pool. `now`, `created`: epoch seconds.

    `target`: the entry of spec.autoscaling for the variant that serves; None: there is none. `status`: the whole status as found (the memory).
    `warm`: the warm pool of the serving revision; `ready`: its pods that have answered. `autoscaler`: the HPA as found, None where none of ours stands.
    `loads` by policyName: only what the controller was told to measure before, else empty. `history`: Provision.history of the pass before, () after a
    restart: the pool is then not made smaller for one scale-in cooldown, as an HPA's is not after a restart of its controller.
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

    size        what the controller scales the warm pool to now; None: the HPA sizes it
    floor       pods that a warm pool must have had Ready before a route may lead to it, and the size that a new one is made with
    autoscaler  the spec of the HPA that must stand; None: none may
    status      the entry of status.autoscaling; None without autoscaling
    desired     units wanted now; `current`: units that are reached (a raised size counts once its pods have answered)
    cause       why the desired size is not what status says, in a sentence, as "scheduled action 'morning' set the minimum to 4"; empty where it is
    active      the condition ScalingActive as (status, reason, message); None without autoscaling
    obstacle    what the user must mend in spec.autoscaling; the endpoint serves on
    measure     whether the controller must know the load itself by the next pass
    quiet       whether, of all loads, only the first request to come changes anything
    again       seconds until time alone may change the decision; None: never
    history     what the loads asked for lately: to be given with the facts of the next pass, and kept in memory until then; () while nothing is measured
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
