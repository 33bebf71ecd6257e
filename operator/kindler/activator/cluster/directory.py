"""All endpoints that this process knows. It passes Endpoints, ReplicaSets and pods from the watches to the throttlers.

Objects are related by uid, never by name, because an Endpoint, ReplicaSet or pod that is created again under the same
name is another object. They are related only within one namespace, because an owner reference may briefly contain a uid
from another namespace. That would bring one tenant's requests to another tenant's pod.

Does not belong here: what the informers keep of an object (trim), look-ups (lookups).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kindler.activator.cluster.trim import Owner
from kindler.activator.endpoint.records import Identity
from kindler.activator.endpoint.size import PoolFacts
from kindler.activator.endpoint.throttler import EndpointThrottler
from kindler.api.route import Route
from kindler.clients.cluster import Object
from kindler.core.common.pods import PodFacts


class Directory:
    """All throttlers of this process. `changed` is called when an address may lead to another throttler than before."""

    def __init__(self, new_throttler: Callable[[Identity], EndpointThrottler]) -> None:
        self.throttlers: dict[str, EndpointThrottler] = {}  # by uid
        self.changed: Callable[[], None] = lambda: None
        self._new_throttler = new_throttler
        self._by_object_name: dict[tuple[str, str], EndpointThrottler] = {}  # (namespace, metadata.name)
        # (namespace, SageMaker name in lower case) -> all endpoints with this name, the owner of the name first
        self._by_endpoint_name: dict[tuple[str, str], list[EndpointThrottler]] = {}
        self._pools: dict[Owner, PoolFacts] = {}
        self._pools_of_endpoint: dict[Owner, dict[str, PoolFacts]] = {}  # by Endpoint, then by uid of the ReplicaSet
        self._pods_of_pool: dict[Owner, dict[str, PodFacts]] = {}  # by ReplicaSet, then by uid of the pod
        self._addresses: dict[str, tuple[Owner, PodFacts]] = {}  # IP -> the youngest pod that has it
        self._only_looked_up: set[str] = set()  # uids of Endpoints that the watch has not shown yet

    def by_object_name(self, namespace: str, name: str) -> EndpointThrottler | None:
        """The endpoint with this metadata.name."""
        return self._by_object_name.get((namespace, name))

    def by_endpoint_name(self, namespace: str, endpoint: str) -> EndpointThrottler | None:
        """The endpoint with this SageMaker name, compared exactly.

        Names are unique without regard to case. The oldest object owns a name.
        """
        owners = self._by_endpoint_name.get((namespace, endpoint.lower()))
        return owners[0] if owners and owners[0].identity.endpoint == endpoint else None

    def actual_spelling(self, namespace: str, endpoint: str) -> str | None:
        """The name of the endpoint whose SageMaker name differs at most in case; None if it does not exist."""
        owners = self._by_endpoint_name.get((namespace, endpoint.lower()))
        return owners[0].identity.endpoint if owners else None

    # Endpoints

    def on_endpoint(self, old: Object | None, new: Object | None) -> None:
        """The watch shows that an Endpoint (as `trim_endpoint` returns it) was added, changed or deleted."""
        self._only_looked_up.discard((new or old or {})["metadata"]["uid"])
        self._update_endpoint(old, new)

    def add_looked_up(self, value: Object) -> None:
        """Adds an Endpoint that a look-up read. Its state may be newer or older than the watch's state."""
        identity: Identity = value["identity"]
        other = self._by_object_name.get((identity.namespace, identity.name))
        if other is not None and other.identity.uid != identity.uid and other.identity.created >= identity.created:
            return  # the watch has already shown a newer Endpoint of the same name
        known = identity.uid in self.throttlers
        self._update_endpoint(None, value)
        if not known and identity.uid in self.throttlers:
            self._only_looked_up.add(identity.uid)

    def only_looked_up(self, value: Object) -> bool:
        """True if a look-up has shown this Endpoint, but the watch has not shown it yet."""
        return value["metadata"]["uid"] in self._only_looked_up

    def _update_endpoint(self, old: Object | None, new: Object | None) -> None:
        if new is None or new["deleting"]:
            value = new or old
            if value is not None:
                self._close(str(value["metadata"]["uid"]))
            return
        identity: Identity = new["identity"]
        known = self.throttlers.get(identity.uid)
        throttler = known or self._open(identity)
        throttler.no_route_reason = new["no_route_reason"]
        route: Route | None = new["route"]
        # After a restore from a backup, a status has no route until the controller writes it. The last route stays.
        if route is not None and route != throttler.pools.route:
            throttler.reroute(route, change_observed=known is not None)

    def _open(self, identity: Identity) -> EndpointThrottler:
        other = self._by_object_name.get((identity.namespace, identity.name))
        if other is not None:
            self._close(other.identity.uid)  # the watch has not shown its deletion yet
        throttler = self.throttlers[identity.uid] = self._new_throttler(identity)
        self._by_object_name[identity.namespace, identity.name] = throttler
        owners = self._by_endpoint_name.setdefault((identity.namespace, identity.endpoint.lower()), [])
        owners.append(throttler)
        owners.sort(key=lambda t: (t.identity.created, t.identity.uid))
        for facts in self._pools_of_endpoint.get((identity.namespace, identity.uid), {}).values():
            self._add_pool(throttler, facts)
        self.changed()
        return throttler

    def _close(self, uid: str) -> None:
        throttler = self.throttlers.pop(uid, None)
        if throttler is None:
            return
        identity = throttler.identity
        if self._by_object_name.get((identity.namespace, identity.name)) is throttler:
            del self._by_object_name[identity.namespace, identity.name]
        key = (identity.namespace, identity.endpoint.lower())
        self._by_endpoint_name[key].remove(throttler)
        if not self._by_endpoint_name[key]:
            del self._by_endpoint_name[key]
        self.changed()
        throttler.close()

    # ReplicaSets

    def on_pool(self, old: Object | None, new: Object | None) -> None:
        """The watch shows that a ReplicaSet (as `trim_pool` returns it) was added, changed or deleted."""
        facts: PoolFacts = (new or old or {})["facts"]
        pool, owner = (facts.namespace, facts.uid), (facts.namespace, facts.owner)
        throttler = self._throttler(owner)
        if new is None:
            self._pools.pop(pool, None)
            _pop(self._pools_of_endpoint, owner, facts.uid)
            if throttler is not None:
                throttler.pools.remove_size(facts.name)
                # The ReplicaSet's pods are deleted with it, and their later events do not reach the throttler any more.
                for uid in self._pods_of_pool.get(pool, ()):
                    throttler.pools.remove_pod(uid)
                throttler.serve_held()
            return
        self._pools[pool] = self._pools_of_endpoint.setdefault(owner, {})[facts.uid] = facts
        if throttler is not None:
            if old is None:
                self._add_pool(throttler, facts)
            else:
                throttler.pools.update_size(facts)
            throttler.serve_held()

    def _add_pool(self, throttler: EndpointThrottler, facts: PoolFacts) -> None:
        throttler.pools.update_size(facts)
        for pod in self._pods_of_pool.get((facts.namespace, facts.uid), {}).values():
            throttler.pools.update_pod(pod)

    def _throttler(self, owner: Owner) -> EndpointThrottler | None:
        throttler = self.throttlers.get(owner[1])
        return throttler if throttler is not None and throttler.identity.namespace == owner[0] else None

    # Pods

    def on_pod(self, old: Object | None, new: Object | None) -> None:
        """The watch shows that a pod (as `trim_pod` returns it) was added, changed or deleted."""
        if old is not None and new is not None and old["owner"] != new["owner"]:
            self.on_pod(old, None)  # the pod has another ReplicaSet now, or none
        value = new or old or {}
        facts: PodFacts = value["facts"]
        owner: Owner = value["owner"]
        pool = self._pools.get(owner)
        throttler = self._throttler((pool.namespace, pool.owner)) if pool else None
        if old is not None and (holder := self._addresses.get(old["facts"].ip)) and holder[1].uid == facts.uid:
            del self._addresses[old["facts"].ip]
        if new is None:
            _pop(self._pods_of_pool, owner, facts.uid)
            if throttler is not None:
                throttler.pools.remove_pod(facts.uid)
                throttler.serve_held()
            return
        if facts.ip and not self._claim_address(facts.ip, owner, facts):
            return
        self._pods_of_pool.setdefault(owner, {})[facts.uid] = facts
        if throttler is not None:
            throttler.pools.update_pod(facts)
            throttler.serve_held()

    def _claim_address(self, ip: str, owner: Owner, facts: PodFacts) -> bool:
        """True if the address belongs to this pod.

        If two pods show the same address, it belongs to the younger pod. The older pod has already ended, but the watch
        has not shown that yet.
        """
        holder = self._addresses.get(ip)
        if holder is not None and holder[1].uid != facts.uid:
            if holder[1].created > facts.created:
                return False
            if holder[1].created < facts.created:
                self.on_pod({"facts": holder[1], "owner": holder[0]}, None)
        self._addresses[ip] = (owner, facts)
        return True


def _pop(groups: dict[Owner, dict[str, Any]], owner: Owner, uid: str) -> None:
    group = groups.get(owner, {})
    group.pop(uid, None)
    if not group:
        groups.pop(owner, None)
