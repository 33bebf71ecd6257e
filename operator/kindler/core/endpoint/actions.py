"""The writes that a plan consists of: one value for each write to the API server."""

from __future__ import annotations

from dataclasses import dataclass, field

from kindler.core.common.objects import Json


@dataclass(frozen=True, slots=True)
class Action:
    """One write. `kind`: ReplicaSet, Service, ControllerRevision or HorizontalPodAutoscaler. The verb says how: see controller/apply.py."""

    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class Create(Action):
    body: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Apply(Action):
    body: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Patch(Action):
    """A merge patch with the resourceVersion that was seen. Lists are replaced as a whole: server-side apply leaves in them what others have added."""

    body: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Scale(Action):
    replicas: int = 0


@dataclass(frozen=True, slots=True)
class Delete(Action):
    """`uid`: of this very object and no other of its name."""

    uid: str = ""
