"""The admin port, plain HTTP: is this process alive, may it be asked, and what was it asked. Each metric of the process is named here."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, generate_latest

STUCK_SECONDS: Final = (
    60.0  # without a round of questions to the activators: something in this process is broken for good
)

_OUTCOMES: Final = {400: "bad_request", 403: "denied", 404: "not_found", 503: "no_data"}


@dataclass(frozen=True, slots=True)
class Health:
    """`missing`: what keeps the process from answering, None when it can. `alive`: seconds since the loop of questions last turned."""

    missing: str | None
    alive: float


class RequestMetrics:
    """Counters and gauges of one process, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "kindler_metrics_requests",
            "Requests of the API server, by API (external, custom, discovery) and outcome.",
            ("api", "outcome"),
            registry=self.registry,
        )

    def asked(self, api: str, status: int) -> None:
        """A request was answered."""
        self._requests.labels(api, "ok" if status < 400 else _OUTCOMES.get(status, "error")).inc()

    def gauge(self, name: str, told: str, read: Callable[[], float]) -> None:
        """A number that is looked up when it is scraped."""
        Gauge(name, told, registry=self.registry).set_function(read)


@asynccontextmanager
async def admin(port: int, telling: RequestMetrics, health: Callable[[], Health]) -> AsyncIterator[int]:
    """Serves while the body runs; yields the port (a free one for 0)."""

    async def healthz(_: web.Request) -> web.Response:
        stuck = (alive := health().alive) > STUCK_SECONDS
        return web.Response(
            status=503 if stuck else 200,
            text=f"activators have not been asked for {alive:.0f} s\n" if stuck else "ok\n",
        )

    async def readyz(_: web.Request) -> web.Response:
        missing = health().missing
        return web.Response(status=503 if missing else 200, text=f"{missing}\n" if missing else "ok\n")

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(telling.registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = web.Application()
    app.add_routes([web.get("/healthz", healthz), web.get("/readyz", readyz), web.get("/metrics", metrics)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, None, port).start()
        yield port_of(runner.addresses)
    finally:
        await runner.cleanup()


def port_of(addresses: Sequence[Any]) -> int:
    """The port of these socket addresses. Where any free one was asked for, each family got another: then it is IPv4's."""
    return int(min(addresses, key=len)[1])
