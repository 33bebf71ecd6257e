"""The condition ScalingActive: whether provisioned concurrency follows its metrics and schedules, and if not, what to do.

what is so                                     status    reason
----------                                     ------    ------
the maximum in force is 0                      True      MaximumIsZero
no policies                                    True      Scheduled
policies, none can be followed                 False     NoMetrics
scaling in and out are suspended               False     Suspended
the controller computes: no load was read yet  Unknown   NotScaledYet
… a load is missing                            False     NoMetrics
… all are known                                True      Computed
the HPA is not there, or has not looked yet    Unknown   NotScaledYet
… cannot scale its ReplicaSet                  False     CannotScale
… cannot read a metric that it needs           False     NoMetrics, once it could not for PATIENCE; until then as it was
… reads them                                   True      MetricsAvailable

The first row that fits counts. "Computes": no API is free, or the pool is at 0 and an HPA would leave it there.
No message holds a size or a load: each write of status wakes every activator's watch.
"""

from __future__ import annotations

from typing import Final

from kindler.api import conditions as c
from kindler.api import names
from kindler.core.autoscaling import hpa
from kindler.core.autoscaling.decision import MetricsApi, ScalingState
from kindler.core.autoscaling.situation import Situation
from kindler.core.common.objects import Json
from kindler.core.common.timestamps import parse_timestamp

Told = tuple[str, str, str]

PATIENCE: Final = (
    90.0  # seconds: a metrics process that starts, with a minute to see, is over by then, and nobody has to know
)

_APIS: Final = {
    MetricsApi.EXTERNAL: f"v1beta1.{names.EXTERNAL_METRICS}",
    MetricsApi.CUSTOM: f"v1beta2.{names.CUSTOM_METRICS}",
}


def scaling_active(state: ScalingState, situation: Situation) -> Told:
    """(status, reason, message)."""
    status, reason, message = _active(state, situation)
    return status, reason, " ".join((message, *_notes(situation, status)))


def _active(state: ScalingState, situation: Situation) -> Told:
    within = f"within the bounds in force, {situation.bounds.minimum} to {situation.bounds.maximum}"
    if situation.bounds.maximum == 0:
        return (
            c.TRUE,
            c.MAXIMUM_IS_ZERO,
            "The maximum in force is 0: nothing is provisioned, and all requests are served on demand.",
        )
    if not situation.target.scaling_policies:
        return c.TRUE, c.SCHEDULED, f"There are no scaling policies: the size is held {within}."
    if not situation.served:
        return (
            c.FALSE,
            c.NO_METRICS,
            f"No scaling policy can be followed, see the condition Stalled: the size is held {within}.",
        )
    if not situation.rules.scales_out and situation.target.suspended_state.dynamic_scaling_in_suspended:
        return (
            c.FALSE,
            c.SUSPENDED,
            f"suspendedState suspends scaling in and out: policies do not act, the size is held {within}.",
        )
    if situation.measured(state) and (state.capabilities.api is MetricsApi.NONE or situation.standing == 0):
        return _computed(state, situation)
    return _scaled(state, situation)


def _computed(state: ScalingState, situation: Situation) -> Told:
    if not any(p.policy_name in state.loads for p in situation.served):
        return (
            c.UNKNOWN,
            c.NOT_SCALED_YET,
            "The load is being measured: the size holds until it is known for a whole minute.",
        )
    loads = [(p.policy_name, state.loads.get(p.policy_name)) for p in situation.served]
    for name, load in loads:
        if load is None or load.value is None:
            reason = load.reason if load and load.reason else "it is not known yet"
            return (
                c.FALSE,
                c.NO_METRICS,
                f"The load of policy '{name}' is missing: {reason.rstrip('.')}. The size holds, and is not scaled in.",
            )
    if state.capabilities.api is MetricsApi.NONE:
        both = f"{names.EXTERNAL_METRICS} and {names.CUSTOM_METRICS}"
        return (
            c.TRUE,
            c.COMPUTED,
            f"Other servers have {both}: the controller computes the size, and pins the HorizontalPodAutoscaler to it.",
        )
    return (
        c.TRUE,
        c.COMPUTED,
        "The warm pool is at 0: the controller reads the load and raises it, a HorizontalPodAutoscaler would leave it there.",
    )


