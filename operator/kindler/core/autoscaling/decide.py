"""The decision about the warm pool of one Endpoint: who scales it, and to which size.

policies  maximum  API   minimum   pool  HPA's bounds        size that the controller sets
--------  -------  ---   -------   ----  ------------        -----------------------------
none      any      any   any       any   no HPA              the current size, clamped to the bounds
some      0        any   any       any   no HPA              0
some      above    some  above 0   0     minimum .. maximum  the minimum
some      above    some  above 0   1..   minimum .. maximum  -
some      above    some  0         0     0 .. maximum        by the rule, unless the HPA scaled the pool to 0
some      above    some  0         1..   0 .. maximum        -
some      above    some  rejected  0     1 .. maximum        by the rule
some      above    some  rejected  1..   1 .. maximum        from 1 to 0 when the rule says 0, else -
some      above    none  any       0     by the rule         by the rule
some      above    none  any       1..   by the rule         from 1 to 0 when the rule says 0, else -

"The rule" is the rule of the HPA (core/autoscaling/tracking.py). "Rejected": the minimum is 0, and the API server
rejects an HPA with minReplicas 0. The maximum of an HPA is at least 1. Therefore, if the rule says 0, the HPA is pinned
to 1, and the controller scales from 1 to 0. "-": the HPA scales the pool; until an HPA targets the pool, the controller
scales it. An HPA that scaled the pool to 0 itself still reads metrics and scales the pool up again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from kindler.api import conditions
from kindler.core.autoscaling import cause, condition, hpa
from kindler.core.autoscaling.decision import MetricsApi, ScalingDecision, ScalingState
from kindler.core.autoscaling.metrics.loads import foreign
from kindler.core.autoscaling.situation import Situation, situation_of
from kindler.core.autoscaling.tracking import History, Tracked, replicas
from kindler.core.common.blockers import Blocker, BlockerKind
from kindler.core.common.capacity import instances
from kindler.core.common.objects import Json
from kindler.core.common.timestamps import format_timestamp

# Seconds between passes while the controller computes the size.
RESYNC_SECONDS: Final = 5.0
FIRST_MINUTE_RESYNC_SECONDS: Final = 15.0  # used until a whole minute was sampled
IDLE_RESYNC_SECONDS: Final = 60.0  # used while idle; the LoadMeter requests a pass at the first request


def decide(state: ScalingState) -> ScalingDecision:
    """The decision about the warm pool of `state.route`."""
    if state.target is None:
        return _without_autoscaling(state)
    situation = situation_of(state, state.target)
    computes = situation.controller_computes(state)
    computed, history = _computed_size(state, situation) if computes else (None, ())
    idle = computes and _is_idle(state, situation, computed)
    size = _size(state, situation, computed)
    pods = size if size is not None else _expected_size(state, situation, computed)
    desired = min(pods * state.route.max_concurrency_per_instance, situation.bounds.maximum)
    current = _current_units(state, pods, desired)
    return ScalingDecision(
        size=size,
        floor=situation.rules.clamp(situation.replicas),
        hpa=_hpa(state, situation, computed),
        status=_status(state, situation, desired, current),
        desired=desired,
        current=current,
        cause=cause.cause(state, situation, desired),
        active=condition.scaling_active(state, situation),
        blocker=_blocker(situation),
        measures_load=computes,
        idle=idle,
        requeue_after=_requeue_after(state, situation, computes, idle),
        history=history,
    )


def _without_autoscaling(state: ScalingState) -> ScalingDecision:
    """The decision without autoscaling: the size is provisionedConcurrency, at once."""
    desired = state.route.provisioned_concurrency
    size = instances(desired, state.route)
    return ScalingDecision(
        size=size,
        floor=size,
        desired=desired,
        current=_current_units(state, size, desired),
        cause=cause.fixed(state, desired),
    )


def _computed_size(state: ScalingState, situation: Situation) -> tuple[int, History]:
    loads = [(state.loads.get(p.policy_name), hpa.per_replica(p, state.route)) for p in situation.policies]
    tracked = [Tracked(load.value if load else None, per_replica) for load, per_replica in loads]
    present = (
        _size_while_loads_are_missing(state, situation) if any(t.load is None for t in tracked) else situation.replicas
    )
    return replicas(tracked, present, situation.rules, state.history, state.now)


def _size_while_loads_are_missing(state: ScalingState, situation: Situation) -> int:
    """The size to keep while a load is missing: the pool's current size.

    If the HPA has not yet brought the pool to the size that the HPA is pinned to, the result is the pinned size.
    """
    spec: Json = state.hpa["spec"] if state.hpa and situation.hpa_targets_pool and situation.replicas > 0 else {}
    pinned = (
        state.capabilities.api is MetricsApi.NONE
        and "minReplicas" in spec
        and spec["minReplicas"] == spec["maxReplicas"]
    )
    return int(spec["maxReplicas"]) if pinned else situation.replicas


def _size(state: ScalingState, situation: Situation, computed: int | None) -> int | None:
    """The size that the controller sets: the last column of the table in the docstring of this module."""
    if not situation.has_hpa:
        return situation.rules.clamp(situation.replicas)
    if situation.replicas == 0 and not situation.hpa_leaves_zero:
        return situation.rules.low if computed is None else computed
    if not situation.hpa_targets_pool:
        return computed if state.capabilities.api is MetricsApi.NONE else situation.rules.clamp(situation.replicas)
    if situation.replicas == 0:
        return situation.rules.low or None
    return 0 if computed == 0 and situation.replicas == 1 else None


def _expected_size(state: ScalingState, situation: Situation, computed: int | None) -> int:
    """The size that the HPA will set, as far as it is known now."""
    if state.capabilities.api is MetricsApi.NONE and computed is not None:
        return computed
    return situation.rules.clamp(situation.replicas)


def _hpa(state: ScalingState, situation: Situation, computed: int | None) -> dict[str, Any] | None:
    if not situation.has_hpa or state.route.warm_pool is None:
        return None
    rules = situation.rules
    if state.capabilities.api is MetricsApi.NONE and computed is not None:
        rules = replace(rules, low=computed, high=computed)
    rules = replace(rules, low=rules.low if state.capabilities.zero else max(rules.low, 1), high=max(rules.high, 1))
    policies = [(p, hpa.per_replica(p, state.route)) for p in situation.policies]
    return hpa.spec(
        str(state.endpoint["metadata"]["name"]), state.route.warm_pool, policies, rules, state.capabilities.api
    )


def _current_units(state: ScalingState, pods: int, desired: int) -> int:
    """The units that are reached. A decrease counts at once, an increase only when all its pods are Ready."""
    variants: Sequence[Json] = state.status.get("productionVariants") or ({},)
    before = int((variants[0].get("currentServerlessConfig") or {}).get("provisionedConcurrency", 0))
    return desired if state.ready >= pods or desired <= before else before


def _status(state: ScalingState, situation: Situation, desired: int, current: int) -> dict[str, Any]:
    last, upcoming = (
        {"name": due.name, "time": format_timestamp(due.at)} if due else None
        for due in (situation.in_force.last, situation.in_force.next)
    )
    fields = {
        "variantName": state.route.variant_name,
        "minCapacity": situation.bounds.minimum,
        "maxCapacity": situation.bounds.maximum,
        "currentCapacity": current,
        "desiredCapacity": desired,
        "lastScheduledAction": last,
        "nextScheduledAction": upcoming,
    }
    return {k: v for k, v in fields.items() if v is not None} | situation.in_force.memory.to_status()


def _is_idle(state: ScalingState, situation: Situation, computed: int | None) -> bool:
    """Whether the pool is at its minimum and, of all loads, only a request can change that.

    False with a foreign metric, because such a metric can change without a request.
    """
    loads = [state.loads.get(policy.policy_name) for policy in situation.policies]
    return (
        computed == situation.replicas == situation.rules.low
        and not foreign(situation.target)
        and all(load is not None and load.value == 0 for load in loads)
    )


def _requeue_after(state: ScalingState, situation: Situation, computes: bool, idle: bool) -> float | None:
    delays = [condition.grace_left(state, situation)]
    if situation.in_force.next:
        delays.append(situation.in_force.next.at - state.now)
    if idle:
        delays.append(IDLE_RESYNC_SECONDS)
    elif computes:
        delays.append(FIRST_MINUTE_RESYNC_SECONDS if state.history and not state.loads else RESYNC_SECONDS)
    return min((delay for delay in delays if delay is not None), default=None)


def _blocker(situation: Situation) -> Blocker | None:
    """What the user must correct in scheduled actions and scaling policies."""
    if not (errors := (*situation.in_force.failures, *situation.policy_errors)):
        return None
    return Blocker(BlockerKind.STALLED, conditions.INVALID_AUTOSCALING, " ".join(errors), blocking=False)
