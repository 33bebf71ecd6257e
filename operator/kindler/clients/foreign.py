"""Metrics that are not Kindler's: read from the installation's Prometheus where it names one, else from the cluster's external metrics API.

Right, where no Prometheus is named: external.metrics.k8s.io, the metrics that the installation allows, list. Where that API is Kindler's own, it answers
that it serves no such metric.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import quote, urlencode

import aiohttp

from kindler.api import names
from kindler.api.autoscaling import CustomizedMetricSpecification
from kindler.api.settings import Prometheus
from kindler.clients.cluster import ApiError, Cluster, Forbidden
from kindler.core.foreign import Unaskable, quantity, query, selector
from kindler.core.usage import NoData

FRESH_SECONDS: Final = 3.0  # one answer serves all policies that ask for the same within this time, no data too
ANSWER_SECONDS: Final = 5.0

Answer = float | NoData
Asked = tuple[str, CustomizedMetricSpecification]  # namespace of the Endpoint, and what it wants


class Foreign:
    """`clock`: seconds that never go back. Never raises: what cannot be had is no data, with the reason."""

    def __init__(self, cluster: Cluster, prometheus: Prometheus, clock: Callable[[], float]) -> None:
        self._cluster = cluster
        self._prometheus = prometheus
        self._clock = clock
        self._session: aiohttp.ClientSession | None = None
        self._answers: dict[Asked, tuple[float, asyncio.Task[Answer]]] = {}

    async def value(self, namespace: str, spec: CustomizedMetricSpecification) -> Answer:
        """The metric's value for an Endpoint of this namespace, at most FRESH_SECONDS old."""
        asked, now = (namespace, spec), self._clock()
        if asked not in self._answers or now - self._answers[asked][0] > FRESH_SECONDS:
            self._answers = {key: entry for key, entry in self._answers.items() if now - entry[0] <= FRESH_SECONDS}
            self._answers[asked] = now, asyncio.create_task(self._ask(namespace, spec), name=f"metric {spec.metric_name}")
        return await asyncio.shield(self._answers[asked][1])  # who asked may leave; others wait for the same answer

    async def close(self) -> None:
        """Ends what is under way."""
        tasks = [task for _, task in self._answers.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _ask(self, namespace: str, spec: CustomizedMetricSpecification) -> Answer:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                if self._prometheus.url:
                    return await self._of_prometheus(namespace, spec)
                return await self._of_cluster(namespace, spec)
        except Unaskable as trouble:
            return NoData(str(trouble))
        except Forbidden:
            return NoData(f"Kindler may not read the external metric {spec.metric_name!r}: add it to autoscaling.externalMetrics of the installation")
        except ApiError as trouble:
            return NoData(f"the cluster's external metrics API has no {spec.metric_name!r}: {trouble}")
        except (aiohttp.ClientError, OSError, TimeoutError) as trouble:
            return NoData(f"{self._where} does not answer: {str(trouble) or type(trouble).__name__}")
        except (ValueError, KeyError, TypeError, IndexError, AttributeError) as trouble:
            return NoData(f"{self._where} answers something else: {trouble!r}")

    @property
    def _where(self) -> str:
        return f"Prometheus at {self._prometheus.url}" if self._prometheus.url else "the cluster's external metrics API"

    async def _of_cluster(self, namespace: str, spec: CustomizedMetricSpecification) -> Answer:
        asked = urlencode({"labelSelector": selector(spec)})
        path = f"/apis/{names.EXTERNAL_METRICS}/v1beta1/namespaces/{quote(namespace, safe='')}/{quote(spec.metric_name, safe='')}"
        items: list[dict[str, Any]] = json.loads(await self._cluster.raw_get(f"{path}?{asked}"))["items"]
        if not items:
            return NoData(f"the cluster's external metrics API has no value of {spec.metric_name!r} with these dimensions")
        return sum(quantity(str(item["value"])) for item in items)

    async def _of_prometheus(self, namespace: str, spec: CustomizedMetricSpecification) -> Answer:
        label = self._prometheus.namespace_label
        asked = {"query": query(spec, (label, namespace) if label else None)}
        if self._session is None:
            self._session = aiohttp.ClientSession(trust_env=False)
        async with self._session.get(f"{self._prometheus.url}/api/v1/query", params=asked, allow_redirects=False) as response:
            if response.status != 200:
                return NoData(f"{self._where} answers {response.status} to {asked['query']}")
            result: list[dict[str, Any]] = json.loads(await response.read())["data"]["result"]
        found = float(result[0]["value"][1]) if result else float("nan")
        if found - found != 0:  # not a number, or infinite
            return NoData(f"{self._where} has no value of {asked['query']}")
        return found
