"""The states of a request: the table has all transitions, and the stream changes its state only by this table."""

from __future__ import annotations

import ast
import inspect

import pytest

from kindler.activator.wire import state, stream
from kindler.activator.wire.state import TRANSITIONS, Event, IllegalTransition, State, transition

#                     HOLD          CONNECT        SEND      WITHDRAW   END         (a dot: cannot happen)
TABLE = {
    "LOOKING_UP": "   HELD          CONNECTING     SENT      OVER       OVER",
    "HELD": "         .             CONNECTING     SENT      OVER       OVER",
    "CONNECTING": "   HELD          CONNECTING     SENT      OVER       OVER",
    "SENT": "         .             .              .         SENT       OVER",
    "OVER": "         .             .              .         .          .",
}


@pytest.mark.parametrize("before", State)
@pytest.mark.parametrize("event", Event)
def test_each_event_in_each_state_has_the_result_of_the_table(before: State, event: Event) -> None:
    after = TABLE[before.name].split()[event]
    if after == ".":
        with pytest.raises(IllegalTransition, match=f"{event.name} cannot happen in state {before.name}"):
            transition(before, event)
    else:
        assert transition(before, event) is State[after]


def test_every_state_is_reached_from_the_initial_one() -> None:
    reached = {State.LOOKING_UP}
    while more := {after for before in reached for after in TRANSITIONS[before].values()} - reached:
        reached |= more
    assert reached == set(State)


def test_every_request_can_end_and_nothing_happens_afterwards() -> None:
    assert all(TRANSITIONS[before][Event.END] is State.OVER for before in State if before is not State.OVER)
    assert TRANSITIONS[State.OVER] == {}


def test_a_sent_request_does_not_end_when_its_client_leaves() -> None:
    """The model still works on the request, so the throttler must not give its slot to another request."""
    withdrawn = {before: after[Event.WITHDRAW] for before, after in TRANSITIONS.items() if before is not State.OVER}
    assert [before for before, after in withdrawn.items() if after is not State.OVER] == [State.SENT]


def test_the_names_of_the_module_are_the_members() -> None:
    for member in (*State, *Event):
        assert getattr(state, member.name) is member


def test_the_stream_changes_its_state_only_by_transitions() -> None:
    assigned = [
        ast.unparse(node.value)
        for node in ast.walk(ast.parse(inspect.getsource(stream)))
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if ast.unparse(target).endswith(".state")
    ]
    initial, *others = assigned
    assert initial == "LOOKING_UP"
    assert len(others) == 4
    assert all(value.startswith("transition(self.state, ") for value in others)
