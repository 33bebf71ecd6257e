"""The size of one pool: what the watch showed of its ReplicaSet, and what this activator requested."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from kindler.core.common.pods import PodFailure

WATCH_ECHO_SECONDS: Final = 5.0  # after a write: the watch may still show the number from before it


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
    """Times in monotonic seconds.

    `observed`: `replicas` as last written or shown by the watch. `raised_at`: when the pool became as large as it is,
    at the earliest when this process first saw it. `requested`: the number that is not written yet, None if nothing
    is to be written. `writing`: a write is in progress. `unconfirmed`: the number that the watch showed last, while
    it may be an echo from before our own write.
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
        """The number that counts: the requested one, else the observed one."""
        return self.observed if self.requested is None else self.requested

    def update(self, facts: PoolFacts, now: float) -> None:
        """The watch shows the ReplicaSet."""
        self.failure = facts.failure
        self.unconfirmed = facts.replicas
        self.accept_observed(now)

    def accept_observed(self, now: float) -> None:
        """Accepts what the watch showed last, once it cannot be an echo from before our own write any more."""
        if self.unconfirmed is None or now - self.written_at < WATCH_ECHO_SECONDS:
            return
        if self.unconfirmed > self.observed:
            self.raised_at = now
        self.observed, self.unconfirmed = self.unconfirmed, None

    def on_written(self, replicas: int, now: float) -> None:
        """`replicas` was written."""
        self.observed, self.written_at = replicas, now
        if self.requested == replicas:
            self.requested = None
