"""Renders the reference pages of the three kinds (docs/reference) from their CustomResourceDefinitions.

Here: the layout of the pages. Not here: descriptions and rules, which come from the models in kindler.api.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kindler.api import names
from kindler.api.base import Block, WithoutEffect
from kindler.api.crd import crd
from kindler.api.kinds import Kind
from kindler.api.shape import children, markers

_INTRO = """<!-- Generated from operator/kindler/api by `make generate`: change the models there, not this file. -->
# {kind}

{description}

| | |
|---|---|
| apiVersion | `{api_version}` |
| kubectl | `kubectl get {short}` (also `{singular}`; `kubectl get kindler` lists all three kinds) |
| may change after creation | {mutable} |

Field names and their casing are those of AWS's own Kubernetes controller for SageMaker (ACK). Its manifests apply if
you change only their `apiVersion`. Fields marked **no effect** are accepted for that reason; if you set them, they are
listed in `status.ignoredFields`. A star marks a required field. `kubectl explain {short}.spec` prints the same texts.
"""


def render(kind: Kind) -> str:
    """The page of one kind, as Markdown."""
    root = crd(kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    mutable = "everything but `endpointName`"
    if kind.mutable is not None:
        mutable = ", ".join(f"`{name}`" for name in sorted(kind.mutable)) + " only"
    intro = _INTRO.format(
        kind=kind.kind,
        description=kind.description,
        api_version=names.API_VERSION,
        short=kind.short_name,
        singular=kind.singular,
        mutable=mutable,
    )
    spec, status = root["properties"]["spec"], root["properties"]["status"]
    rejected = ["\n## What the API server rejects\n", *_rejections(root)]
    lines = [intro, "## spec\n", *_rows(spec, kind.spec), *rejected, "\n## status\n", *_rows(status, kind.status)]
    return "\n".join(lines) + "\n"


def _rows(schema: dict[str, Any], block: type[Block]) -> Iterator[str]:
    yield "| field | type | meaning |\n|---|---|---|"
    yield from _fields(schema, block, "", {})


def _fields(schema: dict[str, Any], block: type[Block], prefix: str, shown: dict[type[Block], str]) -> Iterator[str]:
    """A row for each field and those below it.

    `shown`: block → the field under which the block's fields were listed. The fields of a block are listed only once.
    """
    for info in block.model_fields.values():
        name = str(info.alias)
        field, below, path = schema["properties"][name], children(info), f"{prefix}{name}"
        before = "**No effect.** " if any(isinstance(m, WithoutEffect) for m in markers(info)) else ""
        after = f" Fields as in `{shown[below]}`." if below in shown else ""
        required = "*" if info.is_required() else ""
        yield f"| `{path}`{required} | {_type(field)} | {_cell(before + field['description'] + after)} |"
        if below and below not in shown:
            shown[below] = path
            many = field["type"] == "array"
            yield from _fields(field["items"] if many else field, below, f"{path}{'[]' if many else ''}.", shown)


_LIMITS = (("maxLength", " characters"), ("maxItems", " items"), ("maxProperties", " entries"))


def _type(field: dict[str, Any]) -> str:
    """The type in words, with bounds and default."""
    kind = field["type"]
    if kind == "array":
        words = [f"list of {field['items']['type']}s"]
    else:
        words = ["map of strings" if "additionalProperties" in field else kind]
    if "enum" in field:
        words.append(", ".join(f"`{v}`" for v in field["enum"]))
    elif "minimum" in field or "maximum" in field:
        words.append(f"{field.get('minimum', '')}…{field.get('maximum', '')}")
    words += [f"≤ {field[key]}{unit}" for key, unit in _LIMITS if key in field]
    if "default" in field and field["default"] != {}:
        words.append(f"default `{_plain(field['default'])}`")
    return _cell("; ".join(words))


def _plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value).replace("'", '"')


def _rejections(root: dict[str, Any]) -> Iterator[str]:
    """A row for each rule of the schema beyond types and bounds."""
    yield (
        "Besides values of a wrong type, length or range, the API server rejects these:\n\n"
        "| where | message |\n|---|---|"
    )
    immutable, seen = [], set()
    for path, message in _messages(root, ""):
        if " is immutable, as is all of " in message:
            immutable.append(path)
        elif message not in seen:
            seen.add(message)
            yield f"| `{path}` | {_cell(message)} |"
    if immutable:
        paths = ", ".join(f"`{path}`" for path in immutable)
        yield (f"\nThese never change after creation (*… is immutable …; create a new one for a change*): {paths}.")


def _messages(schema: dict[str, Any], path: str) -> Iterator[tuple[str, str]]:
    """(path of the field, message) of each rule."""
    for rule in schema.get("x-kubernetes-validations", ()):
        yield (path + rule.get("fieldPath", "")).removeprefix(".") or "metadata.name", rule["message"]
    for name, below in schema.get("properties", {}).items():
        yield from _messages(below, f"{path}.{name}")
    if "items" in schema:
        yield from _messages(schema["items"], f"{path}[]")


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
