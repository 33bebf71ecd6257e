"""A listening port of the wire: starts, counts, drains, stops."""

from __future__ import annotations

import asyncio
from typing import Final

from kindler.activator.wire.client import ClientConnection
from kindler.activator.wire.context import ListenerContext
from kindler.activator.wire.roles import RequestRouter
from kindler.activator.wire.sockets import notice_lost_peers
from kindler.activator.wire.sweep import Sweeper
from kindler.api.settings import ActivatorSettings

BACKLOG: Final = 1024


class Listener:
    """Made by `start`. To drain: `stop_accepting`, `close_idle`, then await `idle`; the front door's `draining()` makes every answer a connection's last."""

    def __init__(self, shared: ListenerContext, server: asyncio.Server) -> None:
        self._shared = shared
        self._server = server
        self._sweeper = Sweeper(shared)

    @property
    def port(self) -> int:
        """The port that is listened on (of use when 0 was asked for)."""
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    @property
    def connections(self) -> int:
        """Connections of clients now open."""
        return len(self._shared.clients)

    @property
    def streams(self) -> int:
        """Requests held, or whose place is not free yet."""
        return self._shared.streams

    @property
    def bytes_received(self) -> int:
        """From clients, since the start."""
        return self._shared.received

    @property
    def bytes_sent(self) -> int:
        """To clients, since the start."""
        return self._shared.sent

    def stop_accepting(self) -> None:
        """Refuses new connections; those that are open go on."""
        self._server.close()

    def close_idle(self) -> None:
        """Closes the connections on which no request is under way."""
        for client in tuple(self._shared.clients):
            client.close_if_idle()

    async def idle(self) -> None:
        """Returns when no request and no connection of a client is left."""
        await self._shared.quiet.wait()

    async def stop(self) -> None:
        """Cuts whatever is left and returns when it is gone."""
        self._server.close()
        self._sweeper.stop()
        for task in tuple(self._shared.tasks):
            task.cancel()
        for client in tuple(self._shared.clients):
            client.cut()
        for connection in tuple(self._shared.backend_connections):
            connection.close()
        await self._shared.quiet.wait()


async def start(
    settings: ActivatorSettings, front: RequestRouter, host: str | None = None, port: int | None = None
) -> Listener:
    """Listens on `port` (default: the settings' public port; 0: any) of `host` (default: all addresses, IPv4 and IPv6). Raises OSError."""
    loop = asyncio.get_running_loop()
    shared = ListenerContext(loop, settings, front)
    server = await loop.create_server(
        lambda: ClientConnection(shared), host, settings.public_port if port is None else port, backlog=BACKLOG
    )
    for sock in server.sockets:
        notice_lost_peers(sock)
    return Listener(shared, server)
