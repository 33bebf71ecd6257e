"""All writes of the activator to the cluster: sizes of pools, deletion costs, and deletions of stuck pods.

Belongs here: every write of the activator. All other modules only read (watches, look-ups, keys of tokens).
Does not belong here: the decision what to write (core.dataplane, activator.endpoint).

For each pool and each pod at most one PATCH is in flight. The next PATCH has the newest number. A failed write is
repeated until it succeeds or its object does not exist any more. While the API server is unavailable,
nothing is lost, because the newest number is kept.
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

FIRST_RETRY_SECONDS, LONGEST_RETRY_SECONDS = 0.1, 5.0
COSTS_PER_SECOND, COSTS_BURST = 10.0, 50
DELETES_PER_SECOND, DELETES_BURST = 0.2, 5


class Writer:
    """Writes in the background. `failure`: the last write's error, None after a success."""

    def __init__(self, cluster: Cluster) -> None:
        self.failure: str | None = None
        self._cluster = cluster
        self._tasks: set[asyncio.Task[None]] = set()
        self._writing_cost: set[str] = set()  # uids of pods with a PATCH in flight
        self._deleting: set[str] = set()  # uids of pods
        self._cost_limit = TokenBucket(COSTS_PER_SECOND, COSTS_BURST)
        self._delete_limit = TokenBucket(DELETES_PER_SECOND, DELETES_BURST)

    @property
    def pending_writes(self) -> int:
        return len(self._tasks)

    def scale(self, size: PoolSize, replicas: int) -> None:
        """Sets `replicas` of the pool's ReplicaSet."""
        size.requested = replicas
        if not size.writing:
            size.writing = True
            self._start(self._write_size(size))

    def set_deletion_cost(self, namespace: str, pod: Pod, value: int) -> None:
        """Sets the pod's deletion cost. Above the rate limit it writes nothing, and the next tick repeats the call."""
        pod.desired_cost = value
        uid = pod.facts.uid
        if uid not in self._writing_cost and value != pod.written_cost and self._cost_limit.take(time.monotonic()):
            self._writing_cost.add(uid)
            self._start(self._write_cost(namespace, pod))

    def delete_pod(self, namespace: str, pod: Pod, reason: str) -> None:
        """Deletes a stuck pod, so that its ReplicaSet replaces it. Above the rate limit it does nothing."""
        uid = pod.facts.uid
        if uid not in self._deleting and self._delete_limit.take(time.monotonic()):
            self._deleting.add(uid)
            log.warning("deleting pod %s/%s, its ReplicaSet replaces it: %s", namespace, pod.facts.name, reason)
            self._start(self._delete_pod(namespace, pod))

    async def close(self) -> None:
        """Drops all writes that are not done yet."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _write_size(self, size: PoolSize) -> None:
        async def write() -> None:
            while (replicas := size.requested) is not None:
                await self._cluster.scale(REPLICASETS, size.namespace, size.name, replicas, names.WAKER)
                size.on_written(replicas, time.monotonic())

        try:
            await self._retry(f"size of {size.namespace}/{size.name}", write)
        finally:
            size.requested = None
            size.writing = False

    async def _write_cost(self, namespace: str, pod: Pod) -> None:
        async def write() -> None:
            while (cost := pod.desired_cost) != pod.written_cost:
                annotations = {names.ANNOTATION_DELETION_COST: str(cost)}
                patch = {"metadata": {"uid": pod.facts.uid, "annotations": annotations}}
                try:
                    await self._cluster.merge_patch(PODS, namespace, pod.facts.name, patch)
                except Conflict:
                    return  # the pod was deleted, and another pod has its name
                pod.written_cost, pod.written_cost_since = cost, time.monotonic()

        try:
            await self._retry(f"deletion cost of {namespace}/{pod.facts.name}", write)
        finally:
            self._writing_cost.discard(pod.facts.uid)

    async def _delete_pod(self, namespace: str, pod: Pod) -> None:
        async def write() -> None:
            with suppress(Conflict):  # the pod was deleted, and another pod has its name
                await self._cluster.delete(PODS, namespace, pod.facts.name, uid=pod.facts.uid)

        try:
            await self._retry(f"delete of {namespace}/{pod.facts.name}", write)
        finally:
            self._deleting.discard(pod.facts.uid)

    async def _retry(self, what: str, write: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Repeats a write with back-off until it succeeds, or until its object does not exist any more."""
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
                if failures & (failures - 1) == 0:  # log failure 1, 2, 4, 8 ...: an outage must not flood the log
                    log.warning("%s could not be written, retrying: %s", what, error)
                pause = max(
                    backoff(FIRST_RETRY_SECONDS, failures, LONGEST_RETRY_SECONDS) * random.uniform(0.5, 1),
                    min(error.retry_after or 0.0, LONGEST_RETRY_SECONDS),
                )
                await asyncio.sleep(pause)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
