"""The decision about the warm pool of one Endpoint: who sizes it, and to what.

policies   maximum   API    minimum   pool   HPA's bounds         the controller's size
--------   -------   ---    -------   ----   ------------         ---------------------
none       any       any    any       any    no HPA               the present size, held within the bounds
some       0         any    any       any    no HPA               0
some       above     some   above 0   0      minimum .. maximum   the minimum
some       above     some   above 0   1..    minimum .. maximum   -
some       above     some   0         0      0 .. maximum         the rule's, unless the HPA brought the pool to 0 and so watches it
some       above     some   0         1..    0 .. maximum         -
some       above     some   refused   0      1 .. maximum         the rule's
some       above     some   refused   1..    1 .. maximum         0 from 1 when the rule says 0, else -
some       above     none   any       0      the rule's           the rule's
some       above     none   any       1..    the rule's           0 from 1 when the rule says 0, else -

"The rule": core/autoscaling/tracking.py, the HPA's own. "refused": the minimum is 0, and the API server takes no HPA with that.
An HPA's maximum is at least 1: where the
rule says 0 it is pinned to 1, and the controller does the last step. "-": the HPA sizes the pool; until one stands that leads to it, the controller does.
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

# Seconds between looks at loads that the controller measures itself: where they move the size; while a whole minute has to be seen first; where nobody asks
# for anything, and the Meter rings at the first request.
LOOK: Final = 5.0
BLIND_LOOK: Final = 15.0
QUIET_LOOK: Final = 60.0


def decide(state: ScalingState) -> ScalingDecision:
    """What the warm pool of `facts.route` must be now."""
    if state.target is None:
        return _fixed(state)
    situation = situation_of(state, state.target)
    measured = situation.measured(state)
    computed, history = _rule(state, situation) if measured else (None, ())
    size = _size(state, situation, computed)
    pods = size if size is not None else _awaited(state, situation, computed)
    desired = min(pods * state.route.max_concurrency_per_instance, situation.bounds.maximum)
    current = _reached(state, pods, desired)
    return ScalingDecision(
        size=size,
        floor=situation.rules.clamp(situation.standing),
        hpa=_hpa(state, situation, computed),
        status=_status(state, situation, desired, current),
        desired=desired,
        current=current,
        cause=cause.cause(state, situation, desired),
        active=condition.scaling_active(state, situation),
        blocker=_stalled(" ".join(told)) if (told := (*situation.force.failures, *situation.refused)) else None,
        measures_load=measured,
        idle=(quiet := measured and _quiet(state, situation, computed)),
        requeue_after=_again(state, situation, measured, quiet),
        history=history,
    )


def _fixed(state: ScalingState) -> ScalingDecision:
    """Without autoscaling: provisionedConcurrency, at once."""
    desired = state.route.provisioned_concurrency
    size = instances(desired, state.route)
    return ScalingDecision(
        size=size,
        floor=size,
        desired=desired,
        current=_reached(state, size, desired),
        cause=cause.fixed(state, desired),
    )


def _rule(state: ScalingState, situation: Situation) -> tuple[int, History]:
    loads = [(state.loads.get(p.policy_name), hpa.per_replica(p, state.route)) for p in situation.served]
    tracked = [Tracked(load.value if load else None, per_replica) for load, per_replica in loads]
    present = _present(state, situation) if any(t.load is None for t in tracked) else situation.standing
    return replicas(tracked, present, situation.rules, state.history, state.now)


def _present(state: ScalingState, situation: Situation) -> int:
    """What holds while a load is missing: the pool's size; but of a pool that its HPA is still to bring to where it was pinned, that."""
    spec: Json = state.hpa["spec"] if state.hpa and situation.stands and situation.standing > 0 else {}
    pinned = (
        state.capabilities.api is MetricsApi.NONE
        and "minReplicas" in spec
        and spec["minReplicas"] == spec["maxReplicas"]
    )
    return int(spec["maxReplicas"]) if pinned else situation.standing


def _size(state: ScalingState, situation: Situation, computed: int | None) -> int | None:
    """The last column of the table at the top."""
    if not situation.tracks:
        return situation.rules.clamp(situation.standing)
    if situation.standing == 0 and not situation.watched:
        return situation.rules.low if computed is None else computed
    if not situation.stands:
        return computed if state.capabilities.api is MetricsApi.NONE else situation.rules.clamp(situation.standing)
    if situation.standing == 0:
        return situation.rules.low or None
    return 0 if computed == 0 and situation.standing == 1 else None


def _awaited(state: ScalingState, situation: Situation, computed: int | None) -> int:
    """Pods that the HPA is to bring about, as far as can be said now."""
    if state.capabilities.api is MetricsApi.NONE and computed is not None:
        return computed
    return situation.rules.clamp(situation.standing)


def _hpa(state: ScalingState, situation: Situation, computed: int | None) -> dict[str, Any] | None:
    if not situation.tracks or state.route.warm_pool is None:
        return None
    rules = situation.rules
    if state.capabilities.api is MetricsApi.NONE and computed is not None:
        rules = replace(rules, low=computed, high=computed)
    rules = replace(rules, low=rules.low if state.capabilities.zero else max(rules.low, 1), high=max(rules.high, 1))
    policies = [(p, hpa.per_replica(p, state.route)) for p in situation.served]
    return hpa.spec(
        str(state.endpoint["metadata"]["name"]), state.route.warm_pool, policies, rules, state.capabilities.api
    )


def _reached(state: ScalingState, pods: int, desired: int) -> int:
    """Units that count: what is taken away at once, what is added when all of its pods have answered."""
    variants: Sequence[Json] = state.status.get("productionVariants") or ({},)
    before = int((variants[0].get("currentServerlessConfig") or {}).get("provisionedConcurrency", 0))
    return desired if state.ready >= pods or desired <= before else before


def _status(state: ScalingState, situation: Situation, desired: int, current: int) -> dict[str, Any]:
    last, following = (
        {"name": due.name, "time": format_timestamp(due.at)} if due else None
        for due in (situation.force.last, situation.force.next)
    )
    told = {
        "variantName": state.route.variant_name,
        "minCapacity": situation.bounds.minimum,
        "maxCapacity": situation.bounds.maximum,
        "currentCapacity": current,
        "desiredCapacity": desired,
        "lastScheduledAction": last,
        "nextScheduledAction": following,
    }
    return {k: v for k, v in told.items() if v is not None} | situation.force.memory.to_status()


def _quiet(state: ScalingState, situation: Situation, computed: int | None) -> bool:
    """Whether the pool is at its minimum, and nobody asks for anything. What others measure moves without a request."""
    loads = [state.loads.get(policy.policy_name) for policy in situation.served]
    return (
        computed == situation.standing == situation.rules.low
        and not foreign(situation.target)
        and all(load is not None and load.value == 0 for load in loads)
    )


def _again(state: ScalingState, situation: Situation, measured: bool, quiet: bool) -> float | None:
    following = situation.force.next.at - state.now if situation.force.next else None
    look = QUIET_LOOK if quiet else BLIND_LOOK if state.history and not state.loads else LOOK
    moments = (following, look if measured else None, condition.patience(state, situation))
    return min((m for m in moments if m is not None), default=None)


def _stalled(message: str) -> Blocker:
    return Blocker(BlockerKind.STALLED, conditions.INVALID_AUTOSCALING, message, blocking=False)
