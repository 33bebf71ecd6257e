"""The three manifests as a user writes them, with only the fields that a journey needs."""

from __future__ import annotations

import os
from typing import Any

Json = dict[str, Any]

API_VERSION = "serving.kindler.dev/v1alpha1"
ECHO = os.environ.get("KINDLER_ECHO_IMAGE", "localhost:5000/echo:1")


def _object(kind: str, name: str, spec: Json) -> Json:
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": name}, "spec": spec}


def model(
    name: str, *, image: str = ECHO, environment: dict[str, str] | None = None, drain: str | None = None, **spec: Any
) -> Json:
    container = (
        {"image": image} | ({"environment": environment} if environment else {}) | ({"drain": drain} if drain else {})
    )
    return _object("Model", name, {"primaryContainer": container, **spec})


def config(
    name: str,
    *,
    model: str | None = None,
    memory: int = 1024,
    limit: int = 5,
    per_pod: int | None = None,
    warm: int | None = None,
    idle: int | None = None,
    seconds: int | None = None,
    startup: int | None = None,
    **spec: Any,
) -> Json:
    """An EndpointConfig with one variant. A field with the value None is left out.

    `limit`: maxConcurrency. `warm`: provisionedConcurrency. `idle`, `seconds` and `startup`: the timeouts for idle
    pods, for an invocation and for the start of a pod, in seconds.
    """
    optional = {
        "maxConcurrencyPerInstance": per_pod,
        "provisionedConcurrency": warm,
        "idleTimeoutInSeconds": idle,
        "invocationTimeoutInSeconds": seconds,
    }
    serverless = {"memorySizeInMB": memory, "maxConcurrency": limit} | {
        key: value for key, value in optional.items() if value is not None
    }
    variant: Json = {"variantName": "AllTraffic", "modelName": model or name, "serverlessConfig": serverless}
    if startup is not None:
        variant["containerStartupHealthCheckTimeoutInSeconds"] = startup
    return _object("EndpointConfig", name, {"productionVariants": [variant], **spec})


def endpoint(name: str, *, config: str | None = None, **spec: Any) -> Json:
    return _object("Endpoint", name, {"endpointConfigName": config or name, **spec})


def scaling(
    low: int, high: int, *policies: Json, actions: tuple[Json, ...] = (), suspended: tuple[str, ...] = ()
) -> Json:
    """spec.autoscaling of the one variant. `suspended`: any of In, Out (dynamic scaling) and Scheduled."""
    fields = {
        "In": "dynamicScalingInSuspended",
        "Out": "dynamicScalingOutSuspended",
        "Scheduled": "scheduledScalingSuspended",
    }
    target: Json = {"variantName": "AllTraffic", "minCapacity": low, "maxCapacity": high}
    if policies:
        target["scalingPolicies"] = list(policies)
    if actions:
        target["scheduledActions"] = list(actions)
    if suspended:
        target["suspendedState"] = {fields[which]: True for which in suspended}
    return {"autoscaling": [target]}


def tracking(
    value: float,
    *,
    name: str = "half-busy",
    cooldown: int = 2,
    metric: str | None = None,
    disable_scale_in: bool = False,
) -> Json:
    """A target tracking policy for the utilization of provisioned concurrency, or for a foreign `metric`."""
    predefined = {
        "predefinedMetricSpecification": {"predefinedMetricType": "SageMakerVariantProvisionedConcurrencyUtilization"}
    }
    customized = {"customizedMetricSpecification": {"metricName": metric, "namespace": "Shop", "statistic": "Average"}}
    configuration = {"targetValue": value, "scaleInCooldown": cooldown, "disableScaleIn": disable_scale_in} | (
        customized if metric else predefined
    )
    return {"policyName": name, "targetTrackingScalingPolicyConfiguration": configuration}


def action(name: str, schedule: str, low: int | None = None, high: int | None = None) -> Json:
    """A scheduled action that sets the minimum, the maximum or both."""
    bounds = {key: value for key, value in (("minCapacity", low), ("maxCapacity", high)) if value is not None}
    return {"scheduledActionName": name, "schedule": schedule, "scalableTargetAction": bounds}
