"""Protocols and values between the wire and the rest of the process, and between the wire's own connections.

    the process    RequestRouter, Throttler, Lookup       the components that route and admit a request
    the wire       ClientHandle, StreamHandle,            what the connections and the stream use of each other,
                   BackendHandle                          so that no two modules import each other

Belongs here: what one module uses of another module that it must not import. Does not belong here: code that runs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from kindler.activator.endpoint.requests import (
    Backend,
    ForwardingConfig,
    Outcome,
    PendingRequest,
    Purpose,
    Rejection,
    Style,
)
from kindler.activator.wire.body import Body
from kindler.activator.wire.response import ResponseHead

# ---- the rest of the process


class Throttler(Protocol):
    """One endpoint: admits, holds and places requests. The order of calls: see `activator.endpoint.requests`."""

    forwarding: ForwardingConfig

    def offer(self, request: PendingRequest) -> Backend | Rejection | None:
        """A backend: send the request now. None: the request is held. A rejection: respond with it."""

    def gone(self, request: PendingRequest) -> None:
        """Drops a held request whose client left."""

    def finished(
        self, request: PendingRequest, backend: Backend, outcome: Outcome, status: int, received: int, sent: int
    ) -> None:
        """Frees the backend's slot. The wire calls it once when a request with a backend has ended.

        `status`: the model's HTTP status, or the status of our local reply. `received`, `sent`: body bytes from and
        to the client.
        """

    def unreachable(self, request: PendingRequest, backend: Backend) -> Backend | Rejection | None:
        """The connect failed and no byte was sent. Returns the next step, like `offer`."""

    def rejected(self, request: PendingRequest, rejection: Rejection) -> None:
        """Publishes a rejection that the wire decided, for example because the body is malformed or too large."""


class Lookup(Protocol):
    """The look-up of an endpoint that the cache does not know."""

    def then(self, callback: Callable[[Throttler | Rejection], None]) -> None:
        """Calls `callback` once, after this method has returned, unless `cancel` is called first."""

    def cancel(self) -> None: ...


@dataclass(slots=True)
class RequestHead:
    """The parts of a scanned head that the router uses. `host`: lower case, without port.

    `namespace`: the value of X-Kindler-Namespace. No code changes a RequestHead. It is not frozen, because a frozen
    dataclass costs one microsecond more per request.
    """

    method: bytes
    target: bytes  # origin form, with query
    host: bytes
    namespace: bytes | None


@dataclass(frozen=True, slots=True)
class RouteMatch:
    """The address names an endpoint that this process knows."""

    purpose: Purpose
    style: Style
    throttler: Throttler


@dataclass(frozen=True, slots=True)
class RouteLookup:
    """The address may name an endpoint. A query to the API server is in progress."""

    purpose: Purpose
    style: Style
    lookup: Lookup


@dataclass(frozen=True, slots=True)
class RouteMiss:
    """The address names no endpoint."""

    style: Style
    rejection: Rejection


RouteResult = RouteMatch | RouteLookup | RouteMiss


class RequestRouter(Protocol):
    """Finds the throttler of a request, and limits the bytes that the process keeps of requests."""

    def find(self, head: RequestHead) -> RouteResult: ...

    def reserve_bytes(self, count: int) -> bool:
        """Reserves bytes; a negative `count` frees bytes. False: the limit is reached, nothing is reserved."""

    def draining(self) -> bool:
        """True after SIGTERM. Then each response contains `Connection: close`."""


# ---- the wire's own connections


class ClientHandle(Protocol):
    """A client's connection: the parts that the stream, the backend connection, the sweep and the listener use."""

    transport: asyncio.Transport
    deadline: float  # monotonic seconds
    closing: bool  # no request is read after the current request
    half_closed: bool  # the client sent FIN
    write_paused: bool  # the client reads more slowly than the model writes

    def write(self, data: bytes) -> None: ...

    def keep_pipelined(self, data: bytes) -> None: ...

    def is_last_response(self, must_close: bool) -> bool: ...

    def response_finished(self, request_complete: bool) -> None: ...

    def reset(self) -> None: ...

    def abandon(self) -> None: ...

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def close_if_idle(self) -> bool: ...

    def check(self, now: float) -> None: ...


class StreamHandle(Protocol):
    """The stream of a request: the parts that its backend connection uses."""

    client: ClientHandle | None  # None: the client left, or has its response
    body: Body  # of the request

    @property
    def head(self) -> RequestHead: ...

    def interim_response(self, head: ResponseHead, data: bytes) -> None: ...

    def response_begins(self, head: ResponseHead, data: bytes) -> None: ...

    def response_continues(self, data: bytes) -> None: ...

    def response_ends(self) -> None: ...

    def response_fails(self, what: str) -> None: ...

    def timed_out(self) -> None: ...

    def release_held(self) -> None: ...


class BackendHandle(Protocol):
    """A connection to a pod: the parts that the sweep and the listener use."""

    transport: asyncio.Transport
    deadline: float  # monotonic seconds

    @property
    def responding(self) -> bool: ...

    def close(self) -> None: ...

    def check(self, now: float) -> None: ...
