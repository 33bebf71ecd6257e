"""The load that each scaling policy of an Endpoint reads now: one number. Load divided by target is the desired size.

policy's metric                load
---------------                ----
predefined (utilization)       executions and held requests on average, spill-over included
customized, AWS/SageMaker      the metric's value times the current provisioned concurrency
customized, another namespace  the metric's value times the current provisioned concurrency

So for a customized metric the desired size is current size times metric divided by target, as AWS computes it.

The current provisioned concurrency is the number that activators report as allocated (api/stats.py). It is at least
that of one pod, because an empty pool must be able to grow.
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
    """The foreign metrics that must be read, by policyName."""
    specs = {
        p.policy_name: p.target_tracking_scaling_policy_configuration.customized_metric_specification
        for p in target.scaling_policies or ()
    }
    return {name: spec for name, spec in specs.items() if spec is not None and not catalogue.is_own(spec)}


def loads_of(
    target: ScalableTarget, route: Route, usage: Usage | NoData, foreign_values: Foreign, endpoint: str = ""
) -> dict[str, Load]:
    """Loads by policyName. `foreign_values`: the values of the `foreign` metrics.

    `endpoint`: the Endpoint's SageMaker name, which dimensions may contain.
    """
    if isinstance(usage, NoData):
        return {policy.policy_name: Load(None, usage.reason) for policy in target.scaling_policies or ()}
    scope = Scope(usage, route.max_concurrency, max(usage.allocated, route.max_concurrency_per_instance))
    loads = {}
    for policy in target.scaling_policies or ():
        name, value = (
            policy.policy_name,
            _load(
                policy.target_tracking_scaling_policy_configuration,
                scope,
                foreign_values.get(policy.policy_name),
                endpoint,
                route,
            ),
        )
        loads[name] = Load(None, value.reason) if isinstance(value, NoData) else Load(value)
    return loads


def _load(
    policy: TargetTrackingScalingPolicyConfiguration,
    scope: Scope,
    foreign_values: float | NoData | None,
    endpoint: str,
    route: Route,
) -> float | NoData:
    spec = policy.customized_metric_specification
    if spec is None:
        return scope.usage.load
    reason = catalogue.rejection(spec, endpoint, route.variant_name)
    if reason is not None:
        return NoData(reason)
    if catalogue.is_own(spec):
        return catalogue.value(spec, scope) * scope.provisioned
    if foreign_values is None:
        return NoData(f"metric {spec.metric_name!r} has not been asked for")
    return foreign_values if isinstance(foreign_values, NoData) else foreign_values * scope.provisioned
