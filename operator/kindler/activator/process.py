"""The activator's process: it builds the parts, runs them, and drains before it exits, so that no request is lost."""

from __future__ import annotations

import asyncio
import gc
import logging
import resource
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, suppress
from typing import Final, NamedTuple
from uuid import uuid4

from kindler.activator import admin, metrics, peer
from kindler.activator.accesslog import AccessLog
from kindler.activator.cluster.actuator import ClusterActuator
from kindler.activator.cluster.directory import Directory
from kindler.activator.cluster.prober import Prober
from kindler.activator.cluster.trim import trim_endpoint, trim_pod, trim_pool
from kindler.activator.cluster.writer import Writer
from kindler.activator.endpoint import scaledown
from kindler.activator.endpoint.requests import Cause, Rejection
from kindler.activator.endpoint.throttler import EndpointThrottler
from kindler.activator.ownership import Ownership
from kindler.activator.router import Router
from kindler.activator.wire import Listener, close_idle, start
from kindler.api import names
from kindler.api.settings import ActivatorSettings, activator_settings
from kindler.clients.cluster import ENDPOINTS, PODS, REPLICASETS, Cluster
from kindler.clients.informer import Informer
from kindler.core.common.ratelimit import is_power_of_two
from kindler.runtime.httpserver import serving
from kindler.runtime.process import run_process
from kindler.runtime.tasks import cancel_all, keep_running
from kindler.runtime.tokens import Tokens

log = logging.getLogger(__name__)

TICK_SECONDS: Final = 0.5
# Objects per page of a list. A page of 500 pods is 3.6 MB of JSON, and to parse it would block requests for 0.1 s.
LIST_PAGE: Final = 100
FIRST_PAUSE: Final = 1.0  # seconds before a background task starts again after its first failure
# Seconds after SIGTERM in which the activator still accepts connections. There are two reasons: each kube-proxy learns
# late that this pod is shutting down, and with one replica there is no other activator until the new pod is ready.
KUBE_PROXY_LAG_SECONDS: Final = 10.0
LAST_SECONDS: Final = 1.0  # this long before the end of the grace period, the activator rejects all held requests


def run() -> int:
    """Runs the activator until SIGTERM or SIGINT. For the exit status see runtime.process."""
    return run_process("activator", activator_settings, _life, LIST_PAGE)


async def _life(settings: ActivatorSettings, cluster: Cluster, stop: asyncio.Event) -> int:
    raise_file_limit(settings.connection_limit)
    return await Activator(settings, cluster).run(stop)


