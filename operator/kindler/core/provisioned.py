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

"The rule": core/tracking.py, the HPA's own. "refused": the minimum is 0, and the API server takes no HPA with that. An HPA's maximum is at least 1: where the
rule says 0 it is pinned to 1, and the controller does the last step. "-": the HPA sizes the pool; until one stands that leads to it, the controller does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from kindler.api import conditions
from kindler.core import autoscaler, scalingactive, scalingcause
from kindler.core.facts import Json, Kind, Obstacle
from kindler.core.loads import foreign
from kindler.core.moments import stamp
from kindler.core.provision import Facts, MetricsApi, Provision
from kindler.core.revision import instances
from kindler.core.situation import Situation, situation_of
from kindler.core.tracking import History, Tracked, replicas

# Seconds between looks at loads that the controller measures itself: where they move the size; while a whole minute has to be seen first; where nobody asks
# for anything, and the Meter rings at the first request.
LOOK: Final = 5.0
BLIND_LOOK: Final = 15.0
QUIET_LOOK: Final = 60.0


def choose(entries: Sequence[Json], variant: str) -> tuple[Json | None, Obstacle | None]:
    """The entry of spec.autoscaling, as JSON, for this variant; and what to tell of entries for others, since an endpoint has one variant."""
    chosen = next((e for e in entries if e.get("variantName") == variant), None)
    others = sorted(str(e.get("variantName")) for e in entries if e.get("variantName") != variant)
    if not others:
        return chosen, None
    named = ", ".join(f"'{name}'" for name in others)
    remedy = "remove what is for other variants" if chosen else f"write variantName: {variant}"
    return chosen, _stalled(f"spec.autoscaling names the variant {named}, and that of the endpoint configuration is '{variant}': {remedy}.")


def renamed(endpoint: Json) -> Json | None:
    """The entry of an Endpoint whose variant gets another name by the update that is under way: it holds for what serves until then, too."""
    spec, told = endpoint["spec"], endpoint.get("status") or {}
    entries: Sequence[Json] = spec.get("autoscaling") or ()
    updates = told.get("endpointConfigName") not in (None, spec.get("endpointConfigName"))
    return entries[0] if updates and len(entries) == 1 else None


def provide(facts: Facts) -> Provision:
    """What the warm pool of `facts.route` must be now."""
    if facts.target is None:
        return _fixed(facts)
    case = situation_of(facts, facts.target)
    measured = case.measured(facts)
    computed, history = _rule(facts, case) if measured else (None, ())
    size = _size(facts, case, computed)
    pods = size if size is not None else _awaited(facts, case, computed)
    desired = min(pods * facts.route.max_concurrency_per_instance, case.bounds.maximum)
    current = _reached(facts, pods, desired)
    return Provision(
        size=size,
        floor=case.rules.clamp(case.standing),
        autoscaler=_autoscaler(facts, case, computed),
        status=_status(facts, case, desired, current),
        desired=desired,
        current=current,
        cause=scalingcause.cause(facts, case, desired),
        active=scalingactive.active(facts, case),
        obstacle=_stalled(" ".join(told)) if (told := (*case.force.troubles, *case.refused)) else None,
        measure=measured,
        quiet=(quiet := measured and _quiet(facts, case, computed)),
        again=_again(facts, case, measured, quiet),
        history=history,
    )


def _fixed(facts: Facts) -> Provision:
    """Without autoscaling: provisionedConcurrency, at once."""
    desired = facts.route.provisioned_concurrency
    size = instances(desired, facts.route)
    return Provision(size=size, floor=size, desired=desired, current=_reached(facts, size, desired), cause=scalingcause.fixed(facts, desired))


def _rule(facts: Facts, case: Situation) -> tuple[int, History]:
    loads = [(facts.loads.get(p.policy_name), autoscaler.per_replica(p, facts.route)) for p in case.served]
    tracked = [Tracked(load.value if load else None, per_replica) for load, per_replica in loads]
    present = _present(facts, case) if any(t.load is None for t in tracked) else case.standing
    return replicas(tracked, present, case.rules, facts.history, facts.now)


