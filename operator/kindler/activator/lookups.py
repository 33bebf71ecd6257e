"""Direct look-ups of endpoints that the cache does not know, or knows without a route.

One GET a name at a time, at a limited rate, shared by all who ask for it meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from kindler.activator.calls import Cause, Desk, Refusal
from kindler.activator.desk import EndpointDesk
from kindler.activator.routes import Directory, keep_endpoint
from kindler.clients.cluster import ENDPOINTS, ApiError, Cluster
from kindler.core.addresses import Address
from kindler.core.pacing import Bucket

log = logging.getLogger(__name__)

LOOKUPS_PER_SECOND, LOOKUPS_AT_ONCE = 10.0, 20
REMEMBERED_SECONDS, REMEMBERED = 1.0, 1024  # how long, and for how many names, "not yet" stays the answer
PATIENCE_SECONDS = 2.0

Callback = Callable[[Desk | Refusal], None]


class Pending:
    """One request's share in a look-up (the seam's `Lookup`)."""

    def __init__(self, waiting: dict[Pending, Callback]) -> None:
        self._waiting = waiting

    def then(self, callback: Callback) -> None:
        """`callback` is called once, later, unless cancelled."""
        self._waiting[self] = callback

    def cancel(self) -> None:
        """The asker left."""
        self._waiting.pop(self, None)


class Lookups:
    """`find` names the desk of an address in the directory, once the object is in it."""

    def __init__(self, cluster: Cluster, directory: Directory, namespaces: tuple[str, ...], find: Callable[[Address], EndpointDesk | None]) -> None:
        self._cluster = cluster
        self._directory = directory
        self._namespaces = namespaces
        self._find = find
        self._pace = Bucket(LOOKUPS_PER_SECOND, LOOKUPS_AT_ONCE)
        self._running: dict[tuple[str, str], dict[Pending, Callback]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._absent: dict[tuple[str, str], float] = {}  # (namespace, name) -> until when

    def ask(self, address: Address, name: str) -> Pending | Refusal:
        """Joins or begins a look-up of the object `name`; refuses at once when there is nothing to be found, or too much is asked."""
        key = (address.namespace, address.name)
        if key in self._running:
            return Pending(self._running[key])
        now = time.monotonic()
        watched = not self._namespaces or address.namespace in self._namespaces
        if not watched or self._absent.get(key, 0.0) > now or not self._pace.take(now):
            return self.unknown(address)
        waiting = self._running[key] = {}
        task = asyncio.get_running_loop().create_task(self._look(address, name, key, waiting), name=f"look-up {address.namespace}/{address.name}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return Pending(waiting)

    def unknown(self, address: Address) -> Refusal:
        """The answer for a name that leads nowhere."""
        spelled = None if address.by_object else self._directory.spelled(address.namespace, address.name)
        hint = f" Names are compared exactly: there is {spelled}." if spelled and spelled != address.name else ""
        return Refusal(Cause.UNKNOWN_ENDPOINT, f"Endpoint {address.name:.80} not found in namespace {address.namespace}.{hint}")

    async def close(self) -> None:
        """Ends all look-ups; who waits for one gets no answer."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _look(self, address: Address, name: str, key: tuple[str, str], waiting: dict[Pending, Callback]) -> None:
        answer: Desk | Refusal = self.unknown(address)
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                found = await self._cluster.get(ENDPOINTS, address.namespace, name)
            if found is not None:
                self._directory.endpoint(None, keep_endpoint(found))
            desk = self._find(address)
            answer = desk or answer
            if desk is None or desk.pools.route is None:
                self._remember(key)
        except (ApiError, TimeoutError) as trouble:
            log.info("endpoint %s/%s could not be looked up: %s", address.namespace, address.name, trouble or "no answer in time")
        finally:
            del self._running[key]
        for callback in list(waiting.values()):
            callback(answer)

    def _remember(self, key: tuple[str, str]) -> None:
        if len(self._absent) >= REMEMBERED:
            self._absent.clear()
        self._absent[key] = time.monotonic() + REMEMBERED_SECONDS
