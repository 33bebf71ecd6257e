"""Keyword builders of the objects that the controller reads, with defaults: a row of a table says only what matters to it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from kindler.api import names

NOW = 1_800_000_000.0


def stamp(at: float) -> str:
    """Epoch seconds as a Kubernetes timestamp."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def pod(
    name: str = "iris-abc-demand-x",
    endpoint: str = "iris",
    pool: str = names.DEMAND,
    revision: str = "abc",
    created: float = NOW - 10,
    scheduled: float | None = NOW - 9,
    started: float | None = NOW - 8,
    ready: bool = True,
    deleting: bool = False,
    ip: str | None = "10.0.0.7",
    waiting: tuple[str, str] | None = None,
    ended: tuple[str, int, float] | None = None,
    restarts: int = 0,
    startup: int = 180,
    image: str = "registry.local/iris:1",
    image_id: str = "registry.local/iris@sha256:abc",
    owner_uid: str = "",
    **status: Any,
) -> dict[str, Any]:
    """A model pod. `waiting`: (reason, message) of its container; `ended`: (reason, exit code, seconds it ran) of its last end."""
    state: dict[str, Any] = {"running": {"startedAt": stamp(started)}} if started is not None else {}
    if waiting:
        state = {"waiting": {"reason": waiting[0], "message": waiting[1]}}
    container: dict[str, Any] = {"name": names.CONTAINER, "state": state, "restartCount": restarts, "started": ready, "imageID": image_id if ready else ""}
    if ended:
        terminated = {"reason": ended[0], "exitCode": ended[1], "startedAt": stamp(NOW - 5 - ended[2]), "finishedAt": stamp(NOW - 5)}
        container["lastState"] = {"terminated": terminated}
    meta: dict[str, Any] = {
        "name": name,
        "uid": f"uid-{name}",
        "labels": {names.LABEL_ENDPOINT: endpoint, names.LABEL_POOL: pool, names.LABEL_REVISION: revision},
        "creationTimestamp": stamp(created),
        "ownerReferences": [{"kind": "ReplicaSet", "name": f"{endpoint}-{revision}-{pool}", "uid": owner_uid, "controller": True}],
    }
    if deleting:
        meta["deletionTimestamp"] = stamp(NOW)
    conditions = [{"type": "Ready", "status": "True" if ready else "False"}]
    if scheduled is not None:
        conditions.append({"type": "PodScheduled", "status": "True", "lastTransitionTime": stamp(scheduled)})
    probe = {"periodSeconds": 1, "failureThreshold": startup, "httpGet": {"path": "/ping", "port": 8080}}
    spec = {"containers": [{"name": names.CONTAINER, "image": image, "startupProbe": probe, "resources": {"limits": {"memory": "2048Mi"}}}]}
    return {
        "metadata": meta,
        "spec": spec,
        "status": {"phase": "Running", "podIP": ip, "conditions": conditions, "containerStatuses": [container]} | status,
    }
