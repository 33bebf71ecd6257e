"""What the activators know: `/stats` of each replica, for the controller and the metrics process. No answer is None, never zero."""

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

Answers = tuple[tuple[str, Stats | None], ...]

TIMEOUT_SECONDS = 2.0
AT_ONCE = 16


class ActivatorStats:
    """Asks every activator pod (by label `selector`, in `namespace`) on its peer `port`, showing the token in the file `token_path`, read anew each time."""

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
        self._failures: dict[
            str, str
        ] = {}  # the present one of each that does not answer, by IP: told once, not each second

    async def read(self, provisioned: bool = False) -> Answers:
        """(pod name, its statistics or None when it did not answer) of every activator pod whose containers may run, by name.

        A pod that is going counts: it still answers for what it has in flight. Raises ApiError when the API server does not tell which pods there are.
        `provisioned`: of endpoints with a warm pool alone, for who asks each second; which pods there are is then what the API server has at hand.
        """
        pods, _ = await self._cluster.list(
            PODS, self._namespace, self._selector, resource_version="0" if provisioned else ""
        )
        running = sorted((pod["metadata"]["name"], pod["status"]["podIP"]) for pod in pods if _may_run(pod))
        self._failures = {ip: what for ip, what in self._failures.items() if any(ip == one for _, one in running)}
        headers = self._headers()
        # The bound is here, not in the session's connector: who waits for its turn must not be out of time.
        turns = asyncio.Semaphore(AT_ONCE)

        async def one(ip: str) -> Stats | None:
            async with turns:
                return await self._ask(ip, provisioned, headers)

        answers = await asyncio.gather(*(one(ip) for _, ip in running))
        return tuple((name, answer) for (name, _), answer in zip(running, answers, strict=True))

    async def close(self) -> None:
        """Closes kept connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _headers(self) -> dict[str, str]:
        try:
            return {"Authorization": f"Bearer {self._token_path.read_text().strip()}"}
        except OSError as error:
            log.warning("no token to show to activators: %s", error)
            return {}

    async def _ask(self, ip: str, provisioned: bool, headers: dict[str, str]) -> Stats | None:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=self._timeout, trust_env=False)
        url = f"http://{f'[{ip}]' if ':' in ip else ip}:{self._port}/stats{'?provisioned=true' * provisioned}"
        try:
            async with self._session.get(url, headers=headers, allow_redirects=False) as response:
                if response.status == 200:
                    stats = Stats.from_json(json.loads(await response.read()))
                    self._failures.pop(ip, None)
                    return stats
                self._failed(ip, f"answers {response.status}")
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            self._failed(ip, f"does not answer: {error or type(error).__name__}")
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            self._failed(ip, f"answers something else: {error!r}")
        return None

    def _failed(self, ip: str, what: str) -> None:
        if self._failures.get(ip) != what:
            log.warning("activator at %s %s", ip, what)
        self._failures[ip] = what


def _may_run(pod: Object) -> bool:
    """A pod without an IP never began, one that succeeded or failed has ended: neither has anything in flight."""
    status: dict[str, Any] = pod.get("status") or {}
    return bool(status.get("podIP")) and status.get("phase") not in ("Succeeded", "Failed")
