"""The interface between the wire (the bytes of one request) and the throttler (admits, holds and places the request).

    wire                                       throttler
    ----                                       ---------
    head parsed: router.find(head)          -> the throttler | a look-up of it | a rejection
    throttler.offer(request)                -> Backend     the wire sends the request now
                                               None        held: the wire reads the body up to the limit and waits
                                               Rejection   the wire replies at once and does not read the body
    request.dispatch(backend)               <- a held request gets this backend
    request.reject(rejection)               <- a held request gets no backend (deleted, cannot start, deadline)
    throttler.gone(request)                 -> a held request ends: its client left, or the wire rejected it
    throttler.finished(request, backend, outcome, status, received, sent)
                                            -> the request ended; its slot is free
    throttler.unreachable(request, backend) -> the connect failed, no byte was written: another Backend | None (held
                                               again, at the front) | Rejection

A request that got a backend ends with exactly one `finished`, or with one `unreachable` that returns None or a
Rejection. A held request ends with one `dispatch`, `reject` or `gone`. Inside each of its methods the throttler may
call `dispatch` and `reject` of other requests, but never of the same request. If a PING or WAKE gets a backend, the
wire sends a local 200 and calls `finished` at once (ANSWERED, 200). It sends nothing to the pod.

Everything runs on one event loop, and nothing here awaits. So each call returns before the next event.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import Any, Protocol

from kindler.core.dataplane.addresses import Purpose as Purpose
from kindler.core.dataplane.addresses import Style as Style


class Cause(enum.Enum):
    """Why a request was not served by the model.

    `activator/wire/localreply.py` contains the only table from cause and style to status, error type and headers.
    """

    UNKNOWN_ADDRESS = "unknown_address"  # host and target name no endpoint
    UNKNOWN_ENDPOINT = "unknown_endpoint"
    CREATING = "creating"  # the endpoint exists but has no route yet
    THROTTLED = "throttled"
    BAD_REQUEST = "bad_request"
    HEAD_TOO_LARGE = "head_too_large"
    BODY_TOO_LARGE = "body_too_large"
    TOO_MANY_HELD_BYTES = "too_many_held_bytes"
    TOO_MANY_CONNECTIONS = "too_many_connections"
    REQUEST_TIMEOUT = "request_timeout"  # head or body did not arrive in time
    CANNOT_START = "cannot_start"  # no pod can start, for example because of its image
    START_TIMEOUT = "start_timeout"  # the startup time ended while the request was held
    DELETED = "deleted"  # the endpoint was deleted while the request was held
    MODEL_UNREACHABLE = "model_unreachable"  # the connection to the pod failed before or during the request
    MODEL_BROKE_OFF = "model_broke_off"  # the response was malformed or truncated
    MODEL_TIMEOUT = "model_timeout"  # the model did not respond within the invocation timeout
    NOT_READY = "not_ready"  # a ping while no pod is usable, or a look-up without a result
    SHUTTING_DOWN = "shutting_down"


@dataclass(frozen=True, slots=True)
class Rejection:
    """A local reply that rejects a request.

    `reason`: a sentence for a person; `retry_after`: whole seconds, or None.
    """

    cause: Cause
    reason: str
    retry_after: int | None = None


class Outcome(enum.Enum):
    """How a placed request ended, for the counters and for outlier detection."""

    ANSWERED = "answered"  # the model's response was read to its end
    BROKE_OFF = "broke_off"  # the connection failed, or the response was malformed or truncated
    TIMED_OUT = "timed_out"  # the invocation time ended; the connection is closed, the pod is ejected until a good ping
    ABANDONED = "abandoned"  # the client left, or the wire aborted its request; the pod is not ejected


@dataclass(slots=True, eq=False)
class Backend:
    """One pod that takes requests.

    `pool`: names.DEMAND or names.WARM. The throttler sets `in_use` and `last_used` (monotonic seconds). `idle`: idle
    connections, which are objects of the wire. The wire takes the last one first.
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
    closing: bool = False  # the pod will be deleted, so the wire does not keep idle connections any more


@dataclass(frozen=True, slots=True)
class ForwardingConfig:
    """What the wire needs to forward a request. All requests of an endpoint share it until the route changes."""

    endpoint: str  # SageMaker name, for messages
    namespace: str
    variant: str
    invocations_path: bytes
    invocation_timeout: float  # seconds


@dataclass(slots=True)
class ColdStart:
    """Timestamps of one cold start in monotonic seconds; None: not known. `asked`: when the request arrived."""

    asked: float
    created: float | None = None
    scheduled: float | None = None
    ip: float | None = None
    started: float | None = None
    ping: float | None = None

    def phases(self) -> dict[str, int]:
        """Milliseconds from `asked` to each known timestamp, never negative, in order."""
        timestamps = (
            ("created", self.created),
            ("scheduled", self.scheduled),
            ("ip", self.ip),
            ("started", self.started),
            ("ping", self.ping),
        )
        return {name: max(0, round((at - self.asked) * 1000)) for name, at in timestamps if at is not None}


class PendingRequest(Protocol):
    """The parts of a request that the throttler uses.

    The wire's RequestStream implements it and sets the attributes before `offer`. The throttler sees nothing else of
    the request. If it must know a header, wire/head.py reads the header, and this Protocol and RequestStream get an
    attribute for it.
    """

    purpose: Purpose
    style: Style
    request_id: bytes
    arrived: float  # monotonic seconds, end of the head
    cold: ColdStart | None  # set by the throttler when the request waited for a pod to start
    counted: bool  # set by the throttler when a backend was unreachable: the request's placement is already counted

    def dispatch(self, backend: Backend) -> None:
        """Sends a held request to this backend."""

    def reject(self, rejection: Rejection) -> None:
        """Sends a local reply to a held request, which gets no backend."""