def raise_file_limit(connections: int) -> None:
    """Raises the soft limit of open files to the hard limit, and warns if the hard limit is too low.

    Container runtimes start processes with a soft limit of 1,024. Each client connection needs one file, and the
    connection to its pod needs another file.
    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    if most != resource.RLIM_INFINITY and most < 2 * connections:
        text = (
            "at most %d files may be open, too few for %d client connections and as many to pods: "
            "raise the limit of the container runtime"
        )
        log.warning(text, most, connections)


class Ports(NamedTuple):
    """The ports that the process listens on."""

    public: int
    peer: int
    admin: int


class Activator:
    """One replica of the activator. `listening` is set once all ports are open; then `ports` contains their numbers."""

    def __init__(self, settings: ActivatorSettings, cluster: Cluster) -> None:
        common = settings.common
        self.settings = settings
        self.cluster = cluster
        self.ownership = Ownership()
        self.access_log = AccessLog(settings.access_log)
        self.writer = Writer(cluster)
        self.prober = Prober(settings.probe_interval_seconds, settings.probe_timeout_seconds)
        self.actuator = ClusterActuator(self.prober, self.writer, close_idle)
        self.directory = Directory(
            lambda identity: EndpointThrottler(identity, self.actuator, (self.access_log,), time.monotonic)
        )
        self.router = Router(settings, cluster, self.directory, self.ownership, lambda: self.synced)
        accounts = (
            f"system:serviceaccount:{common.system_namespace}:{common.release}-{process}"
            for process in ("controller", "activator", "metrics")
        )
        self.tokens = Tokens(cluster, names.PEER_AUDIENCE, frozenset(accounts))
        self.informers = self._informers()
        self.last_tick = time.monotonic()
        self.listening = asyncio.Event()
        self.accepting = True
        self.ports = Ports(0, 0, 0)
        self.listener: Listener | None = None

    async def run(self, stop: asyncio.Event) -> int:
        """Serves until `stop` is set, and then drains. Returns exit status 0. Raises OSError if a port is in use."""
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._close)
            await self._listen(stack)
            parts = [*(informer.run for informer in self.informers), self._tick_all, self.access_log.run]
            tasks = [asyncio.create_task(keep_running(part, FIRST_PAUSE), name=part.__qualname__) for part in parts]
            stack.push_async_callback(cancel_all, tasks)
            await stop.wait()
            await self._drain()
        return 0

    async def _listen(self, stack: AsyncExitStack) -> None:
        peers = peer.application(self.directory, self.ownership, self.tokens, str(uuid4()), lambda: self.synced)
        admins = admin.application(self.health, self.directory, self._samples)
        peer_port = await stack.enter_async_context(serving(peers, self.settings.peer_port))
        admin_port = await stack.enter_async_context(serving(admins, self.settings.admin_port))
        # Started last, so that the stack stops it before the other two ports: they answer until no request is left.
        self.listener = await start(self.settings, self.router)
        stack.push_async_callback(self.listener.stop)
        self.ports = Ports(self.listener.port, peer_port, admin_port)
        gc.collect()
        gc.freeze()
        text = "activator %s listens on %d (requests), %d (peers), %d (admin)"
        log.info(text, self.settings.common.pod_name, *self.ports)
        self.listening.set()

    async def _drain(self) -> None:
        """Continues to serve while kube-proxies still send clients here.

        Then it accepts no new connection, and returns when no request is left or the grace period is over. Each
        response contains `Connection: close`, so that clients connect to another replica.
        """
        listener, began = self.listener, time.monotonic()
        assert listener is not None
        grace = self.settings.shutdown_grace_seconds
        self.router.closing = True
        log.info("draining: %d requests in progress, at most %g s", listener.streams, grace)
        await asyncio.sleep(min(KUBE_PROXY_LAG_SECONDS, grace / 2))
        self.accepting = False
        listener.stop_accepting()
        listener.close_idle()
        await _idle_until(listener, began + grace - LAST_SECONDS)
        reason = "This replica is shutting down and the endpoint has not started yet. Try again."
        for throttler in list(self.directory.throttlers.values()):
            throttler.reject_all_held(Rejection(Cause.SHUTTING_DOWN, reason, 1))
        await _idle_until(listener, began + grace)

    async def _tick_all(self) -> None:
        """Calls the tick of each endpoint periodically.

        If the tick of one endpoint fails, the ticks of the other endpoints still run.
        """
        failures: dict[str, int] = {}  # ticks that failed, by uid of the Endpoint
        while True:
            await asyncio.sleep(TICK_SECONDS)
            now = self.last_tick = time.monotonic()
            for throttler in list(self.directory.throttlers.values()):
                try:
                    scaledown.tick(throttler, self.actuator, now, self.router.closing)
                except Exception:
                    identity = throttler.identity
                    count = failures[identity.uid] = failures.get(identity.uid, 0) + 1
                    if is_power_of_two(count):
                        log.exception("the tick of endpoint %s/%s failed", identity.namespace, identity.name)

    async def _close(self) -> None:
        await self.tokens.close()
        await self.router.close()
        await self.prober.close()
        await self.writer.close()
        self.access_log.flush()

    def _informers(self) -> list[Informer]:
        where, directory = self.settings.common.namespaces, self.directory
        return [
            Informer(self.cluster, ENDPOINTS, where, transform=trim_endpoint, on_change=directory.on_endpoint),
            Informer(self.cluster, REPLICASETS, where, names.LABEL_ENDPOINT, trim_pool, directory.on_pool),
            Informer(self.cluster, PODS, where, names.LABEL_ENDPOINT, trim_pod, directory.on_pod),
        ]

    @property
    def synced(self) -> bool:
        """Whether every informer has listed its objects once."""
        return all(informer.synced.is_set() for informer in self.informers)

    def health(self) -> admin.Health:
        """The state that the admin port reports."""
        last_event = min(informer.last_event for informer in self.informers)
        now = time.monotonic()
        return admin.Health(
            self.synced,
            self.accepting,
            now - self.last_tick,
            now - last_event if last_event else None,
            self.writer.pending_writes,
            self.writer.failure,
        )

    def _samples(self) -> Iterator[metrics.Family]:
        """Metrics of the process as a whole."""
        connections = self.listener.connections if self.listener else 0
        restarts = sum(informer.restarts for informer in self.informers)
        missed: list[tuple[str, float]] = [
            (f'cause="{cause.value}"', count) for cause, count in self.router.missed.items()
        ]
        yield "kindler_activator_connections", "gauge", [("", connections)]
        yield "kindler_activator_held_bytes", "gauge", [("", self.router.held_bytes)]
        yield "kindler_activator_unwritten", "gauge", [("", self.writer.pending_writes)]
        yield "kindler_activator_watch_restarts_total", "counter", [("", restarts)]
        yield "kindler_activator_unaddressed_total", "counter", missed


async def _idle_until(listener: Listener, deadline: float) -> None:
    """Waits until the listener has no request and no client, or until `deadline` (monotonic seconds)."""
    with suppress(TimeoutError):
        async with asyncio.timeout(max(0.0, deadline - time.monotonic())):
            await listener.idle()
