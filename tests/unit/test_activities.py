"""Scaling activities: the result of each change of the desired size. Each reconcile knows only the last status."""

from __future__ import annotations

from typing import Any

import pytest

from kindler.core.autoscaling.activities import activities
from kindler.core.autoscaling.decision import ScalingDecision
from kindler.core.common.pods import PodFailure

BROKEN = PodFailure("ImagePullBackOff", "The image is not there.", True)
T1, T2 = "2027-01-15T08:00:00Z", "2027-01-15T08:01:00Z"


def decided(desired: int, current: int, cause: str = "", scales: bool = True) -> ScalingDecision:
    return ScalingDecision(
        None, 0, status={"desiredCapacity": desired} if scales else None, desired=desired, current=current, cause=cause
    )


def status(desired: int | None, *activities_: dict[str, Any], provisioned: int = 0) -> dict[str, Any]:
    entry = {"autoscaling": [{"desiredCapacity": desired}]} if desired is not None else {}
    return {
        "productionVariants": [{"currentServerlessConfig": {"provisionedConcurrency": provisioned}}],
        "scalingActivities": list(activities_),
    } | entry


def entry(before: int, to: int, result: str = "InProgress", **more: Any) -> dict[str, Any]:
    return {"time": T1, "cause": "why", "from": before, "to": to, "result": result} | more


def sizes(found: list[dict[str, Any]]) -> list[tuple[int, int, str]]:
    return [(e["from"], e["to"], e["result"]) for e in found]


TABLE: list[tuple[str, dict[str, Any], ScalingDecision, PodFailure | None, list[tuple[int, int, str]]]] = [
    # case, status as read, the decision, failure -> (from, to, result), newest first
    ("nothing served before", {}, decided(4, 0), None, []),
    ("nothing changes", status(4), decided(4, 4), None, []),
    ("out", status(1), decided(4, 1), None, [(1, 4, "InProgress")]),
    ("out, at once", status(1), decided(4, 4), None, [(1, 4, "Successful")]),
    ("out, reached", status(4, entry(1, 4)), decided(4, 4), None, [(1, 4, "Successful")]),
    ("out, not yet reached", status(4, entry(1, 4)), decided(4, 3), None, [(1, 4, "InProgress")]),
    ("out, instances cannot come up", status(4, entry(1, 4)), decided(4, 1), BROKEN, [(1, 4, "Failed")]),
    (
        "out, instances come up later",
        status(4, entry(1, 4, "Failed", statusMessage="x")),
        decided(4, 4),
        None,
        [(1, 4, "Successful")],
    ),
    (
        "out, then further out",
        status(4, entry(1, 4)),
        decided(8, 2),
        None,
        [(4, 8, "InProgress"), (1, 4, "Overridden")],
    ),
    (
        "a failed one is overridden, too",
        status(4, entry(1, 4, "Failed")),
        decided(2, 2),
        None,
        [(4, 2, "Successful"), (1, 4, "Overridden")],
    ),
    ("in", status(4), decided(1, 1), None, [(4, 1, "Successful")]),
    ("in, while instances fail", status(4), decided(1, 1), BROKEN, [(4, 1, "Successful")]),
    ("a finished activity stays", status(4, entry(1, 4, "Successful")), decided(4, 3), BROKEN, [(1, 4, "Successful")]),
    ("added", status(None, provisioned=2), decided(5, 2), None, [(2, 5, "InProgress")]),
    ("added, same size", status(None, provisioned=2), decided(2, 2), None, []),
    ("removed", status(5), decided(2, 2, scales=False), None, [(5, 2, "Successful")]),
    ("removed long ago", status(None, provisioned=2), decided(3, 3, scales=False), None, []),
    (
        "removed before the size is reached",
        status(None, entry(2, 5), provisioned=5),
        decided(5, 5, scales=False),
        None,
        [(2, 5, "Successful")],
    ),
]


@pytest.mark.parametrize(
    ("found", "decision", "failure", "want"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE]
)
def test_each_change_of_size_has_its_result(
    found: dict[str, Any], decision: ScalingDecision, failure: PodFailure | None, want: list[tuple[int, int, str]]
) -> None:
    assert sizes(activities(found, decision, failure, T2)) == want


def test_an_activity_has_its_time_cause_and_failure() -> None:
    (out,) = activities(status(1), decided(4, 1, "scheduled action 'morning' set the minimum to 4"), BROKEN, T2)
    assert out == entry(1, 4, "Failed", statusMessage="The image is not there.") | {
        "time": T2,
        "cause": "scheduled action 'morning' set the minimum to 4",
    }
    (reached,) = activities(status(4, out), decided(4, 4), None, T2)
    assert "statusMessage" not in reached


def test_the_last_ten_activities_are_stored() -> None:
    found: dict[str, Any] = status(0)
    for size in range(1, 15):
        done = activities(found, decided(size, size), None, T1)
        found = status(size, *done)
    assert [e["to"] for e in found["scalingActivities"]] == list(range(14, 4, -1))
