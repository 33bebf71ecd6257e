"""The size of one pool: what the watch showed for its ReplicaSet, and what this activator requested."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from kindler.core.common.pods import PodFailure

WATCH_ECHO_SECONDS: Final = 5.0  # for this long after a write, the watch may still show the earlier number


@dataclass(frozen=True, slots=True)
class PoolFacts:
    """A ReplicaSet of Kindler. `owner`: uid of its Endpoint. `failure`: why it cannot create pods."""

    namespace: str
    uid: str
    name: str
    owner: str
    revision: str
    replicas: int
    failure: PodFailure | None


@dataclass(slots=True)
class PoolSize:
    """The observed and the requested size of one pool. Times in monotonic seconds.

    `observed`: the `replicas` that was last written, or that the watch last showed. `raised_at`: when the pool was
    raised to its current size, but not before this process first saw it. `requested`: the number that is not written
    yet; None if there is nothing to write. `writing`: a write is in progress. `unconfirmed`: the number that the watch
    showed last, while it may be older than our own write.
    """

    namespace: str
    name: str
    observed: int
    raised_at: float
    failure: PodFailure | None = None
    requested: int | None = None
    writing: bool = False
    written_at: float = -WATCH_ECHO_SECONDS
    unconfirmed: int | None = None

    @property
    def replicas(self) -> int:
        """The number that counts: the requested number, else the observed number."""
        return self.observed if self.requested is None else self.requested

    def update(self, facts: PoolFacts, now: float) -> None:
        """Stores what the watch shows of the ReplicaSet."""
        self.failure = facts.failure
        self.unconfirmed = facts.replicas
        self.accept_observed(now)

    def accept_observed(self, now: float) -> None:
        """Accepts the number that the watch showed last, once WATCH_ECHO_SECONDS have passed since our own write."""
        if self.unconfirmed is None or now - self.written_at < WATCH_ECHO_SECONDS:
            return
        if self.unconfirmed > self.observed:
            self.raised_at = now
        self.observed, self.unconfirmed = self.unconfirmed, None

    def on_written(self, replicas: int, now: float) -> None:
        """Stores that `replicas` was written."""
        self.observed, self.written_at = replicas, now
        if self.requested == replicas:
            self.requested = None
