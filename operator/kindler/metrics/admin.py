"""The admin port, plain HTTP: liveness, readiness, and the metrics of this process. All metrics are declared here."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, generate_latest

# Without a sample for so long, this process is broken: liveness fails, and the kubelet restarts it.
STUCK_SECONDS: Final = 60.0

_OUTCOMES: Final = {400: "bad_request", 403: "denied", 404: "not_found", 503: "no_data"}


@dataclass(frozen=True, slots=True)
class Health:
    """`not_ready`: why the process cannot serve, None if it can. `loop_age`: seconds since the last sample started."""

    not_ready: str | None
    loop_age: float


class RequestMetrics:
    """The counters and gauges of one process, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "kindler_metrics_requests",
            "Requests of the API server, by API (external, custom, discovery) and outcome.",
            ("api", "outcome"),
            registry=self.registry,
        )

    def count(self, api: str, status: int) -> None:
        """Counts a response."""
        self._requests.labels(api, "ok" if status < 400 else _OUTCOMES.get(status, "error")).inc()

    def gauge(self, name: str, documentation: str, read: Callable[[], float]) -> None:
        """Adds a gauge that is read at each scrape."""
        Gauge(name, documentation, registry=self.registry).set_function(read)


@asynccontextmanager
async def admin(port: int, telling: RequestMetrics, health: Callable[[], Health]) -> AsyncIterator[int]:
    """Serves while the body runs; yields the port (for 0 a free one)."""

    async def healthz(_: web.Request) -> web.Response:
        stuck = (loop_age := health().loop_age) > STUCK_SECONDS
        return web.Response(
            status=503 if stuck else 200,
            text=f"activators have not been asked for {loop_age:.0f} s\n" if stuck else "ok\n",
        )

    async def readyz(_: web.Request) -> web.Response:
        not_ready = health().not_ready
        return web.Response(status=503 if not_ready else 200, text=f"{not_ready}\n" if not_ready else "ok\n")

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
    """The port of these socket addresses. With a free port each address family has another one: then it is IPv4's."""
    return int(min(addresses, key=len)[1])
