"""The spec of the HorizontalPodAutoscaler of an Endpoint's warm pool.

The spec has exactly the form that the API server stores, so that a comparison with the stored object finds no
difference.
"""

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

CONDITIONS: Final = ("AbleToScale", "ScalingActive", "ScaledToZero")  # the HPA's conditions that we read
_PERIOD_SECONDS: Final = 15  # an HPA policy must have a period; ours allow any change of size in it
_MAX_PODS: Final = 200  # the largest maxCapacity, so the HPA may add all pods at once
_SUFFIXES: Final = ("m", "", "k", "M", "G", "T", "P")


def spec(
    endpoint: str, pool: str, policies: Sequence[tuple[ScalingPolicy, float]], rules: Rules, api: MetricsApi
) -> dict[str, Any]:
    """The HPA's spec. `pool`: the ReplicaSet to scale between `rules.low` and `rules.high`.

    Each policy comes with its target load per replica. `rules.low` may be 0 if the cluster accepts that. Without an API
    (NONE) the HPA cannot read the metrics, but they are still in the spec: an HPA must have a metric, and it applies
    its bounds even if it cannot read the metric.
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
                "policies": [{"type": "Pods", "value": _MAX_PODS, "periodSeconds": _PERIOD_SECONDS}],
            },
            "scaleDown": {
                "stabilizationWindowSeconds": int(rules.window),
                "selectPolicy": "Max" if rules.scales_in else "Disabled",
                "policies": [{"type": "Percent", "value": 100, "periodSeconds": _PERIOD_SECONDS}],
            },
        },
    }


def rules_of(target: ScalableTarget, policies: Iterable[ScalingPolicy], low: int, high: int) -> Rules:
    """The rules by which the pool scales between two sizes.

    An HPA follows the largest recommendation, and has one window and one switch for all metrics. So the largest
    scaleInCooldown of the policies that scale in counts, and scale-in is off if no policy scales in. If only some
    policies have disableScaleIn, each of them still recommends the size that its metric needs now. So the other
    policies do not scale in below that size. AWS does scale in below it, and must then scale out again.
    """
    tracking = [p.target_tracking_scaling_policy_configuration for p in policies]
    scaling_in = [t for t in tracking if not t.disable_scale_in]
    suspended = target.suspended_state
    return Rules(
        low=low,
        high=high,
        window=max((t.scale_in_cooldown for t in scaling_in or tracking), default=0),
        scales_in=bool(scaling_in) and not suspended.dynamic_scaling_in_suspended,
        scales_out=not suspended.dynamic_scaling_out_suspended,
    )


def per_replica(policy: ScalingPolicy, route: Route) -> float:
    """The target load of one pod: the target of one unit of provisioned concurrency, times the units of a pod."""
    return policy.target_tracking_scaling_policy_configuration.target_value * route.max_concurrency_per_instance


def quantity(value: float) -> str:
    """The value as a canonical quantity of Kubernetes, rounded up to thousandths: 0.7 is 700m, 2 is 2, 3000 is 3k."""
    count, suffix = thousandths(value), 0
    while count and count % 1000 == 0 and suffix < len(_SUFFIXES) - 1:
        count, suffix = count // 1000, suffix + 1
    return f"{count}{_SUFFIXES[suffix]}"


def average_value(metric: Json) -> float | None:
    """The average load per replica of one metric in an HPA's status; None if the metric has no such value."""
    source = metric.get("external") or metric.get("object") or {}
    parts = re.fullmatch("([0-9]+)([mkMGTP]?)", str((source.get("current") or {}).get("averageValue", "")))
    return int(parts[1]) * 1000.0 ** (_SUFFIXES.index(parts[2]) - 1) if parts else None


def targets_pool(hpa: Json, pool: str | None) -> bool:
    """Whether the HPA scales this pool."""
    return pool is not None and hpa.get("spec", {}).get("scaleTargetRef", {}).get("name") == pool


def condition(hpa: Json, kind: str) -> Json | None:
    """One condition of the HPA as {type, status, reason, message}; None if the HPA has no such condition."""
    return next((c for c in (hpa.get("status") or {}).get("conditions") or () if c.get("type") == kind), None)


def _metric(endpoint: str, policy: ScalingPolicy, per_replica: float, api: MetricsApi) -> dict[str, Any]:
    predefined = policy.target_tracking_scaling_policy_configuration.predefined_metric_specification is not None
    metric = {
        "name": names.METRIC_EXECUTIONS if predefined else names.METRIC_CUSTOMIZED,
        "selector": {
            "matchLabels": {names.LABEL_ENDPOINT: endpoint, names.LABEL_POLICY: names.policy_key(policy.policy_name)}
        },
    }
    target = {"type": "AverageValue", "averageValue": quantity(per_replica)}
    if api is MetricsApi.CUSTOM:
        described = {"apiVersion": names.API_VERSION, "kind": "Endpoint", "name": endpoint}
        return {"type": "Object", "object": {"describedObject": described, "metric": metric, "target": target}}
    return {"type": "External", "external": {"metric": metric, "target": target}}
