"""The admin port, inside the cluster only: liveness, readiness and Prometheus metrics of this replica."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from aiohttp import web

from kindler.activator import metrics
from kindler.activator.cluster.directory import Directory

STALLED_SECONDS = 10.0  # if there is no tick for this long, the process has an error that only a restart fixes


@dataclass(frozen=True, slots=True)
class Health:
    """The state of the process.

    `tick_age`: seconds since the last tick. `api_age`: seconds since the API server last sent data, None before the
    first time. `pending_writes`: writes that wait for the API server. `failure`: the last write's error, or None.
    """

    synced: bool
    accepting: bool
    tick_age: float
    api_age: float | None
    pending_writes: int
    failure: str | None


Samples = Callable[[], Iterator[metrics.Family]]


def application(health: Callable[[], Health], directory: Directory, samples: Samples) -> web.Application:
    """Serves `/healthz`, `/readyz` and `/metrics`. `samples`: metrics of the process as a whole."""

    async def healthz(_: web.Request) -> web.Response:
        now = health()
        body = {
            "status": "ok" if now.tick_age < STALLED_SECONDS else "stalled",
            "secondsSinceRound": round(now.tick_age, 1),
            "secondsSinceApiServer": None if now.api_age is None else round(now.api_age, 1),
            "unwritten": now.pending_writes,
            "trouble": now.failure,
        }
        return web.json_response(body, status=200 if body["status"] == "ok" else 503)

    async def readyz(_: web.Request) -> web.Response:
        now = health()
        reason = "shutting down" if not now.accepting else "routes are not known yet" if not now.synced else None
        return web.json_response({"status": reason or "ok"}, status=503 if reason else 200)

    async def scrape(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})
        await response.prepare(request)
        for piece in metrics.pieces(directory.throttlers.values(), samples()):
            await response.write(piece.encode())
            await asyncio.sleep(0)
        await response.write_eof()
        return response

    app = web.Application()
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", scrape)
    return app
