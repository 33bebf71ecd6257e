"""What the controller knows of one Endpoint when it decides, and the decision: frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kindler.api.route import Route
from kindler.api.stats import EndpointStats, Stats
from kindler.core.autoscaling.decision import ClusterCapabilities, Load, ScalingDecision
from kindler.core.autoscaling.tracking import History
from kindler.core.common.blockers import Blocker
from kindler.core.common.objects import Json
from kindler.core.common.pods import PodFacts, PodFailure
from kindler.core.common.pools import Pool
from kindler.core.endpoint.revision import Limits, PodShape


@dataclass(frozen=True, slots=True)
class ResolvedRefs:
    """What `spec.endpointConfigName` refers to now.

    `sources`: uid and generation of each object from which it was read. If `sources` changes, a failed attempt is
    repeated.
    """

    config_name: str
    shape: PodShape
    limits: Limits
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt to bring a revision up for a configuration. The field names are the keys of a stored annotation.

    `number`: how many attempts failed directly before it. `at`: when it began, in epoch seconds. `after`: the highest
    revision number when it began; a revision that got the route later has a higher number, even if clocks are wrong.
    `failed`: since when it counts as failed (epoch seconds); 0 if it does not. `adopts`: the revision has served
    before, and its existing pools are used, even if they were created for another attempt.
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
        """The value with which the pools of this attempt are marked; empty if any pool can be used."""
        return "" if self.adopts else f"{self.at}-{self.number}"


@dataclass(frozen=True, slots=True)
class RouteRecord:
    """A route, its EndpointConfig, and since when it is in effect (epoch seconds)."""

    route: Route
    config_name: str
    at: int


@dataclass(frozen=True, slots=True)
class ResolvedImage:
    """The digest that the runtime found for the image, when (epoch seconds), and whether new pods are pinned to it.

    The field names are the keys of a stored annotation.
    """

    image: str
    at: int
    pinned: bool


@dataclass(frozen=True, slots=True)
class StoredRevision:
    """A revision as its ControllerRevision stores it. `uid` is empty before the ControllerRevision is created.

    `number` is raised each time the revision gets the route; 0: it has never had the route. `pod_spec` is stored as it
    was first rendered, so that another version of Kindler or other settings do not change the pods of a revision.
    `shape` is None if the revision was rebuilt from its pools after somebody deleted the ControllerRevision.
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
    """Everything that the decisions about one Endpoint need, read once. `now`: epoch seconds.

    It contains only children that the Endpoint owns (owner uid), and only pods of its pools. `revisions_found`: the
    ControllerRevisions as objects, by name. `pods`: (uid of the pod's pool, facts). `activators`: the stats of each
    replica, None for a replica that did not respond; `activators` itself is None if no replica was queried.
    `capabilities`: what the cluster offers to HPAs. `loads`: the load of each scaling policy, if the controller has to
    measure it. `history`: the sizes that these loads required recently.
    """

    endpoint: Json
    refs: ResolvedRefs | Blocker
    revisions: tuple[StoredRevision, ...]
    revisions_found: Mapping[str, Json]
    pools: tuple[Pool, ...]
    pods: tuple[tuple[str, PodFacts], ...]
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
        """The pods of a pool that have not ended and are not being deleted."""
        return tuple(
            facts
            for uid, facts in self.pods
            if pool is not None and uid == pool.uid and not facts.deleting and not facts.ended
        )

    def reported_by(self, stats: Stats | None) -> EndpointStats | None:
        """What one activator reports of this Endpoint; None if it did not respond, or does not know this uid."""
        reported = stats.endpoints.get(f"{self.namespace}/{self.name}") if stats else None
        return reported if reported is not None and reported.uid == self.uid else None


@dataclass(frozen=True, slots=True)
class DesiredPool:
    """A pool that must exist. `start`: its first size, and the number of Ready pods that a target needs.

    `size`: the size that the controller enforces; None if the activator or the HPA sizes the pool.
    `attempt`: the Attempt.id with which the pool must be marked; empty if any pool can be used.
    """

    name: str
    revision: str
    pool: str
    start: int
    size: int | None
    attempt: str = ""


@dataclass(frozen=True, slots=True)
class RolloutPlan:
    """The state of the rollout of an Endpoint, and the objects that it requires.

    revisions       ControllerRevisions that must exist; all others are deleted
    pools           pools that must exist
    remove          pools to delete now, because no request needs them any more
    routed          what activators must serve after this pass; None: nothing yet
    target          what is being brought up; None: the spec is in effect, or cannot be followed
    attempt         the attempt that brings the target up; None without a target
    blocker         why the spec cannot be followed; None: it can be followed
    failure         why the target did not start, also while it is tried again
    deadline        epoch seconds; after this time, anything that still blocks the target counts as its failure
    degraded        why pods of the routed revision do not start
    available       whether the endpoint still responds to requests
    scaling         the decision about the warm pool of the routed revision
    target_scaling  the decision about the warm pool of the target
    requeue_after   seconds after which to reconcile again; None: wait until something changes
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
