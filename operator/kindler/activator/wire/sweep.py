"""One timer for all connections, instead of one per request: it checks all deadlines four times per second."""

from __future__ import annotations

import logging
from time import monotonic
from typing import Final

from kindler.activator.wire.context import NEVER, ListenerContext
from kindler.activator.wire.roles import BackendHandle, ClientHandle

log = logging.getLogger(__name__)

INTERVAL: Final = 0.25  # seconds; a deadline is detected at most this late


def sweep(context: ListenerContext, now: float) -> None:
    """Calls `check` of each connection whose deadline is over or whose progress is watched.

    It costs about 0.1 ms for 1,000 idle connections.
    """
    for client in tuple(context.clients):
        if client.deadline <= now or client.write_paused:
            _check(client, now)
    for connection in tuple(context.backend_connections):
        if connection.deadline <= now or connection.responding:
            _check(connection, now)


def _check(connection: ClientHandle | BackendHandle, now: float) -> None:
    """Checks one connection. If the check raises, only this connection is aborted, and the sweep continues."""
    try:
        connection.check(now)
    except Exception:
        log.exception("checking the deadline of a connection failed; the connection is aborted")
        connection.deadline = NEVER
        connection.transport.abort()


class Sweeper:
    """Sweeps every INTERVAL until `stop`."""

    def __init__(self, context: ListenerContext) -> None:
        self._context = context
        self._handle = context.loop.call_later(INTERVAL, self._run)

    def _run(self) -> None:
        self._handle = self._context.loop.call_later(INTERVAL, self._run)
        sweep(self._context, monotonic())

    def stop(self) -> None:
        self._handle.cancel()
