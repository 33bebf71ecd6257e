"""The admin port, inside the cluster only: is this replica alive, may it get requests, and what has it done."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from aiohttp import web

from kindler.activator import metrics
from kindler.activator.cluster.directory import Directory

STALLED_SECONDS = 10.0  # without a round of the clockwork: something in this process is broken for good


@dataclass(frozen=True, slots=True)
class Health:
    """What the process says of itself. `round_age`: seconds since the last round. `api_age`: since the API server's last sign of life, None before the first.

    `unwritten`: writes that wait for it, `trouble` the last one's.
    """

    synced: bool
    accepting: bool
    round_age: float
    api_age: float | None
    unwritten: int
    failure: str | None


Samples = Callable[[], Iterator[metrics.Family]]


def application(health: Callable[[], Health], directory: Directory, samples: Samples) -> web.Application:
    """`/healthz`, `/readyz`, `/metrics`."""

    async def healthz(_: web.Request) -> web.Response:
        now = health()
        body = {
            "status": "ok" if now.round_age < STALLED_SECONDS else "stalled",
            "secondsSinceRound": round(now.round_age, 1),
            "secondsSinceApiServer": None if now.api_age is None else round(now.api_age, 1),
            "unwritten": now.unwritten,
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
