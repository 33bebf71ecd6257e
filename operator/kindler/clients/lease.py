"""Leader election by a Lease, as client-go does it: one process leads, and stops before another may begin.

    lease 15 s   a standby takes the Lease when it has seen it unchanged for that long, by its own clock
    renew 10 s   a leader that could not renew for that long has lost, whatever it believes
    retry  2 s   a leader renews, and tries again, this often; a standby looks twice as often

So a successor leads at most lease + retry after the leader's last renewal, and a leader has stopped lease - renew before. Times of other machines are
never compared: the Lease's renewTime is for people.

Not kubernetes.aio.leaderelection (37.0): it compares time.time(), which steps; an exception of the network (aiohttp's, not an ApiException) ends it; a
request may outlast the renew deadline; it counts that deadline from the start of an attempt, not from the last renewal; it never releases.
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
    """Seconds: lease > renew > retry. The Lease object itself holds whole seconds, rounded up."""

    lease: float = 15.0
    renew: float = 10.0
    retry: float = 2.0

    def __post_init__(self) -> None:
        if not self.lease > self.renew > self.retry > 0:
            raise ValueError(
                f"a lease needs lease > renew > retry > 0, not {self.lease:g}, {self.renew:g}, {self.retry:g}"
            )


class Lease:
    """One candidate. `identity` must be this process's alone: after a restart it is another candidate."""

    def __init__(
        self, cluster: Cluster, namespace: str, name: str, identity: str, times: LeaseTimes | None = None
    ) -> None:
        self._cluster = cluster
        self._namespace = namespace
        self._name = name
        self._identity = identity
        self._times = times or LeaseTimes()
        self._seen = ""  # resourceVersion of the Lease when a standby last looked
        self._free_at = 0.0  # when it may be taken, unless it changes
        self._mine: Object = {}  # the Lease as the leader last wrote it
        self._proof = -math.inf  # when the leader's last write that succeeded was sent

    @property
    def leading(self) -> bool:
        """Whether this process leads now: never longer than `renew` after its last renewal was sent, also when nothing in it could run since."""
        return self._left() > 0

    @asynccontextmanager
    async def hold(self) -> AsyncIterator[asyncio.Task[str]]:
        """Waits until this process leads, and renews while the body runs. Yields `lost`: done, with the reason, once it leads no more.

        The body must have ended its work when it leaves; what it does when `lost` is its decision (usually the process ends). On leaving, a Lease that is
        still ours is released, so that a standby takes over at its next look.
        """
        await self._acquire()
        log.info("leading: Lease %s/%s is held by %s", self._namespace, self._name, self._identity)
        lost = asyncio.create_task(self._renew(), name="lease")
        try:
            yield lost
        finally:
            lost.cancel()
            await asyncio.wait([lost])
            ours, self._proof = self.leading, -math.inf
            if ours:
                await self._release()

    # A standby

    async def _acquire(self) -> None:
        while True:
            try:
                async with asyncio.timeout(self._times.renew):
                    if await self._taken():
                        return
            except Conflict:
                pass  # somebody was quicker
            except (ApiError, TimeoutError) as error:
                log.warning("Lease %s/%s: %s", self._namespace, self._name, error or "no answer in time")
            until_free = self._free_at - _now()
            await asyncio.sleep(until_free if 0 < until_free < self._times.retry / 2 else self._times.retry / 2)

    async def _taken(self) -> bool:
        """One look at the Lease; True when it was free and is ours now. One that somebody deleted is its last holder's until it would have run out."""
        found = await self._look()
        if found is not None and found["metadata"]["resourceVersion"] != self._seen:
            self._seen, self._free_at = found["metadata"]["resourceVersion"], _now() + self._term(found)
        if _now() < self._free_at:
            return False
        await self._write(found)
        return True

    def _term(self, found: Object) -> float:
        """For how long from now nobody else may take this Lease."""
        spec = found.get("spec") or {}
        nobody = spec.get("holderIdentity") in (None, "", self._identity)  # our own: written, but the answer was lost
        return 0.0 if nobody else float(spec.get("leaseDurationSeconds") or self._times.lease)

    # The leader

    def _left(self) -> float:
        return self._proof + self._times.renew - _now()

    async def _renew(self) -> str:
        """Renews until that fails for good; returns why."""
        while True:
            await asyncio.sleep(max(0.0, min(self._times.retry, self._left())))
            if self._left() <= 0:
                return f"the Lease could not be renewed for {self._times.renew:g} s"
            try:
                async with asyncio.timeout(self._left()):
                    if not await self._renewed():
                        self._proof = -math.inf
                        return "another process holds the Lease"
            except (ApiError, TimeoutError) as error:
                log.warning("Lease %s/%s not renewed: %s", self._namespace, self._name, error or "no answer in time")

    async def _renewed(self) -> bool:
        """False when somebody else holds the Lease."""
        try:
            await self._write(self._mine)
        except (Conflict, NotFound):  # changed or deleted by somebody, or by our own write whose answer was lost
            found = await self._look()
            if found is not None and (found.get("spec") or {}).get("holderIdentity") != self._identity:
                return False
            await self._write(found)
        return True

    async def _release(self) -> None:
        """Says that nobody holds the Lease. Best effort: else a standby waits until it has run out."""
        with suppress(ApiError, TimeoutError):
            async with asyncio.timeout(self._times.retry):
                # Read anew: the last renewal may have landed without its answer.
                found = await self._look()
                if found is not None and (found.get("spec") or {}).get("holderIdentity") == self._identity:
                    spec = found["spec"] | {"holderIdentity": "", "leaseDurationSeconds": 1, "renewTime": _micro_time()}
                    await self._cluster.update(LEASES, self._namespace, self._name, found | {"spec": spec})

    # One request

    async def _look(self) -> Object | None:
        return await self._cluster.get(LEASES, self._namespace, self._name)

    async def _write(self, found: Object | None) -> None:
        """Makes the Lease ours, on top of `found`. Raises Conflict when it has changed since."""
        sent = _now()
        old: dict[str, Any] = (found or {}).get("spec") or {}
        spec = old | {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": math.ceil(self._times.lease),
            "renewTime": _micro_time(),
        }
        if old.get("holderIdentity") != self._identity:
            spec |= {"acquireTime": spec["renewTime"], "leaseTransitions": old.get("leaseTransitions", -1) + 1}
        if found is None:
            metadata = {"name": self._name, "namespace": self._namespace}
            body = {"apiVersion": LEASES.api_version, "kind": LEASES.kind, "metadata": metadata, "spec": spec}
            self._mine = await self._cluster.create(LEASES, self._namespace, body)
        else:
            self._mine = await self._cluster.update(LEASES, self._namespace, self._name, found | {"spec": spec})
        self._proof = sent


def _now() -> float:
    """Seconds on a clock that nobody sets, and that goes on while the machine sleeps where there is one."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def _micro_time() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
