"""Direct look-ups of endpoints that the cache does not know, or knows without a route.

One GET a name at a time, at a limited rate, shared by all who ask for it meanwhile. Whoever asks is answered within PATIENCE_SECONDS, whatever happens:

    it is there                                         its desk
    it is not, or was not a moment ago                  not found
    too many look-ups, and the cache knows all          not found
    too many look-ups before that, or no answer         come back: nothing is known

An endpoint that only a look-up has shown is asked about again until the watch knows it too: else its deletion might never be told.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from typing import Any

from kindler.activator.cluster.directory import Directory, trim_endpoint
from kindler.activator.endpoint.requests import Cause, Rejection
from kindler.activator.endpoint.throttler import EndpointThrottler
from kindler.clients.cluster import ENDPOINTS, ApiError, Cluster, Object
from kindler.core.common.ratelimit import TokenBucket
from kindler.core.dataplane.addresses import Address

log = logging.getLogger(__name__)

LOOKUPS_PER_SECOND, LOOKUPS_AT_ONCE = 10.0, 20
REMEMBERED_SECONDS, REMEMBERED = 1.0, 1024  # how long, and for how many names, "not yet" stays the answer
PATIENCE_SECONDS = 2.0
CONFIRM_SECONDS = 10.0  # between two questions whether an endpoint that the watch has not shown is still there

Key = tuple[
    str, str, bool
]  # namespace, name, by_object_name: the same name may be one endpoint's as an object and another's at SageMaker
Callback = Callable[[EndpointThrottler | Rejection], None]


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
    """`find` names the desk of an address in the directory, once the object is in it. `synced` says whether the cache knows all that there was."""

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
        self._pace = TokenBucket(LOOKUPS_PER_SECOND, LOOKUPS_AT_ONCE)
        self._running: dict[Key, dict[Pending, Callback]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._absent: dict[Key, float] = {}  # until when

    def ask(self, address: Address, name: str) -> Pending | Rejection:
        """Joins or begins a look-up of the object `name`; refuses at once when there is nothing to be found, or too much is asked."""
        key = (address.namespace, address.name, address.by_object_name)
        if key in self._running:
            return Pending(self._running[key])
        now = time.monotonic()
        watched = not self._namespaces or address.namespace in self._namespaces
        if not watched or self._absent.get(key, 0.0) > now:
            return self._unknown(address)
        if not self._pace.take(now):
            return self._unknown(address) if self._synced() else _unsure(address)
        waiting = self._running[key] = {}
        self._start(self._look(address, name, key, waiting), f"look-up {address.namespace}/{address.name}")
        return Pending(waiting)

    async def close(self) -> None:
        """Ends all look-ups; who waits for one is told to come back."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _unknown(self, address: Address) -> Rejection:
        spelled = None if address.by_object_name else self._directory.actual_spelling(address.namespace, address.name)
        hint = f" Names are compared exactly: there is {spelled}." if spelled and spelled != address.name else ""
        return Rejection(
            Cause.UNKNOWN_ENDPOINT, f"Endpoint {address.name:.80} not found in namespace {address.namespace}.{hint}"
        )

    def _start(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _look(self, address: Address, name: str, key: Key, waiting: dict[Pending, Callback]) -> None:
        answer: EndpointThrottler | Rejection = _unsure(address)
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                found = await self._cluster.get(ENDPOINTS, address.namespace, name)
            if found is not None:
                self._take(trim_endpoint(found))
            throttler = self._find(address)
            answer = throttler or self._unknown(address)
            if throttler is None or throttler.pools.route is None:
                self._remember(key)
        except (ApiError, TimeoutError) as error:
            log.info(
                "endpoint %s/%s could not be looked up: %s",
                address.namespace,
                address.name,
                error or "no answer in time",
            )
        except Exception:
            log.exception("the look-up of endpoint %s/%s failed", address.namespace, address.name)
        finally:
            del self._running[key]
            _tell(waiting, answer)

    def _take(self, found: Object) -> None:
        self._directory.add_looked_up(found)
        if self._directory.only_looked_up(found):
            self._start(self._confirm(found), f"confirm {found['metadata']['name']}")

    async def _confirm(self, found: Object) -> None:
        meta = found["metadata"]
        while True:
            await asyncio.sleep(CONFIRM_SECONDS)
            if not self._directory.only_looked_up(found):
                return
            try:
                now = await self._cluster.get(ENDPOINTS, meta["namespace"], meta["name"])
            except ApiError:
                continue
            if now is None or now["metadata"]["uid"] != meta["uid"]:
                self._directory.on_endpoint(found, None)
                return

    def _remember(self, key: Key) -> None:
        if len(self._absent) >= REMEMBERED:
            self._absent.clear()
        self._absent[key] = time.monotonic() + REMEMBERED_SECONDS


def _unsure(address: Address) -> Rejection:
    return Rejection(
        Cause.NOT_READY,
        f"Whether there is an endpoint {address.name:.80} in namespace {address.namespace} cannot be found out now. Try again.",
        1,
    )


def _tell(waiting: dict[Pending, Callback], answer: EndpointThrottler | Rejection) -> None:
    for pending in list(waiting):
        callback = waiting.pop(pending, None)  # who was told may make others leave
        try:
            if callback is not None:
                callback(answer)
        except Exception:  # one asker's trouble must not leave the others without an answer
            log.exception("an answer of a look-up was not taken")
