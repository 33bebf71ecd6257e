"""Metrics that are not Kindler's: read from the installation's Prometheus where it names one, else from the cluster's external metrics API.

Right, where no Prometheus is named: external.metrics.k8s.io, the metrics that the installation allows, list. Where that API is Kindler's own, it answers
that it serves no such metric.
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

FRESH_SECONDS: Final = 3.0  # one answer serves all policies that ask for the same within this time, no data too
PATIENCE_SECONDS: Final = 1.0  # who asks waits no longer: HPAs are read by five workers for the whole cluster, and others' servers must not stop them
KEPT_SECONDS: Final = 30.0  # for so long the last answer serves those who would have to wait longer
ANSWER_SECONDS: Final = 5.0
HUNG_SECONDS: Final = 30.0  # until a metric is asked for again that was not answered in time

Answer = float | NoData
Asked = tuple[str, CustomizedMetricSpecification]  # namespace of the Endpoint, and what it wants


@dataclass(slots=True)
class _Entry:
    """`answer`: the last one, had at `at`, and good until `until`. `asking`: what asks anew."""

    answer: Answer | None = None
    at: float = -math.inf
    until: float = -math.inf
    asking: asyncio.Task[None] | None = None


class ForeignMetrics:
    """`clock`: seconds that never go back. `patience`: see PATIENCE_SECONDS. Never raises: what cannot be had is no data, with the reason.

    Reasons are read by users, whose affair the address of Prometheus is not, nor what stands in it.
    """

    def __init__(
        self,
        cluster: Cluster,
        prometheus: Prometheus,
        clock: Callable[[], float],
        patience: float = PATIENCE_SECONDS,
        answer_seconds: float = ANSWER_SECONDS,
    ) -> None:
        self._cluster = cluster
        self._prometheus = prometheus
        self._clock = clock
        self.patience = patience
        self._answer_seconds = answer_seconds
        self._where = "the installation's Prometheus" if prometheus.url else "the cluster's external metrics API"
        self._session: aiohttp.ClientSession | None = None
        self._entries: dict[Asked, _Entry] = {}

    async def value(self, namespace: str, spec: CustomizedMetricSpecification) -> Answer:
        """The metric's value for an Endpoint of this namespace, at most FRESH_SECONDS old, or KEPT_SECONDS where the other side is slow."""
        asked, now = (namespace, spec), self._clock()
        entry = self._entries.get(asked)
        if entry is None:
            self._forget(now)
            entry = self._entries[asked] = _Entry()
        if entry.asking is None and now >= entry.until:
            entry.asking = asyncio.create_task(self._renew(entry, namespace, spec), name=f"metric {spec.metric_name}")
        if entry.asking is not None:
            await asyncio.wait(
                [entry.asking], timeout=self.patience
            )  # who asked may leave: others wait for the same answer
        if entry.answer is None or self._clock() - entry.at > KEPT_SECONDS:
            return NoData(f"{self._where} has not answered for {spec.metric_name!r} yet")
        return entry.answer

    async def close(self) -> None:
        """Ends what is under way."""
        tasks = [entry.asking for entry in self._entries.values() if entry.asking is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _forget(self, now: float) -> None:
        self._entries = {
            asked: entry
            for asked, entry in self._entries.items()
            if entry.asking is not None or now - entry.at <= KEPT_SECONDS
        }

    async def _renew(self, entry: _Entry, namespace: str, spec: CustomizedMetricSpecification) -> None:
        kept = FRESH_SECONDS
        try:
            async with asyncio.timeout(self._answer_seconds):
                answer = await self._ask(namespace, spec)
        except TimeoutError:
            answer, kept = (
                NoData(f"{self._where} does not answer for {spec.metric_name!r} within {self._answer_seconds:g} s"),
                HUNG_SECONDS,
            )
        entry.answer, entry.at, entry.asking = answer, self._clock(), None
        entry.until = entry.at + kept

    async def _ask(self, namespace: str, spec: CustomizedMetricSpecification) -> Answer:
        try:
            if self._prometheus.url:
                return await self._of_prometheus(namespace, spec)
            return await self._of_cluster(namespace, spec)
        except UnsupportedMetric as error:
            return NoData(str(error))
        except Forbidden:
            return NoData(
                f"Kindler may not read the external metric {spec.metric_name!r}: add it to autoscaling.externalMetrics of the installation"
            )
        except ApiError as error:
            return NoData(f"the cluster's external metrics API has no {spec.metric_name!r}: {error}")
        except (aiohttp.ClientError, OSError) as error:
            return NoData(f"{self._where} does not answer: {type(error).__name__}")
        except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
            return NoData(f"{self._where} answers something else: {error!r}")

    async def _of_cluster(self, namespace: str, spec: CustomizedMetricSpecification) -> Answer:
        asked = urlencode({"labelSelector": selector(spec)})
        path = f"/apis/{names.EXTERNAL_METRICS}/v1beta1/namespaces/{quote(namespace, safe='')}/{quote(spec.metric_name, safe='')}"
        items: list[dict[str, Any]] = json.loads(await self._cluster.raw_get(f"{path}?{asked}"))["items"]
        found = sum(quantity(str(item["value"])) for item in items)
        if not items or not math.isfinite(found):
            return NoData(
                f"the cluster's external metrics API has no value of {spec.metric_name!r} with these dimensions"
            )
        return found

    async def _of_prometheus(self, namespace: str, spec: CustomizedMetricSpecification) -> Answer:
        label = self._prometheus.namespace_label
        asked = {"query": query(spec, (label, namespace) if label else None)}
        if self._session is None:
            self._session = aiohttp.ClientSession(trust_env=False)
        async with self._session.get(
            f"{self._prometheus.url}/api/v1/query", params=asked, allow_redirects=False
        ) as response:
            if response.status != 200:
                return NoData(f"{self._where} answers {response.status} to {asked['query']}")
            result: list[dict[str, Any]] = json.loads(await response.read())["data"]["result"]
        found = float(result[0]["value"][1]) if result else math.nan
        if not math.isfinite(found):
            return NoData(f"{self._where} has no value of {asked['query']}: is it scraped at least each 30 s?")
        return found