def _scaled(state: ScalingState, situation: Situation) -> Told:
    name = names.autoscaler_name(str(state.endpoint["metadata"]["name"]))
    if state.hpa is None or not situation.stands:
        return c.UNKNOWN, c.NOT_SCALED_YET, f"HorizontalPodAutoscaler {name} does not lead to the warm pool yet."
    able, works = (hpa.condition(state.hpa, kind) for kind in ("AbleToScale", "ScalingActive"))
    if able and able.get("status") == "False":
        return (
            c.FALSE,
            c.CANNOT_SCALE,
            f"HorizontalPodAutoscaler {name}: {_sentence(able)} The size holds; see kubectl describe hpa {name}.",
        )
    if works is None or works.get("reason") == "ScalingDisabled":  # said of a pool at 0, that is raised in this pass
        return c.UNKNOWN, c.NOT_SCALED_YET, f"HorizontalPodAutoscaler {name} has not looked at its metrics yet."
    if works.get("status") != "True" and not _stood(state, c.NO_METRICS) and patience(state, situation) is not None:
        if not _stood(state, c.METRICS_AVAILABLE):
            return c.UNKNOWN, c.NOT_SCALED_YET, f"HorizontalPodAutoscaler {name} has not read its metrics yet."
    elif works.get("status") != "True":
        api = _APIS.get(state.capabilities.api, "")
        remedy = f"The size holds. See kubectl get apiservice {api} and the pods of the metrics process, which say more in their log."
        return c.FALSE, c.NO_METRICS, f"HorizontalPodAutoscaler {name}: {_sentence(works)} {remedy}"
    return (
        c.TRUE,
        c.METRICS_AVAILABLE,
        f"HorizontalPodAutoscaler {name} sizes the warm pool within {situation.bounds.minimum} to {situation.bounds.maximum}.",
    )


def patience(state: ScalingState, situation: Situation) -> float | None:
    """Seconds for which nothing is said yet of metrics that the HPA cannot read; None where it can, or that has lasted."""
    works = hpa.condition(state.hpa, "ScalingActive") if state.hpa and situation.stands else None
    since = parse_timestamp(works.get("lastTransitionTime")) if works and works.get("status") == "False" else None
    left = since + PATIENCE - state.now if since is not None else 0.0
    return left if left > 0 else None


def _stood(state: ScalingState, reason: str) -> bool:
    """Whether that was told of scaling until now."""
    return any(
        (found.get("type"), found.get("reason")) == (c.SCALING_ACTIVE, reason)
        for found in state.status.get("conditions") or ()
    )


def _notes(situation: Situation, status: str) -> list[str]:
    """What is so beside."""
    rests, notes = situation.target.suspended_state, []
    if status == c.TRUE and situation.served and rests.dynamic_scaling_in_suspended:
        notes.append("Scaling in is suspended.")
    if status == c.TRUE and situation.served and rests.dynamic_scaling_out_suspended:
        notes.append("Scaling out is suspended.")
    if rests.scheduled_scaling_suspended and situation.target.scheduled_actions:
        notes.append("Scheduled actions are suspended: the bounds stay as they are.")
    if situation.force.bounds.maximum > situation.bounds.maximum:
        held = f"maxCapacity {situation.force.bounds.maximum} is held at {situation.bounds.maximum}"
        notes.append(f"{held}, the maxConcurrency of the endpoint configuration; lower the one or raise the other.")
    return notes


def _sentence(condition: Json) -> str:
    return f"{str(condition.get('message') or condition.get('reason') or 'it does not say why').rstrip('. ')}."
