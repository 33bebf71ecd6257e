"""What an Endpoint owns, as manifests, and the way back: what a ControllerRevision and a ReplicaSet tell."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from typing import Any, Final

from kindler.api import names
from kindler.api.route import Route
from kindler.core.facts import Attempt, Json, Kept, Observed, Pool, PoolWish, Resolved, Routed
from kindler.core.pods import pool_trouble
from kindler.core.revision import Shape

ATTEMPT: Final = f"{names.GROUP}/attempt"
ROUTED: Final = f"{names.GROUP}/routed"
RESOLVED: Final = f"{names.GROUP}/resolved-image"


def owner_reference(endpoint: Json) -> dict[str, Any]:
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
    return any(o.get("uid") == endpoint_uid and o.get("kind") == "Endpoint" for o in child["metadata"].get("ownerReferences") or ())


def service(seen: Observed, activator: str) -> dict[str, Any]:
    """`activator`: the DNS name that clients of the Endpoint are led to."""
    return _child(seen, "v1", "Service", names.service_name(seen.name), {}) | {"spec": {"type": "ExternalName", "externalName": activator}}


def autoscaler(seen: Observed, spec: Json) -> dict[str, Any]:
    """`spec`: as core/autoscaler.py makes it."""
    return _child(seen, "autoscaling/v2", "HorizontalPodAutoscaler", names.autoscaler_name(seen.name), {}) | {"spec": dict(spec)}


def replica_set(seen: Observed, kept: Kept, wish: PoolWish) -> dict[str, Any]:
    """Without `replicas`: whoever sizes the pool says it (architecture.md section 5)."""
    labels = {names.LABEL_REVISION: kept.revision, names.LABEL_POOL: wish.pool}
    body = _child(seen, "apps/v1", "ReplicaSet", wish.name, labels)
    selector = {names.LABEL_ENDPOINT: seen.name} | labels
    template = {"metadata": {"labels": body["metadata"]["labels"]}, "spec": _pinned(kept)}
    return body | {"spec": {"selector": {"matchLabels": selector}, "template": template}}


def new_replica_set(seen: Observed, kept: Kept, wish: PoolWish) -> dict[str, Any]:
    """To be POSTed: with the size to start with, and the mark of the attempt that it is for."""
    body = replica_set(seen, kept, wish)
    if wish.attempt:
        body["metadata"]["annotations"] = {ATTEMPT: wish.attempt}
    body["spec"]["replicas"] = wish.start
    return body


def controller_revision(seen: Observed, kept: Kept) -> dict[str, Any]:
    """Keeps a revision. `data` never changes (Kubernetes says so too); what happens to the revision is told by annotations."""
    body = _child(seen, "apps/v1", "ControllerRevision", kept.name, {names.LABEL_REVISION: kept.revision})
    told = {
        ATTEMPT: kept.attempt and asdict(kept.attempt),
        ROUTED: kept.routed and {"route": kept.routed.route.to_json(), "configName": kept.routed.config_name, "at": kept.routed.at},
        RESOLVED: kept.resolved and asdict(kept.resolved),
    }
    body["metadata"]["annotations"] = {k: json.dumps(v, sort_keys=True) for k, v in told.items() if v}
    data = {"podSpec": kept.pod_spec} | ({"shape": kept.shape.to_json()} if kept.shape else {})
    return body | {"revision": kept.number, "data": data}


def kept_from(raw: Json) -> Kept | None:
    """What a ControllerRevision keeps; None when it is none that can be read (it is then made anew)."""
    meta, data = raw["metadata"], raw.get("data") or {}
    notes = meta.get("annotations") or {}
    try:
        return Kept(
            name=meta["name"],
            uid=meta["uid"],
            revision=meta["labels"][names.LABEL_REVISION],
            number=int(raw.get("revision", 0)),
            shape=Shape.from_json(data["shape"]) if "shape" in data else None,
            pod_spec=data["podSpec"],
            attempt=_read(notes, ATTEMPT, _attempt),
            routed=_read(notes, ROUTED, lambda v: Routed(Route.from_json(v["route"]), v["configName"], int(v["at"]))),
            resolved=_read(notes, RESOLVED, lambda v: Resolved(**v)),
        )
    except (KeyError, TypeError, ValueError):
        return None


def pool_from(raw: Json) -> Pool:
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
        trouble=pool_trouble(raw),
        found=raw,
    )


def _child(seen: Observed, api_version: str, kind: str, name: str, labels: Mapping[str, str]) -> dict[str, Any]:
    meta = {
        "name": name,
        "namespace": seen.namespace,
        "labels": {names.LABEL_ENDPOINT: seen.name, names.LABEL_MANAGED_BY: names.MANAGED_BY} | dict(labels),
        "ownerReferences": [owner_reference(seen.endpoint)],
    }
    return {"apiVersion": api_version, "kind": kind, "metadata": meta}


def _pinned(kept: Kept) -> Json:
    """The pod spec, held to the digest where one is known: then nodes need not ask the registry before each start."""
    if kept.resolved is None or not kept.resolved.pinned:
        return kept.pod_spec
    first, *others = kept.pod_spec["containers"]
    held = dict(first) | {"image": kept.resolved.image, "imagePullPolicy": "IfNotPresent"}
    return dict(kept.pod_spec) | {"containers": [held, *others]}


def _attempt(value: Mapping[str, Any]) -> Attempt:
    """Fields of a newer Kindler are passed over: an update that is under way goes on."""
    known = {f.name for f in fields(Attempt)}
    return replace(Attempt(**{k: v for k, v in value.items() if k in known}), sources=tuple(value["sources"]))


def _read(notes: Mapping[str, str], key: str, build: Any) -> Any:
    """One annotation as a value; None when it is missing or spoilt."""
    try:
        return build(json.loads(notes[key]))
    except (KeyError, TypeError, ValueError):
        return None
