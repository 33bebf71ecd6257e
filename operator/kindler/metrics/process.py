"""The metrics process: wires its parts, runs them, and ends when one of them does.

Rights (the chart grants exactly these; a test of the chart compares):

    serving.kindler.dev        endpoints                                    get list watch
    external.metrics.k8s.io    those that the installation allows           get list   (metrics of others, which policies may name)
    in its own namespace: pods list (the activators, and others like itself); configmaps get patch, of its own one alone (the certificate)
    in kube-system: configmaps get, of extension-apiserver-authentication alone
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from typing import Any

from kindler.api.settings import MetricsSettings, metrics_settings
from kindler.clients.activators import ActivatorStats
from kindler.clients.cluster import ENDPOINTS, Cluster
from kindler.clients.foreign import ForeignMetrics
from kindler.clients.informer import Informer
from kindler.clients.sampler import PERIOD_SECONDS, TIMEOUT_SECONDS, Sampler
from kindler.core.autoscaling.metrics.usage import WINDOW
from kindler.metrics.admin import Health, RequestMetrics, admin
from kindler.metrics.directory import Directory, trim
from kindler.metrics.handover import Handover
from kindler.metrics.publisher import CertificatePublisher, MountedSource, SelfSignedSource, Source
from kindler.metrics.server import application, serving
from kindler.metrics.tls import TlsContext
from kindler.metrics.trust import FrontProxy
from kindler.metrics.values import Values
from kindler.runtime.process import live

log = logging.getLogger(__name__)


class MetricsProcess:
    """One replica: each measures for itself, and answers alike. `run` returns the exit status. `clock`: epoch seconds. `seconds`: between rounds."""

    def __init__(
        self,
        settings: MetricsSettings,
        cluster: Cluster,
        clock: Callable[[], float] = time.time,
        seconds: float = PERIOD_SECONDS,
    ) -> None:
        common = settings.common
        self.settings = settings
        self.telling = RequestMetrics()
        self.doorkeeper = TlsContext()
        self.trust = FrontProxy(cluster, self.doorkeeper)
        self.keeper = self._keeper(cluster, clock)
        self.directory = Directory()
        self.informer = Informer(
            cluster, ENDPOINTS, common.namespaces, transform=trim, on_change=self.directory.on_event
        )
        peers = (common.system_namespace, settings.peer_selector, settings.peer_port, settings.peer_token_path)
        self.activators = ActivatorStats(cluster, *peers, timeout_seconds=TIMEOUT_SECONDS)
        self.sampler = Sampler(self.activators, time.monotonic, seconds)
        self.foreign = ForeignMetrics(cluster, settings.prometheus, time.monotonic)
        self.values = Values(self.directory, self.sampler, self.foreign, clock)
        self.listening = asyncio.Event()
        self.ports = (0, 0)  # API, admin
        self._began = time.monotonic()
        self.handover = Handover(
            cluster, common, lambda: len(self.directory) > 0, lambda: time.monotonic() - self._began > WINDOW
        )
        self._gauges()

    def _keeper(self, cluster: Cluster, clock: Callable[[], float]) -> CertificatePublisher:
        settings, common = self.settings, self.settings.common
        names = (settings.service, f"{settings.service}.{common.cluster_domain}")
        source: Source = (
            MountedSource(settings.tls_directory, self.doorkeeper)
            if settings.tls_directory
            else SelfSignedSource(names, self.doorkeeper, clock)
        )
        return CertificatePublisher(
            source, cluster, common.system_namespace, settings.config_map, common.pod_name, clock
        )

    def _gauges(self) -> None:
        tell = self.telling.gauge
        tell("kindler_metrics_sample_age_seconds", "Since activators were last asked.", lambda: self.sampler.sample_age)
        tell(
            "kindler_metrics_endpoints",
            "Endpoints whose scaling policies are answered for.",
            lambda: len(self.directory),
        )
        tell(
            "kindler_metrics_warm_pools",
            "Endpoints with a warm pool that activators tell of.",
            lambda: self.sampler.endpoints,
        )
        tell("kindler_metrics_watch_restarts", "Watches that ended in trouble.", lambda: self.informer.restarts)

    def health(self) -> Health:
        """What the admin port says."""
        missing = None
        if not self.informer.synced.is_set():
            missing = "Endpoints were not listed yet"
        elif not self.doorkeeper.ready:
            missing = "there is no certificate yet, or the cluster has not said who may call"
        elif not self.keeper.published:
            missing = "its certificate is not published yet"
        elif not self.handover.taken_over.is_set():
            missing = "another metrics server answers, until this one knows a whole minute"
        return Health(missing, min(self.sampler.loop_age, time.monotonic() - self._began))

    async def run(self, stop: asyncio.Event) -> int:
        """Until `stop` (0), or until a part ends by itself (1)."""
        async with AsyncExitStack() as stack:
            app = application(self.values, self.trust, self.doorkeeper, self.telling)
            api = await stack.enter_async_context(serving(app, self.settings.api_port, self.doorkeeper))
            self.ports = (
                api,
                await stack.enter_async_context(admin(self.settings.metrics_port, self.telling, self.health)),
            )
            stack.push_async_callback(self.activators.close)
            stack.push_async_callback(self.foreign.close)
            log.info("metrics API of %s on %d, admin on %d", self.settings.service, *self.ports)
            self.listening.set()
            parts: dict[str, Coroutine[Any, Any, Any]] = {
                "endpoints": self.informer.run(),
                "activators": self.sampler.run(),
                "trust": self.trust.run(),
                "certificate": self.keeper.run(),
                "handover": self.handover.run(self.informer.synced),
                "stop": stop.wait(),
            }
            tasks = [asyncio.create_task(part, name=name) for name, part in parts.items()]
            try:
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
        if stop.is_set():
            return 0
        for task in done:
            log.error("%s ended", task.get_name(), exc_info=task.exception())
        return 1


def run() -> int:
    """Runs until SIGTERM (0), or until a part of it breaks (1); 2 for settings that cannot be used."""
    return live(
        "metrics", metrics_settings, lambda settings, cluster, stop: MetricsProcess(settings, cluster).run(stop)
    )
