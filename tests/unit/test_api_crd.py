"""The generated schemas: rules for every field, and errors for types and markers that are not supported."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, datetime
from typing import Annotated, Any, Literal

import pytest
from annotated_types import Gt, MaxLen

from kindler.api import names
from kindler.api.base import Block, FormByRule
from kindler.api.crd import Unsupported, crd, immutable, schema
from kindler.api.ignored import SPECS
from kindler.api.kinds import KINDS, Kind
from kindler.api.route import Route

ROOTS = {kind.kind: crd(kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"] for kind in KINDS}
_IDS = [kind.kind for kind in KINDS]


def _walk(node: dict[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, node
    for name, below in node.get("properties", {}).items():
        yield from _walk(below, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if key in node:
            yield from _walk(node[key], f"{path}[]")


SPEC_FIELDS = [
    (f"{kind}{path}", node) for kind, root in ROOTS.items() for path, node in _walk(root["properties"]["spec"], ".spec")
]
STATUS_FIELDS = [
    (f"{kind}{path}", node)
    for kind, root in ROOTS.items()
    for path, node in _walk(root["properties"]["status"], ".status")
]
RULES = [
    (f"{kind}{path}", rule)
    for kind, root in ROOTS.items()
    for path, node in _walk(root, "")
    for rule in node.get("x-kubernetes-validations", ())
]


@pytest.mark.parametrize(("path", "node"), [f for f in SPEC_FIELDS + STATUS_FIELDS if not f[0].endswith("[]")])
def test_every_field_has_a_description_for_kubectl_explain(path: str, node: dict[str, Any]) -> None:
    words = node["description"].split()
    assert len(words) >= 2, f"{path}: {node['description']!r}"
    assert node["description"].endswith(".") or node["description"].endswith("@sha256:…")
    if path.startswith(("Model.spec", "EndpointConfig.spec", "Endpoint.spec")):
        assert len(words) >= 4, f"{path}: {node['description']!r}"


@pytest.mark.parametrize(("path", "node"), SPEC_FIELDS)
def test_every_field_of_spec_has_a_size_limit_so_that_rules_stay_cheap(path: str, node: dict[str, Any]) -> None:
    if node["type"] == "string" and "enum" not in node:
        assert "maxLength" in node, path
    if node["type"] == "array":
        assert "maxItems" in node, path
    if "additionalProperties" in node:
        assert "maxProperties" in node, path


@pytest.mark.parametrize(("path", "node"), SPEC_FIELDS + STATUS_FIELDS)
def test_schemas_have_only_keywords_of_structural_schemas(path: str, node: dict[str, Any]) -> None:
    known = {
        "description",
        "type",
        "format",
        "enum",
        "default",
        "required",
        "properties",
        "items",
        "additionalProperties",
        "minimum",
        "maximum",
    }
    known |= {"minLength", "maxLength", "minItems", "maxItems", "maxProperties"}
    assert {key for key in node if not key.startswith("x-kubernetes-")} <= known, path


@pytest.mark.parametrize(("path", "rule"), RULES)
def test_a_rules_message_is_short_and_names_a_remedy(path: str, rule: dict[str, str]) -> None:
    assert ";" in rule["message"], f"{path}: no remedy after a semicolon: {rule['message']}"
    assert rule["message"][0].islower(), "the API server writes the message after a colon"
    assert len(rule["message"]) < 300, "a message must be short"


@pytest.mark.parametrize("kind", KINDS, ids=_IDS)
def test_the_field_path_of_a_rule_exists(kind: Kind) -> None:
    for path, node in _walk(ROOTS[kind.kind], ""):
        for rule in node.get("x-kubernetes-validations", ()):
            target = node
            for name in rule.get("fieldPath", "").split(".")[1:]:
                target = target["properties"][name]
            assert target["type"], path


@pytest.mark.parametrize("kind", KINDS, ids=_IDS)
def test_both_tables_of_kinds_have_the_same_specs(kind: Kind) -> None:
    assert SPECS[kind.kind] is kind.spec


@pytest.mark.parametrize("kind", KINDS, ids=_IDS)
def test_a_crd_has_the_documented_names_and_subresources(kind: Kind) -> None:
    document = crd(kind)
    version = document["spec"]["versions"][0]
    assert document["metadata"]["name"] == f"{kind.plural}.{names.GROUP}"
    assert document["spec"]["names"]["shortNames"] == [
        {"Model": "kmodel", "EndpointConfig": "kepc", "Endpoint": "kep"}[kind.kind]
    ]
    assert document["spec"]["names"]["categories"] == ["kindler"]
    assert document["spec"]["scope"] == "Namespaced"
    assert version["subresources"] == {"status": {}}
    assert ROOTS[kind.kind]["required"] == ["spec"], "without it, removing spec would skip every rule"
    assert ROOTS[kind.kind]["properties"]["status"]["default"] == {"observedGeneration": -1}


@pytest.mark.parametrize("kind", KINDS, ids=_IDS)
def test_printer_columns_use_existing_fields_of_their_type(kind: Kind) -> None:
    for column in kind.columns:
        if column.path.startswith(".metadata"):
            continue
        node = ROOTS[kind.kind]
        for word in re.findall(r"\w+|\[[^]]*\]", re.sub(r"\[\?\(.*?\)\]", "[0]", column.path)):
            node = node["items"] if word.startswith("[") else node["properties"][word]
        assert node["type"] == column.type, column


def test_the_columns_of_an_endpoint_are_in_order() -> None:
    endpoint = next(kind for kind in KINDS if kind.kind == "Endpoint")
    assert [c.name for c in endpoint.columns] == [
        "Status",
        "Ready",
        "Config",
        "Warm",
        "Demand",
        "Max",
        "Provisioned",
        "URL",
        "Age",
        "Reason",
    ]
    assert [c.name for c in endpoint.columns if c.priority] == ["Provisioned", "Reason"]


@pytest.mark.parametrize("kind", KINDS, ids=_IDS)
def test_every_field_of_an_immutable_kind_except_tags_has_a_rule(kind: Kind) -> None:
    fields = set(ROOTS[kind.kind]["properties"]["spec"]["properties"])
    with_rule = {rule.field for rule in immutable(kind)}
    assert with_rule == ({f".{field}" for field in fields - {"tags"}} if kind.kind != "Endpoint" else set())


def test_defaults_never_change() -> None:
    """A changed default would make `kubectl replace` of an immutable object fail, and would restart running pods.

    A new field can get a default; the default of an old field must stay.
    """
    defaults = {path: node["default"] for path, node in SPEC_FIELDS if "default" in node and ".containers" not in path}
    container, variant, target = (
        "Model.spec.primaryContainer",
        "EndpointConfig.spec.productionVariants[]",
        "Endpoint.spec.autoscaling[]",
    )
    tracking = f"{target}.scalingPolicies[].targetTrackingScalingPolicyConfiguration"
    assert defaults == {
        f"{container}.args": ["serve"],
        f"{container}.port": 8080,
        f"{container}.healthPath": "/ping",
        f"{container}.invocationsPath": "/invocations",
        f"{container}.drain": "Connections",
        f"{container}.securityContext": {},
        f"{container}.securityContext.runAsUser": 10001,
        f"{container}.securityContext.runAsGroup": 0,
        f"{container}.securityContext.readOnlyRootFilesystem": False,
        f"{variant}.initialVariantWeight": 1,
        f"{variant}.modelDataDownloadTimeoutInSeconds": 180,
        f"{variant}.containerStartupHealthCheckTimeoutInSeconds": 180,
        f"{variant}.serverlessConfig.maxConcurrencyPerInstance": 1,
        f"{variant}.serverlessConfig.idleTimeoutInSeconds": 300,
        f"{variant}.serverlessConfig.invocationTimeoutInSeconds": 60,
        f"{target}.suspendedState": {},
        f"{target}.suspendedState.dynamicScalingInSuspended": False,
        f"{target}.suspendedState.dynamicScalingOutSuspended": False,
        f"{target}.suspendedState.scheduledScalingSuspended": False,
        f"{tracking}.scaleInCooldown": 300,
        f"{tracking}.scaleOutCooldown": 300,
        f"{tracking}.disableScaleIn": False,
        f"{target}.scheduledActions[].timezone": "UTC",
    }


@pytest.mark.parametrize("warm", ["iris-abc-warm", None])
def test_the_schema_of_status_route_has_every_field_of_a_route(warm: str | None) -> None:
    route = Route(
        "AllTraffic", "abc", "iris-abc-demand", warm, 5, 1, 0, 2048, 300, 60, 180, 8080, "/ping", "/invocations"
    ).to_json()
    node = ROOTS["Endpoint"]["properties"]["status"]["properties"]["route"]
    assert set(route) == set(node["properties"]), "the API server drops fields that the schema does not have"
    assert set(route["pools"]) <= set(node["properties"]["pools"]["properties"])
    assert set(node["properties"]["pools"]["required"]) <= set(route["pools"])


class _Nested(Block):
    """A block."""


class _Set(Block):
    """A set is not supported."""

    field: set[str]
    """A field of a type that is not supported."""


class _Pair(Block):
    """A tuple whose items have different types is not supported."""

    field: tuple[int, str]
    """A field of a type that is not supported."""


class _Exclusive(Block):
    """A bound that excludes its own value is not supported."""

    field: Annotated[int, Gt(0)]
    """A field with a marker that is not supported."""


class _Union(Block):
    """A field with two types is not supported."""

    field: int | str
    """A field of a type that is not supported."""


class _Mixed(Block):
    """An enum whose values have different types is not supported."""

    field: Literal[1, "one"]
    """A field of a type that is not supported."""


class _Anything(Block):
    """A field of any type is not supported."""

    field: Any
    """A field of a type that is not supported."""


class _Date(Block):
    """A date without a time is not supported."""

    field: date
    """A field of a type that is not supported."""


class _Keys(Block):
    """A map whose keys are numbers is not supported."""

    field: dict[int, str]
    """A field of a type that is not supported."""


class _Undocumented(Block):
    """A field without a docstring is not supported."""

    field: str


class _Default(Block):
    """A default that is a tuple of numbers is not supported."""

    field: tuple[int, ...] = (1,)
    """A field with a default that is not supported."""


@pytest.mark.parametrize(
    "block", [_Set, _Pair, _Exclusive, _Union, _Mixed, _Anything, _Date, _Keys, _Undocumented, _Default]
)
def test_an_unsupported_type_marker_or_default_is_an_error_that_names_the_field(block: type[Block]) -> None:
    with pytest.raises(Unsupported, match=rf"{block.__name__}\.field"):
        schema(block)


class _Fine(Block):
    """Everything that is supported."""

    text: Annotated[str, MaxLen(9)] | None = None
    """Some text."""
    items: Annotated[tuple[Annotated[str, MaxLen(3)], ...], MaxLen(2)] = ("a",)
    """Some texts."""
    number: float = 0.5
    """A number."""
    nested: _Nested
    """Something nested."""
    moment: datetime | None = None
    """A moment."""
    worded: Annotated[datetime, FormByRule(40)] | None = None
    """A moment that a rule checks."""


def test_types_and_markers_become_a_structural_schema() -> None:
    assert schema(_Fine) == {
        "description": "Everything that is supported.",
        "type": "object",
        "required": ["nested"],
        "properties": {
            "text": {"type": "string", "maxLength": 9, "description": "Some text."},
            "items": {
                "type": "array",
                "items": {"type": "string", "maxLength": 3},
                "maxItems": 2,
                "default": ["a"],
                "description": "Some texts.",
            },
            "number": {"type": "number", "default": 0.5, "description": "A number."},
            "nested": {"type": "object", "properties": {}, "description": "Something nested."},
            "moment": {"type": "string", "format": "date-time", "description": "A moment."},
            "worded": {"type": "string", "maxLength": 40, "description": "A moment that a rule checks."},
        },
    }
