"""What the watches show, brought to the desks: Endpoints with their routes, their ReplicaSets, and the pods of those.

Everything is tied together by uid, never by name: an Endpoint, ReplicaSet or pod that was made again under the same name is another one. And only within
a namespace: an owner reference may name a uid of any, for a moment, and would bring one tenant's requests to another's pod.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from kindler.activator.endpoint.size import PoolFacts
from kindler.activator.endpoint.throttler import EndpointThrottler, Identity
from kindler.api import conditions, names
from kindler.api.route import Route
from kindler.clients.cluster import Object
from kindler.core.common import pods as pod_facts
from kindler.core.common.pods import PodFacts

log = logging.getLogger(__name__)

Owner = tuple[str, str]  # namespace and uid


class Directory:
    """All desks of this process. `changed` is called when an address may lead elsewhere than before."""

    def __init__(self, open_throttler: Callable[[Identity], EndpointThrottler]) -> None:
        self.throttlers: dict[str, EndpointThrottler] = {}  # by uid
        self.changed: Callable[[], None] = lambda: None
        self._open_throttler = open_throttler
        self._objects: dict[tuple[str, str], EndpointThrottler] = {}  # (namespace, metadata.name)
        self._named: dict[
            tuple[str, str], list[EndpointThrottler]
        ] = {}  # (namespace, SageMaker name in lower case), the owner of the name first
        self._pools: dict[Owner, PoolFacts] = {}
        self._owned: dict[Owner, dict[str, PoolFacts]] = {}  # by Endpoint, then by uid
        self._pods: dict[Owner, dict[str, PodFacts]] = {}  # by ReplicaSet, then by uid
        self._addresses: dict[str, tuple[Owner, PodFacts]] = {}  # IP -> the youngest pod that has it
        self._unseen: set[str] = set()  # uids of endpoints that only a look-up has shown

    def by_object_name(self, namespace: str, name: str) -> EndpointThrottler | None:
        """The endpoint with this metadata.name."""
        return self._objects.get((namespace, name))

    def by_name(self, namespace: str, endpoint: str) -> EndpointThrottler | None:
        """The endpoint with this SageMaker name. Names are unique without regard to case (the oldest object owns one), but are called exactly."""
        owners = self._named.get((namespace, endpoint.lower()))
        return owners[0] if owners and owners[0].identity.endpoint == endpoint else None

    def actual_spelling(self, namespace: str, endpoint: str) -> str | None:
        """How the endpoint is spelled that differs from this name in case alone."""
        owners = self._named.get((namespace, endpoint.lower()))
        return owners[0].identity.endpoint if owners else None

    # Endpoints

    def endpoint(self, old: Object | None, new: Object | None) -> None:
        """An Endpoint (as `trim_endpoint` left it) appeared, changed or went."""
        self._unseen.discard((new or old or {})["metadata"]["uid"])
        self._endpoint(old, new)

    def found(self, value: Object) -> None:
        """An Endpoint that a look-up shows: perhaps ahead of the watch, perhaps behind it."""
        identity: Identity = value["identity"]
        other = self._objects.get((identity.namespace, identity.name))
        if other is not None and other.identity.uid != identity.uid and other.identity.created >= identity.created:
            return  # the watch has shown its successor
        known = identity.uid in self.throttlers
        self._endpoint(None, value)
        if not known and identity.uid in self.throttlers:
            self._unseen.add(identity.uid)

    def unseen(self, value: Object) -> bool:
        """Whether the watch has said nothing yet of an Endpoint that a look-up has shown."""
        return value["metadata"]["uid"] in self._unseen

    def _endpoint(self, old: Object | None, new: Object | None) -> None:
        if new is None or new["deleting"]:
            gone = new or old
            if gone is not None:
                self._close(str(gone["metadata"]["uid"]))
            return
        identity: Identity = new["identity"]
        known = self.throttlers.get(identity.uid)
        throttler = known or self._open(identity)
        throttler.no_route_reason = new["no_route_reason"]
        route: Route | None = new["route"]
        if (
            route is not None and route != throttler.pools.route
        ):  # a route that was lost (a restored backup) is rebuilt: the last one serves on
            throttler.reroute(route, change_observed=known is not None)

    def _open(self, identity: Identity) -> EndpointThrottler:
        other = self._objects.get((identity.namespace, identity.name))
        if other is not None:
            self._close(other.identity.uid)  # its deletion was not told
        throttler = self.throttlers[identity.uid] = self._open_throttler(identity)
        self._objects[identity.namespace, identity.name] = throttler
        owners = self._named.setdefault((identity.namespace, identity.endpoint.lower()), [])
        owners.append(throttler)
        owners.sort(key=lambda d: (d.identity.created, d.identity.uid))
        for facts in self._owned.get((identity.namespace, identity.uid), {}).values():
            self._fill(throttler, facts)
        self.changed()
        return throttler

    def _close(self, uid: str) -> None:
        throttler = self.throttlers.pop(uid, None)
        if throttler is None:
            return
        identity = throttler.identity
        if self._objects.get((identity.namespace, identity.name)) is throttler:
            del self._objects[identity.namespace, identity.name]
        key = (identity.namespace, identity.endpoint.lower())
        self._named[key].remove(throttler)
        if not self._named[key]:
            del self._named[key]
        self.changed()
        throttler.close()

    # ReplicaSets

    def pool(self, old: Object | None, new: Object | None) -> None:
        """A ReplicaSet (as `trim_pool` left it) appeared, changed or went."""
        facts: PoolFacts = (new or old or {})["facts"]
        pool, owner = (facts.namespace, facts.uid), (facts.namespace, facts.owner)
        throttler = self._throttler(owner)
        if new is None:
            self._pools.pop(pool, None)
            _pop(self._owned, owner, facts.uid)
            if throttler is not None:
                throttler.pools.remove_size(facts.name)
                for uid in self._pods.get(
                    pool, ()
                ):  # they go with it, and nothing leads from them to the desk any more
                    throttler.pools.remove_pod(uid)
                throttler.serve_held()
            return
        self._pools[pool] = self._owned.setdefault(owner, {})[facts.uid] = facts
        if throttler is not None:
            if old is None:
                self._fill(throttler, facts)
            else:
                throttler.pools.update_size(facts)
            throttler.serve_held()

    def _fill(self, throttler: EndpointThrottler, facts: PoolFacts) -> None:
        throttler.pools.update_size(facts)
        for pod in self._pods.get((facts.namespace, facts.uid), {}).values():
            throttler.pools.update_pod(pod)

    def _throttler(self, owner: Owner) -> EndpointThrottler | None:
        throttler = self.throttlers.get(owner[1])
        return throttler if throttler is not None and throttler.identity.namespace == owner[0] else None

    # Pods

    def pod(self, old: Object | None, new: Object | None) -> None:
        """A pod (as `trim_pod` left it) appeared, changed or went."""
        if old is not None and new is not None and old["owner"] != new["owner"]:
            self.pod(old, None)  # orphaned or adopted
        value = new or old or {}
        facts: PodFacts = value["facts"]
        owner: Owner = value["owner"]
        pool = self._pools.get(owner)
        throttler = self._throttler((pool.namespace, pool.owner)) if pool else None
        if old is not None and (holder := self._addresses.get(old["facts"].ip)) and holder[1].uid == facts.uid:
            del self._addresses[old["facts"].ip]
        if new is None:
            _pop(self._pods, owner, facts.uid)
            if throttler is not None:
                throttler.pools.remove_pod(facts.uid)
                throttler.serve_held()
            return
        if facts.ip and not self._holds(facts.ip, owner, facts):
            return
        self._pods.setdefault(owner, {})[facts.uid] = facts
        if throttler is not None:
            throttler.pools.update_pod(facts)
            throttler.serve_held()

    def _holds(self, ip: str, owner: Owner, facts: PodFacts) -> bool:
        """Whether the address is this pod's: of two that show one, the younger has it, and the other's end was not told yet (the watch lags)."""
        holder = self._addresses.get(ip)
        if holder is not None and holder[1].uid != facts.uid:
            if holder[1].created > facts.created:
                return False
            if holder[1].created < facts.created:
                self.pod({"facts": holder[1], "owner": holder[0]}, None)
        self._addresses[ip] = (owner, facts)
        return True


def _pop(groups: dict[Owner, dict[str, Any]], owner: Owner, uid: str) -> None:
    group = groups.get(owner, {})
    group.pop(uid, None)
    if not group:
        groups.pop(owner, None)


# What the informers keep of an object: what is needed here, read once.


def trim_endpoint(value: Object) -> Object:
    """An Endpoint: who it is, its route, and what to say while it has none."""
    meta, status = value["metadata"], value.get("status") or {}
    endpoint = (value.get("spec") or {}).get("endpointName") or meta["name"]
    identity = Identity(meta["uid"], meta["namespace"], meta["name"], endpoint, meta.get("creationTimestamp") or "")
    deleting = meta.get("deletionTimestamp") is not None
    return _kept(meta) | {
        "identity": identity,
        "route": _route(status.get("route"), meta),
        "no_route_reason": _no_route_reason(endpoint, status),
        "deleting": deleting,
    }


def _no_route_reason(endpoint: str, status: Object) -> str:
    """Why an Endpoint without a route does not serve, in the controller's words where it has said more than that it is at work."""
    if status.get("failureReason"):
        return f"Endpoint {endpoint} could not be created: {status['failureReason']}"
    ready: Object = next((c for c in status.get("conditions") or () if c.get("type") == conditions.READY), {})
    if ready.get("reason", conditions.CREATING) == conditions.CREATING:
        return f"Endpoint {endpoint} is being created: it has no revision to serve yet."
    return f"Endpoint {endpoint} is being created. {ready.get('message', '')}"


