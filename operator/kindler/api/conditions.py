"""The words of status: condition types, statuses and reasons, SageMaker's endpointStatus, and the Condition value."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Final

# Types. Reconciling and Stalled stand only while True: kstatus takes their presence for the sign.
READY: Final = "Ready"  # the present spec is fully in effect
AVAILABLE: Final = "Available"  # the endpoint answers requests, also from zero
RECONCILING: Final = "Reconciling"  # under way
STALLED: Final = "Stalled"  # waits for the user
SCALING_ACTIVE: Final = "ScalingActive"  # only with spec.autoscaling: provisioned concurrency follows its metrics and schedules; does not touch Ready

TRUE: Final = "True"
FALSE: Final = "False"
UNKNOWN: Final = "Unknown"

# Reasons, for all kinds and types.
ACCEPTED: Final = "Accepted"  # Ready of a Model or EndpointConfig
ENDPOINT_CONFIG_NOT_FOUND: Final = "EndpointConfigNotFound"
MODEL_NOT_FOUND: Final = "ModelNotFound"
NAME_TAKEN: Final = "NameTaken"  # an older object has the SageMaker name, or somebody else's object the name of a child
INVALID: Final = "Invalid"  # stored under older rules, or refused by the API server as a child
CREATION_FAILED: Final = "CreationFailed"
UPDATE_FAILED: Final = "UpdateFailed"
CANNOT_START: Final = "CannotStart"  # in service, but pods do not come up when woken
INVALID_AUTOSCALING: Final = "InvalidAutoscaling"  # spec.autoscaling names a variant, schedule or metric that cannot be served; the valid rest acts

# Reasons of ScalingActive, each with the status it goes with.
METRICS_AVAILABLE: Final = "MetricsAvailable"  # True: the HPA reads the metric of every policy
COMPUTED: Final = "Computed"  # True: the controller computes the size, for no metrics API is free, or the pool is at 0 and an HPA would leave it there
SCHEDULED: Final = "Scheduled"  # True: there are no policies, the size is held within the bounds in force
MAXIMUM_IS_ZERO: Final = (
    "MaximumIsZero"  # True: the maximum in force is 0, so nothing is provisioned and no policy acts
)
NO_METRICS: Final = "NoMetrics"  # False: the metric of a policy cannot be read, or no policy can be followed; the size holds, and is not scaled in
SUSPENDED: Final = "Suspended"  # False: spec suspends scaling out and in, the size moves by bounds alone
CANNOT_SCALE: Final = "CannotScale"  # False: the HPA cannot be written, or cannot scale its ReplicaSet
NOT_SCALED_YET: Final = "NotScaledYet"  # Unknown: the HPA stands and has not looked at its metrics yet

# endpointStatus, SageMaker's words. Each of the first four is also the reason of conditions at that moment.
CREATING: Final = "Creating"
UPDATING: Final = "Updating"
IN_SERVICE: Final = "InService"
DELETING: Final = "Deleting"
FAILED: Final = "Failed"
OUT_OF_SERVICE: Final = "OutOfService"
ROLLING_BACK: Final = "RollingBack"
SYSTEM_UPDATING: Final = "SystemUpdating"
UPDATE_ROLLBACK_FAILED: Final = "UpdateRollbackFailed"

# Results of a scaling activity, Application Auto Scaling's words (FAILED, above, is the fourth).
IN_PROGRESS: Final = "InProgress"  # instances have not answered yet
SUCCESSFUL: Final = "Successful"  # the size is reached
OVERRIDDEN: Final = "Overridden"  # a later change came before it was reached

ENDPOINT_STATUSES: Final = (
    OUT_OF_SERVICE,
    CREATING,
    UPDATING,
    SYSTEM_UPDATING,
    ROLLING_BACK,
    IN_SERVICE,
    DELETING,
    FAILED,
    UPDATE_ROLLBACK_FAILED,
)


@dataclass(frozen=True, slots=True)
class Condition:
    """One entry of status.conditions. `last_transition_time` is RFC 3339 in UTC, whole seconds: when `status` last changed."""

    type: str
    status: str
    reason: str
    message: str
    observed_generation: int
    last_transition_time: str

    def to_json(self) -> dict[str, Any]:
        """The object as it stands in status.conditions."""
        return {
            "type": self.type,
            "status": self.status,
            "observedGeneration": self.observed_generation,
            "lastTransitionTime": self.last_transition_time,
            "reason": self.reason,
            "message": self.message,
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Condition:
        """Reads one entry, also one that others wrote (ACK's have neither observedGeneration nor, always, a reason). Raises KeyError without type or status."""
        return cls(
            type=str(value["type"]),
            status=str(value["status"]),
            reason=str(value.get("reason", "")),
            message=str(value.get("message", "")),
            observed_generation=int(value.get("observedGeneration", 0)),
            last_transition_time=str(value.get("lastTransitionTime", "")),
        )


def carried(wanted: Iterable[Condition], found: Iterable[Condition]) -> tuple[Condition, ...]:
    """The conditions to write: as wanted, but with the found lastTransitionTime where the status did not change. What is not wanted goes."""
    before = {c.type: c for c in found}
    return tuple(_carry(c, before.get(c.type)) for c in wanted)


def _carry(wanted: Condition, found: Condition | None) -> Condition:
    if found is None or found.status != wanted.status or not found.last_transition_time:
        return wanted
    return replace(wanted, last_transition_time=found.last_transition_time)
