"""The controller's process: it builds watcher, informers, queue and workers, and leads while it holds a Lease.

It exits when it loses the Lease.

Rights (the chart grants exactly these; a test of the chart compares):

    serving.kindler.dev   models, endpointconfigs, endpoints      get list watch
    serving.kindler.dev   …/status of the three                   update
    serving.kindler.dev   endpoints/finalizers                    update  (owner references that block deletion)
    apps                  replicasets, controllerrevisions        get list watch create patch delete
    apps                  replicasets/scale                       patch
    autoscaling           horizontalpodautoscalers                get list watch create patch delete
    (core)                services                                get list watch create patch
    (core)                pods                                    get list watch
    events.k8s.io         events                                  create
    external.metrics.k8s.io    what the installation allows       get list  (foreign metrics in policies)
    apiregistration.k8s.io     apiservices                        get create patch delete, of the two metrics APIs alone
    rbac.authorization.k8s.io  clusterroles                       get, only the one that owns these APIServices
    in its own namespace: coordination.k8s.io leases get create update; pods list (the activators);
    configmaps list watch (certificates)
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
import uuid
from contextlib import AsyncExitStack
from typing import Final

from kindler.api.settings import ControllerSettings, controller_settings
from kindler.clients.activators import ActivatorStats
from kindler.clients.cluster import ApiError, Cluster, Conflict, Object, Resource
from kindler.clients.foreign import ForeignMetrics
from kindler.clients.lease import Lease, LeaseTimes
from kindler.clients.sampler import Sampler
from kindler.controller.apiservice import ApiServiceReconciler
from kindler.controller.apply import Applier, LeadershipLost
from kindler.controller.capabilities import CapabilityDetector
from kindler.controller.children import Children
from kindler.controller.directory import Directory, Key
from kindler.controller.meter import LoadMeter
from kindler.controller.metrics import Metrics
from kindler.controller.observe import Observer
from kindler.controller.reconcile import Reconciler, ReconcilerParts
from kindler.controller.recorder import Recorder
from kindler.controller.report import Reporter
from kindler.controller.statscache import StatsCache
from kindler.controller.watcher import Watcher
from kindler.controller.workqueue import WorkQueue
from kindler.runtime.httpserver import health_application, serving
from kindler.runtime.process import run_process
from kindler.runtime.tasks import cancel_all, retry, run_until_first_ends

log = logging.getLogger(__name__)

WORKERS: Final = 8
# If a key has waited for a worker for this many seconds, the workers hang, and the kubelet restarts the container.
STUCK_SECONDS: Final = 120.0


class Controller:
    """One replica of the controller. `run` returns the exit status."""

    def __init__(self, settings: ControllerSettings, cluster: Cluster) -> None:
        common = settings.common
        times = LeaseTimes(settings.lease_seconds, settings.lease_renew_seconds, settings.lease_retry_seconds)
        identity = f"{common.pod_name}_{uuid.uuid4().hex[:8]}"
        self.settings = settings
        self.metrics = Metrics()
        self.queue: WorkQueue[Key] = WorkQueue(time.monotonic)
        self.directory = Directory()
        self.children = Children(
            cluster, common.namespaces, lambda namespace, name: self.enqueue(Key("Endpoint", namespace, name))
        )
        self.watcher = Watcher(cluster, common.namespaces, self._on_event)
        self.lease = Lease(cluster, common.system_namespace, f"{common.release}-controller", identity, times)
        self.activators = ActivatorStats(
            cluster, common.system_namespace, settings.peer_selector, settings.peer_port, settings.peer_token_path
        )
        self.recorder = Recorder(cluster, common.pod_name, time.time)
        self.metrics_api = ApiServiceReconciler(cluster, settings, self._enqueue_all)
        self.foreign = ForeignMetrics(cluster, settings.prometheus, time.monotonic)
        self.meter = LoadMeter(Sampler(self.activators, time.monotonic), self.foreign, time.time, self.enqueue)
        capabilities = CapabilityDetector(lambda: self.metrics_api.api)
        stats = StatsCache(self.activators, time.monotonic)
        leading = lambda: self.lease.leading  # noqa: E731
        self.reporter = Reporter(cluster, self.metrics, leading, time.monotonic, self.watcher.on_written)
        self.reconciler = Reconciler(
            settings,
            ReconcilerParts(
                self.directory,
                Observer(self.directory, self.children, stats, capabilities, self.meter, time.time),
                Applier(cluster, self.metrics, leading),
                self.reporter,
                self.recorder,
                capabilities,
                self.meter,
            ),
            time.time,
        )
        self.listed = asyncio.Event()
        self.working = False
        self.metrics.read(leading, lambda: self.queue.depth, lambda: self.queue.age)
        self.metrics.read_api(lambda: self.metrics_api.api)
        for kind, informer in self.children.informers.items():
            self.metrics.watch(kind.plural, lambda informer=informer: informer.restarts)  # type: ignore[misc]

    def enqueue(self, key: Key) -> None:
        """Adds a key to the queue. A standby does nothing: when it becomes the leader, it adds all keys."""
        if self.working:
            self.queue.add(key)

    def _enqueue_all(self) -> None:
        for key in self.directory.everything():
            self.enqueue(key)

    def _on_event(self, kind: Resource, old: Object | None, new: Object | None) -> None:
        for key in self.directory.on_event(kind.kind, old, new):
            self.enqueue(key)
        if new is None and old is not None:
            self.reporter.forget(str(old["metadata"]["uid"]))

    # The life of the process

    async def run(self, stop: asyncio.Event) -> int:
        """Runs until `stop` is set (returns 0), or until the Lease is lost or a part ends (returns 1).

        At the end it releases a Lease that it holds, so that another replica leads at once.
        """
        async with AsyncExitStack() as stack:
            health = health_application(self.not_alive, self.not_ready, self.metrics.registry)
            await stack.enter_async_context(serving(health, self.settings.metrics_port))
            stack.push_async_callback(self.activators.close)
            stack.push_async_callback(self.foreign.close)
            parts = {
                "children": self.children.run(),
                "watcher": self.watcher.run(),
                "relist": self._relist(),
                "lead": self._lead(),
            }
            return await run_until_first_ends(parts, stop)

    def not_alive(self) -> str | None:
        """Why the kubelet should restart the container, or None."""
        age = self.queue.age
        return f"the oldest key has waited {age:.0f} s" if age > STUCK_SECONDS else None

    def not_ready(self) -> str | None:
        """Why the process is not ready, or None."""
        return None if self.listed.is_set() else "not everything was listed yet"

    async def _lead(self) -> str:
        """Works while this replica leads. Returns why it stopped: the Lease was lost, or a task ended."""
        await self.children.synced()
        await self.listed.wait()
        async with self.lease.hold() as lost:
            beginning = asyncio.create_task(self._begin(), name="begin")
            parts = {"metrics API": self.metrics_api.run(), "meter": self.meter.run()} | {
                f"worker {n}": self._worker() for n in range(WORKERS)
            }
            tasks = [asyncio.create_task(part, name=name) for name, part in parts.items()]
            try:
                await asyncio.wait((lost, *tasks), return_when=asyncio.FIRST_COMPLETED)
                if lost.done():
                    return lost.result()
                return next(f"{t.get_name()} ended: {t.exception()!r}" for t in tasks if t.done())
            finally:
                await cancel_all((beginning, *tasks))

    async def _begin(self) -> None:
        """Adds every key once this process knows at least what the former leader knew.

        With older data, pools that serve could look unused, and the controller would remove them.
        """
        await self._relist_once()
        await self.metrics_api.known()
        self.working = True
        self._enqueue_all()

    async def _relist(self) -> None:
        """Lists the three kinds at the start and then periodically, to detect changes that no event reported."""
        while True:
            await self._relist_once()
            self.listed.set()
            await asyncio.sleep(self.settings.resync_seconds * random.uniform(0.9, 1.1))

    async def _relist_once(self) -> None:
        await retry(self.watcher.relist, ApiError, "listing Models, EndpointConfigs and Endpoints")

    # Workers

    async def _worker(self) -> None:
        while True:
            key = await self.queue.get()
            await self._pass(key)

    async def _pass(self, key: Key) -> None:
        began, outcome = time.monotonic(), "error"
        try:
            result = await self.reconciler.reconcile(key, self.queue.failures(key))
            outcome = result.outcome
            if result.gone:
                self.queue.forget(key)
            else:
                resync = self.settings.resync_seconds * random.uniform(0.9, 1.1)
                self.queue.done(key, min(resync, result.requeue_after if result.requeue_after is not None else resync))
        except Conflict as error:
            outcome = "conflict"
            self.queue.retry(key)
            log.info("%s will be reconciled again: %s", "/".join(key), error)
        except ApiError as error:
            log.warning(
                "%s will be reconciled again in %.1f s: %s",
                "/".join(key),
                self.queue.retry(key, error.retry_after),
                error,
            )
        except LeadershipLost:
            self.queue.retry(key)
        except asyncio.CancelledError:
            raise
        except Exception:
            log.exception("%s failed and will be reconciled again in %.1f s", "/".join(key), self.queue.retry(key))
        finally:
            self.metrics.reconciles.labels(key.kind, outcome).inc()
            self.metrics.seconds.labels(key.kind).observe(time.monotonic() - began)


async def _life(settings: ControllerSettings, cluster: Cluster, stop: asyncio.Event) -> int:
    return await Controller(settings, cluster).run(stop)


def run() -> int:
    """Runs until SIGTERM (returns 0) or until it cannot lead or watch any more (1). Returns 2 for invalid settings."""
    logging.getLogger("kopf").setLevel(logging.WARNING)
    return run_process("controller", controller_settings, _life)
