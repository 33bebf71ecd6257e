"""Admission warnings: ValidatingAdmissionPolicies that tell a user at once which values have no effect. They refuse nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kindler.api import names
from kindler.api.base import Block, Kept
from kindler.api.kinds import Kind
from kindler.api.shape import bare, children, markers


def warn_policy(kind: Kind, release: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The policy of one kind and its binding, as JSON. `release` begins their names, since they belong to the whole cluster."""
    name = f"{release}-{kind.singular}-without-effect"
    policy = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": name},
        "spec": {
            "failurePolicy": "Ignore",
            "matchConstraints": {
                "resourceRules": [
                    {
                        "apiGroups": [names.GROUP],
                        "apiVersions": [names.VERSION],
                        "operations": ["CREATE", "UPDATE"],
                        "resources": [kind.plural],
                    }
                ]
            },
            "validations": [
                {"expression": rule, "message": message} for rule, message in _quiet(kind.spec, "object.spec", "spec")
            ],
        },
    }
    binding = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": name},
        "spec": {"policyName": name, "validationActions": ["Warn"]},
    }
    return policy, binding


def _quiet(block: type[Block], value: str, path: str) -> Iterator[tuple[str, str]]:
    """For each field worth a warning at or below `block`: a CEL expression that is true while it is not set, and the warning.

    `value` is the CEL expression of the block itself, `path` what a person calls it.
    """
    for info in block.model_fields.values():
        here, place = f"{value}.{info.alias}", f"{path}.{info.alias}"
        absent = "" if info.is_required() else f"!has({here})"
        kept = next((m for m in markers(info) if isinstance(m, Kept)), None)
        if kept and kept.warn:
            yield absent, f"{place} has no effect: {kept.why}"
        elif not kept and (below := children(info)):
            many = bare(info.annotation)[0] is not below
            for inner, message in _quiet(below, "item" if many else here, f"{place}[]" if many else place):
                yield " || ".join(filter(None, (absent, f"{here}.all(item, {inner})" if many else inner))), message
