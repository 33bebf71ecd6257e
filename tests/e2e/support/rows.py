"""The status table of the three kinds' reference, row by row, and the judge that compares an Endpoint with a row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.e2e.support import kstatus

Json = dict[str, Any]


@dataclass(frozen=True)
class Row:
    """What a user must see at one moment. `marks`: Reconciling or Stalled, each only there while True. `verdict`: kstatus's."""

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
CANNOT_WAKE = _row("InService", "False", "False", "", "InProgress")
FAILED = _row("Failed", "False", "False", "Stalled", "Failed")
DELETING = _row("Deleting", "False", "False", "Reconciling", "Terminating")


def condition(found: Json | None, kind: str) -> Json:
    """One condition, or an empty object."""
    conditions = (found or {}).get("status", {}).get("conditions", [])
    return next((each for each in conditions if each["type"] == kind), {})


def seen(found: Json | None) -> Row | None:
    """The row that an Endpoint shows now; None while its status is not about the present generation."""
    if not found or found.get("status", {}).get("observedGeneration") != found["metadata"]["generation"]:
        return None
    status = found["status"]
    conditions = status.get("conditions", [])
    assert len({each["type"] for each in conditions}) == len(conditions), f"a condition stands twice: {conditions}"
    stale = [each["type"] for each in conditions if each.get("observedGeneration") != status["observedGeneration"]]
    assert not stale, f"{stale} do not carry the status's observedGeneration: kubectl wait would hang"
    marks = frozenset(
        each["type"] for each in conditions if each["type"] not in ("Ready", "Available", "ScalingActive")
    )
    lingering = [
        each["type"] for each in conditions if each["type"] in ("Reconciling", "Stalled") and each["status"] != "True"
    ]
    assert not lingering, f"{lingering} must only be there while True"
    return Row(
        status.get("endpointStatus", ""),
        condition(found, "Ready").get("status", ""),
        condition(found, "Available").get("status", ""),
        marks,
        kstatus.verdict(found),
    )
