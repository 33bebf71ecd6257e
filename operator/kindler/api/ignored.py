"""Which of the things that a user wrote have no effect, and why: the content of status.ignoredFields."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic.fields import FieldInfo

from kindler.api.base import Block, Kept
from kindler.api.endpoint import EndpointSpec
from kindler.api.endpointconfig import EndpointConfigSpec
from kindler.api.model import ModelSpec
from kindler.api.shape import children, markers

SPECS: Final[dict[str, type[Block]]] = {
    "Model": ModelSpec,
    "EndpointConfig": EndpointConfigSpec,
    "Endpoint": EndpointSpec,
}

ACK_PREFIX: Final = "services.k8s.aws/"
_ACK: Final = "it speaks to AWS's controller (ACK)"


@dataclass(frozen=True, slots=True)
class IgnoredField:
    """One thing without effect. `field`: its path, as `spec.productionVariants[0].instanceType`."""

    field: str
    reason: str

    def to_json(self) -> dict[str, str]:
        return {"field": self.field, "reason": self.reason}


def ignored_fields(kind: str, spec: Mapping[str, Any], annotations: Mapping[str, str]) -> tuple[IgnoredField, ...]:
    """The kept fields that are set in the raw `spec` of a `kind` (Model, EndpointConfig or Endpoint), in schema order, then annotations meant for ACK.

    A value that says nothing (empty, false, the default) is not listed. Raises KeyError for another kind.
    """
    fields = _walk(SPECS[kind], spec, "spec")
    notes = (
        IgnoredField(f"metadata.annotations[{key}]", _ACK) for key in sorted(annotations) if key.startswith(ACK_PREFIX)
    )
    return (*fields, *notes)


def _walk(block: type[Block], value: Mapping[str, Any], path: str) -> Iterator[IgnoredField]:
    for info in block.model_fields.values():
        found: Any = value.get(str(info.alias))
        place = f"{path}.{info.alias}"
        if not _says_something(found, info):
            continue
        if kept := next((m for m in markers(info) if isinstance(m, Kept)), None):
            yield IgnoredField(place, kept.why)
        elif below := children(info):
            items = (
                [(f"{place}[{i}]", item) for i, item in enumerate(found)]
                if isinstance(found, list)
                else [(place, found)]
            )
            for item_place, item in items:
                yield from _walk(below, item, item_place)


def _says_something(value: Any, info: FieldInfo) -> bool:
    return bool(value) and value != info.default
