"""Applies a structural schema to a custom resource: drops unknown fields, sets defaults, validates the rest.

CEL rules are not evaluated: only the real API server evaluates them.
"""

from __future__ import annotations

import copy
from functools import cache
from typing import Any

import jsonschema

from tests.apiserver.kinds import Kind
from tests.apiserver.refusal import invalid

_META = ("apiVersion", "kind", "metadata")


def conform(kind: Kind, obj: dict[str, Any]) -> None:
    """Drops unknown fields and sets defaults, in place. Raises Refused (422) if the rest is invalid."""
    _shape(obj, kind.schema | {"properties": {k: v for k, v in kind.schema["properties"].items() if k not in _META}})
    for error in sorted(_validator(kind).iter_errors(obj), key=lambda e: [str(p) for p in e.absolute_path]):
        where = ".".join(str(p) for p in error.absolute_path) or "<root>"
        raise invalid(kind.kind, obj["metadata"]["name"], f"{where}: {error.message}")


def _shape(value: Any, schema: dict[str, Any], root: bool = True) -> None:
    if isinstance(value, dict):
        known = schema.get("properties", {})
        extra = schema.get("additionalProperties")
        if not extra and not schema.get("x-kubernetes-preserve-unknown-fields"):
            for key in [k for k in value if k not in known and not (root and k in _META)]:
                del value[key]
        for key, inner in known.items():
            if key in value and value[key] is None and not inner.get("nullable"):
                del value[key]
            if key not in value and "default" in inner:
                value[key] = copy.deepcopy(inner["default"])
            if key in value:
                _shape(value[key], inner, False)
        if isinstance(extra, dict):
            for key in value.keys() - known.keys():
                _shape(value[key], extra, False)
    elif isinstance(value, list):
        for item in value:
            _shape(item, schema.get("items", {}), False)


@cache
def _validator(kind: Kind) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(_plain(kind.schema))


def _plain(schema: Any) -> Any:
    """The schema as JSON Schema, without Kubernetes' extensions `nullable` and `x-kubernetes-int-or-string`."""
    if isinstance(schema, list):
        return [_plain(s) for s in schema]
    if not isinstance(schema, dict):
        return schema
    plain = {
        k: {name: _plain(s) for name, s in v.items()} if k == "properties" else _plain(v)
        for k, v in schema.items()
        if k not in ("nullable", "x-kubernetes-int-or-string", "default", "description")
    }
    if schema.get("nullable") and isinstance(schema.get("type"), str):
        plain["type"] = [schema["type"], "null"]
    return plain
