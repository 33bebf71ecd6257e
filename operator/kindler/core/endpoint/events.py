"""Which change of an Endpoint's status is worth an Event: a function of the two statuses, so that a restart tells nothing twice.

before                     after                              Event
------                     -----                              -----
no word                    Creating                           Normal  Creating
anything                   waits for a reference              Warning EndpointConfigNotFound, ModelNotFound
not in service             in service                         Normal  InService
in service                 Updating                           Normal  Updating
Updating, failed           another revision or limits serve   Normal  Updated
anything                   failed, or for another reason      Warning CreationFailed; UpdateFailed, RolledBack; NameTaken …
pods could start           pods cannot start                  Warning CannotStart
in service, not ready      in service, ready, same route      Normal  InService
a size is wanted           another is                         Normal  ScalingOut, ScalingIn
sizes follow metrics       they cannot                        Warning NoMetrics, CannotScale …
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kindler.api import conditions as c
from kindler.core.common.objects import Json

NORMAL, WARNING = "Normal", "Warning"
_SCALING_TROUBLE = (c.NO_METRICS, c.CANNOT_SCALE)


@dataclass(frozen=True, slots=True)
class StatusEvent:
    """One Event: its type, reason and note."""

    type: str
    reason: str
    note: str


def events_of(old: Json, new: Json) -> tuple[StatusEvent, ...]:
    """The Events of a change of status from `old` to `new`, in order."""
    return (*_state(old, new), *_scaling(old, new))


def _state(old: Json, new: Json) -> tuple[StatusEvent, ...]:
    if not old.get("endpointStatus") and new.get("endpointStatus") == c.CREATING and not _waits(new):
        return (StatusEvent(NORMAL, c.CREATING, "The endpoint is being created."),)
    ready = _condition(new, c.READY)
    before = _condition(old, c.READY)
    if ready.get("status") == c.TRUE:
        return _arrived(old, new)
    if (ready.get("reason"), ready.get("message")) == (before.get("reason"), before.get("message")):
        return ()
    reason, message = str(ready.get("reason")), str(ready.get("message"))
    if reason == c.UPDATE_FAILED:
        note = f"{old.get('endpointConfigName') or new.get('endpointConfigName')} serves on."
        again = before.get("reason") == c.UPDATE_FAILED
        return (
            (StatusEvent(WARNING, reason, message),)
            if again
            else (StatusEvent(WARNING, reason, message), StatusEvent(NORMAL, "RolledBack", note))
        )
    if reason == c.UPDATING:
        return (StatusEvent(NORMAL, c.UPDATING, message),) if before.get("reason") != c.UPDATING else ()
    if reason in (c.CREATING, c.DELETING):
        return ()
    return (StatusEvent(WARNING, reason, message),)


def _arrived(old: Json, new: Json) -> tuple[StatusEvent, ...]:
    same = _served(old) == _served(new)
    if same and _condition(old, c.READY).get("status") == c.TRUE:
        return ()
    config = new.get("endpointConfigName")
    if old.get("route") and not same:
        return (StatusEvent(NORMAL, "Updated", f"The endpoint serves {config} now."),)
    return (StatusEvent(NORMAL, c.IN_SERVICE, f"The endpoint is in service with {config}."),)


def _served(status: Json) -> dict[str, Any]:
    """The route but for its pools: a warm pool comes and goes with spec.autoscaling, and that is no update."""
    return {k: v for k, v in (status.get("route") or {}).items() if k != "pools"}


def _scaling(old: Json, new: Json) -> tuple[StatusEvent, ...]:
    """The user's own wish (suspended) is no news, and an obstacle is told as the reason of Ready."""
    events = []
    before, (latest, *_) = (old.get("scalingActivities") or [None])[0], (new.get("scalingActivities") or [None])
    if latest and not (before and _moment(before) == _moment(latest)):
        reason = "ScalingOut" if latest["to"] > latest["from"] else "ScalingIn"
        events.append(
            StatusEvent(
                NORMAL, reason, f"Provisioned concurrency from {latest['from']} to {latest['to']}: {latest['cause']}."
            )
        )
    was, active = _condition(old, c.SCALING_ACTIVE), _condition(new, c.SCALING_ACTIVE)
    if active.get("status") == c.FALSE != was.get("status") and active.get("reason") in _SCALING_TROUBLE:
        events.append(StatusEvent(WARNING, active["reason"], active["message"]))
    return tuple(events)


def _moment(activity: Json) -> tuple[Any, ...]:
    return activity["time"], activity["from"], activity["to"]


def _waits(new: Json) -> bool:
    return _condition(new, c.READY).get("reason") in (c.ENDPOINT_CONFIG_NOT_FOUND, c.MODEL_NOT_FOUND)


def _condition(status: Json, kind: str) -> dict[str, Any]:
    return next((x for x in status.get("conditions") or () if x.get("type") == kind), {})
