"""Writes the manifests of the objects that an Endpoint owns, and reads a ControllerRevision and a ReplicaSet.

The annotations are JSON that an older or a newer Kindler may have written. Therefore their keys never change.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from typing import Any, Final

from kindler.api import names
from kindler.api.route import Route
from kindler.core.common.objects import Json
from kindler.core.common.pods import pool_failure
from kindler.core.common.pools import Pool
from kindler.core.endpoint.revision import PodShape
from kindler.core.endpoint.state import Attempt, DesiredPool, Observed, ResolvedImage, RouteRecord, StoredRevision

ATTEMPT: Final = f"{names.GROUP}/attempt"
ROUTED: Final = f"{names.GROUP}/routed"
RESOLVED: Final = f"{names.GROUP}/resolved-image"


def owner_reference(endpoint: Json) -> dict[str, Any]:
    """The owner reference of every child. With it, the garbage collector deletes the children after the Endpoint."""
    meta = endpoint["metadata"]
    return {
        "apiVersion": names.API_VERSION,
        "kind": "Endpoint",
        "name": meta["name"],
        "uid": meta["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def is_ours(child: Json, endpoint_uid: str) -> bool:
    """Whether the Endpoint of this uid owns the object."""
    return any(
        o.get("uid") == endpoint_uid and o.get("kind") == "Endpoint"
        for o in child["metadata"].get("ownerReferences") or ()
    )


def service(observed: Observed, activator: str) -> dict[str, Any]:
    """The Service that clients use. `activator`: the DNS name to which the Service resolves."""
    return _child(observed, "v1", "Service", names.service_name(observed.name), {}) | {
        "spec": {"type": "ExternalName", "externalName": activator}
    }


def hpa(observed: Observed, spec: Json) -> dict[str, Any]:
    """The HPA of the warm pool. `spec`: from core/autoscaling/hpa.py."""
    return _child(observed, "autoscaling/v2", "HorizontalPodAutoscaler", names.autoscaler_name(observed.name), {}) | {
        "spec": dict(spec)
    }


def replica_set(observed: Observed, stored: StoredRevision, desired: DesiredPool) -> dict[str, Any]:
    """The ReplicaSet without `replicas`, because the component that sizes the pool owns that field."""
    labels = {names.LABEL_REVISION: stored.revision, names.LABEL_POOL: desired.pool}
    body = _child(observed, "apps/v1", "ReplicaSet", desired.name, labels)
    selector = {names.LABEL_ENDPOINT: observed.name} | labels
    template = {"metadata": {"labels": body["metadata"]["labels"]}, "spec": _pinned(stored)}
    return body | {"spec": {"selector": {"matchLabels": selector}, "template": template}}


def new_replica_set(observed: Observed, stored: StoredRevision, desired: DesiredPool) -> dict[str, Any]:
    """The ReplicaSet to create, with its first size, and marked with the attempt for which it is created."""
    body = replica_set(observed, stored, desired)
    if desired.attempt:
        body["metadata"]["annotations"] = {ATTEMPT: desired.attempt}
    body["spec"]["replicas"] = desired.start
    return body


def controller_revision(observed: Observed, stored: StoredRevision) -> dict[str, Any]:
    """The ControllerRevision that stores a revision.

    `data` never changes (Kubernetes enforces that). Annotations contain the revision's state.
    """
    body = _child(observed, "apps/v1", "ControllerRevision", stored.name, {names.LABEL_REVISION: stored.revision})
    notes = {
        ATTEMPT: stored.attempt and asdict(stored.attempt),
        ROUTED: stored.routed
        and {"route": stored.routed.route.to_json(), "configName": stored.routed.config_name, "at": stored.routed.at},
        RESOLVED: stored.resolved and asdict(stored.resolved),
    }
    body["metadata"]["annotations"] = {k: json.dumps(v, sort_keys=True) for k, v in notes.items() if v}
    data = {"podSpec": stored.pod_spec} | ({"shape": stored.shape.to_json()} if stored.shape else {})
    return body | {"revision": stored.number, "data": data}


def stored_revision_from(raw: Json) -> StoredRevision | None:
    """The revision that a ControllerRevision stores; None if it cannot be read."""
    meta, data = raw["metadata"], raw.get("data") or {}
    notes = meta.get("annotations") or {}
    try:
        return StoredRevision(
            name=meta["name"],
            uid=meta["uid"],
            revision=meta["labels"][names.LABEL_REVISION],
            number=int(raw.get("revision", 0)),
            shape=PodShape.from_json(data["shape"]) if "shape" in data else None,
            pod_spec=data["podSpec"],
            attempt=_read(notes, ATTEMPT, _attempt),
            routed=_read(
                notes, ROUTED, lambda v: RouteRecord(Route.from_json(v["route"]), v["configName"], int(v["at"]))
            ),
            resolved=_read(notes, RESOLVED, lambda v: ResolvedImage(**v)),
        )
    except (AttributeError, KeyError, TypeError, ValueError):
        return None


def pool_from(raw: Json) -> Pool:
    """A ReplicaSet as a Pool."""
    meta = raw["metadata"]
    labels = meta.get("labels") or {}
    return Pool(
        name=meta["name"],
        uid=meta["uid"],
        revision=labels.get(names.LABEL_REVISION, ""),
        pool=labels.get(names.LABEL_POOL, ""),
        replicas=int((raw.get("spec") or {}).get("replicas", 1)),
        attempt=(meta.get("annotations") or {}).get(ATTEMPT, ""),
        deleting=meta.get("deletionTimestamp") is not None,
        failure=pool_failure(raw),
        found=raw,
    )


def _child(observed: Observed, api_version: str, kind: str, name: str, labels: Mapping[str, str]) -> dict[str, Any]:
    meta = {
        "name": name,
        "namespace": observed.namespace,
        "labels": {names.LABEL_ENDPOINT: observed.name, names.LABEL_MANAGED_BY: names.MANAGED_BY} | dict(labels),
        "ownerReferences": [owner_reference(observed.endpoint)],
    }
    return {"apiVersion": api_version, "kind": kind, "metadata": meta}


def _pinned(stored: StoredRevision) -> Json:
    """The pod spec, pinned to the digest if it is known. Then nodes need not query the registry before each start."""
    if stored.resolved is None or not stored.resolved.pinned:
        return stored.pod_spec
    first, *others = stored.pod_spec["containers"]
    pinned = dict(first) | {"image": stored.resolved.image, "imagePullPolicy": "IfNotPresent"}
    return dict(stored.pod_spec) | {"containers": [pinned, *others]}


def _attempt(value: Mapping[str, Any]) -> Attempt:
    """The Attempt. Ignores fields of a newer Kindler, so that an update in progress continues."""
    known = {f.name for f in fields(Attempt)}
    return replace(Attempt(**{k: v for k, v in value.items() if k in known}), sources=tuple(value["sources"]))


def _read(notes: Mapping[str, str], key: str, build: Any) -> Any:
    """One annotation as a value; None if it is missing or cannot be read."""
    try:
        return build(json.loads(notes[key]))
    except (KeyError, TypeError, ValueError):
        return None
