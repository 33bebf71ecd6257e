"""The reference pages of the three kinds (docs/reference), rendered from their CustomResourceDefinitions and markers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kindler.api import names
from kindler.api.base import Block, Kept
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

Names and casing are those of AWS's own Kubernetes controller for SageMaker (ACK): its manifests apply after a change of `apiVersion` alone.
Fields marked **no effect** are accepted so that such manifests pass, and listed in `status.ignoredFields` when they are set.
A star marks a field that must be there. `kubectl explain {short}.spec` shows the same texts.
"""


def render(kind: Kind) -> str:
    """The page of one kind, as Markdown."""
    root = crd(kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    mutable = (
        "everything but `endpointName`"
        if kind.mutable is None
        else ", ".join(f"`{m}`" for m in sorted(kind.mutable)) + " only"
    )
    intro = _INTRO.format(
        kind=kind.kind,
        description=kind.description,
        api_version=names.API_VERSION,
        short=kind.short_name,
        singular=kind.singular,
        mutable=mutable,
    )
    spec, status = root["properties"]["spec"], root["properties"]["status"]
    refused = "\n## What is refused, and what it says\n"
    lines = [
        intro,
        "## spec\n",
        *_rows(spec, kind.spec),
        refused,
        *_refusals(root),
        "\n## status\n",
        *_rows(status, kind.status),
    ]
    return "\n".join(lines) + "\n"


def _rows(schema: dict[str, Any], block: type[Block]) -> Iterator[str]:
    yield "| field | type | meaning |\n|---|---|---|"
    yield from _fields(schema, block, "", {})


def _fields(schema: dict[str, Any], block: type[Block], prefix: str, shown: dict[type[Block], str]) -> Iterator[str]:
    """A row for each field and those below it. `shown`: where a block's fields were listed before; they are not listed twice."""
    for info in block.model_fields.values():
        name = str(info.alias)
        field, below, path = schema["properties"][name], children(info), f"{prefix}{name}"
        before = "**No effect.** " if any(isinstance(m, Kept) for m in markers(info)) else ""
        after = f" Fields as in `{shown[below]}`." if below in shown else ""
        yield f"| `{path}`{'*' if info.is_required() else ''} | {_type(field)} | {_cell(before + field['description'] + after)} |"
        if below and below not in shown:
            shown[below] = path
            many = field["type"] == "array"
            yield from _fields(field["items"] if many else field, below, f"{path}{'[]' if many else ''}.", shown)


def _type(field: dict[str, Any]) -> str:
    """The type in words, with bounds and default."""
    kind = field["type"]
    words = [
        f"list of {field['items']['type']}s"
        if kind == "array"
        else "map of strings"
        if "additionalProperties" in field
        else kind
    ]
    if "enum" in field:
        words.append(", ".join(f"`{v}`" for v in field["enum"]))
    elif "minimum" in field or "maximum" in field:
        words.append(f"{field.get('minimum', '')}…{field.get('maximum', '')}")
    words += [
        f"≤ {field[key]}{unit}"
        for key, unit in (("maxLength", " characters"), ("maxItems", " items"), ("maxProperties", " entries"))
        if key in field
    ]
    if "default" in field and field["default"] != {}:
        words.append(f"default `{_plain(field['default'])}`")
    return _cell("; ".join(words))


def _plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value).replace("'", '"')


def _refusals(root: dict[str, Any]) -> Iterator[str]:
    yield "Besides types, bounds and lengths, the API server refuses these, with these words:\n\n| where | words |\n|---|---|"
    fixed, said = [], set()
    for path, message in _messages(root, ""):
        if " is immutable, as is all of " in message:
            fixed.append(path)
        elif message not in said:
            said.add(message)
            yield f"| `{path}` | {_cell(message)} |"
    if fixed:
        yield f"\nOnce created, these never change (*… is immutable …; create a new one for a change*): {', '.join(f'`{path}`' for path in fixed)}."


def _messages(schema: dict[str, Any], path: str) -> Iterator[tuple[str, str]]:
    for rule in schema.get("x-kubernetes-validations", ()):
        yield (path + rule.get("fieldPath", "")).removeprefix(".") or "metadata.name", rule["message"]
    for name, below in schema.get("properties", {}).items():
        yield from _messages(below, f"{path}.{name}")
    if "items" in schema:
        yield from _messages(schema["items"], f"{path}[]")


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
