"""The activator's process: wires its parts, runs them, and goes without losing a request."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import suppress
from typing import Any, NamedTuple
from uuid import uuid4

from aiohttp import web

from kindler.activator import admin, metrics, peer
from kindler.activator.accesslog import AccessLog
from kindler.activator.cluster.actuator import ClusterActuator
from kindler.activator.cluster.directory import Directory, keep_endpoint, keep_pod, keep_pool
from kindler.activator.cluster.prober import Prober
from kindler.activator.cluster.writer import Writer
from kindler.activator.endpoint import scaledown
from kindler.activator.endpoint.requests import Cause, Rejection
from kindler.activator.endpoint.throttler import EndpointThrottler
from kindler.activator.ownership import Ownership
from kindler.activator.router import Router
from kindler.activator.wire import Listener, close_idle, start
from kindler.api import names
from kindler.api.settings import ActivatorSettings, SettingsError, activator_settings
from kindler.clients.cluster import ENDPOINTS, PODS, REPLICASETS, ApiError, Cluster
from kindler.clients.informer import Informer
from kindler.runtime import httpserver, logs
from kindler.runtime.tokens import Tokens

log = logging.getLogger(__name__)

ROUND_SECONDS = 0.5
LIST_PAGE = 100  # objects: 500 pods are 3.6 MB of JSON, and parsing them would hold up every request for 0.1 s
PAUSE_SECONDS = 1.0  # before a part that broke begins anew
LAG_SECONDS = (
    10.0  # after SIGTERM: kube-proxies lag, and where there is one replica they send here until its successor is ready
)
LAST_SECONDS = 1.0  # before the grace period ends: who still waits for a pod is told


def run() -> int:
    """Runs the activator until SIGTERM or SIGINT; the exit status."""
    try:
        settings = activator_settings(os.environ)
    except SettingsError as error:
        print(f"kindler activator: {error}", file=sys.stderr)
        return 2
    logs.configure(settings.common.log_level)
    raise_descriptors(settings.connection_limit)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(Activator(settings).run())


def raise_descriptors(connections: int) -> None:
    """Allows this process as many open files as it may have: container runtimes begin at 1,024, and each connection takes one, or two with its pod's."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    if most != resource.RLIM_INFINITY and most < 2 * connections:
        log.warning(
            "at most %d files may be open, too few for %d connections and as many to pods: raise the limit of the container runtime",
            most,
            connections,
        )


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    try:
        import uvloop
    except ImportError:
        log.warning("uvloop is missing: the standard loop serves, about a quarter slower")
        return asyncio.new_event_loop
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


