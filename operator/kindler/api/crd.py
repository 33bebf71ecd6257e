"""Generates CustomResourceDefinitions from the models: Python types and markers in, structural schemas out.

Generation fails for a type or marker that is not in the tables below. Otherwise a new type or marker could get a schema
that the API server interprets differently.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, Literal, get_args, get_origin

from annotated_types import Ge, Le, MaxLen, MinLen
from pydantic.fields import FieldInfo

from kindler.api import names
from kindler.api.base import FORBIDDEN, Block, FormByRule, ListMap, RequiredByRule, Rule, WithoutEffect
from kindler.api.kinds import Column, Kind
from kindler.api.shape import bare, markers

Schema = dict[str, Any]

_SCALARS: Final[dict[Any, Schema]] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer", "format": "int64"},
    float: {"type": "number"},
    datetime: {"type": "string", "format": "date-time"},
}
# The second part of the keywords minLength, maxItems ..., by the schema's type.
_LENGTHS: Final = {"string": "Length", "array": "Items", "object": "Properties"}


class Unsupported(TypeError):
    """A Block uses a type, marker or default that structural schemas or this module do not support."""


def crd(kind: Kind) -> Schema:
    """The CustomResourceDefinition of one kind, as JSON."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.plural}.{names.GROUP}"},
        "spec": {
            "group": names.GROUP,
            "names": {
                "kind": kind.kind,
                "listKind": f"{kind.kind}List",
                "plural": kind.plural,
                "singular": kind.singular,
                "shortNames": [kind.short_name],
                "categories": ["kindler"],
            },
            "scope": "Namespaced",
            "versions": [
                {
                    "name": names.VERSION,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": [_column(c) for c in kind.columns],
                    "schema": {"openAPIV3Schema": _root(kind)},
                }
            ],
        },
    }


def _column(column: Column) -> Schema:
    shown = {"priority": column.priority} if column.priority else {}
    return {
        "name": column.name,
        "type": column.type,
        "jsonPath": column.path,
        "description": column.description,
    } | shown


def _root(kind: Kind) -> Schema:
    spec = schema(kind.spec)
    spec["x-kubernetes-validations"] = [*spec.get("x-kubernetes-validations", []), *(_rule(r) for r in immutable(kind))]
    if not spec["x-kubernetes-validations"]:
        del spec["x-kubernetes-validations"]
    return {
        "description": kind.description,
        "type": "object",
        # Without this, a user could remove spec, and the API server would then skip all rules inside it.
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string", "description": f"Always {names.API_VERSION}."},
            "kind": {"type": "string", "description": f"Always {kind.kind}."},
            "metadata": {"type": "object"},
            "spec": spec,
            # Without this default, a client that waits for status could treat an empty status as success.
            "status": schema(kind.status) | {"default": {"observedGeneration": -1}},
        },
        "x-kubernetes-validations": [_rule(r) for r in kind.rules],
    }


def immutable(kind: Kind) -> tuple[Rule, ...]:
    """One rule for each immutable field of spec: it rejects a change, an addition and a removal."""
    if kind.mutable is None:
        return ()
    fields = [str(info.alias) for info in kind.spec.model_fields.values() if info.alias not in kind.mutable]
    may = ", ".join(sorted(kind.mutable))
    return tuple(
        Rule(
            f"has(self.{f}) == has(oldSelf.{f}) && (!has(self.{f}) || self.{f} == oldSelf.{f})",
            f"{f} is immutable, as is all of {_article(kind.kind)} but for {may}: what refers to it must not change"
            " under it; create a new one for a change",
            FORBIDDEN,
            f".{f}",
        )
        for f in fields
    )


def _article(kind: str) -> str:
    return f"an {kind}" if kind[0] in "AEIO" else f"a {kind}"


def schema(block: type[Block]) -> Schema:
    """The structural schema of one Block."""
    required = [
        str(f.alias)
        for f in block.model_fields.values()
        if f.is_required() and not any(isinstance(m, RequiredByRule) for m in markers(f))
    ]
    result: Schema = {
        "description": _text(block.__doc__),
        "type": "object",
        **({"required": required} if required else {}),
        "properties": {str(info.alias): _field(block, info) for info in block.model_fields.values()},
    }
    if block.RULES:
        result["x-kubernetes-validations"] = [_rule(r) for r in block.RULES]
    return result


def _field(block: type[Block], info: FieldInfo) -> Schema:
    where = f"{block.__name__}.{info.alias}"
    if not info.description:
        raise Unsupported(f"{where} has no docstring: kubectl explain would have nothing to say")
    result = _typed(bare(info.annotation)[0], markers(info), where)
    result["description"] = _text(info.description)
    if not info.is_required() and info.default is not None:
        result["default"] = _default(info.default, where)
    return result


def _typed(kind: Any, marks: tuple[Any, ...], where: str) -> Schema:
    result = _bare(kind, where)
    for mark in marks:
        apply = _MARKERS.get(type(mark))
        if apply is None:
            raise Unsupported(f"{where}: the marker {mark!r} has no place in a structural schema")
        apply(result, mark)
    return result


def _bare(kind: Any, where: str) -> Schema:
    if kind in _SCALARS:
        return dict(_SCALARS[kind])
    origin, args = get_origin(kind), get_args(kind)
    if origin is Literal and len({type(a) for a in args}) == 1 and type(args[0]) in (str, int):
        return dict(_SCALARS[type(args[0])]) | {"enum": list(args)}
    if origin is tuple and len(args) == 2 and args[1] is Ellipsis:
        return {"type": "array", "items": _typed(*bare(args[0]), where)}
    if origin is dict and args[0] is str:
        return {"type": "object", "additionalProperties": _typed(*bare(args[1]), where)}
    if isinstance(kind, type) and issubclass(kind, Block):
        return schema(kind)
    raise Unsupported(f"{where}: the type {kind!r} has no place in a structural schema")


def _bound(side: str) -> Callable[[Schema, Any], None]:
    def apply(result: Schema, mark: Any) -> None:
        result[f"{side}{_LENGTHS[result['type']]}"] = mark.max_length if side == "max" else mark.min_length

    return apply


def _add_rule(result: Schema, mark: Rule) -> None:
    result.setdefault("x-kubernetes-validations", []).append(_rule(mark))


def _form_by_rule(result: Schema, mark: FormByRule) -> None:
    del result["format"]
    result["maxLength"] = mark.max_length


_MARKERS: Final[dict[type, Callable[[Schema, Any], None]]] = {
    MinLen: _bound("min"),
    MaxLen: _bound("max"),
    Ge: lambda result, mark: result.update(minimum=mark.ge),
    Le: lambda result, mark: result.update(maximum=mark.le),
    ListMap: lambda result, mark: result.update(
        {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [mark.key]}
    ),
    Rule: _add_rule,
    WithoutEffect: lambda result, mark: None,
    RequiredByRule: lambda result, mark: None,
    FormByRule: _form_by_rule,
}


def _rule(rule: Rule) -> Schema:
    return {"rule": rule.rule, "message": rule.message, "reason": rule.reason} | (
        {"fieldPath": rule.field} if rule.field else {}
    )


def _default(value: Any, where: str) -> Any:
    if isinstance(value, Block) and value == type(value)():
        return {}  # the API server then fills in the defaults of the fields
    if isinstance(value, tuple) and all(isinstance(v, str) for v in value):
        return list(value)
    if isinstance(value, str | int | float):
        return value
    raise Unsupported(f"{where}: the default {value!r} cannot be written into a schema")


def _text(docstring: str | None) -> str:
    return " ".join((docstring or "").split())
