"""Writes what desks decided to the cluster: sizes of pools, deletion costs, and deletes of pods that are given up.

One PATCH in flight per pool and per pod, always for the newest number; what could not be written is tried again until it is. While the API server
is away nothing is lost: the number waits.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

from kindler.activator.endpoint.pod import Pod
from kindler.activator.endpoint.size import PoolSize
from kindler.api import names
from kindler.clients.cluster import PODS, REPLICASETS, ApiError, Cluster, Conflict, NotFound
from kindler.core.common.ratelimit import TokenBucket, backoff

log = logging.getLogger(__name__)

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0  # seconds after a write that failed
COSTS_PER_SECOND, COSTS_AT_ONCE = 10.0, 50
DELETES_PER_SECOND, DELETES_AT_ONCE = 0.2, 5


class Writer:
    """`unwritten` tells what waits for the API server, for the health page."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._tasks: set[asyncio.Task[None]] = set()
        self._costs: set[str] = set()  # uids of pods with a PATCH in flight
        self._cost_pace = TokenBucket(COSTS_PER_SECOND, COSTS_AT_ONCE)
        self._delete_pace = TokenBucket(DELETES_PER_SECOND, DELETES_AT_ONCE)
        self._deleting: set[str] = set()
        self.failure: str | None = None  # the last write that failed, None after one that did not

    @property
    def unwritten(self) -> int:
        return len(self._tasks)

    def scale(self, size: PoolSize, replicas: int) -> None:
        """Wants the pool to have `replicas`."""
        size.asked = replicas
        if not size.writing:
            size.writing = True
            self._start(self._scale(size))

    def cost(self, namespace: str, pod: Pod, value: int) -> None:
        """Wants the pod to carry this deletion cost. Above the rate nothing happens: whoever wants it looks again at the next round."""
        pod.cost_wanted = value
        uid = pod.facts.uid
        if uid not in self._costs and value != pod.cost_written and self._cost_pace.take(time.monotonic()):
            self._costs.add(uid)
            self._start(self._cost(namespace, pod))

    def delete(self, namespace: str, pod: Pod, why: str) -> None:
        """Deletes a pod that is given up, at a limited rate."""
        uid = pod.facts.uid
        if uid not in self._deleting and self._delete_pace.take(time.monotonic()):
            self._deleting.add(uid)
            log.warning("pod %s/%s is deleted and so replaced: %s", namespace, pod.facts.name, why)
            self._start(self._delete(namespace, pod))

    async def close(self) -> None:
        """Gives up what is not yet written."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _scale(self, size: PoolSize) -> None:
        async def write() -> None:
            while (wanted := size.asked) is not None:
                await self._cluster.scale(REPLICASETS, size.namespace, size.name, wanted, names.WAKER)
                size.done(wanted, time.monotonic())

        try:
            await self._persist(f"size of {size.namespace}/{size.name}", write)
        finally:
            size.asked = None
            size.writing = False

    async def _cost(self, namespace: str, pod: Pod) -> None:
        async def write() -> None:
            while (wanted := pod.cost_wanted) != pod.cost_written:
                patch = {
                    "metadata": {"uid": pod.facts.uid, "annotations": {names.ANNOTATION_DELETION_COST: str(wanted)}}
                }
                try:
                    await self._cluster.merge_patch(PODS, namespace, pod.facts.name, patch)
                except Conflict:
                    return  # another pod has its name
                pod.cost_written, pod.cost_since = wanted, time.monotonic()

        try:
            await self._persist(f"deletion cost of {namespace}/{pod.facts.name}", write)
        finally:
            self._costs.discard(pod.facts.uid)

    async def _delete(self, namespace: str, pod: Pod) -> None:
        async def write() -> None:
            with suppress(Conflict):  # another pod has its name
                await self._cluster.delete(PODS, namespace, pod.facts.name, uid=pod.facts.uid)

        try:
            await self._persist(f"delete of {namespace}/{pod.facts.name}", write)
        finally:
            self._deleting.discard(pod.facts.uid)

    async def _persist(self, what: str, write: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Writes until it is written, or until there is nothing left to write to."""
        failures = 0
        while True:
            try:
                await write()
                self.failure = None
                return
            except NotFound:
                return
            except ApiError as error:
                failures += 1
                self.failure = f"{what}: {error}"
                if failures & (failures - 1) == 0:  # told at 1, 2, 4, 8 …: an outage must not flood the log
                    log.warning("%s could not be written: %s; it is tried again", what, error)
                pause = max(
                    backoff(FIRST_PAUSE, failures, LONGEST_PAUSE) * random.uniform(0.5, 1),
                    min(error.retry_after or 0.0, LONGEST_PAUSE),
                )
                await asyncio.sleep(pause)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
