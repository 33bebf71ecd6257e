"""The metrics port: /healthz (work goes on), /readyz (everything was listed once), /metrics (Prometheus text)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

STUCK_SECONDS: Final = 120.0  # a key that nobody took for so long: the workers hang


@asynccontextmanager
async def serving(
    port: int, registry: CollectorRegistry, age: Callable[[], float], ready: Callable[[], bool]
) -> AsyncIterator[int]:
    """Serves while the body runs; yields the port (a free one for 0). `age`: seconds that the oldest key has waited."""

    async def healthz(_: web.Request) -> web.Response:
        stuck = age() > STUCK_SECONDS
        return web.Response(
            status=503 if stuck else 200, text=f"the oldest key has waited {age():.0f} s\n" if stuck else "ok\n"
        )

    async def readyz(_: web.Request) -> web.Response:
        return web.Response(
            status=200 if ready() else 503, text="ok\n" if ready() else "not everything was listed yet\n"
        )

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = web.Application()
    app.add_routes([web.get("/healthz", healthz), web.get("/readyz", readyz), web.get("/metrics", metrics)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, None, port)
        await site.start()
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()
