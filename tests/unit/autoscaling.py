"""Builders for the input of the scaling decision. A row of a test table names only the arguments that matter for it."""

from __future__ import annotations

from typing import Any

from kindler.api import names
from kindler.api.autoscaling import UTILIZATION, ScalableTarget
from kindler.api.route import Route
from kindler.core.autoscaling.decision import ClusterCapabilities, Load, MetricsApi, ScalingState
from kindler.core.autoscaling.tracking import History
from kindler.core.common.pools import Pool

NOW = 1_800_000_000.0
WARM = "iris-abc-warm"


def route(limit: int = 20, per: int = 1, provisioned: int = 0, warm_pool: str | None = WARM) -> Route:
    return Route(
        "AllTraffic",
        "abc",
        "iris-abc-demand",
        warm_pool,
        limit,
        per,
        provisioned,
        1024,
        300,
        60,
        180,
        8080,
        "/ping",
        "/invocations",
    )


def policy(
    name: str = "busy", at: float = 0.7, cooldown: int = 300, keeps: bool = False, metric: str | None = None
) -> dict[str, Any]:
    """A target tracking policy. `keeps`: disableScaleIn. `metric`: a metric of the namespace AWS/SageMaker, or None."""
    tracking: dict[str, Any] = {"targetValue": at, "scaleInCooldown": cooldown, "disableScaleIn": keeps}
    if metric is None:
        tracking["predefinedMetricSpecification"] = {"predefinedMetricType": UTILIZATION}
    else:
        tracking["customizedMetricSpecification"] = {
            "metricName": metric,
            "namespace": "AWS/SageMaker",
            "statistic": "Average",
        }
    return {"policyName": name, "targetTrackingScalingPolicyConfiguration": tracking}


def action(name: str, schedule: str, low: int | None = None, high: int | None = None) -> dict[str, Any]:
    sets = {"minCapacity": low, "maxCapacity": high}
    return {
        "scheduledActionName": name,
        "schedule": schedule,
        "scalableTargetAction": {k: v for k, v in sets.items() if v is not None},
    }


def target(
    low: int = 1,
    high: int = 8,
    *policies: dict[str, Any],
    actions: tuple[dict[str, Any], ...] = (),
    suspended: str = "",
) -> ScalableTarget:
    """An entry of spec.autoscaling. `suspended`: a text with any of the words in, out and scheduled."""
    words = {
        "in": "dynamicScalingInSuspended",
        "out": "dynamicScalingOutSuspended",
        "scheduled": "scheduledScalingSuspended",
    }
    spec = {
        "variantName": "AllTraffic",
        "minCapacity": low,
        "maxCapacity": high,
        "suspendedState": {words[word]: True for word in suspended.split()},
        "scalingPolicies": list(policies),
        "scheduledActions": list(actions),
    }
    return ScalableTarget.parse(spec)


def pool(replicas: int, name: str = WARM) -> Pool:
    return Pool(name, f"uid-{name}", "abc", names.WARM, replicas, "", False, None, {})


def hpa(*conditions: tuple[str, ...], targets_pool: str = WARM, averages: tuple[str, ...] = ()) -> dict[str, Any]:
    """An HPA. `conditions`: (type, status, reason, message), and optionally lastTransitionTime.

    `averages`: the average of each metric in its status.
    """
    reported = [
        dict(zip(("type", "status", "reason", "message", "lastTransitionTime"), c, strict=False)) for c in conditions
    ]
    metrics = [
        {"type": "External", "external": {"current": {"averageValue": value}}} if value else {"type": ""}
        for value in averages
    ]
    return {
        "spec": {"scaleTargetRef": {"name": targets_pool}},
        "status": {"conditions": reported, "currentMetrics": metrics},
    }


def status(desired: int, current: int | None = None, **entry: Any) -> dict[str, Any]:
    """The status that the last reconcile wrote. `entry`: fields of its entry in status.autoscaling, if it has one."""
    variant = {"currentServerlessConfig": {"provisionedConcurrency": desired if current is None else current}}
    variant["desiredServerlessConfig"] = {"provisionedConcurrency": desired}
    stored = {"autoscaling": [{"variantName": "AllTraffic", "desiredCapacity": desired} | entry]} if entry else {}
    return {"productionVariants": [variant]} | stored


def facts(
    scales: ScalableTarget | None = None,
    replicas: int | None = 1,
    ready: int | None = None,
    api: MetricsApi = MetricsApi.EXTERNAL,
    zero: bool = True,
    loads: dict[str, float | None] | None = None,
    leads: Route | None = None,
    history: History = (),
    now: float = NOW,
    **changed: Any,
) -> ScalingState:
    """The facts for a decision. `replicas` None: there is no warm pool yet. `loads`: by policy; None: no data."""
    values: dict[str, Any] = {
        "endpoint": {"metadata": {"name": "iris", "namespace": "team", "uid": "uid-iris"}, "spec": {}},
        "target": scales,
        "route": leads or route(),
        "warm": None if replicas is None else pool(replicas),
        "ready": (replicas or 0) if ready is None else ready,
        "hpa": hpa() if scales and scales.scaling_policies else None,
        "capabilities": ClusterCapabilities(api, zero),
        "loads": {
            name: Load(value, "" if value is not None else "no activator answers")
            for name, value in (loads or {}).items()
        },
        "status": {},
        "created": NOW - 10_000,
        "now": now,
        "history": history,
    }
    return ScalingState(**(values | changed))


MORNING = action("morning", "at(2027-01-15T08:00:00)", low=4)  # NOW
NIGHT = action("night", "at(2027-01-15T07:00:00)", low=0, high=0)
SINCE: dict[str, Any] = {
    "boundsSince": "2027-01-15T06:00:00Z",
    "registered": {"minCapacity": 1, "maxCapacity": 8},
    "base": {"minCapacity": 1, "maxCapacity": 8},
}


def bounds(spec: dict[str, Any] | None) -> tuple[int, int] | None:
    """minReplicas and maxReplicas of an HPA."""
    return (spec["minReplicas"], spec["maxReplicas"]) if spec else None
