"""A pool: one ReplicaSet of Kindler, as the controller found it."""

from __future__ import annotations

from dataclasses import dataclass

from kindler.core.common.objects import Json
from kindler.core.common.pods import PodFailure


@dataclass(frozen=True, slots=True)
class Pool:
    """A ReplicaSet of ours. `attempt`: the Attempt.id that it was made for. `found`: the whole object, to compare with what is wanted."""

    name: str
    uid: str
    revision: str
    pool: str
    replicas: int
    attempt: str
    deleting: bool
    failure: PodFailure | None
    found: Json
