"""What each scaling policy of an Endpoint sees now: one number each, which by its target gives the size wanted.

policy's metric                 load
-----------------------------   -------------------------------------------------------------------------------------------
predefined (utilization)        executions and held requests on average, spill-over included
customized, AWS/SageMaker       the metric's value times the provisioned concurrency that stands: so that capacity times
customized, another namespace   metric by target, as AWS computes it, comes out of load by target

The provisioned concurrency that stands is what activators tell as allocated (api/stats.py), at least one pod's: an empty pool must be able to grow.
"""

from __future__ import annotations

from collections.abc import Mapping

from kindler.api.autoscaling import (
    CustomizedMetricSpecification,
    ScalableTarget,
    TargetTrackingScalingPolicyConfiguration,
)
from kindler.api.route import Route
from kindler.core.autoscaling.decision import Load
from kindler.core.autoscaling.metrics import catalogue
from kindler.core.autoscaling.metrics.catalogue import Scope
from kindler.core.autoscaling.metrics.usage import NoData, Usage

Foreign = Mapping[str, float | NoData]  # by policyName


def foreign(target: ScalableTarget) -> dict[str, CustomizedMetricSpecification]:
    """The metrics that others must be asked for, by policyName."""
    specs = {
        p.policy_name: p.target_tracking_scaling_policy_configuration.customized_metric_specification
        for p in target.scaling_policies or ()
    }
    return {name: spec for name, spec in specs.items() if spec is not None and not catalogue.own(spec)}


def loads_of(
    target: ScalableTarget, route: Route, usage: Usage | NoData, told: Foreign, endpoint: str = ""
) -> dict[str, Load]:
    """By policyName. `told`: what others said of the `foreign` metrics. `endpoint`: SageMaker's name of it, which dimensions may name."""
    if isinstance(usage, NoData):
        return {policy.policy_name: Load(None, usage.reason) for policy in target.scaling_policies or ()}
    scope = Scope(usage, route.max_concurrency, max(usage.allocated, route.max_concurrency_per_instance))
    seen = {}
    for policy in target.scaling_policies or ():
        name, found = (
            policy.policy_name,
            _load(
                policy.target_tracking_scaling_policy_configuration,
                scope,
                told.get(policy.policy_name),
                endpoint,
                route,
            ),
        )
        seen[name] = Load(None, found.reason) if isinstance(found, NoData) else Load(found)
    return seen


def _load(
    policy: TargetTrackingScalingPolicyConfiguration,
    scope: Scope,
    told: float | NoData | None,
    endpoint: str,
    route: Route,
) -> float | NoData:
    spec = policy.customized_metric_specification
    if spec is None:
        return scope.usage.load
    reason = catalogue.rejection(spec, endpoint, route.variant_name)
    if reason is not None:
        return NoData(reason)
    if catalogue.own(spec):
        return catalogue.value(spec, scope) * scope.standing
    if told is None:
        return NoData(f"metric {spec.metric_name!r} has not been asked for")
    return told if isinstance(told, NoData) else told * scope.standing
