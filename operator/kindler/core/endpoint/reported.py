"""Reads conditions from the status of an object, which another controller or version may have written."""

from __future__ import annotations

from kindler.api.conditions import Condition
from kindler.core.common.objects import Json


def reported_conditions(status: Json) -> tuple[Condition, ...]:
    """All conditions of a status that have a type and a status."""
    return tuple(
        Condition.from_json(entry) for entry in status.get("conditions") or () if "type" in entry and "status" in entry
    )


def reported_condition(status: Json, kind: str) -> Json:
    """The condition of one type as JSON; empty if the status has none."""
    return next((entry for entry in status.get("conditions") or () if entry.get("type") == kind), {})
