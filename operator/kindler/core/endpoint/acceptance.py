"""The status of a Model or an EndpointConfig: whether it is accepted, which fields have no effect, and its users.

An object is accepted even if it refers to an object that does not exist. It is not accepted if an older object has its
name, or if its spec is invalid.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from kindler.api import conditions as c
from kindler.api.conditions import Condition
from kindler.api.ignored import ignored_fields
from kindler.core.common.blockers import Blocker
from kindler.core.common.objects import Json
from kindler.core.common.timestamps import format_timestamp
from kindler.core.endpoint.reported import reported_conditions

FIRST: Final = 10  # the status lists at most this many names of users


def acceptance(kind: str, raw: Json, blocker: Blocker | None, users: Iterable[str], now: float) -> dict[str, Any]:
    """The status to write. `users`: metadata.name of each object that refers to this one. `now`: epoch seconds."""
    meta, old = raw["metadata"], raw.get("status") or {}
    names = sorted(users)
    ignored = [field.to_json() for field in ignored_fields(kind, raw["spec"], meta.get("annotations") or {})]
    conditions = c.carried(_conditions(kind, meta, blocker, now), reported_conditions(old))
    new = {
        "observedGeneration": meta.get("generation", 0),
        "conditions": [condition.to_json() for condition in conditions],
        "ignoredFields": ignored or None,
        "usedBy": {"count": len(names), "first": names[:FIRST]} if names else {"count": 0},
        "ackResourceMetadata": old.get("ackResourceMetadata"),
    }
    return {k: v for k, v in new.items() if v is not None}


def _conditions(kind: str, meta: Json, blocker: Blocker | None, now: float) -> tuple[Condition, ...]:
    generation, at = int(meta.get("generation", 0)), format_timestamp(now)
    if blocker is None:
        return (Condition(c.READY, c.TRUE, c.ACCEPTED, f"The {kind} is accepted.", generation, at),)
    return (
        Condition(c.READY, c.FALSE, blocker.reason, blocker.message, generation, at),
        Condition(c.STALLED, c.TRUE, blocker.reason, blocker.message, generation, at),
    )
