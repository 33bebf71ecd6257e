"""Defaults and validation of HorizontalPodAutoscalers.

No HPA controller runs in these tests: a test writes the sizes and the conditions itself.
"""

from __future__ import annotations

import copy
from typing import Any

from tests.apiserver.kinds import Kind
from tests.apiserver.quantities import exact
from tests.apiserver.refusal import invalid

NAME = "HorizontalPodAutoscaler.autoscaling"
UP = {"stabilizationWindowSeconds": 0, "selectPolicy": "Max"}
UP_POLICIES = [
    {"type": "Pods", "value": 4, "periodSeconds": 15},
    {"type": "Percent", "value": 100, "periodSeconds": 15},
]
DOWN_POLICIES = [{"type": "Percent", "value": 100, "periodSeconds": 15}]
CPU = {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}}


def complete(obj: dict[str, Any]) -> None:
    """Fills in the defaults of an HPA, in place. Raises Refused (400, 422) if it is invalid."""
    spec = obj.setdefault("spec", {})
    spec.setdefault("minReplicas", 1)
    if not spec.get("metrics"):
        spec["metrics"] = [copy.deepcopy(CPU)]
    for metric in spec["metrics"]:
        for target in (
            source["target"] for source in metric.values() if isinstance(source, dict) and "target" in source
        ):
            target |= {key: exact(str(target[key])) for key in ("value", "averageValue") if key in target}
    # If the object sets one direction, the server also sets defaults for the other.
    if behavior := spec.get("behavior"):
        up, down = behavior.setdefault("scaleUp", {}), behavior.setdefault("scaleDown", {})
        behavior["scaleUp"] = UP | {"policies": copy.deepcopy(UP_POLICIES)} | up
        behavior["scaleDown"] = {"selectPolicy": "Max", "policies": copy.deepcopy(DOWN_POLICIES)} | down
    _check(
        obj["metadata"]["name"],
        [*_target(spec), *_replicas(spec), *_metrics(spec), *_behavior(spec.get("behavior", {}))],
    )


def refuse_zero(kind: Kind, obj: dict[str, Any]) -> None:
    """For `Store.admission`: rejects minReplicas 0, like an API server without the feature gate HPAScaleToZero."""
    if kind.kind == "HorizontalPodAutoscaler" and obj["spec"]["minReplicas"] == 0:
        _check(obj["metadata"]["name"], ["spec.minReplicas: Invalid value: 0: must be greater than or equal to 1"])


def _check(name: str, failures: list[str]) -> None:
    if failures:
        raise invalid(NAME, name, failures[0] if len(failures) == 1 else f"[{', '.join(failures)}]")


def _target(spec: dict[str, Any]) -> list[str]:
    reference = spec.get("scaleTargetRef", {})
    failures = [f"spec.scaleTargetRef.{key}: Required value" for key in ("kind", "name") if not reference.get(key)]
    version = reference.get("apiVersion", "")
    return (
        failures
        if "/" in version
        else [
            *failures,
            f'spec.scaleTargetRef.apiVersion: Invalid value: "{version}": apiVersion must specify API group',
        ]
    )


def _replicas(spec: dict[str, Any]) -> list[str]:
    low, high = spec["minReplicas"], spec.get("maxReplicas", 0)
    failures = []
    if low < 0:
        failures.append(f"spec.minReplicas: Invalid value: {low}: must be greater than or equal to 0")
    if low == 0 and not any(metric["type"] in ("Object", "External") for metric in spec["metrics"]):
        failures.append(
            "spec.metrics: Forbidden: must specify at least one Object or External metric to support scaling to zero"
            " replicas"
        )
    if high < low:
        failures.append(f"spec.maxReplicas: Invalid value: {high}: must be greater than or equal to `minReplicas`")
    if high < 1:
        failures.append("spec.maxReplicas: Required value")
    return failures


def _metrics(spec: dict[str, Any]) -> list[str]:
    failures = []
    for n, metric in enumerate(spec["metrics"]):
        key = metric["type"][0].lower() + metric["type"][1:]
        where, source = f"spec.metrics[{n}].{key}", metric.get(key)
        if source is None:
            failures.append(f"{where}: Required value: must populate information for the given metric source")
            continue
        if key in ("external", "object") and not source.get("metric", {}).get("name"):
            failures.append(f"{where}.metric.name: Required value: must specify a metric name")
        values = {k: source["target"][k] for k in ("value", "averageValue") if k in source.get("target", {})}
        if key in ("external", "object") and not values:
            failures.append(
                f"{where}.target.averageValue: Required value: must set either a target value for metric or a per-pod"
                " target"
            )
        failures += [
            f'{where}.target.{k}: Invalid value: "{v}": must be positive'
            for k, v in values.items()
            if v == "0" or v.startswith("-")
        ]
    return failures


def _behavior(behavior: dict[str, Any]) -> list[str]:
    failures = []
    for side, rules in behavior.items():
        where, window = f"spec.behavior.{side}", rules.get("stabilizationWindowSeconds", 0)
        if window > 3600:
            failures.append(
                f"{where}.stabilizationWindowSeconds: Invalid value: {window}: must be less than or equal to 3600"
            )
        if not rules["policies"]:
            failures.append(f"{where}.policies: Required value: must specify at least one Policy")
    return failures
