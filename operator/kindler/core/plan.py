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
from kindler.core import wanted
from kindler.core.facts import Action, Apply, Course, Create, Delete, Kept, Observed, Patch, PoolWish, Scale

REVISION, POOL, SERVICE, AUTOSCALER = "ControllerRevision", "ReplicaSet", "Service", "HorizontalPodAutoscaler"

_QUANTITIES: Final = ("resources", "averageValue")
_SIZES: Final = {"k": 10**3, "M": 10**6, "G": 10**9, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
_UNITS: Final = {"": Decimal(1), "m": Decimal("0.001")} | {unit: Decimal(size) for unit, size in _SIZES.items()}


def plan(seen: Observed, course: Course, activator: str) -> tuple[Action, ...]:
    """The writes that bring the cluster one step on. `activator`: the DNS name that Services lead to."""
    if seen.deleting:
        return ()
    revisions = {k.revision: k for k in course.keep}
    routed = course.routed.route.revision if course.routed else None
    served = seen.status.get("route") or {}
    kept = [(k, action) for k in course.keep for action in _revision(seen, k)]
    pools = [(wish, action) for wish in course.pools for action in _pool(seen, course, revisions.get(wish.revision), wish)]
    left = _left(seen, course)
    sized = (*_autoscaler(seen, course), *(action for wish, action in pools if wish.name == left))
    follows = _leads_to(course) not in (None, (served.get("pools") or {}).get(names.WARM))  # the HPA comes with the route
    standing = [action for wish, action in pools if wish.name != left and wish.revision == served.get("revision") and not isinstance(action, Create)]
    return (
        *standing,
        *(() if follows else sized),
        *(action for k, action in kept if k.revision != routed or isinstance(action, Create)),
        *(action for wish, action in pools if wish.name != left and action not in standing),
        *_service(seen, course, activator),
        *(action for k, action in kept if k.revision == routed and isinstance(action, Apply)),
        *(sized if follows else ()),
        *(Delete(POOL, pool.name, pool.uid) for pool in course.remove),
        *(Delete(REVISION, old.name, old.uid) for old in seen.kept if old.revision not in revisions),
        *(Delete(REVISION, name, raw["metadata"]["uid"]) for name, raw in seen.revisions_found.items() if wanted.kept_from(raw) is None),
    )


def _revision(seen: Observed, kept: Kept) -> Iterator[Action]:
    body = wanted.controller_revision(seen, kept)
    found = seen.revisions_found.get(kept.name)
    if found is None:
        yield Create(REVISION, kept.name, body)
        return
    del body["data"]  # it never changes, and written in another way (by a backup, by another Kindler) it is refused with all the rest
    if wanted.kept_from(found) and not covers(found, body):  # what cannot be read goes first
        yield Apply(REVISION, kept.name, body)


def _pool(seen: Observed, course: Course, kept: Kept | None, wish: PoolWish) -> Iterator[Action]:
    found = seen.pool(wish.name)
    if kept is None or (found and (found.deleting or found in course.remove or (wish.attempt and found.attempt != wish.attempt))):
        return  # it goes first, or cannot be made
    if found is None:
        yield Create(POOL, wish.name, wanted.new_replica_set(seen, kept, wish))
        return
    body = wanted.replica_set(seen, kept, wish)
    if not covers(found.found, body):
        yield Patch(POOL, wish.name, body | {"metadata": body["metadata"] | {"resourceVersion": found.found["metadata"].get("resourceVersion")}})
    if wish.size is not None and wish.size != found.replicas:
        yield Scale(POOL, wish.name, wish.size)


def _service(seen: Observed, course: Course, activator: str) -> Iterator[Action]:
    if course.routed is None and course.target is None:
        return  # an Endpoint that cannot be built (yet) takes no name from anybody
    body = wanted.service(seen, activator)
    if seen.service is None:
        yield Create(SERVICE, body["metadata"]["name"], body)
    elif not covers(seen.service, body):
        yield Apply(SERVICE, body["metadata"]["name"], body)


def _leads_to(course: Course) -> str | None:
    """The pool that the HPA is to size; None where none may stand."""
    spec = course.provision.autoscaler if course.provision else None
    return str(spec["scaleTargetRef"]["name"]) if spec else None


def _left(seen: Observed, course: Course) -> str | None:
    """The pool that the HPA leads to, and is not to size after this pass."""
    leads_to = ((seen.autoscaler or {}).get("spec") or {}).get("scaleTargetRef", {}).get("name")
    return leads_to if leads_to != _leads_to(course) else None


def _autoscaler(seen: Observed, course: Course) -> Iterator[Action]:
    """It is led to another pool in the pass in which the route is; but made when the route stands: before, it would find no metric and complain."""
    spec, found = course.provision.autoscaler if course.provision else None, seen.autoscaler
    if spec is None:
        if found is not None:
            yield Delete(AUTOSCALER, found["metadata"]["name"], found["metadata"]["uid"])
        return
    body = wanted.autoscaler(seen, spec)
    if found is None:
        served = (seen.status.get("route") or {}).get("pools") or {}
        if served.get(names.WARM) == spec["scaleTargetRef"]["name"]:
            yield Create(AUTOSCALER, body["metadata"]["name"], body)
    elif not covers(found, body):
        yield Apply(AUTOSCALER, body["metadata"]["name"], body)


def covers(found: Any, want: Any, quantity: bool = False) -> bool:
    """Whether everything wanted stands in what was found; what others, or the API server's defaults, added is theirs. Lists must be of equal length."""
    if isinstance(want, Mapping):
        return isinstance(found, Mapping) and all(covers(found.get(k), v, quantity or k in _QUANTITIES) for k, v in want.items())
    if isinstance(want, list | tuple):
        return isinstance(found, list | tuple) and len(found) == len(want) and all(covers(f, w, quantity) for f, w in zip(found, want, strict=True))
    # An empty text is stored as no field.
    return bool(found == want or (found is None and want == "") or (quantity and _amount(want) is not None and _amount(found) == _amount(want)))


def _amount(text: Any) -> Decimal | None:
    """The number that a quantity means: 0.5Gi is 512Mi."""
    parts = re.fullmatch(r"([0-9.]+)([A-Za-z]*)", str(text))
    try:
        return Decimal(parts[1]) * _UNITS[parts[2]] if parts else None
    except (KeyError, InvalidOperation):
        return None
