"""One model pod, as this process knows it: the cluster's word, our own pings, and what is done with it."""

from __future__ import annotations

from kindler.activator.endpoint.requests import Backend, ColdStart
from kindler.core.common.pods import PodFacts


class Pod:
    """A pod from its first sight in the watch to its last. Times in monotonic seconds, None = has not happened.

    `place` exists from the first good ping on, and stays the same while the pod keeps its IP, so that what is in it stays counted; `usable` says whether
    the last ping was good. Moments of its start are those at which the watch showed them: the pod's own timestamps have whole seconds only.
    """

    __slots__ = (
        "announced",
        "backend",
        "cost_since",
        "cost_wanted",
        "cost_written",
        "created",
        "facts",
        "ip",
        "lowered",
        "marked",
        "ping",
        "probed",
        "scheduled",
        "silent_since",
        "started",
        "usable",
    )

    def __init__(self, facts: PodFacts, now: float) -> None:
        self.facts = facts
        self.backend: Backend | None = None
        self.usable = False
        self.probed = False  # a probe is under way
        self.silent_since = now
        self.announced = False  # its cold start was told
        self.marked = False  # to go: takes no new request
        self.lowered = False  # its pool was made smaller on its account
        self.cost_wanted = self.cost_written = facts.deletion_cost
        self.cost_since = now
        self.created = now
        self.scheduled: float | None = None
        self.ip: float | None = None
        self.started: float | None = None
        self.ping: float | None = None
        self.note(facts, now)

    def note(self, facts: PodFacts, now: float) -> None:
        """Takes what the watch shows now."""
        self.facts = facts
        if self.scheduled is None and facts.scheduled is not None:
            self.scheduled = now
        if self.ip is None and facts.ip is not None:
            self.ip = now
        if self.started is None and facts.started is not None:
            self.started = now
        if facts.deletion_cost != self.cost_written:
            self.cost_written, self.cost_since = facts.deletion_cost, now

    @property
    def active(self) -> bool:
        """Counted by its ReplicaSet: neither being deleted nor ended on its node."""
        return not self.facts.deleting and (self.facts.failure is None or self.facts.failure.reason != "PodFailed")

    @property
    def in_use(self) -> int:
        return self.backend.in_use if self.backend else 0

    def cold_start(self, asked: float) -> ColdStart:
        """The phases of this pod's start for a request that asked at `asked`."""
        return ColdStart(asked, self.created, self.scheduled, self.ip, self.started, self.ping)
