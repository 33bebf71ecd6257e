"""The writes that a plan consists of: one value for each write to the API server."""

from __future__ import annotations

from dataclasses import dataclass, field

from kindler.core.common.objects import Json


@dataclass(frozen=True, slots=True)
class Action:
    """One write. `kind`: ReplicaSet, Service, ControllerRevision or HorizontalPodAutoscaler.

    The class selects the verb: see controller/apply.py.
    """

    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class Create(Action):
    """A POST. It fails if an object of this name exists."""

    body: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Apply(Action):
    """A server-side apply of all fields that Kindler owns."""

    body: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Patch(Action):
    """A merge patch with the resourceVersion that was observed.

    It replaces whole lists. A server-side apply would keep list entries that other writers added.
    """

    body: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Scale(Action):
    """A write of `spec.replicas` through the scale subresource."""

    replicas: int = 0


@dataclass(frozen=True, slots=True)
class Delete(Action):
    """A DELETE. It deletes only the object with this `uid`, not another object of the same name."""

    uid: str = ""
