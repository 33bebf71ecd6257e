"""What the controller knows of one Endpoint when it decides, and what it decided: frozen values that the decisions share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kindler.api.route import Route
from kindler.api.stats import Stats
from kindler.core.autoscaling.decision import ClusterCapabilities, Load, ScalingDecision
from kindler.core.autoscaling.tracking import History
from kindler.core.common.blockers import Blocker
from kindler.core.common.objects import Json
from kindler.core.common.pods import PodFacts, PodFailure
from kindler.core.common.pools import Pool
from kindler.core.endpoint.revision import Limits, PodShape


@dataclass(frozen=True, slots=True)
class ResolvedRefs:
    """What `spec.endpointConfigName` means now. `sources`: uids and generations of what it was read from; another value is a reason to try again."""

    config_name: str
    shape: PodShape
    limits: Limits
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try to bring a revision up for a configuration. `at`: epoch seconds of its begin; `number` counts failures in a row before it.

    `after`: the highest revision number when it began; one that was routed to since is higher, whatever the clocks. `failed`: since when it counts as
    failed, 0 while it does not. `adopts`: the revision has served before, and its pools that still stand will do, whichever try they were made for.
    """

    number: int
    at: int
    config_name: str
    sources: tuple[str, ...]
    after: int = 0
    failed: int = 0
    adopts: bool = False

    @property
    def id(self) -> str:
        """What marks the pools that were made for it; empty where any will do."""
        return "" if self.adopts else f"{self.at}-{self.number}"


@dataclass(frozen=True, slots=True)
class RouteRecord:
    """A route, the EndpointConfig that it came from, and since when (epoch seconds)."""

    route: Route
    config_name: str
    at: int


@dataclass(frozen=True, slots=True)
class ResolvedImage:
    """The digest that the runtime found for the image, when (epoch seconds), and whether new pods are held to it."""

    image: str
    at: int
    pinned: bool


@dataclass(frozen=True, slots=True)
class StoredRevision:
    """A revision as its ControllerRevision keeps it. `number` rises each time it is routed to; 0: never was. `uid` is empty before it is created.

    `pod_spec` is kept as it was made, so that another Kindler or other settings change no pod of a revision. `shape` is None where it was rebuilt from
    its pools after somebody deleted the ControllerRevision.
    """

    name: str
    uid: str
    revision: str
    number: int
    shape: PodShape | None
    pod_spec: Json
    attempt: Attempt | None = None
    routed: RouteRecord | None = None
    resolved: ResolvedImage | None = None


@dataclass(frozen=True, slots=True)
class Observed:
    """Everything that matters, gathered once. `now`: epoch seconds.

    Children are ours alone (owner uid), pods those of our pools. `activators`: what each replica answered, None in place of no answer; None: not asked.
    `autoscaler`: the HPA; `around`: what the cluster offers to HPAs; `loads`: what was measured for each scaling policy, where it had to be,
    and `history` what that asked for lately.
    """

    endpoint: Json
    refs: ResolvedRefs | Blocker
    revisions: tuple[StoredRevision, ...]
    revisions_found: Mapping[str, Json]  # ControllerRevisions as they are, by name
    pools: tuple[Pool, ...]
    pods: tuple[tuple[str, PodFacts], ...]  # (uid of its pool, facts)
    service: Json | None
    activators: Mapping[str, Stats | None] | None
    hpa: Json | None
    capabilities: ClusterCapabilities
    loads: Mapping[str, Load]
    history: History
    now: float

    @property
    def name(self) -> str:
        return str(self.endpoint["metadata"]["name"])

    @property
    def namespace(self) -> str:
        return str(self.endpoint["metadata"]["namespace"])

    @property
    def uid(self) -> str:
        return str(self.endpoint["metadata"]["uid"])

    @property
    def status(self) -> Json:
        return self.endpoint.get("status") or {}

    @property
    def config_name(self) -> str:
        return str(self.endpoint["spec"].get("endpointConfigName", ""))

    @property
    def deleting(self) -> bool:
        return self.endpoint["metadata"].get("deletionTimestamp") is not None

    def pool(self, name: str | None) -> Pool | None:
        return next((p for p in self.pools if p.name == name), None)

    def of(self, pool: Pool | None) -> tuple[PodFacts, ...]:
        """The pods of a pool that have not ended and are not on their way out."""
        return tuple(
            facts
            for uid, facts in self.pods
            if pool is not None and uid == pool.uid and not facts.deleting and not facts.ended
        )


@dataclass(frozen=True, slots=True)
class DesiredPool:
    """A pool that must stand, with `start` pods at least. `size`: what the controller keeps it at, None where it is not the one to size it.

    `attempt`: the Attempt.id that it must be marked with; empty where any mark will do.
    """

    name: str
    revision: str
    pool: str
    start: int
    size: int | None
    attempt: str = ""


@dataclass(frozen=True, slots=True)
class RolloutPlan:
    """Where an Endpoint is on its way, and what has to stand for that.

    routed      what activators shall serve after this pass; None: nothing yet
    target      what is being brought up; None: the spec is in effect, or cannot be followed
    failure     why the target did not come up, also while it is tried again
    deadline    epoch seconds from which whatever still stands in the target's way counts as failure
    hindrance   why pods of what serves do not start; `available`: whether it answers all the same
    provision   the decision about the warm pool of what is routed; `coming`: about the target's
    again       seconds after which to look again, None: no need before something changes
    """

    revisions: tuple[StoredRevision, ...] = ()
    pools: tuple[DesiredPool, ...] = ()
    remove: tuple[Pool, ...] = ()
    routed: RouteRecord | None = None
    target: RouteRecord | None = None
    attempt: Attempt | None = None
    blocker: Blocker | None = None
    failure: PodFailure | None = None
    deadline: float | None = None
    degraded: PodFailure | None = None
    available: bool = True
    scaling: ScalingDecision | None = None
    target_scaling: ScalingDecision | None = None
    requeue_after: float | None = None
