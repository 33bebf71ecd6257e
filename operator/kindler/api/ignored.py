"""Which fields and annotations of an object have no effect, and why: the content of status.ignoredFields."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic.fields import FieldInfo

from kindler.api.base import Block, WithoutEffect
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
    """One field or annotation without effect. `field`: its path, as `spec.productionVariants[0].instanceType`."""

    field: str
    reason: str

    def to_json(self) -> dict[str, str]:
        return {"field": self.field, "reason": self.reason}


def ignored_fields(kind: str, spec: Mapping[str, Any], annotations: Mapping[str, str]) -> tuple[IgnoredField, ...]:
    """Fields marked WithoutEffect that are set in the raw `spec`, in schema order, then the annotations for ACK.

    `kind` is Model, EndpointConfig or Endpoint; another one raises KeyError. A field with an empty value, false or its
    default is not listed.
    """
    fields = _walk(SPECS[kind], spec, "spec")
    ack = (
        IgnoredField(f"metadata.annotations[{key}]", _ACK) for key in sorted(annotations) if key.startswith(ACK_PREFIX)
    )
    return (*fields, *ack)


def _walk(block: type[Block], value: Mapping[str, Any], path: str) -> Iterator[IgnoredField]:
    for info in block.model_fields.values():
        content: Any = value.get(str(info.alias))
        field = f"{path}.{info.alias}"
        if not _is_set(content, info):
            continue
        if marker := next((m for m in markers(info) if isinstance(m, WithoutEffect)), None):
            yield IgnoredField(field, marker.why)
        elif below := children(info):
            items = (
                [(f"{field}[{i}]", item) for i, item in enumerate(content)]
                if isinstance(content, list)
                else [(field, content)]
            )
            for item_field, item in items:
                yield from _walk(below, item, item_field)


def _is_set(value: Any, info: FieldInfo) -> bool:
    return bool(value) and value != info.default
