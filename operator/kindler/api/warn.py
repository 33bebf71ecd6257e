"""Admission warnings: ValidatingAdmissionPolicies that warn a user at once about values without effect.

They reject nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kindler.api import names
from kindler.api.base import Block, WithoutEffect
from kindler.api.kinds import Kind
from kindler.api.shape import bare, children, markers


def warn_policy(kind: Kind, release: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The policy of one kind and its binding, as JSON. Names begin with `release`, because both are cluster-scoped."""
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
                {"expression": rule, "message": message}
                for rule, message in _warnings(kind.spec, "object.spec", "spec")
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


def _warnings(block: type[Block], value: str, path: str) -> Iterator[tuple[str, str]]:
    """For each field in `block` or its nested Blocks that needs a warning: a CEL expression and the warning.

    The expression is true while the field is not set. `value` is the CEL expression of the block itself. `path` is the
    block's path in messages.
    """
    for info in block.model_fields.values():
        here, field = f"{value}.{info.alias}", f"{path}.{info.alias}"
        absent = "" if info.is_required() else f"!has({here})"
        marker = next((m for m in markers(info) if isinstance(m, WithoutEffect)), None)
        if marker and marker.warn:
            yield absent, f"{field} has no effect: {marker.why}"
        elif not marker and (below := children(info)):
            many = bare(info.annotation)[0] is not below
            for inner, message in _warnings(below, "item" if many else here, f"{field}[]" if many else field):
                yield " || ".join(filter(None, (absent, f"{here}.all(item, {inner})" if many else inner))), message