def _present(facts: Facts, case: Situation) -> int:
    """What holds while a load is missing: the pool's size; but of a pool that its HPA is still to bring to where it was pinned, that."""
    spec: Json = facts.autoscaler["spec"] if facts.autoscaler and case.stands and case.standing > 0 else {}
    pinned = facts.around.api is MetricsApi.NONE and "minReplicas" in spec and spec["minReplicas"] == spec["maxReplicas"]
    return int(spec["maxReplicas"]) if pinned else case.standing


def _size(facts: Facts, case: Situation, computed: int | None) -> int | None:
    """The last column of the table at the top."""
    if not case.tracks:
        return case.rules.clamp(case.standing)
    if case.standing == 0 and not case.watched:
        return case.rules.low if computed is None else computed
    if not case.stands:
        return computed if facts.around.api is MetricsApi.NONE else case.rules.clamp(case.standing)
    if case.standing == 0:
        return case.rules.low or None
    return 0 if computed == 0 and case.standing == 1 else None


def _awaited(facts: Facts, case: Situation, computed: int | None) -> int:
    """Pods that the HPA is to bring about, as far as can be said now."""
    if facts.around.api is MetricsApi.NONE and computed is not None:
        return computed
    return case.rules.clamp(case.standing)


def _autoscaler(facts: Facts, case: Situation, computed: int | None) -> dict[str, Any] | None:
    if not case.tracks or facts.route.warm_pool is None:
        return None
    rules = case.rules
    if facts.around.api is MetricsApi.NONE and computed is not None:
        rules = replace(rules, low=computed, high=computed)
    rules = replace(rules, low=rules.low if facts.around.zero else max(rules.low, 1), high=max(rules.high, 1))
    policies = [(p, autoscaler.per_replica(p, facts.route)) for p in case.served]
    return autoscaler.spec(str(facts.endpoint["metadata"]["name"]), facts.route.warm_pool, policies, rules, facts.around.api)


def _reached(facts: Facts, pods: int, desired: int) -> int:
    """Units that count: what is taken away at once, what is added when all of its pods have answered."""
    variants: Sequence[Json] = facts.status.get("productionVariants") or ({},)
    before = int((variants[0].get("currentServerlessConfig") or {}).get("provisionedConcurrency", 0))
    return desired if facts.ready >= pods or desired <= before else before


def _status(facts: Facts, case: Situation, desired: int, current: int) -> dict[str, Any]:
    last, following = ({"name": due.name, "time": stamp(due.at)} if due else None for due in (case.force.last, case.force.next))
    told = {
        "variantName": facts.route.variant_name,
        "minCapacity": case.bounds.minimum,
        "maxCapacity": case.bounds.maximum,
        "currentCapacity": current,
        "desiredCapacity": desired,
        "lastScheduledAction": last,
        "nextScheduledAction": following,
    }
    return {k: v for k, v in told.items() if v is not None} | case.force.memory.to_status()


def _quiet(facts: Facts, case: Situation, computed: int | None) -> bool:
    """Whether the pool is at its minimum, and nobody asks for anything. What others measure moves without a request."""
    loads = [facts.loads.get(policy.policy_name) for policy in case.served]
    return computed == case.standing == case.rules.low and not foreign(case.target) and all(load is not None and load.value == 0 for load in loads)


def _again(facts: Facts, case: Situation, measured: bool, quiet: bool) -> float | None:
    following = case.force.next.at - facts.now if case.force.next else None
    look = QUIET_LOOK if quiet else BLIND_LOOK if facts.history and not facts.loads else LOOK
    moments = (following, look if measured else None, scalingactive.patience(facts, case))
    return min((m for m in moments if m is not None), default=None)


def _stalled(message: str) -> Obstacle:
    return Obstacle(Kind.STALLED, conditions.INVALID_AUTOSCALING, message, blocking=False)
