"""A case of the table: an object, perhaps a change of it, and what the API server must say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from kindler.api import names

Json = dict[str, Any]

ACCEPTED: Final = "accepted"
WARNED: Final = "accepted with a warning"
REFUSED: Final = "refused"

# Words of the API server itself, as a person reads them.
UNKNOWN: Final = "unknown field"
TYPE: Final = "must be of type"
REQUIRED: Final = "Required value"


@dataclass(frozen=True)
class Case:
    """`name` is also metadata.name, unless `metadata` says otherwise. `change`, a merge patch, is made after the object was created (which must go well);
    the verdict is then about the change. `words` must all stand in what is answered. `written`: the one thing of `spec` that matters, for the page
    that shows it."""

    name: str
    kind: str
    spec: Json | None
    verdict: str = ACCEPTED
    words: tuple[str, ...] = ()
    change: Json | None = None
    metadata: Json | None = None
    extra: Json | None = None
    written: str = ""

    def manifest(self) -> Json:
        spec = {} if self.spec is None else {"spec": self.spec}
        return {
            "apiVersion": names.API_VERSION,
            "kind": self.kind,
            "metadata": {"name": self.name} | (self.metadata or {}),
            **spec,
            **(self.extra or {}),
        }


def accepted(name: str, kind: str, spec: Json, **more: Any) -> Case:
    return Case(name, kind, spec, **more)


def warned(name: str, kind: str, spec: Json, *words: str, **more: Any) -> Case:
    return Case(name, kind, spec, WARNED, words, **more)


def refused(name: str, kind: str, spec: Json | None, *words: str, **more: Any) -> Case:
    return Case(name, kind, spec, REFUSED, words, **more)
