"""The end-to-end tests judge an object by kstatus's public rules. These tests check each of the rules."""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.support import kstatus, rows


def endpoint(observed: int | None = 1, *, deleted: bool = False, **conditions: str) -> dict[str, Any]:
    metadata: dict[str, Any] = {"generation": 1} | ({"deletionTimestamp": "2026-11-01T00:00:00Z"} if deleted else {})
    listed = [{"type": kind, "status": status, "observedGeneration": observed} for kind, status in conditions.items()]
    return {
        "metadata": metadata,
        "status": ({} if observed is None else {"observedGeneration": observed}) | {"conditions": listed},
    }


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        (endpoint(deleted=True, Ready="True"), "Terminating"),
        (endpoint(-1), "InProgress"),
        (endpoint(0, Ready="True"), "InProgress"),
        (endpoint(Ready="True", Reconciling="True"), "InProgress"),
        (endpoint(Ready="False", Stalled="True"), "Failed"),
        (endpoint(Ready="False", Stalled="True", Reconciling="True"), "InProgress"),
        (endpoint(Ready="False"), "InProgress"),
        (endpoint(Ready="Unknown"), "InProgress"),
        (endpoint(Ready="True"), "Current"),
        (endpoint(Ready="True", Stalled="False"), "Current"),
        (endpoint(None), "Current"),
    ],
)
def test_each_status_has_its_verdict(found: dict[str, Any], verdict: str) -> None:
    assert kstatus.verdict(found) == verdict


def test_a_row_is_unknown_until_the_generation_is_observed() -> None:
    assert rows.seen(endpoint(0, Ready="True", Available="True")) is None
    assert rows.seen(None) is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"conditions": [{"type": "Ready", "status": "True", "observedGeneration": 1}] * 2}, "appears twice"),
        ({"conditions": [{"type": "Ready", "status": "True", "observedGeneration": 0}]}, "kubectl wait would hang"),
        (
            {"conditions": [{"type": "Stalled", "status": "False", "observedGeneration": 1}]},
            "must be present only while True",
        ),
    ],
)
def test_a_malformed_status_is_rejected(change: dict[str, Any], words: str) -> None:
    found = endpoint()
    found["status"] |= change
    with pytest.raises(AssertionError, match=words):
        rows.seen(found)
