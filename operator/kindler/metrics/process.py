"""The metrics process: it builds its parts, runs them, and ends when one of them ends.

Rights (the chart grants exactly these; a test of the chart compares):

    serving.kindler.dev        endpoints                                    get list watch
    external.metrics.k8s.io    what the installation allows                 get list   (foreign metrics in policies)
    in its own namespace: pods list (the activators, and others like itself); configmaps get patch, of its own one alone
    (the certificate)
    in kube-system: configmaps get, of extension-apiserver-authentication alone
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Final

from kindler.api.settings import MetricsSettings, metrics_settings
from kindler.clients.activators import ActivatorStats
from kindler.clients.cluster import ENDPOINTS, Cluster
from kindler.clients.foreign import ForeignMetrics
from kindler.clients.informer import Informer
from kindler.clients.sampler import PERIOD_SECONDS, TIMEOUT_SECONDS, Sampler
from kindler.core.autoscaling.metrics.usage import WINDOW
from kindler.metrics.admin import RequestMetrics
from kindler.metrics.directory import Directory, trim
from kindler.metrics.handover import Handover
from kindler.metrics.publisher import CertificatePublisher, MountedSource, SelfSignedSource, Source
from kindler.metrics.server import application
from kindler.metrics.tls import TlsContext
from kindler.metrics.trust import FrontProxy
from kindler.metrics.values import Values
from kindler.runtime.httpserver import health_application, serving
from kindler.runtime.process import run_process
from kindler.runtime.tasks import run_until_first_ends

log = logging.getLogger(__name__)

# If no sample has started for this many seconds, the sampler hangs, and the kubelet restarts the container.
STUCK_SECONDS: Final = 60.0


class MetricsProcess:
    """One replica. Each replica samples the activators by itself, so all return about the same values.

    `run` returns the exit status. `clock`: epoch seconds. `seconds`: the time between two samples.
    """

    def __init__(
        self,
        settings: MetricsSettings,
        cluster: Cluster,
        clock: Callable[[], float] = time.time,
        seconds: float = PERIOD_SECONDS,
    ) -> None:
        common = settings.common
        self.settings = settings
        self.metrics = RequestMetrics()
        self.tls = TlsContext()
        self.trust = FrontProxy(cluster, self.tls)
        self.publisher = self._publisher(cluster, clock)
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

    def _publisher(self, cluster: Cluster, clock: Callable[[], float]) -> CertificatePublisher:
        settings, common = self.settings, self.settings.common
        names = (settings.service, f"{settings.service}.{common.cluster_domain}")
        source: Source = (
            MountedSource(settings.tls_directory, self.tls)
            if settings.tls_directory
            else SelfSignedSource(names, self.tls, clock)
        )
        return CertificatePublisher(
            source, cluster, common.system_namespace, settings.config_map, common.pod_name, clock
        )

    def _gauges(self) -> None:
        gauge = self.metrics.gauge
        gauge(
            "kindler_metrics_sample_age_seconds",
            "Seconds since the activators were last sampled.",
            lambda: self.sampler.sample_age,
        )
        gauge(
            "kindler_metrics_endpoints",
            "Endpoints with metrics for their scaling policies.",
            lambda: len(self.directory),
        )
        gauge(
            "kindler_metrics_warm_pools",
            "Endpoints with a warm pool that the activators report.",
            lambda: self.sampler.endpoints,
        )
        gauge("kindler_metrics_watch_restarts", "Watches that ended with an error.", lambda: self.informer.restarts)

    def not_alive(self) -> str | None:
        age = min(self.sampler.loop_age, time.monotonic() - self._began)
        return f"activators have not been asked for {age:.0f} s" if age > STUCK_SECONDS else None

    def not_ready(self) -> str | None:
        if not self.informer.synced.is_set():
            return "Endpoints were not listed yet"
        if not self.tls.ready:
            return "there is no certificate yet, or the cluster has not said who may call"
        if not self.publisher.published:
            return "its certificate is not published yet"
        if not self.handover.taken_over.is_set():
            return "another metrics server answers, until this one knows a whole minute"
        return None

    async def run(self, stop: asyncio.Event) -> int:
        """Runs until `stop` is set (returns 0), or until a part ends by itself (returns 1)."""
        async with AsyncExitStack() as stack:
            app = application(self.values, self.trust, self.tls, self.metrics)
            api_port = await stack.enter_async_context(serving(app, self.settings.api_port, tls=self.tls.context))
            health = health_application(self.not_alive, self.not_ready, self.metrics.registry)
            admin_port = await stack.enter_async_context(serving(health, self.settings.metrics_port))
            self.ports = api_port, admin_port
            stack.push_async_callback(self.activators.close)
            stack.push_async_callback(self.foreign.close)
            log.info("metrics API of %s on %d, admin on %d", self.settings.service, *self.ports)
            self.listening.set()
            parts = {
                "endpoints": self.informer.run(),
                "activators": self.sampler.run(),
                "trust": self.trust.run(),
                "certificate": self.publisher.run(),
                "handover": self.handover.run(self.informer.synced),
            }
            return await run_until_first_ends(parts, stop)


async def _life(settings: MetricsSettings, cluster: Cluster, stop: asyncio.Event) -> int:
    return await MetricsProcess(settings, cluster).run(stop)


def run() -> int:
    """Runs until SIGTERM (returns 0) or until a part of the process ends (1). Returns 2 for invalid settings."""
    return run_process("metrics", metrics_settings, _life)
