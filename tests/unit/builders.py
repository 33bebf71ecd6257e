"""Builders of the objects that the controller reads. All fields have defaults: a test names only the relevant ones."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from kindler.api import names
from kindler.api.route import Route
from kindler.api.settings import controller_settings
from kindler.api.stats import EndpointStats, Stats
from kindler.core.autoscaling.decision import ClusterCapabilities
from kindler.core.common.blockers import Blocker
from kindler.core.common.capacity import instances
from kindler.core.common.pods import PodFacts, read
from kindler.core.common.pools import Pool
from kindler.core.endpoint import manifests
from kindler.core.endpoint import rollout as rollouts
from kindler.core.endpoint.podspec import pod_spec
from kindler.core.endpoint.revision import Limits, PodShape, route_of
from kindler.core.endpoint.state import (
    Attempt,
    DesiredPool,
    Observed,
    ResolvedImage,
    ResolvedRefs,
    RolloutPlan,
    RouteRecord,
    StoredRevision,
)

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
    """A model pod as JSON. `waiting`: (reason, message) of its container.

    `ended`: how its container ended the last time: (reason, exit code, seconds that it ran).
    """
    state: dict[str, Any] = {"running": {"startedAt": stamp(started)}} if started is not None else {}
    if waiting:
        state = {"waiting": {"reason": waiting[0], "message": waiting[1]}}
    container: dict[str, Any] = {
        "name": names.CONTAINER,
        "state": state,
        "restartCount": restarts,
        "started": ready,
        "imageID": image_id if ready else "",
    }
    if ended:
        terminated = {
            "reason": ended[0],
            "exitCode": ended[1],
            "startedAt": stamp(NOW - 5 - ended[2]),
            "finishedAt": stamp(NOW - 5),
        }
        container["lastState"] = {"terminated": terminated}
    meta: dict[str, Any] = {
        "name": name,
        "uid": f"uid-{name}",
        "labels": {names.LABEL_ENDPOINT: endpoint, names.LABEL_POOL: pool, names.LABEL_REVISION: revision},
        "creationTimestamp": stamp(created),
        "ownerReferences": [
            {"kind": "ReplicaSet", "name": f"{endpoint}-{revision}-{pool}", "uid": owner_uid, "controller": True}
        ],
    }
    if deleting:
        meta["deletionTimestamp"] = stamp(NOW)
    conditions = [{"type": "Ready", "status": "True" if ready else "False"}]
    if scheduled is not None:
        conditions.append({"type": "PodScheduled", "status": "True", "lastTransitionTime": stamp(scheduled)})
    probe = {"periodSeconds": 1, "failureThreshold": startup, "httpGet": {"path": "/ping", "port": 8080}}
    spec = {
        "containers": [
            {
                "name": names.CONTAINER,
                "image": image,
                "startupProbe": probe,
                "resources": {"limits": {"memory": "2048Mi"}},
            }
        ]
    }
    return {
        "metadata": meta,
        "spec": spec,
        "status": {"phase": "Running", "podIP": ip, "conditions": conditions, "containerStatuses": [container]}
        | status,
    }


# --- What the controller observes of one Endpoint


SETTINGS = controller_settings({})
UID = "uid-iris"
ACTIVATOR = SETTINGS.activator_service


def resolved(
    config: str = "v1", image: str = "registry.local/iris:1", source: str = "1", **changed: Any
) -> ResolvedRefs:
    """The resolved references of the Endpoint. `changed`: fields of PodShape or Limits."""
    of_shape = {k: v for k, v in changed.items() if k in PodShape.__dataclass_fields__}
    of_limits = {k: v for k, v in changed.items() if k not in of_shape}
    shape = PodShape(image=image, **({"memory_size_in_mb": 1024} | of_shape))
    limits: dict[str, Any] = {
        "variant_name": "AllTraffic",
        "max_concurrency": 10,
        "max_concurrency_per_instance": 1,
        "provisioned_concurrency": 0,
        "idle_timeout_in_seconds": 300,
    }
    return ResolvedRefs(config, shape, Limits(**(limits | of_limits)), (source,))


def route(what: ResolvedRefs) -> Route:
    return route_of("iris", what.shape, what.limits)


def endpoint(
    config: str = "v1",
    serves: ResolvedRefs | None = None,
    generation: int = 1,
    deleting: bool = False,
    scales: list[dict[str, Any]] | None = None,
    **status: Any,
) -> dict[str, Any]:
    """An Endpoint named iris. `serves`: the references that its status.route shows; `scales`: its spec.autoscaling."""
    meta = {
        "name": "iris",
        "namespace": "team",
        "uid": UID,
        "generation": generation,
        "creationTimestamp": stamp(NOW - 1000),
    }
    if deleting:
        meta["deletionTimestamp"] = stamp(NOW)
    if serves:
        status = {
            "route": route(serves).to_json(),
            "endpointConfigName": serves.config_name,
            "endpointStatus": "InService",
        } | status
    spec: dict[str, Any] = {"endpointConfigName": config} | ({"autoscaling": scales} if scales is not None else {})
    return {"apiVersion": names.API_VERSION, "kind": "Endpoint", "metadata": meta, "spec": spec, "status": status}


def scaling(
    low: int = 1, high: int = 4, target: float | None = 0.7, variant: str = "AllTraffic", **changed: Any
) -> dict[str, Any]:
    """An entry of spec.autoscaling; `target` None: without policies."""
    metric = {"predefinedMetricType": "SageMakerVariantProvisionedConcurrencyUtilization"}
    tracking = {"targetValue": target, "predefinedMetricSpecification": metric}
    policies = [] if target is None else [{"policyName": "busy", "targetTrackingScalingPolicyConfiguration": tracking}]
    return {"variantName": variant, "minCapacity": low, "maxCapacity": high, "scalingPolicies": policies} | changed


def stored_revision(
    what: ResolvedRefs, number: int = 0, at: int = int(NOW) - 100, attempt: int = 0, **changed: Any
) -> StoredRevision:
    """The stored revision of `what`. If `number` is not 0, it has been in the route.

    `at`: the time when its attempt began, and when it got into the route.
    """
    revision = route(what).revision
    fields: dict[str, Any] = {
        "name": f"iris-{revision}",
        "uid": f"uid-{revision}",
        "revision": revision,
        "number": number,
        "shape": what.shape,
        "pod_spec": pod_spec(what.shape, SETTINGS),
        "attempt": Attempt(attempt, at, what.config_name, what.sources),
        "routed": RouteRecord(route(what), what.config_name, at) if number else None,
        "resolved": ResolvedImage(f"{what.shape.image.partition(':')[0]}@sha256:abc", at, True) if number else None,
    }
    return StoredRevision(**(fields | changed))


def pool(
    what: ResolvedRefs, kind: str = names.DEMAND, replicas: int = 1, of: StoredRevision | None = None, **changed: Any
) -> Pool:
    """A ReplicaSet that was created for the attempt of the revision `of`, by default stored_revision(what)."""
    owner = of or stored_revision(what)
    name = names.pool_name("iris", owner.revision, kind)
    mark = owner.attempt.id if owner.attempt else ""
    desired = DesiredPool(name, owner.revision, kind, replicas, None, mark)
    raw = manifests.new_replica_set(observed(), owner, desired)
    raw["metadata"]["uid"] = changed.pop("uid", f"uid-{name}")
    if failing := changed.pop("failing", None):
        raw["status"] = {"conditions": [{"type": "ReplicaFailure", "status": "True", "message": failing}]}
    if changed.pop("deleting", False):
        raw["metadata"]["deletionTimestamp"] = stamp(NOW)
    return manifests.pool_from(raw)


def pods_of(of: Pool, count: int | None = None, **changed: Any) -> list[tuple[str, PodFacts]]:
    """The pods of a pool, as `pod` builds them."""
    number = of.replicas if count is None else count
    return [
        (of.uid, read(pod(name=f"{of.name}-{n}", pool=of.pool, revision=of.revision, owner_uid=of.uid, **changed), NOW))
        for n in range(number)
    ]


def observed(
    endpoint_: dict[str, Any] | None = None, refs: ResolvedRefs | Blocker | None = None, **changed: Any
) -> Observed:
    """The facts about a new Endpoint. `changed`: fields of Observed. Each revision also has its ControllerRevision."""
    fields: dict[str, Any] = {
        "endpoint": endpoint_ or endpoint(),
        "refs": refs or resolved(),
        "revisions": (),
        "pools": (),
        "pods": (),
        "service": None,
        "activators": None,
        "hpa": None,
        "capabilities": ClusterCapabilities(),
        "loads": {},
        "history": (),
        "now": NOW,
    } | changed
    blank = Observed(**(fields | {"revisions_found": {}}))
    return replace(
        blank,
        revisions_found={k.name: with_uid(manifests.controller_revision(blank, k), k.uid) for k in blank.revisions},
    )


def with_uid(body: dict[str, Any], uid: str) -> dict[str, Any]:
    """A manifest as the API server returns it."""
    return body | {"metadata": body["metadata"] | {"uid": uid}}


def serving(what: ResolvedRefs, replicas: int = 1, config: str | None = None, **changed: Any) -> Observed:
    """An Endpoint in service with `what`: revision, pools with Ready pods, Service."""
    revision = stored_revision(what, number=1)
    pools = [pool(what, replicas=replicas, of=revision)]
    if what.limits.provisioned_concurrency:
        pools.append(pool(what, names.WARM, instances(what.limits.provisioned_concurrency, route(what)), revision))
    base = observed(endpoint(config or what.config_name, serves=what), changed.pop("refs", what))
    fields: dict[str, Any] = {
        "revisions": (revision,),
        "pools": tuple(pools),
        "pods": tuple(p for each in pools for p in pods_of(each)),
        "service": manifests.service(base, ACTIVATOR),
    } | changed
    return observed(base.endpoint, base.refs, **fields)


def stats(
    revision: str, in_flight: int = 0, older: dict[str, int] | None = None, held: int = 0, warm: int = 0, uid: str = UID
) -> Stats:
    """The statistics that one activator reports for iris."""
    return Stats(
        "boot", {"team/iris": EndpointStats(uid, True, revision, in_flight, held, warm, in_flight - warm, older or {})}
    )


def decide(seen: Observed, hold: bool = False) -> RolloutPlan:
    return rollouts.decide(seen, partial(pod_spec, settings=SETTINGS), pin=True, hold=hold)
