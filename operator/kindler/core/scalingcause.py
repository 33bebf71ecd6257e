"""Why the desired provisioned concurrency is not what status says any more: in a sentence, for Events and scaling activities.

moved   to            because of
-----   --            ----------
up      the minimum   whatever set the minimum: a scheduled action, an edit of minCapacity
down    the maximum   whatever set the maximum: a scheduled action, an edit of maxCapacity, the endpoint configuration's maxConcurrency
any     any           the policy that asks for the most; without policies somebody who scaled the pool
"""

from __future__ import annotations

from kindler.core import autoscaler
from kindler.core.activities import desired_before
from kindler.core.provision import Facts
from kindler.core.situation import Situation, entry


def cause(facts: Facts, case: Situation, desired: int) -> str:
    """With autoscaling; empty where the desired size is what status says. `desired` in units."""
    was = desired_before(facts.status)
    if was == desired:
        return ""
    low, high = case.bounds.minimum, case.bounds.maximum
    if was is None:
        return "the endpoint was created"
    if was < low and desired - low < facts.route.max_concurrency_per_instance:
        return _minimum(facts, case)
    if was > high and desired == high:
        return _maximum(facts, case)
    return _policies(facts, case, desired)


def fixed(facts: Facts, desired: int) -> str:
    """Without autoscaling; empty where the desired size is what status says."""
    was = desired_before(facts.status)
    if was == desired:
        return ""
    if was is None:
        return "the endpoint was created"
    said = f"provisionedConcurrency of the endpoint configuration is {desired}" if desired else "the endpoint configuration has no provisionedConcurrency"
    return f"autoscaling was taken away: {said}" if facts.status.get("autoscaling") else said


def _minimum(facts: Facts, case: Situation) -> str:
    if due := case.force.minimum_by:
        return f"scheduled action '{due.name}' set the minimum to {case.force.bounds.minimum}"
    return _edited(facts, f"minCapacity is {case.force.bounds.minimum}")


def _maximum(facts: Facts, case: Situation) -> str:
    if case.force.bounds.maximum > case.bounds.maximum:
        return f"maxConcurrency of the endpoint configuration is {case.bounds.maximum}"
    if due := case.force.maximum_by:
        return f"scheduled action '{due.name}' set the maximum to {case.force.bounds.maximum}"
    return _edited(facts, f"maxCapacity is {case.force.bounds.maximum}")


def _edited(facts: Facts, said: str) -> str:
    return f"the bounds were edited: {said}" if entry(facts) else f"autoscaling was added: {said}"


def _policies(facts: Facts, case: Situation, desired: int) -> str:
    if not case.tracks:
        return f"the warm pool was scaled to {desired} by somebody else"
    policy = _leading(facts, case)
    by = f"target tracking policy '{policy}'" if policy else "target tracking"
    if desired == case.bounds.maximum:
        return f"{by} asks for {desired}, the maximum, or more"
    if desired == case.bounds.minimum > 0:
        return f"{by} asks for {desired}, the minimum, or less"
    return f"{by} asks for {desired}"


def _leading(facts: Facts, case: Situation) -> str:
    """The policy whose load is the most of what a pod is to have; empty where it cannot be told."""
    shares: dict[str, float] = {}
    seen = ((facts.autoscaler or {}).get("status") or {}).get("currentMetrics") or ()
    for n, policy in enumerate(case.served):
        per_replica = autoscaler.per_replica(policy, facts.route)
        if case.measured(facts):
            load = facts.loads.get(policy.policy_name)
            value = load.value if load else None
        else:
            value = autoscaler.average_value(seen[n]) if n < len(seen) else None
        if value is not None:
            shares[policy.policy_name] = value / per_replica
    return case.served[0].policy_name if len(case.served) == 1 else max(shares, key=lambda name: shares[name], default="")
