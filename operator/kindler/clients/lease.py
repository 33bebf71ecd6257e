"""Leader election by a Lease, as client-go does it: one process leads, and stops before another may start to lead.

    lease 15 s   a standby takes the Lease if the Lease has not changed for this long, by the standby's own clock
    renew 10 s   a leader that could not renew for this long does not lead any more, even if it still holds the Lease
    retry  2 s   a leader renews, and retries, with this period; a standby checks twice as often

So a new leader begins at most (lease + retry) seconds after the last renewal of the old leader. The old leader has
stopped at least (lease - renew) seconds before that. Times of different machines are never compared: the Lease's
renewTime is only for people.

kubernetes.aio.leaderelection (37.0) is not used, for five reasons. It compares time.time(), which can jump. A network
error (aiohttp's, not an ApiException) ends it. A request may take longer than the renew deadline. It counts that
deadline from the start of an attempt, not from the last renewal. It never releases the Lease.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from kindler.clients.cluster import LEASES, ApiError, Cluster, Conflict, NotFound, Object

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LeaseTimes:
    """Seconds, with lease > renew > retry. The Lease object itself stores whole seconds, rounded up."""

    lease: float = 15.0
    renew: float = 10.0
    retry: float = 2.0

    def __post_init__(self) -> None:
        if not self.lease > self.renew > self.retry > 0:
            raise ValueError(
                f"a lease needs lease > renew > retry > 0, not {self.lease:g}, {self.renew:g}, {self.retry:g}"
            )


class Lease:
    """One candidate. `identity` must be unique to this process: after a restart, the process is another candidate."""

    def __init__(
        self, cluster: Cluster, namespace: str, name: str, identity: str, times: LeaseTimes | None = None
    ) -> None:
        self._cluster = cluster
        self._namespace = namespace
        self._name = name
        self._identity = identity
        self._times = times or LeaseTimes()
        self._observed_version = ""  # resourceVersion of the Lease at the last check of a standby
        self._free_at = 0.0  # when this process may take the Lease if the Lease does not change
        self._written: Object = {}  # the Lease as the leader last wrote it
        self._renewed_at = -math.inf  # when the leader's last successful write was sent

    @property
    def leading(self) -> bool:
        """Whether this process leads now.

        True for at most `renew` seconds after the last successful renewal was sent, even if the process was suspended
        in the meantime.
        """
        return self._remaining() > 0

    @asynccontextmanager
    async def hold(self) -> AsyncIterator[asyncio.Task[str]]:
        """Waits until this process leads, and renews while the body runs.

        Yields `lost`, a task that ends with the reason when the process does not lead any more.

        The body must stop its work before it exits. The body decides what to do when `lost` ends (usually the process
        exits). After the body, a Lease that is still ours is released, so that a standby takes over at its next check.
        """
        await self._acquire()
        log.info("leading: Lease %s/%s is held by %s", self._namespace, self._name, self._identity)
        lost = asyncio.create_task(self._renew(), name="lease")
        try:
            yield lost
        finally:
            lost.cancel()
            await asyncio.wait([lost])
            still_held, self._renewed_at = self.leading, -math.inf
            if still_held:
                await self._release()

    # Methods of a standby

    async def _acquire(self) -> None:
        while True:
            try:
                async with asyncio.timeout(self._times.renew):
                    if await self._try_acquire():
                        return
            except Conflict:
                pass  # another candidate was faster
            except (ApiError, TimeoutError) as error:
                log.warning("Lease %s/%s: %s", self._namespace, self._name, error or "no response in time")
            until_free = self._free_at - _now()
            await asyncio.sleep(until_free if 0 < until_free < self._times.retry / 2 else self._times.retry / 2)

    async def _try_acquire(self) -> bool:
        """Checks the Lease once; True if it was free and is ours now.

        If the Lease was deleted, it still belongs to its last holder until the time when it would have expired.
        """
        current = await self._get()
        if current is not None and current["metadata"]["resourceVersion"] != self._observed_version:
            self._observed_version, self._free_at = current["metadata"]["resourceVersion"], _now() + self._term(current)
        if _now() < self._free_at:
            return False
        await self._write(current)
        return True

    def _term(self, current: Object) -> float:
        """For how many seconds from now no other process may take this Lease."""
        spec = current.get("spec") or {}
        # If it has our own identity, we wrote it, but the response was lost.
        free = spec.get("holderIdentity") in (None, "", self._identity)
        return 0.0 if free else float(spec.get("leaseDurationSeconds") or self._times.lease)

    # Methods of the leader

    def _remaining(self) -> float:
        return self._renewed_at + self._times.renew - _now()

    async def _renew(self) -> str:
        """Renews until this process cannot lead any more. Returns the reason."""
        while True:
            await asyncio.sleep(max(0.0, min(self._times.retry, self._remaining())))
            if self._remaining() <= 0:
                return f"the Lease could not be renewed for {self._times.renew:g} s"
            try:
                async with asyncio.timeout(self._remaining()):
                    if not await self._try_renew():
                        self._renewed_at = -math.inf
                        return "another process holds the Lease"
            except (ApiError, TimeoutError) as error:
                log.warning("Lease %s/%s not renewed: %s", self._namespace, self._name, error or "no response in time")

    async def _try_renew(self) -> bool:
        """Renews the Lease. Returns False if another process holds the Lease."""
        try:
            await self._write(self._written)
        except (Conflict, NotFound):  # changed or deleted by others, or by our own write whose response was lost
            current = await self._get()
            if current is not None and (current.get("spec") or {}).get("holderIdentity") != self._identity:
                return False
            await self._write(current)
        return True

    async def _release(self) -> None:
        """Clears the holder. If this fails, it is not repeated: a standby waits until the Lease expires."""
        with suppress(ApiError, TimeoutError):
            async with asyncio.timeout(self._times.retry):
                # Read it again: the last renewal may have succeeded without a response.
                current = await self._get()
                if current is not None and (current.get("spec") or {}).get("holderIdentity") == self._identity:
                    spec = current["spec"] | {
                        "holderIdentity": "",
                        "leaseDurationSeconds": 1,
                        "renewTime": _micro_time(),
                    }
                    await self._cluster.update(LEASES, self._namespace, self._name, current | {"spec": spec})

    # Methods for one request

    async def _get(self) -> Object | None:
        return await self._cluster.get(LEASES, self._namespace, self._name)

    async def _write(self, current: Object | None) -> None:
        """Makes the Lease ours. Raises Conflict if the Lease is not the same as `current` any more."""
        sent = _now()
        old: dict[str, Any] = (current or {}).get("spec") or {}
        spec = old | {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": math.ceil(self._times.lease),
            "renewTime": _micro_time(),
        }
        if old.get("holderIdentity") != self._identity:
            spec |= {"acquireTime": spec["renewTime"], "leaseTransitions": old.get("leaseTransitions", -1) + 1}
        if current is None:
            metadata = {"name": self._name, "namespace": self._namespace}
            body = {"apiVersion": LEASES.api_version, "kind": LEASES.kind, "metadata": metadata, "spec": spec}
            self._written = await self._cluster.create(LEASES, self._namespace, body)
        else:
            self._written = await self._cluster.update(LEASES, self._namespace, self._name, current | {"spec": spec})
        self._renewed_at = sent


def _now() -> float:
    """Seconds on a clock that never jumps. If the system allows it, it also runs while the machine is suspended."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def _micro_time() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
