"""The changes of status that cause Events, and the status of Models and EndpointConfigs."""

from __future__ import annotations

from typing import Any

import pytest

from kindler.core.common.blockers import Blocker, BlockerKind
from kindler.core.endpoint.acceptance import acceptance
from kindler.core.endpoint.events import events_of
from tests.unit.builders import NOW, stamp

Json = dict[str, Any]


def status(state: str, ready: str, reason: str, message: str = "why", route: str = "", config: str = "v1") -> Json:
    conditions = [{"type": "Ready", "status": ready, "reason": reason, "message": message}]
    return {"endpointStatus": state, "conditions": conditions} | (
        {"route": {"revision": route}, "endpointConfigName": config} if route else {}
    )


NEW: Json = {"observedGeneration": -1}
CREATING = status("Creating", "False", "Creating")
WAITS = status("Creating", "False", "ModelNotFound")
SERVES = status("InService", "True", "InService", route="a")
UPDATING = status("Updating", "Unknown", "Updating", route="a")
UPDATED = status("InService", "True", "InService", route="b", config="v2")
FAILED = status("Failed", "False", "CreationFailed")
UPDATE_FAILED = status("InService", "False", "UpdateFailed", route="a")
CANNOT = status("InService", "False", "CannotStart", route="a")

CHANGES: list[tuple[Json, Json, list[str]]] = [
    (NEW, CREATING, ["Normal Creating"]),
    (NEW, WAITS, ["Warning ModelNotFound"]),
    (WAITS, CREATING, []),
    (CREATING, CREATING, []),
    (CREATING, status("Creating", "False", "Creating", "another message"), []),
    (CREATING, SERVES, ["Normal InService"]),
    (CREATING, FAILED, ["Warning CreationFailed"]),
    (FAILED, FAILED, []),
    (FAILED, status("Failed", "False", "CreationFailed", "another cause"), ["Warning CreationFailed"]),
    (FAILED, SERVES, ["Normal InService"]),
    (SERVES, SERVES, []),
    (SERVES, UPDATING, ["Normal Updating"]),
    (UPDATING, status("Updating", "Unknown", "Updating", "another message", route="a"), []),
    (UPDATING, UPDATED, ["Normal Updated"]),
    (SERVES, UPDATED, ["Normal Updated"]),
    (UPDATING, UPDATE_FAILED, ["Warning UpdateFailed", "Normal RolledBack"]),
    (UPDATE_FAILED, status("InService", "False", "UpdateFailed", "another cause", route="a"), ["Warning UpdateFailed"]),
    (UPDATE_FAILED, SERVES, ["Normal InService"]),
    (UPDATE_FAILED, UPDATED, ["Normal Updated"]),
    (SERVES, SERVES | {"route": {"revision": "a", "pools": {"warm": "w"}}}, []),
    (SERVES, CANNOT, ["Warning CannotStart"]),
    (CANNOT, SERVES, ["Normal InService"]),
    (SERVES, status("Deleting", "False", "Deleting", route="a"), []),
]


@pytest.mark.parametrize(("old", "new", "events"), CHANGES)
def test_a_change_of_status_causes_events(old: Json, new: Json, events: list[str]) -> None:
    assert [f"{event.type} {event.reason}" for event in events_of(old, new)] == events


def scaling(active: str = "True", reason: str = "MetricsAvailable", *sizes: tuple[int, int]) -> Json:
    """The status of an endpoint in service. `sizes`: its scaling activities as (from, to), the latest first."""
    serves = status("InService", "True", "InService", route="a")
    condition = {"type": "ScalingActive", "status": active, "reason": reason, "message": "why"}
    done = [
        {"time": stamp(NOW - n), "from": a, "to": b, "cause": "the policy asks for it", "result": "InProgress"}
        for n, (a, b) in enumerate(sizes)
    ]
    return serves | {"conditions": [*serves["conditions"], condition], "scalingActivities": done}


SIZES: list[tuple[Json, Json, list[str]]] = [
    (SERVES, scaling(), []),
    (scaling(), scaling(), []),
    (scaling(), scaling("True", "MetricsAvailable", (1, 4)), ["Normal ScalingOut"]),
    (scaling("True", "x", (1, 4)), scaling("True", "x", (4, 2), (1, 4)), ["Normal ScalingIn"]),
    (scaling("True", "x", (1, 4)), scaling("True", "x", (1, 4)), []),
    (scaling(), scaling("False", "NoMetrics"), ["Warning NoMetrics"]),
    (scaling("Unknown", "NotScaledYet"), scaling("False", "CannotScale"), ["Warning CannotScale"]),
    (scaling("False", "NoMetrics"), scaling("False", "CannotScale"), []),
    (scaling("False", "NoMetrics"), scaling(), []),
    (scaling(), scaling("False", "Suspended"), []),
]


@pytest.mark.parametrize(("old", "new", "events"), SIZES)
def test_changes_of_size_and_scaling_failures_cause_one_event_each(old: Json, new: Json, events: list[str]) -> None:
    assert [f"{event.type} {event.reason}" for event in events_of(old, new)] == events


def test_the_event_of_a_change_of_size_names_its_cause() -> None:
    (event,) = events_of(scaling(), scaling("True", "x", (1, 4)))
    assert event.note == "Provisioned concurrency from 1 to 4: the policy asks for it."


RAW: Json = {
    "metadata": {"name": "m", "generation": 3},
    "spec": {"primaryContainer": {"image": "a:1"}, "executionRoleARN": "arn:x"},
}


def test_a_model_is_accepted_whatever_it_refers_to() -> None:
    found = acceptance("Model", RAW, None, [f"c{n:02}" for n in range(12)], NOW)
    assert found["observedGeneration"] == 3
    (ready,) = found["conditions"]
    assert (ready["type"], ready["status"], ready["reason"], ready["observedGeneration"]) == (
        "Ready",
        "True",
        "Accepted",
        3,
    )
    assert found["usedBy"] == {"count": 12, "first": [f"c{n:02}" for n in range(10)]}
    assert found["ignoredFields"][0]["field"] == "spec.executionRoleARN"
    assert acceptance("Model", RAW | {"status": found}, None, [f"c{n:02}" for n in range(12)], NOW + 99) == found


def test_a_taken_name_is_stalled() -> None:
    found = acceptance("Model", RAW, Blocker(BlockerKind.STALLED, "NameTaken", "older"), (), NOW)
    assert {c["type"]: (c["status"], c["reason"]) for c in found["conditions"]} == {
        "Ready": ("False", "NameTaken"),
        "Stalled": ("True", "NameTaken"),
    }
    assert found["usedBy"] == {"count": 0}
    freed = acceptance("Model", RAW | {"status": found}, None, (), NOW + 5)
    assert [(c["type"], c["lastTransitionTime"]) for c in freed["conditions"]] == [("Ready", stamp(NOW + 5))]
