"""What the controller knows of one Endpoint when it decides, and what it decided: frozen values."""

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

    `sources`: uid and generation of each object that it was read from. A changed value is a reason to try again.
    """

    config_name: str
    shape: PodShape
    limits: Limits
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt to bring a revision up for a configuration. The field names are the keys of a stored annotation.

    `number`: failures in a row before it. `at`: epoch seconds of its begin. `after`: the highest revision number when
    it began; a revision that was routed to since has a higher number, whatever the clocks show. `failed`: since when it
    counts as failed (epoch seconds), 0 while it does not. `adopts`: the revision has served before, and its existing
    pools are used, whichever attempt they were created for.
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
        """The mark on the pools that were created for this attempt; empty if any pool will do."""
        return "" if self.adopts else f"{self.at}-{self.number}"


@dataclass(frozen=True, slots=True)
class RouteRecord:
    """A route, the EndpointConfig that it came from, and since when it is in effect (epoch seconds)."""

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

    `number` rises each time the revision is routed to; 0: it never was. `pod_spec` is stored as it was rendered first,
    so that another version of Kindler or other settings change no pod of a revision. `shape` is None if the revision
    was rebuilt from its pools after somebody deleted the ControllerRevision.
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

    Children are only those that the Endpoint owns (owner uid); pods are those of these pools.
    `revisions_found`: the ControllerRevisions as objects, by name. `pods`: (uid of its pool, facts).
    `activators`: the stats of each replica, None for a replica that did not respond; None: no replica was queried.
    `capabilities`: what the cluster offers to HPAs. `loads`: the load measured for each scaling policy, where the
    controller has to measure it; `history`: what these loads required recently.
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
        """What one activator reports of this Endpoint; None if it did not respond or knows no Endpoint of this uid."""
        reported = stats.endpoints.get(f"{self.namespace}/{self.name}") if stats else None
        return reported if reported is not None and reported.uid == self.uid else None


@dataclass(frozen=True, slots=True)
class DesiredPool:
    """A pool that must exist. `start`: the size it is created with, and the Ready pods that a target needs.

    `size`: the size that the controller enforces; None if the activator or the HPA sizes the pool.
    `attempt`: the Attempt.id that the pool must be marked with; empty if any mark will do.
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
    remove          pools to delete now: no request needs them any more
    routed          what activators shall serve after this pass; None: nothing yet
    target          what is being brought up; None: the spec is in effect, or cannot be followed
    attempt         the attempt that brings the target up; None without a target
    blocker         why the spec cannot be followed; None: it can
    failure         why the target did not come up, also while it is tried again
    deadline        epoch seconds from which on everything that still blocks the target counts as its failure
    degraded        why pods of the routed revision do not start
    available       whether the endpoint responds to requests all the same
    scaling         the decision about the warm pool of the routed revision
    target_scaling  the decision about the warm pool of the target
    requeue_after   seconds after which to reconcile again; None: not before something changes
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