async def _keep_going(part: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Runs a part of the process for ever: what breaks begins anew, since to end would cut off every client."""
    while True:
        try:
            await part()
        except Exception:
            log.exception("%s broke and begins anew", part.__qualname__)
        await asyncio.sleep(PAUSE_SECONDS)


class Ports(NamedTuple):
    """What is listened on."""

    public: int
    peer: int
    admin: int


class Activator:
    """One replica. `run` is its life."""

    def __init__(self, settings: ActivatorSettings) -> None:
        common = settings.common
        self.settings = settings
        self.cluster = Cluster(page_size=LIST_PAGE)
        self.ownership = Ownership()
        self.telling = AccessLog(settings.access_log)
        self.writer = Writer(self.cluster)
        self.prober = Prober(settings.probe_interval_seconds, settings.probe_timeout_seconds)
        self.actuator = ClusterActuator(self.prober, self.writer, close_idle)
        self.directory = Directory(
            lambda identity: EndpointThrottler(identity, self.actuator, self.telling, time.monotonic)
        )
        self.door = Router(settings, self.cluster, self.directory, self.ownership, lambda: self.synced)
        accounts = (
            f"system:serviceaccount:{common.system_namespace}:{common.release}-{process}"
            for process in ("controller", "activator", "metrics")
        )
        self.tokens = Tokens(self.cluster, names.PEER_AUDIENCE, frozenset(accounts))
        self.informers = self._informers()
        self.last_round = time.monotonic()
        self.stop = asyncio.Event()  # set: drain and go
        self.listening = asyncio.Event()
        self.accepting = True
        self.ports = Ports(0, 0, 0)
        self.listener: Listener | None = None
        self._runners: list[web.AppRunner] = []

    async def run(self) -> int:
        """Serves until told to stop, then drains; the exit status: 0, or 1 when it could not begin or a part of it broke."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop.set)
        status = 0
        try:
            await self.cluster.connect()
            await self._listen()
            await self._work()
        except* (OSError, ApiError) as error:
            log.critical("the activator cannot begin: %s", "; ".join(str(e) for e in error.exceptions))
            status = 1
        except* Exception as broken:
            log.critical("a part of the activator broke", exc_info=broken)
            status = 1
        finally:
            await self._close()
        return status

    async def _listen(self) -> None:
        self.listener = await start(self.settings, self.door)
        peers = peer.application(self.directory, self.ownership, self.tokens, str(uuid4()), lambda: self.synced)
        admins = admin.application(self.health, self.directory, self._samples)
        self.ports = Ports(
            self.listener.port,
            await self._site(self.settings.peer_port, peers),
            await self._site(self.settings.admin_port, admins),
        )
        gc.collect()
        gc.freeze()
        log.info(
            "activator %s listens on %d (requests), %d (peers), %d (admin)", self.settings.common.pod_name, *self.ports
        )
        self.listening.set()

    async def _work(self) -> None:
        async with asyncio.TaskGroup() as group:
            work = [*(informer.run for informer in self.informers), self._rounds, self.telling.run]
            tasks = [group.create_task(_keep_going(part)) for part in work]
            await self.stop.wait()
            await self._drain()
            for task in tasks:
                task.cancel()

    async def _drain(self) -> None:
        """Serves on, telling clients to come back by another connection; then takes nothing new, answers what it has, and goes when empty."""
        listener, began = self.listener, time.monotonic()
        assert listener is not None
        grace = self.settings.shutdown_grace_seconds
        self.door.closing = True
        log.info("going: %d requests under way, at most %g s", listener.streams, grace)
        await asyncio.sleep(min(LAG_SECONDS, grace / 2))
        self.accepting = False
        listener.stop_accepting()
        listener.close_idle()
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, began + grace - LAST_SECONDS - time.monotonic())):
                await listener.idle()
        for throttler in list(self.directory.throttlers.values()):
            throttler.dismiss(
                Rejection(
                    Cause.SHUTTING_DOWN, "This replica is going and the endpoint has not started yet. Try again.", 1
                )
            )
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, began + grace - time.monotonic())):
                await listener.idle()

    async def _rounds(self) -> None:
        """What time alone brings about, for each endpoint."""
        broken: dict[str, int] = {}  # rounds that failed, by uid: told at the 1st, 2nd, 4th, 8th …
        while True:
            await asyncio.sleep(ROUND_SECONDS)
            now = self.last_round = time.monotonic()
            for throttler in list(self.directory.throttlers.values()):
                try:
                    scaledown.tick(throttler, self.actuator, now, self.door.closing)
                except Exception:  # one endpoint's trouble must not end the others' rounds
                    count = broken[throttler.identity.uid] = broken.get(throttler.identity.uid, 0) + 1
                    if count & (count - 1) == 0:
                        log.exception(
                            "the round of endpoint %s/%s failed", throttler.identity.namespace, throttler.identity.name
                        )

    async def _close(self) -> None:
        if self.listener is not None:
            await self.listener.stop()
        for runner in self._runners:
            await runner.cleanup()
        await self.tokens.close()
        await self.door.close()
        await self.prober.close()
        await self.writer.close()
        self.telling.flush()
        await self.cluster.close()

    def _informers(self) -> list[Informer]:
        where, known = self.settings.common.namespaces, self.directory
        return [
            Informer(self.cluster, ENDPOINTS, where, transform=keep_endpoint, on_change=known.endpoint),
            Informer(self.cluster, REPLICASETS, where, names.LABEL_ENDPOINT, keep_pool, known.pool),
            Informer(self.cluster, PODS, where, names.LABEL_ENDPOINT, keep_pod, known.pod),
        ]

    async def _site(self, port: int, application: web.Application) -> int:
        runner, bound = await httpserver.serve(application, port)
        self._runners.append(runner)
        return bound

    @property
    def synced(self) -> bool:
        """Whether everything was listed once."""
        return all(informer.synced.is_set() for informer in self.informers)

    def health(self) -> admin.Health:
        """What the admin port says."""
        heard = min(informer.last_event for informer in self.informers)
        now = time.monotonic()
        return admin.Health(
            self.synced,
            self.accepting,
            now - self.last_round,
            now - heard if heard else None,
            self.writer.unwritten,
            self.writer.failure,
        )

    def _samples(self) -> Iterator[metrics.Family]:
        """Metrics of the process as a whole."""
        connections = self.listener.connections if self.listener else 0
        yield "kindler_activator_connections", "gauge", [("", connections)]
        yield "kindler_activator_held_bytes", "gauge", [("", self.door.held_bytes)]
        yield "kindler_activator_unwritten", "gauge", [("", self.writer.unwritten)]
        yield (
            "kindler_activator_watch_restarts_total",
            "counter",
            [("", sum(informer.restarts for informer in self.informers))],
        )
        yield (
            "kindler_activator_unaddressed_total",
            "counter",
            [(f'cause="{cause.value}"', count) for cause, count in self.door.missed.items()],
        )
