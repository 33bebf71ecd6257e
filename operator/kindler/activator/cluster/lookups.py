"""Look-ups of Endpoints that the watch has not shown yet, or has shown without a route.

A look-up is one GET. The rate of look-ups is limited, and requests for the same name share one look-up. Each request
always gets a result within TIMEOUT_SECONDS:

    the Endpoint exists                                          its throttler
    it does not exist, or did not exist within the last second   not found
    too many look-ups, and the watch has listed all Endpoints    not found
    too many look-ups, and the watch has not listed all          try again, because nothing is known
    no response from the API server, or an error                 try again, because nothing is known

If only a look-up has shown an Endpoint, the process reads it again regularly until the watch shows it, too. Otherwise
this process might never learn of its deletion.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from typing import Any

from kindler.activator.cluster.directory import Directory
from kindler.activator.cluster.trim import trim_endpoint
from kindler.activator.endpoint.requests import Cause, Rejection
from kindler.activator.endpoint.throttler import EndpointThrottler
from kindler.clients.cluster import ENDPOINTS, ApiError, Cluster, Object
from kindler.core.common.ratelimit import TokenBucket
from kindler.core.dataplane.addresses import Address

log = logging.getLogger(__name__)

LOOKUPS_PER_SECOND, LOOKUPS_BURST = 10.0, 20
NEGATIVE_CACHE_SECONDS, NEGATIVE_CACHE_NAMES = 1.0, 1024  # for Endpoints that do not exist or have no route
TIMEOUT_SECONDS = 2.0
CONFIRM_SECONDS = 10.0  # between two reads of an Endpoint that the watch has not shown

# (namespace, name, by_object_name), because one Endpoint's object name may be another Endpoint's SageMaker name.
Key = tuple[str, str, bool]
Callback = Callable[[EndpointThrottler | Rejection], None]


class PendingLookup:
    """One request's share in a look-up (the wire's `Lookup`)."""

    def __init__(self, waiting: dict[PendingLookup, Callback]) -> None:
        self._waiting = waiting

    def then(self, callback: Callback) -> None:
        """Registers `callback`. It is called once, when the look-up ends, unless `cancel` is called first."""
        self._waiting[self] = callback

    def cancel(self) -> None:
        """Drops the callback of a request whose client left."""
        self._waiting.pop(self, None)


class Lookups:
    """`find` returns the throttler of an address if its Endpoint is in the directory, else None.

    `synced`: whether the watch has listed all Endpoints. `namespaces`: the watched namespaces; empty: all.
    """

    def __init__(
        self,
        cluster: Cluster,
        directory: Directory,
        namespaces: tuple[str, ...],
        find: Callable[[Address], EndpointThrottler | None],
        synced: Callable[[], bool],
    ) -> None:
        self._cluster = cluster
        self._directory = directory
        self._namespaces = namespaces
        self._find = find
        self._synced = synced
        self._rate_limit = TokenBucket(LOOKUPS_PER_SECOND, LOOKUPS_BURST)
        self._running: dict[Key, dict[PendingLookup, Callback]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._negative_cache: dict[Key, float] = {}  # when an entry expires (monotonic seconds)

    def ask(self, address: Address, name: str) -> PendingLookup | Rejection:
        """Joins or starts a look-up of the object `name`.

        Rejects at once if the Endpoint cannot exist, or if there are too many look-ups.
        """
        key = (address.namespace, address.name, address.by_object_name)
        if key in self._running:
            return PendingLookup(self._running[key])
        now = time.monotonic()
        watched = not self._namespaces or address.namespace in self._namespaces
        if not watched or self._negative_cache.get(key, 0.0) > now:
            return self._not_found(address)
        if not self._rate_limit.take(now):
            return self._not_found(address) if self._synced() else _unknown(address)
        waiting = self._running[key] = {}
        self._start(self._look_up(address, name, key, waiting), f"look-up {address.namespace}/{address.name}")
        return PendingLookup(waiting)

    async def close(self) -> None:
        """Ends all look-ups. Requests that wait for a look-up get the reply to try again."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _not_found(self, address: Address) -> Rejection:
        spelling = None
        if not address.by_object_name:
            spelling = self._directory.actual_spelling(address.namespace, address.name)
        hint = f" Names are compared exactly: there is {spelling}." if spelling and spelling != address.name else ""
        reason = f"Endpoint {address.name:.80} not found in namespace {address.namespace}.{hint}"
        return Rejection(Cause.UNKNOWN_ENDPOINT, reason)

    def _start(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _look_up(self, address: Address, name: str, key: Key, waiting: dict[PendingLookup, Callback]) -> None:
        result: EndpointThrottler | Rejection = _unknown(address)
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                value = await self._cluster.get(ENDPOINTS, address.namespace, name)
            if value is not None:
                self._add(trim_endpoint(value))
            throttler = self._find(address)
            result = throttler or self._not_found(address)
            if throttler is None or throttler.pools.route is None:
                self._cache_negative(key)
        except (ApiError, TimeoutError) as error:
            reason = error or "no response in time"
            log.info("the look-up of endpoint %s/%s failed: %s", address.namespace, address.name, reason)
        except Exception:
            log.exception("the look-up of endpoint %s/%s failed", address.namespace, address.name)
        finally:
            del self._running[key]
            _notify(waiting, result)

    def _add(self, value: Object) -> None:
        self._directory.add_looked_up(value)
        if self._directory.only_looked_up(value):
            self._start(self._confirm(value), f"confirm {value['metadata']['name']}")

    async def _confirm(self, value: Object) -> None:
        """Reads the Endpoint regularly until the watch shows it. Removes it from the directory if it was deleted."""
        meta = value["metadata"]
        while True:
            await asyncio.sleep(CONFIRM_SECONDS)
            if not self._directory.only_looked_up(value):
                return
            try:
                now = await self._cluster.get(ENDPOINTS, meta["namespace"], meta["name"])
            except ApiError:
                continue
            if now is None or now["metadata"]["uid"] != meta["uid"]:
                self._directory.on_endpoint(value, None)
                return

    def _cache_negative(self, key: Key) -> None:
        if len(self._negative_cache) >= NEGATIVE_CACHE_NAMES:
            self._negative_cache.clear()
        self._negative_cache[key] = time.monotonic() + NEGATIVE_CACHE_SECONDS


def _unknown(address: Address) -> Rejection:
    reason = (
        f"Whether there is an endpoint {address.name:.80} in namespace {address.namespace} cannot be found out now. "
        "Try again."
    )
    return Rejection(Cause.NOT_READY, reason, 1)


def _notify(waiting: dict[PendingLookup, Callback], result: EndpointThrottler | Rejection) -> None:
    for pending in list(waiting):
        callback = waiting.pop(pending, None)  # None: an earlier callback has cancelled this callback
        try:
            if callback is not None:
                callback(result)
        except Exception:  # the other requests must still get the result
            log.exception("a request could not process the result of its look-up")
