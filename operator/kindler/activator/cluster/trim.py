"""The parts of an object that the informers keep: only what the directory needs, parsed once per event."""

from __future__ import annotations

import logging
import time
from typing import Any

from kindler.activator.endpoint.records import Identity
from kindler.activator.endpoint.size import PoolFacts
from kindler.api import conditions, names
from kindler.api.route import Route
from kindler.clients.cluster import Object
from kindler.core.common import pods as pod_facts

log = logging.getLogger(__name__)

Owner = tuple[str, str]  # namespace and uid


def trim_endpoint(value: Object) -> Object:
    """An Endpoint: its identity, its route, and the reason for rejections while it has no route."""
    meta, status = value["metadata"], value.get("status") or {}
    endpoint = (value.get("spec") or {}).get("endpointName") or meta["name"]
    identity = Identity(meta["uid"], meta["namespace"], meta["name"], endpoint, meta.get("creationTimestamp") or "")
    return _trim_metadata(meta) | {
        "identity": identity,
        "route": _route(status.get("route"), meta),
        "no_route_reason": _no_route_reason(endpoint, status),
        "deleting": meta.get("deletionTimestamp") is not None,
    }


def trim_pool(value: Object) -> Object:
    """A ReplicaSet: its facts, with the uid of its Endpoint."""
    meta = value["metadata"]
    facts = PoolFacts(
        meta["namespace"],
        meta["uid"],
        meta["name"],
        _controller(meta, "Endpoint"),
        (meta.get("labels") or {}).get(names.LABEL_REVISION, ""),
        (value.get("spec") or {}).get("replicas", 1),
        pod_facts.pool_failure(value),
    )
    return _trim_metadata(meta) | {"facts": facts}


def trim_pod(value: Object) -> Object:
    """A pod: its facts, and the ReplicaSet that it belongs to."""
    meta = value["metadata"]
    owner: Owner = (meta["namespace"], _controller(meta, "ReplicaSet"))
    return _trim_metadata(meta) | {"facts": pod_facts.read(value, time.time()), "owner": owner}


def _trim_metadata(meta: dict[str, Any]) -> Object:
    return {"metadata": {k: meta.get(k) for k in ("name", "namespace", "uid", "resourceVersion")}}


def _controller(meta: dict[str, Any], kind: str) -> str:
    """The uid of the controlling owner. "" if there is none of this kind; then the object is not Kindler's."""
    return next(
        (o["uid"] for o in meta.get("ownerReferences") or () if o.get("controller") and o.get("kind") == kind), ""
    )


def _no_route_reason(endpoint: str, status: Object) -> str:
    """Why an Endpoint without a route does not serve.

    The text contains status.failureReason, or else the message of Ready if the reason of Ready is not Creating.
    """
    if status.get("failureReason"):
        return f"Endpoint {endpoint} could not be created: {status['failureReason']}"
    ready: Object = next((c for c in status.get("conditions") or () if c.get("type") == conditions.READY), {})
    if ready.get("reason", conditions.CREATING) == conditions.CREATING:
        return f"Endpoint {endpoint} is being created: it has no revision to serve yet."
    return f"Endpoint {endpoint} is being created. {ready.get('message', '')}"


def _route(value: Any, meta: dict[str, Any]) -> Route | None:
    if not value:
        return None
    try:
        return Route.from_json(value)
    except (KeyError, TypeError, ValueError) as error:
        text = "the route of endpoint %s/%s cannot be parsed (%r): the last valid route stays in use"
        log.error(text, meta["namespace"], meta["name"], error)
        return None
