"""Conditions: their JSON, and lastTransitionTime, which changes only when the condition's status changes."""

from __future__ import annotations

from kindler.api.conditions import AVAILABLE, FALSE, IN_SERVICE, READY, RECONCILING, TRUE, Condition, carried

EARLIER, LATER = "2026-01-01T00:00:00Z", "2026-01-01T00:05:00Z"


def _condition(type_: str, status: str, when: str, reason: str = IN_SERVICE, generation: int = 1) -> Condition:
    return Condition(type_, status, reason, "It serves.", generation, when)


def test_a_condition_can_be_read_from_its_own_json() -> None:
    one = _condition(READY, TRUE, EARLIER)
    assert Condition.from_json(one.to_json()) == one
    assert set(one.to_json()) == {"type", "status", "observedGeneration", "lastTransitionTime", "reason", "message"}


def test_a_condition_of_ack_can_be_read() -> None:
    stored = Condition.from_json({"type": "ACK.ResourceSynced", "status": "True"})
    assert (stored.type, stored.observed_generation, stored.reason) == ("ACK.ResourceSynced", 0, "")


def test_the_time_stays_if_the_status_is_the_same() -> None:
    desired = (_condition(READY, TRUE, LATER, reason="Another", generation=2),)
    assert carried(desired, (_condition(READY, TRUE, EARLIER),)) == (
        _condition(READY, TRUE, EARLIER, reason="Another", generation=2),
    )


def test_the_time_changes_with_the_status() -> None:
    desired = (_condition(READY, FALSE, LATER),)
    assert carried(desired, (_condition(READY, TRUE, EARLIER),)) == desired


def test_new_conditions_get_their_own_time_and_undesired_ones_are_dropped() -> None:
    desired = (_condition(READY, TRUE, LATER), _condition(AVAILABLE, TRUE, LATER))
    stored = (_condition(RECONCILING, TRUE, EARLIER), _condition(AVAILABLE, TRUE, EARLIER))
    assert carried(desired, stored) == (_condition(READY, TRUE, LATER), _condition(AVAILABLE, TRUE, EARLIER))
