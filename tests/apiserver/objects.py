"""Functions of one object, or of one object and a request. They keep no state."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from tests.apiserver import defaults, schema
from tests.apiserver.kinds import Kind
from tests.apiserver.refusal import bad_request, conflict

Object = dict[str, Any]

FIRST_STATUS: dict[str, Object] = {
    "Pod": {"status": {"phase": "Pending", "qosClass": "BestEffort"}},
    "ReplicaSet": {"status": {"replicas": 0}},
    "Namespace": {"status": {"phase": "Active"}},
    "Service": {"status": {"loadBalancer": {}}},
    "HorizontalPodAutoscaler": {"status": {"desiredReplicas": 0, "currentMetrics": None}},
    "APIService": {"status": {}},
}


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def merged(value: Any, patch: Any) -> Any:
    """`value` after a JSON merge patch (RFC 7386)."""
    if not isinstance(patch, dict):
        return patch
    result = dict(value) if isinstance(value, dict) else {}
    for key, inner in patch.items():
        if inner is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), inner)
    return result


def scale_of(obj: Object) -> Object:
    """The Scale of a ReplicaSet."""
    metadata = {k: obj["metadata"][k] for k in ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")}
    selector = ",".join(f"{k}={v}" for k, v in sorted(obj["spec"]["selector"]["matchLabels"].items()))
    status = {"replicas": obj["status"]["replicas"], "selector": selector}
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": metadata,
        "spec": {"replicas": obj["spec"]["replicas"]},
        "status": status,
    }


def complete(kind: Kind, obj: Object) -> None:
    if kind.custom:
        schema.conform(kind, obj)
    else:
        defaults.complete(kind, obj)


def content(obj: Object) -> Object:
    return {k: v for k, v in obj.items() if k not in ("metadata", "status")}


def same_type(kind: Kind, body: Object) -> None:
    if body.get("kind", kind.kind) != kind.kind or body.get("apiVersion", kind.api_version) != kind.api_version:
        raise bad_request(
            f"the object provided is unrecognized: {body.get('apiVersion')} {body.get('kind')}, not {kind.api_version}"
            f" {kind.kind}"
        )


def preconditions(kind: Kind, obj: Object, required: Object, prefix: str = "") -> None:
    metadata = obj["metadata"]
    if required.get("uid") not in (None, metadata["uid"]):
        raise conflict(
            kind.qualified,
            metadata["name"],
            f"Precondition failed: UID in precondition: {required['uid']}, UID in object meta: {metadata['uid']}",
        )
    if required.get("resourceVersion") not in (None, "", metadata["resourceVersion"]):
        raise conflict(kind.qualified, metadata["name"])


def grace_of(kind: Kind, obj: Object, options: Object) -> int:
    """The grace period of a deletion in seconds. Only a pod on a node has one."""
    if kind.kind != "Pod" or not obj["spec"].get("nodeName"):
        return 0
    requested = options.get("gracePeriodSeconds")
    return int(obj["spec"].get("terminationGracePeriodSeconds", 30) if requested is None else requested)
