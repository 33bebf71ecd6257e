"""The HorizontalPodAutoscaler of an Endpoint's warm pool, as spec: written as the API server stores it, so that what stands is seen to stand."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

from kindler.api import names
from kindler.api.autoscaling import ScalableTarget, ScalingPolicy
from kindler.api.route import Route
from kindler.core.autoscaling.decision import MetricsApi
from kindler.core.autoscaling.tracking import Rules, thousandths
from kindler.core.common.objects import Json

CONDITIONS: Final = ("AbleToScale", "ScalingActive", "ScaledToZero")  # that are read of an HPA
_STEP: Final = 15  # seconds: within each, any change of size is allowed
_MOST: Final = 200  # pods: no maximum is above it
_SUFFIXES: Final = ("m", "", "k", "M", "G", "T", "P")


def spec(
    endpoint: str, pool: str, policies: Sequence[tuple[ScalingPolicy, float]], rules: Rules, api: MetricsApi
) -> dict[str, Any]:
    """`pool`: the ReplicaSet to size, `rules.low` (where Kubernetes takes it: 0) to `rules.high`. Each policy with how much load a replica is to have.

    Without an API of ours (NONE) the metrics stand there all the same, unreadable: an HPA cannot be without one, and its bounds act regardless.
    """
    return {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": pool},
        "minReplicas": rules.low,
        "maxReplicas": rules.high,
        "metrics": [_metric(endpoint, policy, per_replica, api) for policy, per_replica in policies],
        "behavior": {
            "scaleUp": {
                "stabilizationWindowSeconds": 0,
                "selectPolicy": "Max" if rules.scales_out else "Disabled",
                "policies": [{"type": "Pods", "value": _MOST, "periodSeconds": _STEP}],
            },
            "scaleDown": {
                "stabilizationWindowSeconds": int(rules.window),
                "selectPolicy": "Max" if rules.scales_in else "Disabled",
                "policies": [{"type": "Percent", "value": 100, "periodSeconds": _STEP}],
            },
        },
    }


def rules_of(target: ScalableTarget, policies: Iterable[ScalingPolicy], low: int, high: int) -> Rules:
    """How the pool moves between two sizes.

    An HPA takes the largest wish, and knows one window and one switch for all of them. So the largest scaleInCooldown of the policies that scale in counts,
    and scaling in is off where none does. One policy with disableScaleIn beside others still asks for what its metric needs now, so the others do not scale
    in below that; AWS does, and has to scale out again.
    """
    tracking = [p.target_tracking_scaling_policy_configuration for p in policies]
    scaling_in = [t for t in tracking if not t.disable_scale_in]
    rests = target.suspended_state
    return Rules(
        low=low,
        high=high,
        window=max((t.scale_in_cooldown for t in scaling_in or tracking), default=0),
        scales_in=bool(scaling_in) and not rests.dynamic_scaling_in_suspended,
        scales_out=not rests.dynamic_scaling_out_suspended,
    )


def per_replica(policy: ScalingPolicy, route: Route) -> float:
    """How much load one pod is to have: the target of one unit of provisioned concurrency, times the units of a pod."""
    return policy.target_tracking_scaling_policy_configuration.target_value * route.max_concurrency_per_instance


def quantity(value: float) -> str:
    """In the one spelling that Kubernetes stores, thousandths rounded up: 0.7 is 700m, 1.4 is 1400m, 2 is 2, 3000 is 3k."""
    count, suffix = thousandths(value), 0
    while count and count % 1000 == 0 and suffix < len(_SUFFIXES) - 1:
        count, suffix = count // 1000, suffix + 1
    return f"{count}{_SUFFIXES[suffix]}"


def average_value(metric: Json) -> float | None:
    """What an HPA's status says of one metric: its load by replicas; None where it says nothing."""
    source = metric.get("external") or metric.get("object") or {}
    parts = re.fullmatch("([0-9]+)([mkMGTP]?)", str((source.get("current") or {}).get("averageValue", "")))
    return int(parts[1]) * 1000.0 ** (_SUFFIXES.index(parts[2]) - 1) if parts else None


def leads_to(hpa: Json, pool: str | None) -> bool:
    """Whether it sizes this pool."""
    return pool is not None and hpa.get("spec", {}).get("scaleTargetRef", {}).get("name") == pool


def condition(hpa: Json, kind: str) -> Json | None:
    """One of its conditions, as {type, status, reason, message}; None while it has none such."""
    return next((c for c in (hpa.get("status") or {}).get("conditions") or () if c.get("type") == kind), None)


def _metric(endpoint: str, policy: ScalingPolicy, per: float, api: MetricsApi) -> dict[str, Any]:
    predefined = policy.target_tracking_scaling_policy_configuration.predefined_metric_specification is not None
    metric = {
        "name": names.METRIC_EXECUTIONS if predefined else names.METRIC_CUSTOMIZED,
        "selector": {
            "matchLabels": {names.LABEL_ENDPOINT: endpoint, names.LABEL_POLICY: names.policy_key(policy.policy_name)}
        },
    }
    target = {"type": "AverageValue", "averageValue": quantity(per)}
    if api is MetricsApi.CUSTOM:
        described = {"apiVersion": names.API_VERSION, "kind": "Endpoint", "name": endpoint}
        return {"type": "Object", "object": {"describedObject": described, "metric": metric, "target": target}}
    return {"type": "External", "external": {"metric": metric, "target": target}}
