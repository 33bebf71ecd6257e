"""Between which sizes the warm pool may scale now, and what scales it: bounds, usable policies, pool and HPA."""

from __future__ import annotations

from dataclasses import dataclass

from kindler.api.autoscaling import ScalableTarget, ScalingPolicy
from kindler.core.autoscaling import hpa
from kindler.core.autoscaling.bounds import Bounds, BoundsInForce, BoundsMemory, bounds_in_force
from kindler.core.autoscaling.decision import MetricsApi, ScalingState
from kindler.core.autoscaling.metrics import catalogue
from kindler.core.autoscaling.stored import stored_entry
from kindler.core.autoscaling.tracking import Rules
from kindler.core.common.capacity import instances


@dataclass(frozen=True, slots=True)
class Situation:
    """`bounds`: units of provisioned concurrency, at most maxConcurrency. `rules`: in pods.

    in_force          the bounds after registration and scheduled actions, but before maxConcurrency limits them
    policies          the policies that can be used
    policy_errors     a sentence for each policy that cannot be used
    replicas          spec.replicas of the pool; if the pool does not exist, the size of a new pool
    hpa_targets_pool  an HPA targets the pool
    hpa_leaves_zero   the HPA itself scaled the pool to 0 by our metrics, so it will scale the pool up again
    """

    target: ScalableTarget
    in_force: BoundsInForce
    bounds: Bounds
    rules: Rules
    policies: tuple[ScalingPolicy, ...]
    policy_errors: tuple[str, ...]
    replicas: int
    hpa_targets_pool: bool
    hpa_leaves_zero: bool

    @property
    def has_hpa(self) -> bool:
        """Whether there must be an HPA. An HPA needs a metric, and its maximum must be above 0."""
        return bool(self.policies) and self.rules.high > 0

    def controller_computes(self, state: ScalingState) -> bool:
        """Whether the controller computes the size, because no HPA can compute it now."""
        if not self.has_hpa:
            return False
        if state.capabilities.api is MetricsApi.NONE:
            return True
        return self.rules.low == 0 and (
            not state.capabilities.zero or (self.replicas == 0 and not self.hpa_leaves_zero)
        )


def situation_of(state: ScalingState, target: ScalableTarget) -> Situation:
    """The situation of `state`, whose target is `target`."""
    stored = stored_entry(state.status)
    has_served = bool(state.status.get("productionVariants"))
    in_force = bounds_in_force(
        target, BoundsMemory.from_status(stored) if stored else None, state.created, state.now, has_served
    )
    maximum = min(in_force.bounds.maximum, state.route.max_concurrency)
    bounds = Bounds(min(in_force.bounds.minimum, maximum), maximum)
    checked = [(policy, _policy_error(state, policy)) for policy in target.scaling_policies or ()]
    policies = tuple(policy for policy, error in checked if error is None)
    rules = hpa.rules_of(
        target, policies, instances(bounds.minimum, state.route), instances(bounds.maximum, state.route)
    )
    first_units = int(stored.get("desiredCapacity", 0)) if stored else state.route.provisioned_concurrency
    hpa_targets_pool = state.warm is not None and state.hpa is not None and hpa.targets_pool(state.hpa, state.warm.name)
    scaled_to_zero = (
        hpa.condition(state.hpa, "ScaledToZero")
        if state.hpa and hpa_targets_pool and state.capabilities.api is not MetricsApi.NONE
        else None
    )
    return Situation(
        target=target,
        in_force=in_force,
        bounds=bounds,
        rules=rules,
        policies=policies,
        policy_errors=tuple(
            f"scalingPolicies '{policy.policy_name}': {error}." for policy, error in checked if error is not None
        ),
        replicas=state.warm.replicas if state.warm else rules.clamp(instances(first_units, state.route)),
        hpa_targets_pool=hpa_targets_pool,
        hpa_leaves_zero=scaled_to_zero is not None and scaled_to_zero.get("status") == "True",
    )


def _policy_error(state: ScalingState, policy: ScalingPolicy) -> str | None:
    customized = policy.target_tracking_scaling_policy_configuration.customized_metric_specification
    name = state.endpoint["spec"].get("endpointName") or state.endpoint["metadata"]["name"]
    return catalogue.rejection(customized, str(name), state.route.variant_name) if customized else None
