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

ENDPOINT_STATUSES: Final = (OUT_OF_SERVICE, CREATING, UPDATING, SYSTEM_UPDATING, ROLLING_BACK, IN_SERVICE, DELETING, FAILED, UPDATE_ROLLBACK_FAILED)


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
