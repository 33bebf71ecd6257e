"""How far the warm pool may move now, and what moves it: bounds in force, the policies that can be followed, what stands."""

from __future__ import annotations

from dataclasses import dataclass

from kindler.api.autoscaling import ScalableTarget, ScalingPolicy
from kindler.core import autoscaler, catalogue
from kindler.core.bounds import Bounds, InForce, Memory, in_force
from kindler.core.facts import Json
from kindler.core.provision import Facts, MetricsApi
from kindler.core.revision import instances
from kindler.core.tracking import Rules


@dataclass(frozen=True, slots=True)
class Situation:
    """`bounds` in units of provisioned concurrency, at most maxConcurrency; `rules` in pods.

    served    the policies that can be followed; `refused`: why others cannot, a sentence each
    standing  pods that the pool is to have now; where there is none yet (or none any more), what it would begin with
    stands    an HPA leads to the pool
    watched   that HPA brought it to 0 by our metrics, and so will raise it again
    """

    target: ScalableTarget
    force: InForce
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

    def measured(self, facts: Facts) -> bool:
        """Whether the controller must compute: it does where no HPA can."""
        if not self.tracks:
            return False
        if facts.around.api is MetricsApi.NONE:
            return True
        return self.rules.low == 0 and (not facts.around.zero or (self.standing == 0 and not self.watched))


def situation_of(facts: Facts, target: ScalableTarget) -> Situation:
    told = entry(facts)
    has_served = bool(facts.status.get("productionVariants"))
    force = in_force(target, Memory.from_status(told) if told else None, facts.created, facts.now, has_served)
    maximum = min(force.bounds.maximum, facts.route.max_concurrency)
    bounds = Bounds(min(force.bounds.minimum, maximum), maximum)
    judged = [(policy, _refusal(facts, policy)) for policy in target.scaling_policies or ()]
    served = tuple(policy for policy, refusal in judged if refusal is None)
    rules = autoscaler.rules_of(target, served, instances(bounds.minimum, facts.route), instances(bounds.maximum, facts.route))
    began = int(told.get("desiredCapacity", 0)) if told else facts.route.provisioned_concurrency
    stands = facts.warm is not None and facts.autoscaler is not None and autoscaler.leads_to(facts.autoscaler, facts.warm.name)
    slept = autoscaler.condition(facts.autoscaler, "ScaledToZero") if facts.autoscaler and stands and facts.around.api is not MetricsApi.NONE else None
    return Situation(
        target=target,
        force=force,
        bounds=bounds,
        rules=rules,
        served=served,
        refused=tuple(f"scalingPolicies '{policy.policy_name}': {refusal}." for policy, refusal in judged if refusal is not None),
        standing=facts.warm.replicas if facts.warm else rules.clamp(instances(began, facts.route)),
        stands=stands,
        watched=slept is not None and slept.get("status") == "True",
    )


def entry(facts: Facts) -> Json | None:
    """What status.autoscaling remembers: of the one variant, whatever its name was."""
    return next(iter(facts.status.get("autoscaling") or ()), None)


def _refusal(facts: Facts, policy: ScalingPolicy) -> str | None:
    customized = policy.target_tracking_scaling_policy_configuration.customized_metric_specification
    name = facts.endpoint["spec"].get("endpointName") or facts.endpoint["metadata"]["name"]
    return catalogue.refused(customized, str(name), facts.route.variant_name) if customized else None
