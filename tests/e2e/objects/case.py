"""A case of the table: an object, an optional change of it, and the response that the API server must give."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from kindler.api import names

Json = dict[str, Any]

ACCEPTED: Final = "accepted"
WARNED: Final = "accepted with a warning"
REFUSED: Final = "refused"

# Parts of the API server's own messages.
UNKNOWN: Final = "unknown field"
TYPE: Final = "must be of type"
REQUIRED: Final = "Required value"


@dataclass(frozen=True)
class Case:
    """One object, or one change of it, with the expected verdict.

    `name`: also metadata.name, unless `metadata` has another name. `change`: a merge patch, sent after the object was
    created without an error; the verdict is then about the change. `words`: texts that the response must contain.
    `written`: the important part of `spec`, for the page.
    """

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
