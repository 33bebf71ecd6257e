"""Starts the HTTP server of a process, with limits.

Any client in the cluster may connect to the port, and the server shares file descriptors and memory with the work of
the process. Therefore these limits exist:

- At most CONNECTIONS connections. At the limit, a new client replaces the oldest client that has not sent a request
  yet, so that silent clients cannot block the kubelet's probes. If every client has sent a request, the new connection
  is closed at once.
- A client must send its first request within HEAD_SECONDS. After that, aiohttp closes idle connections itself.
- With TLS, a client counts from the end of its handshake. An unfinished handshake ends after TLS_HANDSHAKE_SECONDS.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from aiohttp import web
from aiohttp.typedefs import Handler
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

CONNECTIONS: Final = 128
HEAD_SECONDS: Final = 10.0
TLS_HANDSHAKE_SECONDS: Final = 10.0
SHUTDOWN_SECONDS: Final = 1.0  # time for requests in progress to end when the server stops

Check = Callable[[], str | None]
"""Returns None if there is no problem, else one sentence that names the problem."""


@asynccontextmanager
async def serving(
    application: web.Application,
    port: int,
    tls: ssl.SSLContext | None = None,
    connections: int = CONNECTIONS,
    head_seconds: float = HEAD_SECONDS,
) -> AsyncIterator[int]:
    """Serves on all addresses while the body runs. Yields the port; for port 0 the kernel chooses a free port.

    Raises OSError if the port is in use.
    """
    with_request: set[web.RequestHandler] = set()

    @web.middleware
    async def remember_client(request: web.Request, handler: Handler) -> web.StreamResponse:
        with_request.add(request.protocol)
        return await handler(request)

    application.middlewares.insert(0, remember_client)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=SHUTDOWN_SECONDS)
    await runner.setup()
    try:
        await _BoundedSite(runner, port, tls, with_request, connections, head_seconds).start()
        yield _port_of(runner.addresses)
    finally:
        await runner.cleanup()


def health_application(alive: Check, ready: Check, registry: CollectorRegistry) -> web.Application:
    """The application with `/healthz` and `/readyz` as plain text, and `/metrics` as Prometheus text.

    If a check fails, the response has status 503 and the sentence of the check.
    """

    async def healthz(_: web.Request) -> web.Response:
        return _verdict(alive())

    async def readyz(_: web.Request) -> web.Response:
        return _verdict(ready())

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = web.Application()
    app.add_routes([web.get("/healthz", healthz), web.get("/readyz", readyz), web.get("/metrics", metrics)])
    return app


def _verdict(problem: str | None) -> web.Response:
    return web.Response(status=503 if problem else 200, text=f"{problem or 'ok'}\n")


def _port_of(addresses: Sequence[Any]) -> int:
    """The port of these socket addresses.

    For port 0 the kernel chooses different ports for IPv4 and IPv6. Then this is the port of IPv4, whose address has
    fewer elements.
    """
    return int(min(addresses, key=len)[1])


class _BoundedSite(web.BaseSite):
    """A site that checks its limits when a client connects.

    With TLS, aiohttp counts a client only after its handshake.
    """

    def __init__(
        self,
        runner: web.AppRunner,
        port: int,
        tls: ssl.SSLContext | None,
        with_request: set[web.RequestHandler],
        connections: int,
        head_seconds: float,
    ) -> None:
        super().__init__(runner)
        self._port = port
        self._tls = tls
        self._with_request = with_request
        self._connections = connections
        self._head_seconds = head_seconds

    @property
    def name(self) -> str:
        """The site's name. aiohttp requires it."""
        return f"{'https' if self._tls else 'http'}://*:{self._port}"

    async def start(self) -> None:
        """Listens on all addresses."""
        await super().start()
        handshake = TLS_HANDSHAKE_SECONDS if self._tls else None
        self._server = await asyncio.get_running_loop().create_server(
            self._accept, port=self._port, ssl=self._tls, ssl_handshake_timeout=handshake
        )

    def _accept(self) -> asyncio.Protocol:
        """The protocol for a client that connects now."""
        server = self._runner.server
        assert server is not None
        clients = server.connections
        self._with_request.intersection_update(clients)
        if len(clients) >= self._connections:
            silent = next((client for client in clients if client not in self._with_request), None)
            if silent is None:
                return _Cut()
            silent.force_close()
        handler: web.RequestHandler = server()
        asyncio.get_running_loop().call_later(self._head_seconds, self._close_if_silent, handler)
        return handler

    def _close_if_silent(self, handler: web.RequestHandler) -> None:
        if handler not in self._with_request:
            handler.force_close()


class _Cut(asyncio.Protocol):
    """The protocol for a client above the limit: it closes the connection at once."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.abort()
