"""Reads `/stats` of each activator, for the controller and the metrics process.

If an activator does not respond, its result is None, never zero.
"""

from __future__ import annotations

import asyncio
import json
import logging
from pathlib import Path
from typing import Any

import aiohttp

from kindler.api.stats import Stats
from kindler.clients.cluster import PODS, Cluster, Object

log = logging.getLogger(__name__)

Responses = tuple[tuple[str, Stats | None], ...]

TIMEOUT_SECONDS = 2.0
PARALLEL_REQUESTS = 16


class ActivatorStats:
    """Reads the statistics of every activator pod (label `selector`, in `namespace`) on its peer `port`.

    Each read sends the token in the file `token_path`, which is read again each time.
    """

    def __init__(
        self,
        cluster: Cluster,
        namespace: str,
        selector: str,
        port: int,
        token_path: str,
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> None:
        self._cluster = cluster
        self._namespace = namespace
        self._selector = selector
        self._port = port
        self._token_path = Path(token_path)
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds)
        self._session: aiohttp.ClientSession | None = None
        # The current failure of each pod that does not respond, by IP. A failure is logged once, not every second.
        self._failures: dict[str, str] = {}

    async def read(self, provisioned: bool = False) -> Responses:
        """Reads all activator pods whose containers may run. Returns (pod name, statistics or None), sorted by name.

        None: the pod did not respond. Terminating pods are included, because they still report their requests in
        progress. Raises ApiError if the API server does not list the pods. `provisioned`: only endpoints with a warm
        pool, for callers that read every second. Then the list of pods comes from the API server's cache.
        """
        pods, _ = await self._cluster.list(
            PODS, self._namespace, self._selector, resource_version="0" if provisioned else ""
        )
        running = sorted((pod["metadata"]["name"], pod["status"]["podIP"]) for pod in pods if _may_run(pod))
        self._failures = {ip: failure for ip, failure in self._failures.items() if any(ip == one for _, one in running)}
        headers = self._headers()
        # A semaphore limits the requests. With the connector's limit, the timeout would include the wait for a slot.
        slots = asyncio.Semaphore(PARALLEL_REQUESTS)

        async def one(ip: str) -> Stats | None:
            async with slots:
                return await self._read_one(ip, provisioned, headers)

        responses = await asyncio.gather(*(one(ip) for _, ip in running))
        return tuple((name, stats) for (name, _), stats in zip(running, responses, strict=True))

    async def close(self) -> None:
        """Closes idle connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _headers(self) -> dict[str, str]:
        try:
            return {"Authorization": f"Bearer {self._token_path.read_text().strip()}"}
        except OSError as error:
            log.warning("no token for requests to activators: %s", error)
            return {}

    async def _read_one(self, ip: str, provisioned: bool, headers: dict[str, str]) -> Stats | None:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=self._timeout, trust_env=False)
        url = f"http://{f'[{ip}]' if ':' in ip else ip}:{self._port}/stats{'?provisioned=true' * provisioned}"
        try:
            async with self._session.get(url, headers=headers, allow_redirects=False) as response:
                if response.status == 200:
                    stats = Stats.from_json(json.loads(await response.read()))
                    self._failures.pop(ip, None)
                    return stats
                self._log_failure(ip, f"answers {response.status}")
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            self._log_failure(ip, f"does not answer: {error or type(error).__name__}")
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            self._log_failure(ip, f"sent an unexpected response: {error!r}")
        return None

    def _log_failure(self, ip: str, failure: str) -> None:
        if self._failures.get(ip) != failure:
            log.warning("activator at %s %s", ip, failure)
        self._failures[ip] = failure


def _may_run(pod: Object) -> bool:
    """False for a pod that has no IP address, has succeeded or has failed. Such a pod has no requests."""
    status: dict[str, Any] = pod.get("status") or {}
    return bool(status.get("podIP")) and status.get("phase") not in ("Succeeded", "Failed")
