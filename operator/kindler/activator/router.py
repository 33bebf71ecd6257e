"""The `RequestRouter` of the wire: finds the throttler of a request, and limits the memory of held requests.

Does not belong here: how an address is parsed (core.dataplane.addresses), look-ups (cluster.lookups).
"""

from __future__ import annotations

from collections.abc import Callable

from kindler.activator.cluster.directory import Directory
from kindler.activator.cluster.lookups import Lookups
from kindler.activator.endpoint.requests import Cause, Rejection
from kindler.activator.endpoint.throttler import EndpointThrottler
from kindler.activator.ownership import Ownership
from kindler.activator.wire.roles import RequestHead, RouteLookup, RouteMatch, RouteMiss, RouteResult
from kindler.api.settings import ActivatorSettings
from kindler.clients.cluster import Cluster
from kindler.core.dataplane.addresses import Address, NoAddress, resolve

REMEMBERED = 4096  # at most this many heads have a cached match; clients repeat the same few heads
REMEMBERED_BYTES = 512  # per head; longer heads are not cached, so that no client can fill the memory with them

Key = tuple[bytes, bytes, bytes, bytes | None]


class Router:
    """Finds the throttler of each request.

    `missed`: the number of requests that named no endpoint, by cause. `closing`: set when the process drains. `synced`:
    whether the watch has listed all Endpoints.
    """

    def __init__(
        self,
        settings: ActivatorSettings,
        cluster: Cluster,
        directory: Directory,
        ownership: Ownership,
        synced: Callable[[], bool],
    ) -> None:
        self.missed: dict[Cause, int] = {}
        self.held_bytes = 0
        self.closing = False
        self._settings = settings
        self._directory = directory
        self._ownership = ownership
        self._lookups = Lookups(cluster, directory, settings.common.namespaces, self._throttler, synced)
        self._found: dict[Key, RouteMatch] = {}
        directory.changed = self._found.clear

    def find(self, head: RequestHead) -> RouteResult:
        """The throttler of the endpoint that this head addresses, a look-up of the endpoint, or a rejection.

        Matches are cached by head until the directory changes.
        """
        key = (head.method, head.target, head.host, head.namespace)
        found = self._found.get(key)
        if found is not None:
            return found
        common = self._settings.common
        address = resolve(
            head.method, head.target, head.host, head.namespace, self._settings.default_namespace, common.cluster_domain
        )
        if isinstance(address, NoAddress):
            return self._miss(RouteMiss(address.style, Rejection(Cause.UNKNOWN_ADDRESS, address.reason)))
        throttler = self._throttler(address)
        if throttler is not None and throttler.pools.route is not None:
            found = RouteMatch(address.purpose, address.style, throttler)
            if len(head.target) + len(head.host) + len(head.namespace or b"") <= REMEMBERED_BYTES:
                if len(self._found) >= REMEMBERED:
                    self._found.clear()
                self._found[key] = found
            return found
        # A client may learn earlier than our watch that an endpoint exists or is ready. So look the endpoint up before
        # a rejection.
        pending = self._lookups.ask(address, throttler.identity.name if throttler else address.name.lower())
        if isinstance(pending, Rejection):
            if throttler:
                return RouteMatch(address.purpose, address.style, throttler)
            return self._miss(RouteMiss(address.style, pending))
        return RouteLookup(address.purpose, address.style, pending)

    def reserve_bytes(self, count: int) -> bool:
        """Reserves bytes for held requests; a negative `count` frees bytes. False: the limit is reached."""
        if count > 0 and self.held_bytes + count > self._settings.held_bytes_limit:
            return False
        self.held_bytes += count
        return True

    def draining(self) -> bool:
        """True once the process drains. Then each response contains `Connection: close`."""
        return self.closing

    async def close(self) -> None:
        """Ends all look-ups."""
        await self._lookups.close()

    def _throttler(self, address: Address) -> EndpointThrottler | None:
        find = self._directory.by_object_name if address.by_object_name else self._directory.by_endpoint_name
        throttler = find(address.namespace, address.name)
        return throttler if throttler is not None and self._ownership.owns(throttler.identity.uid) else None

    def _miss(self, missed: RouteMiss) -> RouteMiss:
        cause = missed.rejection.cause
        self.missed[cause] = self.missed.get(cause, 0) + 1
        return missed
