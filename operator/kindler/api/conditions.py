"""Constants of status: condition types, statuses and reasons, SageMaker's endpointStatus; and the Condition value."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Final

# Types. Reconciling and Stalled are present only while True, because kstatus checks their presence.
READY: Final = "Ready"  # the current spec is fully in effect
AVAILABLE: Final = "Available"  # the endpoint serves requests, also when it is scaled to zero
RECONCILING: Final = "Reconciling"  # the controller or the pods still have work to do
STALLED: Final = "Stalled"  # the user must change something
# Only with spec.autoscaling: provisioned concurrency follows its metrics and schedules. It does not influence Ready.
SCALING_ACTIVE: Final = "ScalingActive"

TRUE: Final = "True"
FALSE: Final = "False"
UNKNOWN: Final = "Unknown"

# Reasons of all kinds and types.
ACCEPTED: Final = "Accepted"  # Ready of a Model or EndpointConfig
ENDPOINT_CONFIG_NOT_FOUND: Final = "EndpointConfigNotFound"
MODEL_NOT_FOUND: Final = "ModelNotFound"
# An older object has the same SageMaker name, or an object that is not Kindler's has the name of a child.
NAME_TAKEN: Final = "NameTaken"
# The object violates a rule that did not exist when it was stored, or the API server rejects a child as invalid.
INVALID: Final = "Invalid"
CREATION_FAILED: Final = "CreationFailed"
UPDATE_FAILED: Final = "UpdateFailed"
CANNOT_START: Final = "CannotStart"  # in service, but pods do not start when a request needs them
# spec.autoscaling names a variant, schedule or metric that cannot be used. The valid entries remain in effect.
INVALID_AUTOSCALING: Final = "InvalidAutoscaling"

# Reasons of ScalingActive, each with the status that it belongs to.
METRICS_AVAILABLE: Final = "MetricsAvailable"  # True: the HPA reads the metric of every policy
# True: the controller computes the size, because no metrics API is free, or because the pool is at 0 (an HPA does not
# scale a pool up from 0).
COMPUTED: Final = "Computed"
SCHEDULED: Final = "Scheduled"  # True: there are no policies; the size stays within the bounds in force
# True: the maximum in force is 0, so nothing is provisioned and no policy acts.
MAXIMUM_IS_ZERO: Final = "MaximumIsZero"
# False: the metric of a policy cannot be read, or no policy can be applied. The size stays and is not scaled in.
NO_METRICS: Final = "NoMetrics"
SUSPENDED: Final = "Suspended"  # False: spec suspends scaling out and in; only the bounds change the size
CANNOT_SCALE: Final = "CannotScale"  # False: the HPA cannot be written, or cannot scale its ReplicaSet
NOT_SCALED_YET: Final = "NotScaledYet"  # Unknown: the HPA exists but has not read its metrics yet

# endpointStatus: SageMaker's values. While one of the first four is reported, it can also be the reason of conditions.
CREATING: Final = "Creating"
UPDATING: Final = "Updating"
IN_SERVICE: Final = "InService"
DELETING: Final = "Deleting"
FAILED: Final = "Failed"
OUT_OF_SERVICE: Final = "OutOfService"
ROLLING_BACK: Final = "RollingBack"
SYSTEM_UPDATING: Final = "SystemUpdating"
UPDATE_ROLLBACK_FAILED: Final = "UpdateRollbackFailed"

# Results of a scaling activity, as in Application Auto Scaling. FAILED, which is defined above, is the fourth result.
IN_PROGRESS: Final = "InProgress"  # instances have not responded yet
SUCCESSFUL: Final = "Successful"  # the size is reached
OVERRIDDEN: Final = "Overridden"  # a later change replaced it before the size was reached

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
    """One entry of status.conditions.

    `last_transition_time`: when `status` last changed (RFC 3339, UTC, whole seconds).
    """

    type: str
    status: str
    reason: str
    message: str
    observed_generation: int
    last_transition_time: str

    def to_json(self) -> dict[str, Any]:
        """The object as stored in status.conditions."""
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
        """Reads one entry, also one that another controller wrote. Raises KeyError without type or status.

        ACK's conditions have no observedGeneration, and some have no reason.
        """
        return cls(
            type=str(value["type"]),
            status=str(value["status"]),
            reason=str(value.get("reason", "")),
            message=str(value.get("message", "")),
            observed_generation=int(value.get("observedGeneration", 0)),
            last_transition_time=str(value.get("lastTransitionTime", "")),
        )


def carried(desired: Iterable[Condition], stored: Iterable[Condition]) -> tuple[Condition, ...]:
    """The conditions to write: the desired ones, with the stored lastTransitionTime where the status did not change.

    Stored conditions that are not desired are dropped.
    """
    by_type = {c.type: c for c in stored}
    return tuple(_with_stored_time(c, by_type.get(c.type)) for c in desired)


def _with_stored_time(desired: Condition, stored: Condition | None) -> Condition:
    if stored is None or stored.status != desired.status or not stored.last_transition_time:
        return desired
    return replace(desired, last_transition_time=stored.last_transition_time)
