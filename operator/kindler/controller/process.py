"""The controller's process: wires ear, informers, queue and workers; leads by a Lease, and ends when it leads no more.

Rights (the chart grants exactly these; a test of the chart compares):

    serving.kindler.dev   models, endpointconfigs, endpoints           get list watch
    serving.kindler.dev   …/status of the three                        update
    serving.kindler.dev   endpoints/finalizers                         update    (owner references that block deletion)
    apps                  replicasets, controllerrevisions             get list watch create patch delete
    apps                  replicasets/scale                            patch
    autoscaling           horizontalpodautoscalers                     get list watch create patch delete
    (core)                services                                     get list watch create patch
    (core)                pods                                         get list watch
    events.k8s.io         events                                       create
    external.metrics.k8s.io    those that the installation allows      get list  (metrics of others, which policies may name)
    apiregistration.k8s.io     apiservices                             get create patch delete, of the two metrics APIs alone
    rbac.authorization.k8s.io  clusterroles                            get, of the one alone that owns what is made of these
    in its own namespace: coordination.k8s.io leases get create update; pods list (the activators); configmaps list watch (certificates)
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
import uuid
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any, Final

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
from kindler.controller.health import serving
from kindler.controller.meter import LoadMeter
from kindler.controller.metrics import Metrics
from kindler.controller.observe import Observer
from kindler.controller.reconcile import Reconciler, ReconcilerParts
from kindler.controller.recorder import Recorder
from kindler.controller.report import Reporter
from kindler.controller.statscache import StatsCache
from kindler.controller.watcher import Watcher
from kindler.controller.workqueue import WorkQueue
from kindler.runtime.process import live

log = logging.getLogger(__name__)

WORKERS: Final = 8


class Controller:
    """One replica. `run` returns the exit status."""

    def __init__(self, settings: ControllerSettings, cluster: Cluster) -> None:
        common = settings.common
        times = LeaseTimes(settings.lease_seconds, settings.lease_renew_seconds, settings.lease_retry_seconds)
        identity = f"{common.pod_name}_{uuid.uuid4().hex[:8]}"
        self.settings = settings
        self.metrics = Metrics()
        self.work: WorkQueue[Key] = WorkQueue(time.monotonic)
        self.directory = Directory()
        self.children = Children(
            cluster, common.namespaces, lambda namespace, name: self.ring(Key("Endpoint", namespace, name))
        )
        self.ear = Watcher(cluster, common.namespaces, self._heard)
        self.lease = Lease(cluster, common.system_namespace, f"{common.release}-controller", identity, times)
        self.activators = ActivatorStats(
            cluster, common.system_namespace, settings.peer_selector, settings.peer_port, settings.peer_token_path
        )
        self.recorder = Recorder(cluster, common.pod_name, time.time)
        self.metrics_api = ApiServiceReconciler(cluster, settings, self._ring_all)
        self.foreign = ForeignMetrics(cluster, settings.prometheus, time.monotonic)
        self.meter, capabilities = (
            LoadMeter(Sampler(self.activators, time.monotonic), self.foreign, time.time, self.ring),
            CapabilityDetector(lambda: self.metrics_api.api),
        )
        stats = StatsCache(self.activators, time.monotonic)
        leading = lambda: self.lease.leading  # noqa: E731
        self.reporter = Reporter(cluster, self.metrics, leading, time.monotonic, self.ear.on_written)
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
        self.awake = False
        self.metrics.read(leading, lambda: self.work.depth, lambda: self.work.age)
        self.metrics.read_api(lambda: self.metrics_api.api)
        for kind, informer in self.children.informers.items():
            self.metrics.watch(kind.plural, lambda informer=informer: informer.restarts)  # type: ignore[misc]

    def ring(self, key: Key) -> None:
        """Asks for a look. A standby looks at nothing; it looks at everything once it leads."""
        if self.awake:
            self.work.add(key)

    def _ring_all(self) -> None:
        for key in self.directory.everything():
            self.ring(key)

    def _heard(self, kind: Resource, old: Object | None, new: Object | None) -> None:
        for key in self.directory.on_event(kind.kind, old, new):
            self.ring(key)
        if new is None and old is not None:
            self.reporter.forget(str(old["metadata"]["uid"]))

    # One process's life

    async def run(self, stop: asyncio.Event) -> int:
        """Until `stop` (0), or until the Lease or the ear is lost (1). A Lease that is held is released, so that another replica goes on at once."""
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(
                serving(self.settings.metrics_port, self.metrics.registry, lambda: self.work.age, self.listed.is_set)
            )
            stack.push_async_callback(self.activators.close)
            stack.push_async_callback(self.foreign.close)
            parts = {
                "children": self.children.run(),
                "ear": self.ear.run(),
                "compare": self._compare(),
                "lead": self._lead(),
                "stop": stop.wait(),
            }
            tasks = [asyncio.create_task(part, name=name) for name, part in parts.items()]
            stack.push_async_callback(_end, tasks)
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if stop.is_set():
            return 0
        for task in done:
            log.error("%s ended: %s", task.get_name(), task.exception() or task.result())
        return 1

    async def _lead(self) -> str:
        """Works while this replica leads; returns why it leads no more: the Lease is lost, or a part of the work has ended, which none ever should."""
        await self.children.synced()
        await self.listed.wait()
        async with self.lease.hold() as lost:
            waking = asyncio.create_task(self._wake(), name="wake")
            parts = {"metrics API": self.metrics_api.run(), "meter": self.meter.run()} | {
                f"worker {n}": self._worker() for n in range(WORKERS)
            }
            tasks = [asyncio.create_task(part, name=name) for name, part in parts.items()]
            try:
                await asyncio.wait((lost, *tasks), return_when=asyncio.FIRST_COMPLETED)
                return (
                    lost.result()
                    if lost.done()
                    else next(f"{t.get_name()} ended: {t.exception()!r}" for t in tasks if t.done())
                )
            finally:
                await _end((waking, *tasks))

    async def _wake(self) -> None:
        """Looks at everything, once that is as new as what the former leader decided from: pools that serve would seem left over to an ear that is behind."""
        await self._compared()
        await self.metrics_api.known()
        self.awake = True
        self._ring_all()

    async def _compare(self) -> None:
        """Makes good what no event told: at the start, and then now and again."""
        while True:
            await self._compared()
            self.listed.set()
            await asyncio.sleep(self.settings.resync_seconds * random.uniform(0.9, 1.1))

    async def _compared(self) -> None:
        """Returns when the three kinds were listed, however often that takes."""
        pause = 0.4
        while True:
            try:
                return await self.ear.relist()
            except ApiError as error:
                log.warning("the three kinds could not be listed: %s", error)
            await asyncio.sleep(pause * random.uniform(0.9, 1.1))
            pause = min(10.0, pause * 2)

    # Work

    async def _worker(self) -> None:
        while True:
            key = await self.work.get()
            await self._pass(key)

    async def _pass(self, key: Key) -> None:
        began, outcome = time.monotonic(), "error"
        try:
            result = await self.reconciler.reconcile(key, self.work.failures(key))
            outcome = result.outcome
            if result.gone:
                self.work.forget(key)
            else:
                resync = self.settings.resync_seconds * random.uniform(0.9, 1.1)
                self.work.done(key, min(resync, result.requeue_after if result.requeue_after is not None else resync))
        except Conflict as error:
            outcome = "conflict"
            self.work.retry(key)
            log.info("%s: again, %s", "/".join(key), error)
        except ApiError as error:
            log.warning("%s: again in %.1f s, %s", "/".join(key), self.work.retry(key, error.retry_after), error)
        except LeadershipLost:
            self.work.retry(key)
        except asyncio.CancelledError:
            raise
        except Exception:
            log.exception("%s: again in %.1f s", "/".join(key), self.work.retry(key))
        finally:
            self.metrics.reconciles.labels(key.kind, outcome).inc()
            self.metrics.seconds.labels(key.kind).observe(time.monotonic() - began)


async def _end(tasks: Sequence[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def run() -> int:
    """Runs until SIGTERM (0), or until it leads no more or cannot hear (1); 2 for settings that cannot be used."""
    logging.getLogger("kopf").setLevel(logging.WARNING)
    return live(
        "controller", controller_settings, lambda settings, cluster, stop: Controller(settings, cluster).run(stop)
    )
