"""What is wanted against what is found: a short ordered list of writes. Empty when all stands as it should; what is not ours never appears in it.

Order, since a write that is refused ends the pass: first what serves already, its pools and the HPA, whatever becomes of an update. Then what a later
write relies on: a revision before its pools (a pool without it could not be rebuilt), the Service, then that a revision is routed to (its pools stand by
then) and with it the HPA, then what goes. An HPA comes to a pool after the controller has sized that, and leaves one before the controller does: two never
size one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from kindler.api import names
from kindler.core.endpoint import manifests
from kindler.core.endpoint.actions import Action, Apply, Create, Delete, Patch, Scale
from kindler.core.endpoint.state import DesiredPool, Observed, RolloutPlan, StoredRevision

REVISION, POOL, SERVICE, AUTOSCALER = "ControllerRevision", "ReplicaSet", "Service", "HorizontalPodAutoscaler"

_QUANTITIES: Final = ("resources", "averageValue")
_SIZES: Final = {"k": 10**3, "M": 10**6, "G": 10**9, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
_UNITS: Final = {"": Decimal(1), "m": Decimal("0.001")} | {unit: Decimal(size) for unit, size in _SIZES.items()}


def plan(observed: Observed, rollout: RolloutPlan, activator: str) -> tuple[Action, ...]:
    """The writes that bring the cluster one step on. `activator`: the DNS name that Services lead to."""
    if observed.deleting:
        return ()
    revisions = {k.revision: k for k in rollout.revisions}
    routed = rollout.routed.route.revision if rollout.routed else None
    served = observed.status.get("route") or {}
    stored = [(k, action) for k in rollout.revisions for action in _revision(observed, k)]
    pools = [
        (desired, action)
        for desired in rollout.pools
        for action in _pool(observed, rollout, revisions.get(desired.revision), desired)
    ]
    left = _left(observed, rollout)
    sized = (*_hpa(observed, rollout), *(action for desired, action in pools if desired.name == left))
    follows = _leads_to(rollout) not in (
        None,
        (served.get("pools") or {}).get(names.WARM),
    )  # the HPA comes with the route
    standing = [
        action
        for desired, action in pools
        if desired.name != left and desired.revision == served.get("revision") and not isinstance(action, Create)
    ]
    return (
        *standing,
        *(() if follows else sized),
        *(action for k, action in stored if k.revision != routed or isinstance(action, Create)),
        *(action for desired, action in pools if desired.name != left and action not in standing),
        *_service(observed, rollout, activator),
        *(action for k, action in stored if k.revision == routed and isinstance(action, Apply)),
        *(sized if follows else ()),
        *(Delete(POOL, pool.name, pool.uid) for pool in rollout.remove),
        *(Delete(REVISION, old.name, old.uid) for old in observed.revisions if old.revision not in revisions),
        *(
            Delete(REVISION, name, raw["metadata"]["uid"])
            for name, raw in observed.revisions_found.items()
            if manifests.stored_revision_from(raw) is None
        ),
    )


def _revision(observed: Observed, stored: StoredRevision) -> Iterator[Action]:
    body = manifests.controller_revision(observed, stored)
    found = observed.revisions_found.get(stored.name)
    if found is None:
        yield Create(REVISION, stored.name, body)
        return
    del body[
        "data"
    ]  # it never changes, and written in another way (by a backup, by another Kindler) it is refused with all the rest
    if manifests.stored_revision_from(found) and not covers(found, body):  # what cannot be read goes first
        yield Apply(REVISION, stored.name, body)


def _pool(
    observed: Observed, rollout: RolloutPlan, stored: StoredRevision | None, desired: DesiredPool
) -> Iterator[Action]:
    found = observed.pool(desired.name)
    if stored is None or (
        found and (found.deleting or found in rollout.remove or (desired.attempt and found.attempt != desired.attempt))
    ):
        return  # it goes first, or cannot be made
    if found is None:
        yield Create(POOL, desired.name, manifests.new_replica_set(observed, stored, desired))
        return
    body = manifests.replica_set(observed, stored, desired)
    if not covers(found.found, body):
        yield Patch(
            POOL,
            desired.name,
            body | {"metadata": body["metadata"] | {"resourceVersion": found.found["metadata"].get("resourceVersion")}},
        )
    if desired.size is not None and desired.size != found.replicas:
        yield Scale(POOL, desired.name, desired.size)


def _service(observed: Observed, rollout: RolloutPlan, activator: str) -> Iterator[Action]:
    if rollout.routed is None and rollout.target is None:
        return  # an Endpoint that cannot be built (yet) takes no name from anybody
    body = manifests.service(observed, activator)
    if observed.service is None:
        yield Create(SERVICE, body["metadata"]["name"], body)
    elif not covers(observed.service, body):
        yield Apply(SERVICE, body["metadata"]["name"], body)


def _leads_to(rollout: RolloutPlan) -> str | None:
    """The pool that the HPA is to size; None where none may stand."""
    spec = rollout.scaling.hpa if rollout.scaling else None
    return str(spec["scaleTargetRef"]["name"]) if spec else None


def _left(observed: Observed, rollout: RolloutPlan) -> str | None:
    """The pool that the HPA leads to, and is not to size after this pass."""
    leads_to = ((observed.hpa or {}).get("spec") or {}).get("scaleTargetRef", {}).get("name")
    return leads_to if leads_to != _leads_to(rollout) else None


def _hpa(observed: Observed, rollout: RolloutPlan) -> Iterator[Action]:
    """It is led to another pool in the pass in which the route is; but made when the route stands: before, it would find no metric and complain."""
    spec, found = rollout.scaling.hpa if rollout.scaling else None, observed.hpa
    if spec is None:
        if found is not None:
            yield Delete(AUTOSCALER, found["metadata"]["name"], found["metadata"]["uid"])
        return
    body = manifests.hpa(observed, spec)
    if found is None:
        served = (observed.status.get("route") or {}).get("pools") or {}
        if served.get(names.WARM) == spec["scaleTargetRef"]["name"]:
            yield Create(AUTOSCALER, body["metadata"]["name"], body)
    elif not covers(found, body):
        yield Apply(AUTOSCALER, body["metadata"]["name"], body)


def covers(found: Any, want: Any, quantity: bool = False) -> bool:
    """Whether everything wanted stands in what was found; what others, or the API server's defaults, added is theirs. Lists must be of equal length."""
    if isinstance(want, Mapping):
        return isinstance(found, Mapping) and all(
            covers(found.get(k), v, quantity or k in _QUANTITIES) for k, v in want.items()
        )
    if isinstance(want, list | tuple):
        return (
            isinstance(found, list | tuple)
            and len(found) == len(want)
            and all(covers(f, w, quantity) for f, w in zip(found, want, strict=True))
        )
    # An empty text is stored as no field.
    return bool(
        found == want
        or (found is None and want == "")
        or (quantity and _amount(want) is not None and _amount(found) == _amount(want))
    )


def _amount(text: Any) -> Decimal | None:
    """The number that a quantity means: 0.5Gi is 512Mi."""
    parts = re.fullmatch(r"([0-9.]+)([A-Za-z]*)", str(text))
    try:
        return Decimal(parts[1]) * _UNITS[parts[2]] if parts else None
    except (KeyError, InvalidOperation):
        return None
