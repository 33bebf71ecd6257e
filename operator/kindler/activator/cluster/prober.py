"""Pings pods directly as soon as the watch shows their address.

The first 200 makes a pod usable, seconds before the kubelet and kube-proxy would make it usable.

Each pod that does not answer yet has one small task. Each ping is raw HTTP on a new connection. A pod that starts is
pinged often at first and less often later. If more than about 30 pods start, they share PINGS_PER_SECOND. A
pod that answered before and then failed is pinged even less often, because it may only be busy.

Connections end with a reset. A connection that is closed normally would stay in the node's connection table for two
minutes (TIME_WAIT), and thousands of them would fill it.
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

from kindler.activator.endpoint.actuator import Probe
from kindler.activator.endpoint.pod import Pod
from kindler.core.common.ratelimit import backoff
from kindler.core.dataplane import outliers

log = logging.getLogger(__name__)

PINGS_PER_SECOND = 2000.0  # limit of the whole process; a ping whose connection is refused costs about 60 us
LONGEST_INTERVAL_AFTER_FAILURE = 1.0  # seconds between pings of a pod that answered before
# Seconds. If a packet is lost while the pod's network is set up, TCP sends it again only after a whole second.
CONNECT_TIMEOUT = 0.25
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER with a timeout of zero


class Prober:
    """`interval`: the shortest time between two pings of a pod. `timeout`: for one response. Both in seconds."""

    def __init__(self, interval: float, timeout: float) -> None:
        self._interval = interval
        self._timeout = timeout
        self._tasks: dict[str, asyncio.Task[None]] = {}  # by pod uid

    def probe(self, pod: Pod, probe: Probe, on_success: Callable[[Pod], None]) -> None:
        """Pings until the first 200, and then calls `on_success` once. Replaces an earlier probe of the same pod."""
        self.stop_probing(pod)
        work = self._ping_until_good(pod, probe, on_success)
        task = asyncio.get_running_loop().create_task(work, name=f"probe {pod.facts.name}")
        self._tasks[pod.facts.uid] = task
        task.add_done_callback(partial(self._task_ended, pod))

    def stop_probing(self, pod: Pod) -> None:
        """Ends the probe of a pod, if one is running."""
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

    async def _ping_until_good(self, pod: Pod, probe: Probe, on_success: Callable[[Pod], None]) -> None:
        host = pod.facts.ip
        assert host is not None
        request = (
            f"GET {probe.path} HTTP/1.1\r\nHost: {_bracketed(host)}:{probe.port}\r\n"
            "User-Agent: kindler-activator\r\nConnection: close\r\n\r\n"
        ).encode()
        await asyncio.sleep(probe.delay)
        failures = 0
        while not await ping(host, probe.port, request, self._timeout):
            failures += 1
            if probe.answered_before:
                pause = backoff(self._interval, failures, LONGEST_INTERVAL_AFTER_FAILURE)
            else:
                pause = self._startup_interval(pod)
            await asyncio.sleep(max(pause, len(self._tasks) / PINGS_PER_SECOND))
        if self._tasks.get(pod.facts.uid) is asyncio.current_task():
            del self._tasks[pod.facts.uid]
            on_success(pod)

    def _startup_interval(self, pod: Pod) -> float:
        starting_since = max(pod.unanswered_since, pod.ip or 0.0)
        cannot_start = pod.facts.failure is not None and pod.facts.failure.final
        return outliers.probe_interval(time.monotonic() - starting_since, cannot_start, self._interval)

    def _task_ended(self, pod: Pod, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error(
                "the probe of pod %s failed with an error; the next tick restarts it", pod.facts.name, exc_info=error
            )
            if self._tasks.get(pod.facts.uid) is task:
                del self._tasks[pod.facts.uid]
                pod.probing = False


async def ping(host: str, port: int, request: bytes, seconds: float) -> bool:
    """One ping on a new connection. True if the response is 200 and comes within `seconds`."""
    loop = asyncio.get_running_loop()
    transport: asyncio.Transport | None = None
    try:
        async with asyncio.timeout(min(seconds, CONNECT_TIMEOUT)):
            transport, response = await loop.create_connection(_PingResponse, host, port)
        transport.write(request)
        async with asyncio.timeout(seconds):
            return await response.good
    except (OSError, TimeoutError):
        return False
    finally:
        if transport is not None:
            transport.abort()


class _PingResponse(asyncio.Protocol):
    """Reads a response up to its status code."""

    def __init__(self) -> None:
        self.good: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._start = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        connection = cast(socket.socket, transport.get_extra_info("socket"))
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)

    def data_received(self, data: bytes) -> None:
        self._start += data[:16]
        if len(self._start) >= 12 and not self.good.done():
            self.good.set_result(self._start[:7] == b"HTTP/1." and self._start[8:12] == b" 200")

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.good.done():
            self.good.set_result(False)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
