"""A pool: one ReplicaSet of Kindler, as the controller observed it."""

from __future__ import annotations

from dataclasses import dataclass

from kindler.core.common.objects import Json
from kindler.core.common.pods import PodFailure


@dataclass(frozen=True, slots=True)
class Pool:
    """A ReplicaSet of Kindler. `attempt`: the `id` of the Attempt for which it was created.

    `failure`: why the ReplicaSet cannot create pods. `found`: the whole object, for the comparison with its manifest.
    """

    name: str
    uid: str
    revision: str
    pool: str
    replicas: int
    attempt: str
    deleting: bool
    failure: PodFailure | None
    found: Json
