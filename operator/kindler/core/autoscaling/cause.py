"""Why the desired provisioned concurrency is not what status says any more: in a sentence, for Events and scaling activities.

moved   to            because of
-----   --            ----------
up      the minimum   whatever set the minimum: a scheduled action, an edit of minCapacity
down    the maximum   whatever set the maximum: a scheduled action, an edit of maxCapacity, the endpoint configuration's maxConcurrency
any     any           the policy that asks for the most; without policies somebody who scaled the pool
"""

from __future__ import annotations

from kindler.core.autoscaling import hpa
from kindler.core.autoscaling.activities import desired_before
from kindler.core.autoscaling.decision import ScalingState
from kindler.core.autoscaling.situation import Situation, entry


def cause(state: ScalingState, situation: Situation, desired: int) -> str:
    """With autoscaling; empty where the desired size is what status says. `desired` in units."""
    was = desired_before(state.status)
    if was == desired:
        return ""
    low, high = situation.bounds.minimum, situation.bounds.maximum
    if was is None:
        return "the endpoint was created"
    if was < low and desired - low < state.route.max_concurrency_per_instance:
        return _minimum(state, situation)
    if was > high and desired == high:
        return _maximum(state, situation)
    return _policies(state, situation, desired)


def fixed(state: ScalingState, desired: int) -> str:
    """Without autoscaling; empty where the desired size is what status says."""
    was = desired_before(state.status)
    if was == desired:
        return ""
    if was is None:
        return "the endpoint was created"
    said = (
        f"provisionedConcurrency of the endpoint configuration is {desired}"
        if desired
        else "the endpoint configuration has no provisionedConcurrency"
    )
    return f"autoscaling was taken away: {said}" if state.status.get("autoscaling") else said


def _minimum(state: ScalingState, situation: Situation) -> str:
    if due := situation.force.minimum_by:
        return f"scheduled action '{due.name}' set the minimum to {situation.force.bounds.minimum}"
    return _edited(state, f"minCapacity is {situation.force.bounds.minimum}")


def _maximum(state: ScalingState, situation: Situation) -> str:
    if situation.force.bounds.maximum > situation.bounds.maximum:
        return f"maxConcurrency of the endpoint configuration is {situation.bounds.maximum}"
    if due := situation.force.maximum_by:
        return f"scheduled action '{due.name}' set the maximum to {situation.force.bounds.maximum}"
    return _edited(state, f"maxCapacity is {situation.force.bounds.maximum}")


def _edited(state: ScalingState, said: str) -> str:
    return f"the bounds were edited: {said}" if entry(state) else f"autoscaling was added: {said}"


def _policies(state: ScalingState, situation: Situation, desired: int) -> str:
    if not situation.tracks:
        return f"the warm pool was scaled to {desired} by somebody else"
    policy = _leading(state, situation)
    by = f"target tracking policy '{policy}'" if policy else "target tracking"
    if desired == situation.bounds.maximum:
        return f"{by} asks for {desired}, the maximum, or more"
    if desired == situation.bounds.minimum > 0:
        return f"{by} asks for {desired}, the minimum, or less"
    return f"{by} asks for {desired}"


def _leading(state: ScalingState, situation: Situation) -> str:
    """The policy whose load is the most of what a pod is to have; empty where it cannot be told."""
    shares: dict[str, float] = {}
    seen = ((state.hpa or {}).get("status") or {}).get("currentMetrics") or ()
    for n, policy in enumerate(situation.served):
        per_replica = hpa.per_replica(policy, state.route)
        if situation.measured(state):
            load = state.loads.get(policy.policy_name)
            value = load.value if load else None
        else:
            value = hpa.average_value(seen[n]) if n < len(seen) else None
        if value is not None:
            shares[policy.policy_name] = value / per_replica
    return (
        situation.served[0].policy_name
        if len(situation.served) == 1
        else max(shares, key=lambda name: shares[name], default="")
    )
