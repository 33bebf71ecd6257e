"""Why the desired provisioned concurrency differs from status: a sentence for Events and scaling activities.

change  to           cause
------  --           -----
up      the minimum  what set the minimum: a scheduled action, an edit of minCapacity
down    the maximum  what set the maximum: a scheduled action, an edit of maxCapacity, the endpoint configuration's
                     maxConcurrency
any     any          the policy with the largest recommendation; without policies: somebody scaled the pool
"""

from __future__ import annotations

from kindler.core.autoscaling import hpa
from kindler.core.autoscaling.decision import ScalingState
from kindler.core.autoscaling.situation import Situation
from kindler.core.autoscaling.stored import desired_before, stored_entry


def cause(state: ScalingState, situation: Situation, desired: int) -> str:
    """The cause for an endpoint with autoscaling. Empty if the desired size is the size in status. `desired`: units."""
    before = desired_before(state.status)
    if before == desired:
        return ""
    low, high = situation.bounds.minimum, situation.bounds.maximum
    if before is None:
        return "the endpoint was created"
    if before < low and desired - low < state.route.max_concurrency_per_instance:
        return _minimum(state, situation)
    if before > high and desired == high:
        return _maximum(state, situation)
    return _policies(state, situation, desired)


def fixed(state: ScalingState, desired: int) -> str:
    """The cause for an endpoint without autoscaling. Empty if the desired size is the size in status."""
    before = desired_before(state.status)
    if before == desired:
        return ""
    if before is None:
        return "the endpoint was created"
    reason = (
        f"provisionedConcurrency of the endpoint configuration is {desired}"
        if desired
        else "the endpoint configuration has no provisionedConcurrency"
    )
    return f"autoscaling was taken away: {reason}" if state.status.get("autoscaling") else reason


def _minimum(state: ScalingState, situation: Situation) -> str:
    if due := situation.in_force.minimum_by:
        return f"scheduled action '{due.name}' set the minimum to {situation.in_force.bounds.minimum}"
    return _edited(state, f"minCapacity is {situation.in_force.bounds.minimum}")


def _maximum(state: ScalingState, situation: Situation) -> str:
    if situation.in_force.bounds.maximum > situation.bounds.maximum:
        return f"maxConcurrency of the endpoint configuration is {situation.bounds.maximum}"
    if due := situation.in_force.maximum_by:
        return f"scheduled action '{due.name}' set the maximum to {situation.in_force.bounds.maximum}"
    return _edited(state, f"maxCapacity is {situation.in_force.bounds.maximum}")


def _edited(state: ScalingState, reason: str) -> str:
    return f"the bounds were edited: {reason}" if stored_entry(state.status) else f"autoscaling was added: {reason}"


def _policies(state: ScalingState, situation: Situation, desired: int) -> str:
    if not situation.has_hpa:
        return f"the warm pool was scaled to {desired} by somebody else"
    policy = _largest_policy(state, situation)
    by = f"target tracking policy '{policy}'" if policy else "target tracking"
    if desired == situation.bounds.maximum:
        return f"{by} asks for {desired}, the maximum, or more"
    if desired == situation.bounds.minimum > 0:
        return f"{by} asks for {desired}, the minimum, or less"
    return f"{by} asks for {desired}"


def _largest_policy(state: ScalingState, situation: Situation) -> str:
    """The name of the policy whose load divided by target is largest; empty if several exist and no load is known."""
    shares: dict[str, float] = {}
    seen = ((state.hpa or {}).get("status") or {}).get("currentMetrics") or ()
    for n, policy in enumerate(situation.policies):
        per_replica = hpa.per_replica(policy, state.route)
        if situation.controller_computes(state):
            load = state.loads.get(policy.policy_name)
            value = load.value if load else None
        else:
            value = hpa.average_value(seen[n]) if n < len(seen) else None
        if value is not None:
            shares[policy.policy_name] = value / per_replica
    return (
        situation.policies[0].policy_name
        if len(situation.policies) == 1
        else max(shares, key=lambda name: shares[name], default="")
    )
