"""The status of a Model or an EndpointConfig: accepted, whatever it refers to, unless its name is taken; what of it has no effect; who uses it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from kindler.api import conditions as c
from kindler.api.conditions import Condition
from kindler.api.ignored import ignored_fields
from kindler.core.common.blockers import Blocker
from kindler.core.common.objects import Json
from kindler.core.common.timestamps import format_timestamp
from kindler.core.endpoint.status import found_conditions

FIRST: Final = 10


def acceptance(kind: str, raw: Json, blocker: Blocker | None, users: Iterable[str], now: float) -> dict[str, Any]:
    """`users`: metadata.name of each object that refers to this one."""
    meta, old = raw["metadata"], raw.get("status") or {}
    names = sorted(users)
    ignored = [field.to_json() for field in ignored_fields(kind, raw["spec"], meta.get("annotations") or {})]
    new = {
        "observedGeneration": meta.get("generation", 0),
        "conditions": [
            condition.to_json() for condition in c.carried(_wanted(kind, meta, blocker, now), found_conditions(old))
        ],
        "ignoredFields": ignored or None,
        "usedBy": {"count": len(names), "first": names[:FIRST]} if names else {"count": 0},
        "ackResourceMetadata": old.get("ackResourceMetadata"),
    }
    return {k: v for k, v in new.items() if v is not None}


def _wanted(kind: str, meta: Json, blocker: Blocker | None, now: float) -> tuple[Condition, ...]:
    generation, at = int(meta.get("generation", 0)), format_timestamp(now)
    if blocker is None:
        return (Condition(c.READY, c.TRUE, c.ACCEPTED, f"The {kind} is accepted.", generation, at),)
    return (
        Condition(c.READY, c.FALSE, blocker.reason, blocker.message, generation, at),
        Condition(c.STALLED, c.TRUE, blocker.reason, blocker.message, generation, at),
    )
