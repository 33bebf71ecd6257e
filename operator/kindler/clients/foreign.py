"""Foreign metrics: read from the installation's Prometheus if one is configured, else from the external metrics API.

Without Prometheus, Kindler needs the right to list these metrics in external.metrics.k8s.io. The chart gives this right
for the metrics in `autoscaling.externalMetrics`. If Kindler itself serves that API, it responds that it has no such
metric.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlencode

import aiohttp

from kindler.api import names
from kindler.api.autoscaling import CustomizedMetricSpecification
from kindler.api.settings import Prometheus
from kindler.clients.cluster import ApiError, Cluster, Forbidden
from kindler.core.autoscaling.metrics.foreign import UnsupportedMetric, quantity, query, selector
from kindler.core.autoscaling.metrics.usage import NoData

# For this many seconds, one result (also NoData) is used for all policies that read the same metric.
FRESH_SECONDS: Final = 3.0
# The longest time that a caller waits. kube-controller-manager has five workers for all HPAs of the cluster, and a slow
# foreign server must not stop them.
WAIT_SECONDS: Final = 1.0
# While the server is slow, its last result is used for at most this many seconds.
MAX_AGE_SECONDS: Final = 30.0
TIMEOUT_SECONDS: Final = 5.0
# Seconds until a metric is read again after a timeout.
RETRY_SECONDS: Final = 30.0

MetricResult = float | NoData
Query = tuple[str, CustomizedMetricSpecification]  # namespace of the Endpoint, and the metric


@dataclass(slots=True)
class _Entry:
    """`result`: the last result, read at `at`, valid until `until`. `task`: the task that reads the metric again."""

    result: MetricResult | None = None
    at: float = -math.inf
    until: float = -math.inf
    task: asyncio.Task[None] | None = None


class ForeignMetrics:
    """Reads and caches foreign metrics. Never raises: after a failure the result is NoData with the reason.

    `clock`: monotonic seconds. `wait_seconds`: see WAIT_SECONDS. Users read the reasons. Therefore a reason contains
    neither the address nor any content of Prometheus.
    """

    def __init__(
        self,
        cluster: Cluster,
        prometheus: Prometheus,
        clock: Callable[[], float],
        wait_seconds: float = WAIT_SECONDS,
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> None:
        self._cluster = cluster
        self._prometheus = prometheus
        self._clock = clock
        self.wait_seconds = wait_seconds
        self._timeout_seconds = timeout_seconds
        self._source = "the installation's Prometheus" if prometheus.url else "the cluster's external metrics API"
        self._session: aiohttp.ClientSession | None = None
        self._entries: dict[Query, _Entry] = {}

    async def value(self, namespace: str, spec: CustomizedMetricSpecification) -> MetricResult:
        """The metric's value for an Endpoint of this namespace.

        The value is at most FRESH_SECONDS old, or at most MAX_AGE_SECONDS if the other server is slow.
        """
        key, now = (namespace, spec), self._clock()
        entry = self._entries.get(key)
        if entry is None:
            self._prune(now)
            entry = self._entries[key] = _Entry()
        if entry.task is None and now >= entry.until:
            entry.task = asyncio.create_task(self._refresh(entry, namespace, spec), name=f"metric {spec.metric_name}")
        if entry.task is not None:
            # After the timeout the task continues: other callers wait for the same result.
            await asyncio.wait([entry.task], timeout=self.wait_seconds)
        if entry.result is None or self._clock() - entry.at > MAX_AGE_SECONDS:
            return NoData(f"{self._source} has not answered for {spec.metric_name!r} yet")
        return entry.result

    async def close(self) -> None:
        """Cancels requests in progress."""
        tasks = [entry.task for entry in self._entries.values() if entry.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _prune(self, now: float) -> None:
        self._entries = {
            key: entry
            for key, entry in self._entries.items()
            if entry.task is not None or now - entry.at <= MAX_AGE_SECONDS
        }

    async def _refresh(self, entry: _Entry, namespace: str, spec: CustomizedMetricSpecification) -> None:
        valid_seconds = FRESH_SECONDS
        try:
            async with asyncio.timeout(self._timeout_seconds):
                result = await self._read(namespace, spec)
        except TimeoutError:
            result, valid_seconds = (
                NoData(f"{self._source} does not answer for {spec.metric_name!r} within {self._timeout_seconds:g} s"),
                RETRY_SECONDS,
            )
        entry.result, entry.at, entry.task = result, self._clock(), None
        entry.until = entry.at + valid_seconds

    async def _read(self, namespace: str, spec: CustomizedMetricSpecification) -> MetricResult:
        try:
            if self._prometheus.url:
                return await self._read_prometheus(namespace, spec)
            return await self._read_external_api(namespace, spec)
        except UnsupportedMetric as error:
            return NoData(str(error))
        except Forbidden:
            return NoData(
                f"Kindler may not read the external metric {spec.metric_name!r}: "
                "add it to autoscaling.externalMetrics of the installation"
            )
        except ApiError as error:
            return NoData(f"the cluster's external metrics API has no {spec.metric_name!r}: {error}")
        except (aiohttp.ClientError, OSError) as error:
            return NoData(f"{self._source} does not answer: {type(error).__name__}")
        except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
            return NoData(f"{self._source} answers something else: {error!r}")

    async def _read_external_api(self, namespace: str, spec: CustomizedMetricSpecification) -> MetricResult:
        parameters = urlencode({"labelSelector": selector(spec)})
        group = f"/apis/{names.EXTERNAL_METRICS}/v1beta1"
        path = f"{group}/namespaces/{quote(namespace, safe='')}/{quote(spec.metric_name, safe='')}"
        items: list[dict[str, Any]] = json.loads(await self._cluster.raw_get(f"{path}?{parameters}"))["items"]
        value = sum(quantity(str(item["value"])) for item in items)
        if not items or not math.isfinite(value):
            return NoData(
                f"the cluster's external metrics API has no value of {spec.metric_name!r} with these dimensions"
            )
        return value

    async def _read_prometheus(self, namespace: str, spec: CustomizedMetricSpecification) -> MetricResult:
        label = self._prometheus.namespace_label
        parameters = {"query": query(spec, (label, namespace) if label else None)}
        if self._session is None:
            self._session = aiohttp.ClientSession(trust_env=False)
        async with self._session.get(
            f"{self._prometheus.url}/api/v1/query", params=parameters, allow_redirects=False
        ) as response:
            if response.status != 200:
                return NoData(f"{self._source} answers {response.status} to {parameters['query']}")
            result: list[dict[str, Any]] = json.loads(await response.read())["data"]["result"]
        value = float(result[0]["value"][1]) if result else math.nan
        if not math.isfinite(value):
            return NoData(f"{self._source} has no value of {parameters['query']}: is it scraped at least each 30 s?")
        return value
