"""The size of one pool: what its ReplicaSet was seen to have, and what we asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from kindler.core.common.pods import PodFailure

ECHO: Final = 5.0  # seconds after a write during which the watch may still show the number before it


@dataclass(frozen=True, slots=True)
class PoolFacts:
    """A ReplicaSet of ours. `owner`: uid of its Endpoint. `trouble`: why it cannot create pods."""

    namespace: str
    uid: str
    name: str
    owner: str
    revision: str
    replicas: int
    failure: PodFailure | None


@dataclass(slots=True)
class PoolSize:
    """`asked` is the number not yet written, None when nothing is to be written; `writing`: somebody is at it. Times in monotonic seconds.

    `raised`: since when the pool is as large as it is, at the earliest since we know it.
    """

    namespace: str
    name: str
    seen: int
    raised: float
    failure: PodFailure | None = None
    asked: int | None = None
    writing: bool = False
    written: float = -ECHO
    shown: int | None = None  # by the watch, not yet believed when it came within the echo of a write

    @property
    def replicas(self) -> int:
        """The number that counts: what we asked for, else what the ReplicaSet has."""
        return self.seen if self.asked is None else self.asked

    def show(self, facts: PoolFacts, now: float) -> None:
        """Takes what the watch shows."""
        self.failure = facts.failure
        self.shown = facts.replicas
        self.settle(now)

    def settle(self, now: float) -> None:
        """Believes what the watch showed, once no echo of an own write can be in it."""
        if self.shown is None or now - self.written < ECHO:
            return
        if self.shown > self.seen:
            self.raised = now
        self.seen, self.shown = self.shown, None

    def done(self, replicas: int, now: float) -> None:
        """`replicas` was written."""
        self.seen, self.written = replicas, now
        if self.asked == replicas:
            self.asked = None
