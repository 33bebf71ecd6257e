"""Pings pods directly, from the moment the watch shows an address: the first 200 makes a place, seconds before the kubelet and kube-proxy would.

One small task a pod that does not answer yet, raw HTTP on a fresh connection each time. A pod that starts is asked every 10 to 25 ms (more than
about 30 at once share what the process can spare); one that answered before and then failed is asked less and less often, since it may be at work.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from kindler.activator.pods import Pod
from kindler.core.pacing import grown

log = logging.getLogger(__name__)

PINGS_PER_SECOND = 2000.0  # of the whole process: a refused one costs about 60 us
LONGEST_AGAIN = 1.0  # seconds between pings of a pod that answered before
CONNECT_TIMEOUT = 0.25  # a packet lost while the pod's network is being made must not cost a whole second of retransmission


class Prober:
    """`interval` and `timeout` in seconds."""

    def __init__(self, interval: float, timeout: float) -> None:
        self._interval = interval
        self._timeout = timeout
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def probe(self, pod: Pod, port: int, path: str, rest: float, again: bool, answered: Callable[[Pod], None]) -> None:
        """Pings until the first 200, then calls `answered` once. Replaces an earlier probe of the same pod."""
        self.forget(pod)
        task = asyncio.get_running_loop().create_task(self._until(pod, port, path, rest, again, answered), name=f"probe {pod.facts.name}")
        self._tasks[pod.facts.uid] = task

    def forget(self, pod: Pod) -> None:
        """Ends the probe of a pod, if there is one."""
        task = self._tasks.pop(pod.facts.uid, None)
        if task is not None and task is not asyncio.current_task():
            task.cancel()

    async def close(self) -> None:
        """Ends all probes."""
        tasks = list(self._tasks.values())
        self._tasks.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _until(self, pod: Pod, port: int, path: str, rest: float, again: bool, answered: Callable[[Pod], None]) -> None:
        host = pod.facts.ip
        assert host is not None
        request = f"GET {path} HTTP/1.1\r\nHost: {_bracketed(host)}:{port}\r\nUser-Agent: kindler-activator\r\nConnection: close\r\n\r\n".encode()
        await asyncio.sleep(rest)
        failures = 0
        while not await ping(host, port, request, self._timeout):
            failures += 1
            pause = grown(self._interval, failures, LONGEST_AGAIN) if again else self._interval
            await asyncio.sleep(max(pause, len(self._tasks) / PINGS_PER_SECOND))
        if self._tasks.get(pod.facts.uid) is asyncio.current_task():
            del self._tasks[pod.facts.uid]
            answered(pod)


async def ping(host: str, port: int, request: bytes, seconds: float) -> bool:
    """One ping on a connection of its own: True for a 200 within `seconds`."""
    loop = asyncio.get_running_loop()
    transport: asyncio.Transport | None = None
    try:
        async with asyncio.timeout(min(seconds, CONNECT_TIMEOUT)):
            transport, answer = await loop.create_connection(_Answer, host, port)
        transport.write(request)
        async with asyncio.timeout(seconds):
            return await answer.good
    except (OSError, TimeoutError):
        return False
    finally:
        if transport is not None:
            transport.abort()


class _Answer(asyncio.Protocol):
    """Reads as much of an answer as its status needs."""

    def __init__(self) -> None:
        self.good: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._start = b""

    def data_received(self, data: bytes) -> None:
        self._start += data[:16]
        if len(self._start) >= 12 and not self.good.done():
            self.good.set_result(self._start[:7] == b"HTTP/1." and self._start[8:12] == b" 200")

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.good.done():
            self.good.set_result(False)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
