"""The parts of the status that SageMaker's DescribeEndpoint has: productionVariants and pendingDeploymentSummary."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kindler.api.route import Route
from kindler.core.autoscaling.decision import ScalingDecision
from kindler.core.common.timestamps import format_timestamp
from kindler.core.endpoint.state import Attempt, Observed, RolloutPlan, RouteRecord, StoredRevision


def production_variant(observed: Observed, rollout: RolloutPlan, route: Route) -> dict[str, Any]:
    """The variant that `route` serves: counts of pods, current and desired configuration."""
    stored = _stored(rollout, route)
    warm, demand = (
        len([f for f in observed.of(observed.pool(name)) if f.ready]) for name in (route.warm_pool, route.demand_pool)
    )
    target, scaling = (rollout.target.route, rollout.target_scaling) if rollout.target else (route, rollout.scaling)
    replicas = sum(p.replicas for name in (route.warm_pool, route.demand_pool) if (p := observed.pool(name)))
    variant = {
        "variantName": route.variant_name,
        "deployedImages": [_image(stored)] if stored else None,
        "currentWeight": 1,
        "desiredWeight": 1,
        "currentServerlessConfig": serverless_config(route, _units(rollout.scaling, lambda s: s.current)),
        "desiredServerlessConfig": serverless_config(target, _units(scaling, lambda s: s.desired)),
        "currentInstanceCount": warm + demand,
        "desiredInstanceCount": replicas,
        "warmInstanceCount": warm,
        "demandInstanceCount": demand,
    }
    return {k: v for k, v in variant.items() if v is not None}


def pending_deployment(rollout: RolloutPlan, target: RouteRecord, attempt: Attempt) -> dict[str, Any]:
    """The summary of the deployment of `target`, which `attempt` brings up."""
    route, since = target.route, format_timestamp(attempt.at)
    stored = _stored(rollout, route)
    variant = {
        "variantName": route.variant_name,
        "deployedImages": [_image(stored)] if stored else [],
        "desiredServerlessConfig": serverless_config(route, _units(rollout.target_scaling, lambda s: s.desired)),
        "variantStatus": [{"status": "Updating" if rollout.routed else "Creating", "startTime": since}],
    }
    return {"endpointConfigName": target.config_name, "productionVariants": [variant], "startTime": since}


def serverless_config(route: Route, provisioned: int | None) -> dict[str, int]:
    """The serverlessConfig. `provisioned`: units of provisioned concurrency; None: the value of the EndpointConfig."""
    config = {
        "memorySizeInMB": route.memory_size_in_mb,
        "maxConcurrency": route.max_concurrency,
        "provisionedConcurrency": route.provisioned_concurrency if provisioned is None else provisioned,
        "maxConcurrencyPerInstance": route.max_concurrency_per_instance,
        "idleTimeoutInSeconds": route.idle_timeout_in_seconds,
        "invocationTimeoutInSeconds": route.invocation_timeout_in_seconds,
    }
    return {k: v for k, v in config.items() if v or k != "provisionedConcurrency" or provisioned is not None}


def _stored(rollout: RolloutPlan, route: Route) -> StoredRevision | None:
    return next((r for r in rollout.revisions if r.revision == route.revision), None)


def _image(stored: StoredRevision) -> dict[str, str]:
    image = {"specifiedImage": stored.shape.image if stored.shape else stored.pod_spec["containers"][0]["image"]}
    if stored.resolved:
        image |= {"resolvedImage": stored.resolved.image, "resolutionTime": format_timestamp(stored.resolved.at)}
    return image


def _units(scaling: ScalingDecision | None, which: Callable[[ScalingDecision], int]) -> int | None:
    """Units of provisioned concurrency if spec.autoscaling determines them, else None."""
    return which(scaling) if scaling and scaling.status else None
