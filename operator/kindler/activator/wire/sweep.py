"""The one clock of all connections: a look at every deadline four times a second, instead of a timer for each request."""

from __future__ import annotations

import logging
from time import monotonic
from typing import TYPE_CHECKING, Final

from kindler.activator.wire.context import NEVER, ListenerContext

if TYPE_CHECKING:
    from kindler.activator.wire.backend import BackendConnection
    from kindler.activator.wire.client import ClientConnection

log = logging.getLogger(__name__)

INTERVAL: Final = 0.25  # seconds: how late a deadline may be noticed


def sweep(shared: ListenerContext, now: float) -> None:
    """Lets every connection whose time is over act on it. About 0.1 ms for 1,000 idle connections."""
    for client in tuple(shared.clients):
        if client.deadline <= now or client.write_paused:
            _check(client, now)
    for connection in tuple(shared.backend_connections):
        if connection.deadline <= now or connection.answering:
            _check(connection, now)


def _check(connection: ClientConnection | BackendConnection, now: float) -> None:
    """One connection's look at its deadline. Its trouble is its end, not that of the sweep: all others have deadlines too."""
    try:
        connection.check(now)
    except Exception:
        log.exception("a connection could not act on its deadline, and is cut")
        connection.deadline = NEVER
        connection.transport.abort()


class Sweeper:
    """Sweeps until it is stopped."""

    def __init__(self, shared: ListenerContext) -> None:
        self._shared = shared
        self._handle = shared.loop.call_later(INTERVAL, self._run)

    def _run(self) -> None:
        self._handle = self._shared.loop.call_later(INTERVAL, self._run)
        sweep(self._shared, monotonic())

    def stop(self) -> None:
        self._handle.cancel()
