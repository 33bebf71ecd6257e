"""The states of a request and the allowed transitions, as a table like h11's `_state.py`. Pure.

    state         the request                                            if its client leaves (WITHDRAW)
    ----------    ---------------------------------------------------    ---------------------------------------------
    LOOKING_UP    its endpoint is being looked up (the initial state)    the look-up is cancelled
    HELD          waits for a backend, and its body is read              `Throttler.gone`: it never reaches a model
    CONNECTING    has a backend; no byte is written yet                  `Throttler.finished` with ABANDONED
    SENT          is being sent, or its response is being read           stays SENT: the model is still working on it
    OVER          has its response, or was abandoned                     not possible

A SENT request keeps its backend after its client has left. The response is read and dropped. If the request can never
be complete, the connection to the pod is half-closed. The slot is free when the model has responded or closed.
"""

from __future__ import annotations

import enum
from typing import Final


class State(enum.IntEnum):
    """The state of a request."""

    LOOKING_UP = 0
    HELD = 1
    CONNECTING = 2
    SENT = 3
    OVER = 4


class Event(enum.IntEnum):
    """What happens to a request."""

    HOLD = 0  # the throttler has no free backend
    CONNECT = 1  # the throttler assigned a backend, and there is no idle connection to it
    SEND = 2  # a connection to the backend is open: the head is written
    WITHDRAW = 3  # the client left, or we rejected a request that it had not sent to its end
    END = 4  # the response is complete, or can never be complete


# The members as names of this module: in Python 3.11 an access through the class runs Python code, which is slower.
LOOKING_UP, HELD, CONNECTING, SENT, OVER = State
HOLD, CONNECT, SEND, WITHDRAW, END = Event

TRANSITIONS: Final[dict[State, dict[Event, State]]] = {
    LOOKING_UP: {HOLD: HELD, CONNECT: CONNECTING, SEND: SENT, WITHDRAW: OVER, END: OVER},
    HELD: {CONNECT: CONNECTING, SEND: SENT, WITHDRAW: OVER, END: OVER},
    CONNECTING: {HOLD: HELD, CONNECT: CONNECTING, SEND: SENT, WITHDRAW: OVER, END: OVER},
    SENT: {WITHDRAW: SENT, END: OVER},
    OVER: {},
}


class IllegalTransition(Exception):
    """An event in a state in which it cannot happen. This is a bug in Kindler."""


def transition(state: State, event: Event) -> State:
    """The state after `event`. Raises IllegalTransition."""
    try:
        return TRANSITIONS[state][event]
    except KeyError:
        raise IllegalTransition(f"{event.name} cannot happen in state {state.name}") from None
