"""The condition ScalingActive: whether provisioned concurrency follows its metrics and schedules.

If it does not, the message of the condition says what the user can do.

case                                                   status   reason
----                                                   ------   ------
the maximum in force is 0                              True     MaximumIsZero
no policies                                            True     Scheduled
there are policies, but none is usable                 False    NoMetrics
scaling in and out are suspended                       False    Suspended
the controller computes: no load was read yet          Unknown  NotScaledYet
the controller computes: a load is missing             False    NoMetrics
the controller computes: all loads are known           True     Computed
the HPA is missing, or has not read its metrics yet    Unknown  NotScaledYet
the HPA cannot scale its ReplicaSet                    False    CannotScale
the HPA cannot read a metric that it needs             False    NoMetrics after GRACE_SECONDS; before that unchanged
the HPA reads its metrics                              True     MetricsAvailable

The first row that matches counts. The controller computes the size if no API is free, or if the pool is at 0 and an HPA
would leave it there. No message contains the current size or load, because each write of status is sent to the watches
of all activators.
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

ConditionText = tuple[str, str, str]

# After this time a restarted metrics process has sampled a whole minute. So its restart alone is not reported.
GRACE_SECONDS: Final = 90.0

_APIS: Final = {
    MetricsApi.EXTERNAL: f"v1beta1.{names.EXTERNAL_METRICS}",
    MetricsApi.CUSTOM: f"v1beta2.{names.CUSTOM_METRICS}",
}


def scaling_active(state: ScalingState, situation: Situation) -> ConditionText:
    """The condition ScalingActive as (status, reason, message)."""
    status, reason, message = _condition(state, situation)
    return status, reason, " ".join((message, *_notes(situation, status)))


def _condition(state: ScalingState, situation: Situation) -> ConditionText:
    within = f"within the bounds in force, {situation.bounds.minimum} to {situation.bounds.maximum}"
    if situation.bounds.maximum == 0:
        return (
            c.TRUE,
            c.MAXIMUM_IS_ZERO,
            "The maximum in force is 0: nothing is provisioned, and all requests are served on demand.",
        )
    if not situation.target.scaling_policies:
        return c.TRUE, c.SCHEDULED, f"There are no scaling policies: the size is held {within}."
    if not situation.policies:
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
    if situation.controller_computes(state) and (state.capabilities.api is MetricsApi.NONE or situation.replicas == 0):
        return _of_controller(state, situation)
    return _of_hpa(state, situation)


def _of_controller(state: ScalingState, situation: Situation) -> ConditionText:
    if not any(p.policy_name in state.loads for p in situation.policies):
        return (
            c.UNKNOWN,
            c.NOT_SCALED_YET,
            "The load is being measured: the size holds until it is known for a whole minute.",
        )
    loads = [(p.policy_name, state.loads.get(p.policy_name)) for p in situation.policies]
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
        "The warm pool is at 0: the controller reads the load and raises it, "
        "a HorizontalPodAutoscaler would leave it there.",
    )


def _of_hpa(state: ScalingState, situation: Situation) -> ConditionText:
    name = names.autoscaler_name(str(state.endpoint["metadata"]["name"]))
    if state.hpa is None or not situation.hpa_targets_pool:
        return c.UNKNOWN, c.NOT_SCALED_YET, f"HorizontalPodAutoscaler {name} does not scale the warm pool yet."
    able, active = (hpa.condition(state.hpa, kind) for kind in ("AbleToScale", "ScalingActive"))
    if able and able.get("status") == "False":
        return (
            c.FALSE,
            c.CANNOT_SCALE,
            f"HorizontalPodAutoscaler {name}: {_sentence(able)} The size holds; see kubectl describe hpa {name}.",
        )
    # The HPA reports ScalingDisabled for a pool at 0, which this pass scales up.
    if active is None or active.get("reason") == "ScalingDisabled":
        return c.UNKNOWN, c.NOT_SCALED_YET, f"HorizontalPodAutoscaler {name} has not read its metrics yet."
    reads = active.get("status") == "True"
    if not reads and not _reported(state, c.NO_METRICS) and grace_left(state, situation) is not None:
        if not _reported(state, c.METRICS_AVAILABLE):
            return c.UNKNOWN, c.NOT_SCALED_YET, f"HorizontalPodAutoscaler {name} has not read its metrics yet."
    elif not reads:
        api = _APIS.get(state.capabilities.api, "")
        process = "the pods of the metrics process, which say more in their log"
        remedy = f"The size holds. See kubectl get apiservice {api} and {process}."
        return c.FALSE, c.NO_METRICS, f"HorizontalPodAutoscaler {name}: {_sentence(active)} {remedy}"
    return (
        c.TRUE,
        c.METRICS_AVAILABLE,
        f"HorizontalPodAutoscaler {name} sizes the warm pool "
        f"within {situation.bounds.minimum} to {situation.bounds.maximum}.",
    )


def grace_left(state: ScalingState, situation: Situation) -> float | None:
    """Seconds until the condition reports that the HPA cannot read metrics.

    None: the HPA can read them, or the grace period is over.
    """
    active = hpa.condition(state.hpa, "ScalingActive") if state.hpa and situation.hpa_targets_pool else None
    since = parse_timestamp(active.get("lastTransitionTime")) if active and active.get("status") == "False" else None
    remaining = since + GRACE_SECONDS - state.now if since is not None else 0.0
    return remaining if remaining > 0 else None


def _reported(state: ScalingState, reason: str) -> bool:
    """Whether the status reports ScalingActive with this reason."""
    return any(
        (stored.get("type"), stored.get("reason")) == (c.SCALING_ACTIVE, reason)
        for stored in state.status.get("conditions") or ()
    )


def _notes(situation: Situation, status: str) -> list[str]:
    """The sentences to append to the message: what is suspended, and whether maxConcurrency limits the maximum."""
    suspended, notes = situation.target.suspended_state, []
    if status == c.TRUE and situation.policies and suspended.dynamic_scaling_in_suspended:
        notes.append("Scaling in is suspended.")
    if status == c.TRUE and situation.policies and suspended.dynamic_scaling_out_suspended:
        notes.append("Scaling out is suspended.")
    if suspended.scheduled_scaling_suspended and situation.target.scheduled_actions:
        notes.append("Scheduled actions are suspended: the bounds stay as they are.")
    if situation.in_force.bounds.maximum > situation.bounds.maximum:
        held = f"maxCapacity {situation.in_force.bounds.maximum} is held at {situation.bounds.maximum}"
        notes.append(f"{held}, the maxConcurrency of the endpoint configuration; lower the one or raise the other.")
    return notes


def _sentence(condition: Json) -> str:
    return f"{str(condition.get('message') or condition.get('reason') or 'it does not say why').rstrip('. ')}."
