"""What this process knows of one model pod: facts from the watch, results of our own pings, scale-down state."""

from __future__ import annotations

from kindler.activator.endpoint.requests import Backend, ColdStart
from kindler.core.common.pods import PodFacts


class Pod:
    """A pod from its first to its last event in the watch. Times in monotonic seconds; None: not happened yet.

    `backend` exists after the first good ping. It stays the same while the pod keeps its IP, so that the pod's requests
    stay counted. `usable`: the pod answers, as far as this process knows. The timestamps of the pod's start
    are the times at which the watch showed each phase, because the pod's own timestamps have only whole seconds.
    """

    __slots__ = (
        "backend",
        "cold_start_reported",
        "created",
        "desired_cost",
        "facts",
        "ip",
        "marked",
        "ping",
        "probing",
        "removing",
        "scheduled",
        "started",
        "unanswered_since",
        "usable",
        "written_cost",
        "written_cost_since",
    )

    def __init__(self, facts: PodFacts, now: float) -> None:
        self.facts = facts
        self.backend: Backend | None = None
        self.usable = False
        self.probing = False
        self.unanswered_since = now
        self.cold_start_reported = False
        self.marked = False  # marked for removal: the pod takes no new request
        self.removing = False  # its pool's `replicas` was lowered for this pod
        self.desired_cost = self.written_cost = facts.deletion_cost
        self.written_cost_since = now
        self.created = now
        self.scheduled: float | None = None
        self.ip: float | None = None
        self.started: float | None = None
        self.ping: float | None = None
        self.update(facts, now)

    def update(self, facts: PodFacts, now: float) -> None:
        """Stores the facts that the watch shows now."""
        self.facts = facts
        if self.scheduled is None and facts.scheduled is not None:
            self.scheduled = now
        if self.ip is None and facts.ip is not None:
            self.ip = now
        if self.started is None and facts.started is not None:
            self.started = now
        if facts.deletion_cost != self.written_cost:
            self.written_cost, self.written_cost_since = facts.deletion_cost, now

    @property
    def active(self) -> bool:
        """True if the ReplicaSet counts this pod: it is not being deleted and has not ended on its node."""
        return not self.facts.deleting and (self.facts.failure is None or self.facts.failure.reason != "PodFailed")

    @property
    def in_use(self) -> int:
        return self.backend.in_use if self.backend else 0

    def cold_start(self, asked: float) -> ColdStart:
        """The phases of this pod's start, for a request that arrived at `asked`."""
        return ColdStart(asked, self.created, self.scheduled, self.ip, self.started, self.ping)
