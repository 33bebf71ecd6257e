"""Conditions: their JSON, and that lastTransitionTime moves only with status."""

from __future__ import annotations

from kindler.api.conditions import AVAILABLE, FALSE, IN_SERVICE, READY, RECONCILING, TRUE, Condition, carried

EARLIER, LATER = "2026-01-01T00:00:00Z", "2026-01-01T00:05:00Z"


def _condition(type_: str, status: str, when: str, reason: str = IN_SERVICE, generation: int = 1) -> Condition:
    return Condition(type_, status, reason, "It serves.", generation, when)


def test_a_condition_reads_what_it_wrote() -> None:
    one = _condition(READY, TRUE, EARLIER)
    assert Condition.from_json(one.to_json()) == one
    assert set(one.to_json()) == {"type", "status", "observedGeneration", "lastTransitionTime", "reason", "message"}


def test_a_condition_of_ack_is_read_too() -> None:
    found = Condition.from_json({"type": "ACK.ResourceSynced", "status": "True"})
    assert (found.type, found.observed_generation, found.reason) == ("ACK.ResourceSynced", 0, "")


def test_the_time_stays_while_the_status_stays() -> None:
    wanted = (_condition(READY, TRUE, LATER, reason="Another", generation=2),)
    assert carried(wanted, (_condition(READY, TRUE, EARLIER),)) == (
        _condition(READY, TRUE, EARLIER, reason="Another", generation=2),
    )


def test_the_time_moves_with_the_status() -> None:
    wanted = (_condition(READY, FALSE, LATER),)
    assert carried(wanted, (_condition(READY, TRUE, EARLIER),)) == wanted


def test_new_conditions_come_with_their_own_time_and_unwanted_ones_go() -> None:
    wanted = (_condition(READY, TRUE, LATER), _condition(AVAILABLE, TRUE, LATER))
    found = (_condition(RECONCILING, TRUE, EARLIER), _condition(AVAILABLE, TRUE, EARLIER))
    assert carried(wanted, found) == (_condition(READY, TRUE, LATER), _condition(AVAILABLE, TRUE, EARLIER))
