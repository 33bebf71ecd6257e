"""What the throttler publishes: a record for each finished and each rejected request, an event for each cold start.

Belongs here: the records and the RequestObserver interface.
Does not belong here: what observers do with them (counters, access log).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

from kindler.activator.endpoint.requests import Backend, ColdStart, Outcome, Rejection


@dataclass(frozen=True, slots=True)
class Identity:
    """Identifies an Endpoint object. `endpoint`: its SageMaker name. `created`: its creationTimestamp, as text."""

    uid: str
    namespace: str
    name: str
    endpoint: str
    created: str


class FinishedRequest(NamedTuple):
    """A placed request that ended. Times in monotonic seconds, `received` and `sent`: bytes of bodies.

    It is a NamedTuple, because one is built for each request, and a frozen dataclass with as many fields takes about
    1 us longer.
    """

    identity: Identity
    request_id: bytes
    backend: Backend  # with pod, pool and revision
    outcome: Outcome
    status: int  # the model's HTTP status, or the status of our local reply
    received: int  # from the client
    sent: int  # to the client
    arrived: float  # end of the request's head
    placed: float  # when the request got its last backend
    ended: float


class RejectedRequest(NamedTuple):
    """A request that the throttler or the wire rejected.

    A request that fails after it was sent to a pod gets only a `FinishedRequest`.
    """

    identity: Identity
    request_id: bytes
    rejection: Rejection
    arrived: float  # end of the request's head
    ended: float


class RequestObserver(Protocol):
    """Receives the end of each request of an endpoint. Its methods run on the event loop, so they must be short."""

    def finished(self, record: FinishedRequest) -> None: ...

    def rejected(self, record: RejectedRequest) -> None: ...

    def cold_start(self, identity: Identity, pod: str, cold: ColdStart) -> None:
        """The pod of this name started because a request needed it. Called once per pod."""
