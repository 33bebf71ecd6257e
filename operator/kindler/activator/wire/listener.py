"""A listening port of the wire: start, counters, draining and stop."""

from __future__ import annotations

import asyncio
from typing import Final

from kindler.activator.wire.client import ClientConnection
from kindler.activator.wire.context import ListenerContext
from kindler.activator.wire.roles import RequestRouter
from kindler.activator.wire.sockets import enable_keepalive
from kindler.activator.wire.sweep import Sweeper
from kindler.api.settings import ActivatorSettings

BACKLOG: Final = 1024


class Listener:
    """A port that `start` has opened.

    To drain, call `stop_accepting` and `close_idle`, then await `idle`. While the router's `draining()` is true, each
    response is the last response of its connection.
    """

    def __init__(self, context: ListenerContext, server: asyncio.Server) -> None:
        self._context = context
        self._server = server
        self._sweeper = Sweeper(context)

    @property
    def port(self) -> int:
        """The port number. If port 0 was requested, it is the number that the kernel chose."""
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    @property
    def connections(self) -> int:
        """Open connections of clients."""
        return len(self._context.clients)

    @property
    def streams(self) -> int:
        """The number of requests that are not over."""
        return self._context.streams

    @property
    def bytes_received(self) -> int:
        """Bytes from clients since the start."""
        return self._context.received

    @property
    def bytes_sent(self) -> int:
        """Bytes to clients since the start."""
        return self._context.sent

    def stop_accepting(self) -> None:
        """Accepts no new connection; open connections continue."""
        self._server.close()

    def close_idle(self) -> None:
        """Closes the connections that have no request."""
        for client in tuple(self._context.clients):
            client.close_if_idle()

    async def idle(self) -> None:
        """Waits until no request and no connection of a client is left."""
        await self._context.idle.wait()

    async def stop(self) -> None:
        """Resets all connections, and waits until they are closed."""
        self._server.close()
        self._sweeper.stop()
        for task in tuple(self._context.connects):
            task.cancel()
        for client in tuple(self._context.clients):
            client.reset()
        for connection in tuple(self._context.backend_connections):
            connection.close()
        await self._context.idle.wait()


async def start(
    settings: ActivatorSettings, router: RequestRouter, host: str | None = None, port: int | None = None
) -> Listener:
    """Listens on `port` of `host`. Raises OSError.

    `port`: by default the public port of the settings; 0 is any free port.
    `host`: by default all IPv4 and IPv6 addresses.
    """
    loop = asyncio.get_running_loop()
    context = ListenerContext(loop, settings, router)
    server = await loop.create_server(
        lambda: ClientConnection(context), host, settings.public_port if port is None else port, backlog=BACKLOG
    )
    for sock in server.sockets:
        enable_keepalive(sock)
    return Listener(context, server)
