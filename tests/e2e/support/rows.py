"""The rows of the status table in the reference of the three kinds, and the row that an Endpoint shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.e2e.support import kstatus

Json = dict[str, Any]


@dataclass(frozen=True)
class Row:
    """What a user must see in one state.

    `marks`: Reconciling or Stalled, which are present only while True. `verdict`: the result of kstatus.
    """

    endpoint_status: str
    ready: str
    available: str
    marks: frozenset[str]
    verdict: str


def _row(endpoint_status: str, ready: str, available: str, mark: str, verdict: str) -> Row:
    return Row(endpoint_status, ready, available, frozenset({mark} if mark else ()), verdict)


CREATING = _row("Creating", "False", "False", "Reconciling", "InProgress")
IN_SERVICE = _row("InService", "True", "True", "", "Current")
UPDATING = _row("Updating", "Unknown", "True", "Reconciling", "InProgress")
UPDATE_FAILED = _row("InService", "False", "True", "Stalled", "Failed")
UPDATE_WAITS = _row("InService", "False", "True", "Reconciling", "InProgress")
SCALING_INVALID = _row("InService", "False", "True", "Stalled", "Failed")
CANNOT_START = _row("InService", "False", "False", "", "InProgress")
FAILED = _row("Failed", "False", "False", "Stalled", "Failed")
DELETING = _row("Deleting", "False", "False", "Reconciling", "Terminating")


def condition(obj: Json | None, kind: str) -> Json:
    """One condition, or an empty object."""
    conditions = (obj or {}).get("status", {}).get("conditions", [])
    return next((each for each in conditions if each["type"] == kind), {})


def seen(obj: Json | None) -> Row | None:
    """The row that an Endpoint shows now. None while status.observedGeneration differs from the generation."""
    if not obj or obj.get("status", {}).get("observedGeneration") != obj["metadata"]["generation"]:
        return None
    status = obj["status"]
    conditions = status.get("conditions", [])
    assert len({each["type"] for each in conditions}) == len(conditions), f"a condition appears twice: {conditions}"
    stale = [each["type"] for each in conditions if each.get("observedGeneration") != status["observedGeneration"]]
    assert not stale, f"{stale} have another observedGeneration than status: kubectl wait would hang"
    marks = frozenset(
        each["type"] for each in conditions if each["type"] not in ("Ready", "Available", "ScalingActive")
    )
    lingering = [
        each["type"] for each in conditions if each["type"] in ("Reconciling", "Stalled") and each["status"] != "True"
    ]
    assert not lingering, f"{lingering} must be present only while True"
    return Row(
        status.get("endpointStatus", ""),
        condition(obj, "Ready").get("status", ""),
        condition(obj, "Available").get("status", ""),
        marks,
        kstatus.verdict(obj),
    )
