"""Observed states for the tests of the status."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from kindler.api import names
from kindler.core.common.blockers import Blocker, BlockerKind
from kindler.core.endpoint.state import Observed
from kindler.core.endpoint.status import status
from tests.unit.builders import (
    NOW,
    decide,
    endpoint,
    observed,
    pods_of,
    pool,
    resolved,
    scaling,
    serving,
    stored_revision,
)

OLD, NEW = resolved("v1"), resolved("v2", memory_size_in_mb=2048)
WARM = resolved("v3", provisioned_concurrency=2)
NO_MODEL = Blocker(BlockerKind.WAITING, "ModelNotFound", "Could not find model.")
TAKEN = Blocker(BlockerKind.STALLED, "NameTaken", "An older object has the name.")
SERVICE_TAKEN = Blocker(
    BlockerKind.STALLED, "NameTaken", "Another owner has the Service.", blocking=False, child="Service"
)
REFUSED = Blocker(BlockerKind.ERROR, "QuotaExceeded", "No more ReplicaSets.")
DELETING_CHILD = Blocker(BlockerKind.WAITING, "NameTaken", "The former child is being deleted.")


def coming(what: Any = OLD, base: Observed | None = None, begun: float = NOW - 5, **pods: Any) -> Observed:
    """`what` is starting. If there is a `base`, OLD serves, with the revisions, pools and pods of `base`."""
    revision = stored_revision(what, at=int(begun))
    made = pool(what, of=revision)
    before = base or observed(endpoint(what.config_name), what)
    return observed(
        endpoint(what.config_name, serves=OLD if base else None),
        what,
        revisions=(*before.revisions, revision),
        pools=(*before.pools, made),
        pods=(*before.pods, *pods_of(made, **({"ready": False} | pods))),
        service=before.service,
    )


def scales(warm: int = 2, ready: int | None = None, wanted: int | None = None) -> Observed:
    """WARM with autoscaling and `warm` pods.

    `wanted`: the desired size in the status; None: provisionedConcurrency.
    """
    base = serving(WARM)
    cold, _ = base.pools
    scaling_pool = pool(WARM, names.WARM, warm, base.revisions[0])
    size = {"provisionedConcurrency": 2}, {"provisionedConcurrency": wanted or 2}
    shown_ = [{"currentServerlessConfig": size[0], "desiredServerlessConfig": size[1]}]
    memory = {"autoscaling": [{"variantName": "AllTraffic", "desiredCapacity": wanted}]} if wanted else {}
    raw = endpoint("v3", serves=WARM, scales=[scaling(1, 10)], productionVariants=shown_, **memory)
    pods = (*pods_of(cold), *pods_of(scaling_pool, warm if ready is None else ready))
    return replace(base, endpoint=raw, pools=(cold, scaling_pool), pods=pods)


BROKEN: dict[str, Any] = {"waiting": ("ImagePullBackOff", "x")}
IN_SERVICE = serving(OLD)
FAILING = replace(IN_SERVICE, pods=tuple(pods_of(IN_SERVICE.pools[0], ready=False, **BROKEN)))
WARM_FAILING = replace(
    serving(WARM),
    pods=tuple(
        p
        for each, bad in zip(serving(WARM).pools, ({}, {"ready": False} | BROKEN), strict=True)
        for p in pods_of(each, **bad)
    ),
)
OTHER_VARIANT = replace(IN_SERVICE, endpoint=endpoint(serves=OLD, scales=[scaling(variant="other")]))
HPA_TAKEN = Blocker(
    BlockerKind.STALLED, "NameTaken", "Another owner has the HPA.", blocking=False, child="HorizontalPodAutoscaler"
)
AT_ZERO = replace(serving(OLD, replicas=0), pods=())


def shown(seen: Observed, blockers: tuple[Blocker, ...] = ()) -> dict[str, Any]:
    return status(seen, decide(seen), blockers)
