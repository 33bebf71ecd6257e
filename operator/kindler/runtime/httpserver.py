"""An aiohttp application on a port that everybody in the cluster can reach, within bounds: it shares descriptors and memory with the data plane.

Who connects must ask within HEAD_SECONDS; later aiohttp itself closes what is idle. At the limit a newcomer takes the place of whoever is connected
longest without having asked, so that silent connections cannot keep the kubelet's probes out.
"""

from __future__ import annotations

import asyncio
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler

CONNECTIONS: Final = 128
HEAD_SECONDS: Final = 10.0


async def serve(
    application: web.Application, port: int, connections: int = CONNECTIONS, head_seconds: float = HEAD_SECONDS
) -> tuple[web.AppRunner, int]:
    """Serves until the runner's cleanup; the runner, and the port."""
    asked: set[web.RequestHandler] = set()

    @web.middleware
    async def noted(request: web.Request, handler: Handler) -> web.StreamResponse:
        asked.add(request.protocol)
        return await handler(request)

    application.middlewares.insert(0, noted)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=1)
    await runner.setup()
    await _Site(runner, port, asked, connections, head_seconds).start()
    bound: int = runner.addresses[0][1]
    return runner, bound


class _Site(web.BaseSite):
    def __init__(
        self, runner: web.AppRunner, port: int, asked: set[web.RequestHandler], connections: int, head_seconds: float
    ) -> None:
        super().__init__(runner)
        self._port = port
        self._asked = asked
        self._connections = connections
        self._head_seconds = head_seconds

    @property
    def name(self) -> str:
        return f"http://*:{self._port}"

    async def start(self) -> None:
        await super().start()
        self._server = await asyncio.get_running_loop().create_server(self._connected, port=self._port)

    def _connected(self) -> asyncio.Protocol:
        server = self._runner.server
        assert server is not None
        known = server.connections
        self._asked.intersection_update(known)
        if len(known) >= self._connections:
            silent = next((c for c in known if c not in self._asked), None)
            if silent is None:
                return _Refused()
            silent.force_close()
        handler: web.RequestHandler = server()
        asyncio.get_running_loop().call_later(self._head_seconds, self._check, handler)
        return handler

    def _check(self, handler: web.RequestHandler) -> None:
        if handler not in self._asked:
            handler.force_close()


class _Refused(asyncio.Protocol):
    """A connection too many."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.abort()
