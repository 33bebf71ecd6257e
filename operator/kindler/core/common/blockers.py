"""What keeps an Endpoint from doing what its spec asks for, and what helps against it."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class BlockerKind(enum.Enum):
    """What helps against an obstacle."""

    WAIT = "wait"  # it goes by itself, or by an object that somebody still has to create
    STALLED = "stalled"  # the user must act: nothing changes before that
    ERROR = "error"  # the cluster refused; it may not the next time


@dataclass(frozen=True, slots=True)
class Blocker:
    """What stands in the way. `blocking`: of what the spec asks for; else it serves all the same (the name of its Service is taken).

    `child`: the kind of the object that could not be written, empty where it is about none.
    """

    kind: BlockerKind
    reason: str
    message: str
    blocking: bool = True
    child: str = ""
