"""What prevents Kindler from doing what an Endpoint's spec requires, and how that is resolved."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class BlockerKind(enum.Enum):
    """How a blocker is resolved."""

    WAITING = "waiting"  # it resolves by itself, or when the user creates the missing object
    STALLED = "stalled"  # only the user can resolve it
    ERROR = "error"  # the cluster rejected a write; it may accept the next write


@dataclass(frozen=True, slots=True)
class Blocker:
    """One reason why the spec is not in effect. `reason`: one CamelCase word, `message`: a sentence for the user.

    `blocking`: False if the Endpoint can serve in spite of the blocker (for example, another object has the name of its
    Service). `child`: the kind of the child object that could not be written; empty if the blocker is not about a child
    object.
    """

    kind: BlockerKind
    reason: str
    message: str
    blocking: bool = True
    child: str = ""
