"""The difference between what must exist and what exists, as a short ordered list of writes.

The list is empty if nothing differs. It never contains an object that Kindler does not own.

A rejected write ends the pass. Therefore the order is:
1. The pools of the revision that already serves, and the HPA, because an update that fails must not affect them.
2. Objects before the writes that need them. A revision comes before its pools, because a pool without its revision
   could not be rebuilt. Then follow the Service, the annotations that record that a revision has the route, and the
   HPA.
3. Deletions of pools and revisions that are not required any more.
The HPA gets a pool only after the controller has sized it for the last time. The HPA releases a pool before the
controller sizes it. So only one component at a time sizes a pool.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from kindler.api import names
from kindler.core.common.pools import Pool
from kindler.core.endpoint import manifests
from kindler.core.endpoint.actions import Action, Apply, Create, Delete, Patch, Scale
from kindler.core.endpoint.state import DesiredPool, Observed, RolloutPlan, StoredRevision

REVISION, POOL, SERVICE, AUTOSCALER = "ControllerRevision", "ReplicaSet", "Service", "HorizontalPodAutoscaler"

_QUANTITIES: Final = ("resources", "averageValue")
_SIZES: Final = {"k": 10**3, "M": 10**6, "G": 10**9, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
_UNITS: Final = {"": Decimal(1), "m": Decimal("0.001")} | {unit: Decimal(size) for unit, size in _SIZES.items()}


def plan(observed: Observed, rollout: RolloutPlan, activator: str) -> tuple[Action, ...]:
    """The writes of this pass, in order. `activator`: the DNS name that Services resolve to."""
    if observed.deleting:
        return ()
    revisions = {r.revision: r for r in rollout.revisions}
    routed = rollout.routed.route.revision if rollout.routed else None
    served = observed.status.get("route") or {}
    stored = [(r, action) for r in rollout.revisions for action in _revision(observed, r)]
    pools = [
        (desired, action)
        for desired in rollout.pools
        for action in _pool(observed, rollout, revisions.get(desired.revision), desired)
    ]
    untargeted = _untargeted_pool(observed, rollout)
    hpa = (*_hpa(observed, rollout), *(action for desired, action in pools if desired.name == untargeted))
    # True if the HPA must target another pool than the pool that serves. Then the HPA is written after the annotations
    # that record the new route.
    hpa_follows_route = _hpa_target(rollout) not in (None, (served.get("pools") or {}).get(names.WARM))
    serving = [
        action
        for desired, action in pools
        if desired.name != untargeted and desired.revision == served.get("revision") and not isinstance(action, Create)
    ]
    return (
        *serving,
        *(() if hpa_follows_route else hpa),
        *(action for r, action in stored if r.revision != routed or isinstance(action, Create)),
        *(action for desired, action in pools if desired.name != untargeted and action not in serving),
        *_service(observed, rollout, activator),
        *(action for r, action in stored if r.revision == routed and isinstance(action, Apply)),
        *(hpa if hpa_follows_route else ()),
        *(Delete(POOL, pool.name, pool.uid) for pool in rollout.remove),
        *_obsolete_revisions(observed, revisions),
    )


def _revision(observed: Observed, stored: StoredRevision) -> Iterator[Action]:
    body = manifests.controller_revision(observed, stored)
    found = observed.revisions_found.get(stored.name)
    if found is None:
        yield Create(REVISION, stored.name, body)
        return
    # `data` never changes. A backup tool or another version of Kindler may have stored it in another form. Then the API
    # server would reject the whole write.
    del body["data"]
    # A ControllerRevision that cannot be read is not changed: `_obsolete_revisions` deletes it.
    if manifests.stored_revision_from(found) and not covers(found, body):
        yield Apply(REVISION, stored.name, body)


def _obsolete_revisions(observed: Observed, required: Mapping[str, StoredRevision]) -> Iterator[Action]:
    """Deletes revisions that are not required, and then revisions that cannot be read."""
    for old in observed.revisions:
        if old.revision not in required:
            yield Delete(REVISION, old.name, old.uid)
    for name, raw in observed.revisions_found.items():
        if manifests.stored_revision_from(raw) is None:
            yield Delete(REVISION, name, raw["metadata"]["uid"])


def _pool(
    observed: Observed, rollout: RolloutPlan, stored: StoredRevision | None, desired: DesiredPool
) -> Iterator[Action]:
    found = observed.pool(desired.name)
    if stored is None:
        return  # a pool cannot be created without its revision
    if found is None:
        yield Create(POOL, desired.name, manifests.new_replica_set(observed, stored, desired))
        return
    if found.deleting or found in rollout.remove or (desired.attempt and found.attempt != desired.attempt):
        return  # this pool must first be deleted
    body = manifests.replica_set(observed, stored, desired)
    if not covers(found.found, body):
        version = {"resourceVersion": found.found["metadata"].get("resourceVersion")}
        yield Patch(POOL, desired.name, body | {"metadata": body["metadata"] | version})
    size = desired.size
    if size is not None and size != found.replicas and not _hpa_sizes(observed, rollout, found, desired):
        yield Scale(POOL, desired.name, size)


def _hpa_sizes(observed: Observed, rollout: RolloutPlan, found: Pool, desired: DesiredPool) -> bool:
    """Whether the HPA sizes the pool before and after this pass. Then the controller must not change the size.

    The controller always scales a pool from 0 and to 0, because an HPA leaves a pool at 0.
    """
    targeted = _current_hpa_target(observed) == desired.name == _hpa_target(rollout)
    return targeted and found.replicas > 0 and desired.size != 0


def _service(observed: Observed, rollout: RolloutPlan, activator: str) -> Iterator[Action]:
    if rollout.routed is None and rollout.target is None:
        return  # an Endpoint that serves nothing and has no target needs no Service
    body = manifests.service(observed, activator)
    if observed.service is None:
        yield Create(SERVICE, body["metadata"]["name"], body)
    elif not covers(observed.service, body):
        yield Apply(SERVICE, body["metadata"]["name"], body)


def _hpa_target(rollout: RolloutPlan) -> str | None:
    """The pool that the HPA must size; None if there must be no HPA."""
    spec = rollout.scaling.hpa if rollout.scaling else None
    return str(spec["scaleTargetRef"]["name"]) if spec else None


def _untargeted_pool(observed: Observed, rollout: RolloutPlan) -> str | None:
    """The pool that the HPA targets now, but must not size after this pass."""
    target = _current_hpa_target(observed)
    return target if target != _hpa_target(rollout) else None


def _current_hpa_target(observed: Observed) -> str | None:
    """The pool that the HPA targets before this pass; None without an HPA."""
    target: str | None = ((observed.hpa or {}).get("spec") or {}).get("scaleTargetRef", {}).get("name")
    return target


def _hpa(observed: Observed, rollout: RolloutPlan) -> Iterator[Action]:
    """The write of the HPA. It is retargeted in the pass in which the route changes.

    It is created only after the route is in effect, because before that it would find no metric and report errors.
    """
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
    """Whether `found` has every value of `want`. Lists must have equal lengths.

    Other fields of `found` are ignored, because other writers or the API server's defaults added them. `quantity`:
    compares texts as Kubernetes quantities.
    """
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
    # The API server stores an empty text as an absent field.
    return bool(
        found == want
        or (found is None and want == "")
        or (quantity and _amount(want) is not None and _amount(found) == _amount(want))
    )


def _amount(text: Any) -> Decimal | None:
    """The number that a quantity means (0.5Gi equals 512Mi); None if the text is not a quantity."""
    parts = re.fullmatch(r"([0-9.]+)([A-Za-z]*)", str(text))
    try:
        return Decimal(parts[1]) * _UNITS[parts[2]] if parts else None
    except (KeyError, InvalidOperation):
        return None