def trim_pool(value: Object) -> Object:
    """A ReplicaSet: its size, its trouble, and which Endpoint it belongs to."""
    meta = value["metadata"]
    labels = meta.get("labels") or {}
    replicas = (value.get("spec") or {}).get("replicas", 1)
    owner = _controller(meta, "Endpoint")
    facts = PoolFacts(
        meta["namespace"],
        meta["uid"],
        meta["name"],
        owner,
        labels.get(names.LABEL_REVISION, ""),
        replicas,
        pod_facts.pool_failure(value),
    )
    return _kept(meta) | {"facts": facts}


def trim_pod(value: Object) -> Object:
    """A pod: its facts, and which ReplicaSet it belongs to."""
    meta = value["metadata"]
    return _kept(meta) | {
        "facts": pod_facts.read(value, time.time()),
        "owner": (meta["namespace"], _controller(meta, "ReplicaSet")),
    }


def _kept(meta: dict[str, Any]) -> Object:
    return {"metadata": {k: meta.get(k) for k in ("name", "namespace", "uid", "resourceVersion")}}


def _controller(meta: dict[str, Any], kind: str) -> str:
    """uid of the owner that controls it, "" when that is of another kind or missing: such an object is not ours."""
    return next(
        (o["uid"] for o in meta.get("ownerReferences") or () if o.get("controller") and o.get("kind") == kind), ""
    )


def _route(value: Any, meta: dict[str, Any]) -> Route | None:
    if not value:
        return None
    try:
        return Route.from_json(value)
    except (KeyError, TypeError, ValueError) as error:
        log.error(
            "the route of endpoint %s/%s cannot be read (%r): the last good one serves on",
            meta["namespace"],
            meta["name"],
            error,
        )
        return None
