"""How far the warm pool may move now, and what moves it: bounds in force, the policies that can be followed, what stands."""

from __future__ import annotations

from dataclasses import dataclass

from kindler.api.autoscaling import ScalableTarget, ScalingPolicy
from kindler.core.autoscaling import hpa
from kindler.core.autoscaling.bounds import Bounds, BoundsInForce, BoundsMemory, bounds_in_force
from kindler.core.autoscaling.decision import MetricsApi, ScalingState
from kindler.core.autoscaling.metrics import catalogue
from kindler.core.autoscaling.tracking import Rules
from kindler.core.common.capacity import instances
from kindler.core.common.objects import Json


@dataclass(frozen=True, slots=True)
class Situation:
    """`bounds` in units of provisioned concurrency, at most maxConcurrency; `rules` in pods.

    served    the policies that can be followed; `refused`: why others cannot, a sentence each
    standing  pods that the pool is to have now; where there is none yet (or none any more), what it would begin with
    stands    an HPA leads to the pool
    watched   that HPA brought it to 0 by our metrics, and so will raise it again
    """

    target: ScalableTarget
    force: BoundsInForce
    bounds: Bounds
    rules: Rules
    served: tuple[ScalingPolicy, ...]
    refused: tuple[str, ...]
    standing: int
    stands: bool
    watched: bool

    @property
    def tracks(self) -> bool:
        """Whether there is an HPA: it cannot be without a metric, nor with a maximum of 0."""
        return bool(self.served) and self.rules.high > 0

    def measured(self, state: ScalingState) -> bool:
        """Whether the controller must compute: it does where no HPA can."""
        if not self.tracks:
            return False
        if state.capabilities.api is MetricsApi.NONE:
            return True
        return self.rules.low == 0 and (not state.capabilities.zero or (self.standing == 0 and not self.watched))


def situation_of(state: ScalingState, target: ScalableTarget) -> Situation:
    told = entry(state)
    has_served = bool(state.status.get("productionVariants"))
    force = bounds_in_force(
        target, BoundsMemory.from_status(told) if told else None, state.created, state.now, has_served
    )
    maximum = min(force.bounds.maximum, state.route.max_concurrency)
    bounds = Bounds(min(force.bounds.minimum, maximum), maximum)
    judged = [(policy, _refusal(state, policy)) for policy in target.scaling_policies or ()]
    served = tuple(policy for policy, refusal in judged if refusal is None)
    rules = hpa.rules_of(target, served, instances(bounds.minimum, state.route), instances(bounds.maximum, state.route))
    began = int(told.get("desiredCapacity", 0)) if told else state.route.provisioned_concurrency
    stands = state.warm is not None and state.hpa is not None and hpa.leads_to(state.hpa, state.warm.name)
    slept = (
        hpa.condition(state.hpa, "ScaledToZero")
        if state.hpa and stands and state.capabilities.api is not MetricsApi.NONE
        else None
    )
    return Situation(
        target=target,
        force=force,
        bounds=bounds,
        rules=rules,
        served=served,
        refused=tuple(
            f"scalingPolicies '{policy.policy_name}': {refusal}." for policy, refusal in judged if refusal is not None
        ),
        standing=state.warm.replicas if state.warm else rules.clamp(instances(began, state.route)),
        stands=stands,
        watched=slept is not None and slept.get("status") == "True",
    )


def entry(state: ScalingState) -> Json | None:
    """What status.autoscaling remembers: of the one variant, whatever its name was."""
    return next(iter(state.status.get("autoscaling") or ()), None)


def _refusal(state: ScalingState, policy: ScalingPolicy) -> str | None:
    customized = policy.target_tracking_scaling_policy_configuration.customized_metric_specification
    name = state.endpoint["spec"].get("endpointName") or state.endpoint["metadata"]["name"]
    return catalogue.rejection(customized, str(name), state.route.variant_name) if customized else None
