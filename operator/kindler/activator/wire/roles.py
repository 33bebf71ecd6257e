"""How the wire sees the rest of the process: who routes a request, and who admits it."""

from __future__ import annotations

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


class Throttler(Protocol):
    """One endpoint, as the wire sees it."""

    forwarding: ForwardingConfig

    def offer(self, request: PendingRequest) -> Backend | Rejection | None: ...

    def gone(self, request: PendingRequest) -> None: ...

    def finished(
        self, request: PendingRequest, backend: Backend, outcome: Outcome, status: int, received: int, sent: int
    ) -> None:
        """`status`: the model's HTTP status, or ours. `received`/`sent`: body bytes from and to the client. Called once per placed call."""

    def unreachable(self, request: PendingRequest, backend: Backend) -> Backend | Rejection | None: ...

    def rejected(self, request: PendingRequest | None, rejection: Rejection) -> None:
        """Counts an answer of ours that the desk did not itself decide (bad body, too large, timeout while reading)."""


class Lookup(Protocol):
    """An endpoint that the cache does not know: one direct look-up is under way."""

    def then(self, callback: Callable[[Throttler | Rejection], None]) -> None: ...

    def cancel(self) -> None: ...


@dataclass(slots=True)
class RequestHead:
    """What the front door needs of a scanned head. `host` is lower-cased without port, `namespace` comes from X-Kindler-Namespace.

    Not frozen only because that costs a microsecond a request; nobody changes it.
    """

    method: bytes
    target: bytes  # origin form, with query
    host: bytes
    namespace: bytes | None


@dataclass(frozen=True, slots=True)
class RouteMatch:
    """An address that names an endpoint: how to answer, what is wanted, and who decides."""

    purpose: Purpose
    style: Style
    throttler: Throttler | Lookup


@dataclass(frozen=True, slots=True)
class RouteMiss:
    """An address that names nothing."""

    style: Style
    rejection: Rejection


class RequestRouter(Protocol):
    """The whole process, as the wire sees it: finds who decides, bounds what is held."""

    def find(self, head: RequestHead) -> RouteMatch | RouteMiss: ...

    def reserve_bytes(self, count: int) -> bool:
        """Asks for `count` (may be negative: gives back) bytes of the process's bound on what is kept of requests; False = bound reached, nothing taken."""

    def draining(self) -> bool:
        """True after SIGTERM: answers carry `Connection: close`."""
