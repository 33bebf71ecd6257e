"""The seam between the wire (bytes of one request) and the desk (the endpoint that admits, holds and places it).

    wire                                 desk
    ----                                 ----
    head scanned: frontdoor.find(head) -> Desk | Refusal | Lookup
    desk.offer(call)                   -> Place     send now
                                          None      held: the wire reads the body up to the limit, then waits
                                          Refusal   answer at once, body unread
    call.dispatch(place)               <- a held call got a place
    call.refuse(refusal)               <- a held call will never get one (deleted, cannot start, deadline)
    desk.gone(call)                    -> a held call's client left
    desk.finished(call, place, outcome)-> the model's answer was read to its end, or can never be; the place is free
    desk.unreachable(call, place)      -> no byte of the request was written (connect failed): Place | None (held again, at the front) | Refusal

A call that got a place ends with exactly one `finished` or one `unreachable` that answers None or a Refusal; a held call with one `dispatch`,
`refuse` or `gone`. The desk may call `dispatch` and `refuse` of other calls from within any of its methods, never of the same call.
A PING or WAKE that gets a place is answered 200 by the wire itself and finished at once (ANSWERED, 200), without touching the pod.

Everything runs on one loop and nothing here awaits: a call is a plain method call, and each is answered before the next event.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import Any, Protocol

from kindler.core.dataplane.addresses import Purpose as Purpose
from kindler.core.dataplane.addresses import Style as Style


class Cause(enum.Enum):
    """Why a request was not served by the model. `activator/wire/localreply.py` holds the one table cause x style -> status, error type, headers."""

    UNKNOWN_ADDRESS = "unknown_address"  # no such form of address
    UNKNOWN_ENDPOINT = "unknown_endpoint"
    CREATING = "creating"  # the endpoint exists but has no route yet
    THROTTLED = "throttled"
    BAD_REQUEST = "bad_request"
    HEAD_TOO_LARGE = "head_too_large"
    BODY_TOO_LARGE = "body_too_large"
    TOO_MANY_HELD_BYTES = "too_many_held_bytes"
    TOO_MANY_CONNECTIONS = "too_many_connections"
    REQUEST_TIMEOUT = "request_timeout"  # head or body did not come in time
    CANNOT_START = "cannot_start"  # pods can never start: image, config, crash loop
    START_TIMEOUT = "start_timeout"  # startup time over while held
    DELETED = "deleted"  # endpoint deleted while held
    MODEL_UNREACHABLE = "model_unreachable"  # connection to the pod failed before or during the request
    MODEL_BROKE_OFF = "model_broke_off"  # bad or truncated answer
    MODEL_TIMEOUT = "model_timeout"  # invocation time over
    NOT_READY = "not_ready"  # ping without a usable pod
    SHUTTING_DOWN = "shutting_down"


@dataclass(frozen=True, slots=True)
class Rejection:
    """An answer of ours. `reason` is a sentence for a person; `retry_after` in whole seconds, or None."""

    cause: Cause
    reason: str
    retry_after: int | None = None


class Outcome(enum.Enum):
    """How a placed call ended, for accounting and for the pod's standing."""

    ANSWERED = "answered"  # the model's answer was read to its end
    BROKE_OFF = "broke_off"  # the connection failed or the answer was malformed or truncated
    TIMED_OUT = "timed_out"  # the invocation time was over: the connection was cut, the pod needs a good ping first
    ABANDONED = "abandoned"  # the client broke its own request off; the connection to the pod is closed, the pod is not to blame


@dataclass(slots=True, eq=False)
class Backend:
    """One pod that takes requests. `idle` are kept connections (wire's own objects), last in first out; the desk closes them through `close_idle`.

    `pool` is names.DEMAND or names.WARM. `in_use` and `last_used` (monotonic seconds) belong to the desk.
    """

    host: str
    port: int
    pod: str
    uid: str
    pool: str
    revision: str
    idle: list[Any] = field(default_factory=list)
    in_use: int = 0
    last_used: float = 0.0
    closing: bool = False  # the pod is going: the wire pools no connection any more


@dataclass(frozen=True, slots=True)
class ForwardingConfig:
    """What the wire must know of an endpoint to forward a request: from its route, the same for all requests until the route moves."""

    endpoint: str  # SageMaker name, for messages
    namespace: str
    variant: str
    invocations_path: bytes
    invocation_timeout: float  # seconds


@dataclass(slots=True)
class ColdStart:
    """Moments of one cold start in monotonic seconds, None = not known. `server_timing()` renders them in milliseconds since `asked`."""

    asked: float
    created: float | None = None
    scheduled: float | None = None
    ip: float | None = None
    started: float | None = None
    ping: float | None = None

    def phases(self) -> dict[str, int]:
        """Milliseconds from `asked` to each known moment, never negative, in order."""
        moments = (
            ("created", self.created),
            ("scheduled", self.scheduled),
            ("ip", self.ip),
            ("started", self.started),
            ("ping", self.ping),
        )
        return {name: max(0, round((at - self.asked) * 1000)) for name, at in moments if at is not None}


class PendingRequest(Protocol):
    """One request, as the desk sees it. Implemented by the wire's client connection; attributes are set before `offer`."""

    purpose: Purpose
    style: Style
    request_id: bytes
    arrived: float  # monotonic seconds, end of the head
    cold: ColdStart | None  # set by the desk when the call waited for a pod to start
    counted: bool  # set by the desk when the call waits again: its place, which could not be reached, was counted

    def dispatch(self, backend: Backend) -> None:
        """A held call got this place: send."""

    def reject(self, rejection: Rejection) -> None:
        """A held call will get no place: answer."""
