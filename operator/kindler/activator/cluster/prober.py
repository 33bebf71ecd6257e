"""Pings pods directly, from the moment the watch shows an address: the first 200 makes a place, seconds before the kubelet and kube-proxy would.

One small task a pod that does not answer yet, raw HTTP on a fresh connection each time. A pod that starts is asked often at first and then less (more
than about 30 at once share what the process can spare); one that answered before and then failed still less, since it may be at work.

Connections end with a reset: an orderly end would stay in the connection table of the node for two minutes, and thousands of them would fill it.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
import time
from collections.abc import Callable
from functools import partial
from typing import cast

from kindler.activator.endpoint.pod import Pod
from kindler.core.common.ratelimit import backoff
from kindler.core.dataplane import outliers

log = logging.getLogger(__name__)

PINGS_PER_SECOND = 2000.0  # of the whole process: a refused one costs about 60 us
LONGEST_AGAIN = 1.0  # seconds between pings of a pod that answered before
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER
CONNECT_TIMEOUT = (
    0.25  # a packet lost while the pod's network is being made must not cost a whole second of retransmission
)


class Prober:
    """`interval`: the shortest between two pings of a pod, `timeout`: for one answer; in seconds."""

    def __init__(self, interval: float, timeout: float) -> None:
        self._interval = interval
        self._timeout = timeout
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def probe(self, pod: Pod, port: int, path: str, rest: float, again: bool, answered: Callable[[Pod], None]) -> None:
        """Pings until the first 200, then calls `answered` once. Replaces an earlier probe of the same pod."""
        self.forget(pod)
        task = asyncio.get_running_loop().create_task(
            self._until(pod, port, path, rest, again, answered), name=f"probe {pod.facts.name}"
        )
        self._tasks[pod.facts.uid] = task
        task.add_done_callback(partial(self._ended, pod))

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

    async def _until(
        self, pod: Pod, port: int, path: str, rest: float, again: bool, answered: Callable[[Pod], None]
    ) -> None:
        host = pod.facts.ip
        assert host is not None
        request = f"GET {path} HTTP/1.1\r\nHost: {_bracketed(host)}:{port}\r\nUser-Agent: kindler-activator\r\nConnection: close\r\n\r\n".encode()
        await asyncio.sleep(rest)
        failures = 0
        while not await ping(host, port, request, self._timeout):
            failures += 1
            pause = backoff(self._interval, failures, LONGEST_AGAIN) if again else self._pause(pod)
            await asyncio.sleep(max(pause, len(self._tasks) / PINGS_PER_SECOND))
        if self._tasks.get(pod.facts.uid) is asyncio.current_task():
            del self._tasks[pod.facts.uid]
            answered(pod)

    def _pause(self, pod: Pod) -> float:
        began = max(pod.silent_since, pod.ip or 0.0)
        failure = pod.facts.failure
        return outliers.probe_interval(time.monotonic() - began, failure is not None and failure.final, self._interval)

    def _ended(self, pod: Pod, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (failure := task.exception()) is not None:
            log.error("the probe of pod %s broke: it begins anew", pod.facts.name, exc_info=failure)
            if self._tasks.get(pod.facts.uid) is task:
                del self._tasks[pod.facts.uid]
                pod.probed = False


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

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast(socket.socket, transport.get_extra_info("socket")).setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)

    def data_received(self, data: bytes) -> None:
        self._start += data[:16]
        if len(self._start) >= 12 and not self.good.done():
            self.good.set_result(self._start[:7] == b"HTTP/1." and self._start[8:12] == b" 200")

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.good.done():
            self.good.set_result(False)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
