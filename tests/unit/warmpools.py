"""Observed states for the tests of autoscaled provisioned concurrency, and the writes that they cause."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from kindler.api import names
from kindler.core.endpoint import manifests
from kindler.core.endpoint.actions import Action
from kindler.core.endpoint.plan import plan
from kindler.core.endpoint.state import Observed, ResolvedRefs, RolloutPlan, StoredRevision
from kindler.core.endpoint.warmpool import decide_scaling, with_warm_pool
from tests.unit.builders import (
    ACTIVATOR,
    NOW,
    decide,
    endpoint,
    observed,
    pods_of,
    pool,
    resolved,
    route,
    scaling,
    stored_revision,
    with_uid,
)

COLD, WARM = resolved("v1", max_concurrency=20), resolved("v1", max_concurrency=20, provisioned_concurrency=2)
HPA, POOL = "HorizontalPodAutoscaler", "ReplicaSet"


def scaled(
    what: ResolvedRefs = WARM,
    warm: int = 3,
    entry: dict[str, Any] | None = None,
    config: str = "v1",
    ready: int | None = None,
    **changed: Any,
) -> Observed:
    """An Endpoint that serves `what` with `warm` pods in its warm pool. By default an HPA sizes this pool."""
    entry = entry or scaling(1, 10)
    revision = stored_revision(what, number=1)
    pools = (pool(what, replicas=0, of=revision), pool(what, names.WARM, warm, revision))
    autoscaled = endpoint(config, serves=what, scales=[entry])
    autoscaled["status"]["route"]["pools"]["warm"] = pools[1].name
    pods = tuple(pods_of(pools[1], warm if ready is None else ready))
    base = observed(autoscaled, changed.pop("refs", what), revisions=(revision,), pools=pools, pods=pods, **changed)
    base = replace(base, service=manifests.service(base, ACTIVATOR))
    spec = decide_scaling(base, with_warm_pool(base, route(what))).hpa
    hpa = with_uid(manifests.hpa(base, spec), "uid-hpa") if spec and "hpa" not in changed else changed.get("hpa")
    seen = replace(base, hpa=hpa)
    (now,) = (k for k in decide(seen).revisions if k.revision == revision.revision)  # its route has the warm pool
    return replace(seen, revisions=(now,), revisions_found=as_objects(seen, now))


def as_objects(seen: Observed, revision: StoredRevision) -> dict[str, Any]:
    return {revision.name: with_uid(manifests.controller_revision(seen, revision), revision.uid)}


def with_autoscaling(seen: Observed, entries: list[dict[str, Any]] | None) -> Observed:
    """The same Endpoint after an edit of spec.autoscaling."""
    spec = {k: v for k, v in seen.endpoint["spec"].items() if k != "autoscaling"} | (
        {"autoscaling": entries} if entries else {}
    )
    return replace(seen, endpoint=dict(seen.endpoint) | {"spec": spec})


def writes(seen: Observed, rollout: RolloutPlan | None = None) -> tuple[Action, ...]:
    return plan(seen, rollout or decide(seen), ACTIVATOR)


def warm_of(what: ResolvedRefs) -> str:
    return names.pool_name("iris", route(what).revision, names.WARM)


def names_of(actions: tuple[Action, ...]) -> list[tuple[str, str]]:
    return [(type(a).__name__, a.kind) for a in actions if a.kind != "ControllerRevision"]


def desired_pool(rollout: RolloutPlan, name: str | None) -> tuple[int, int | None]:
    return next((w.start, w.size) for w in rollout.pools if w.name == name)


MORNING = {
    "scheduledActionName": "morning",
    "schedule": "at(2027-01-15T08:00:00)",
    "scalableTargetAction": {"minCapacity": 4},
}  # NOW


def with_route(seen: Observed, rollout: RolloutPlan) -> dict[str, Any]:
    assert rollout.routed is not None
    return dict(seen.endpoint) | {"status": dict(seen.status) | {"route": rollout.routed.route.to_json()}}


def with_status(seen: Observed, **status: Any) -> dict[str, Any]:
    return dict(seen.endpoint) | {"status": dict(seen.status) | status}


def update(
    what: ResolvedRefs,
    warm: int = 6,
    ready: int = 0,
    made: int | None = None,
    entry: dict[str, Any] | None = None,
    old: ResolvedRefs = WARM,
) -> Observed:
    """An update: `old` serves with `warm` pods in its warm pool, and `what` is starting.

    The warm pool of `what` has `made` pods, of which `ready` are Ready. By default this pool does not exist yet.
    """
    seen = scaled(old, warm, entry, what.config_name, refs=what)
    if made is None:
        return seen
    new = stored_revision(what, at=int(NOW) - 5)
    pools = (pool(what, replicas=0, of=new), pool(what, names.WARM, made, new))
    pods = (*seen.pods, *pods_of(pools[1], ready), *pods_of(pools[1], made - ready, ready=False))
    return replace(
        seen,
        revisions=(*seen.revisions, new),
        pools=(*seen.pools, *pools),
        pods=pods,
        revisions_found=dict(seen.revisions_found) | as_objects(seen, new),
    )


NEXT = resolved("v2", memory_size_in_mb=2048, max_concurrency=20, provisioned_concurrency=2)
