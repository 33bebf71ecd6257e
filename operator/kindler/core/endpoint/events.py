"""The Events for a change of an Endpoint's status.

They are a function of the old and the new status, so that a restarted controller repeats no Event.

before                    after                              Event
------                    -----                              -----
no status                 Creating                           Normal  Creating
any                       waits for a reference              Warning EndpointConfigNotFound, ModelNotFound
not in service            in service                         Normal  InService
in service                Updating                           Normal  Updating
had a route               ready, with another route          Normal  Updated
any                       the creation failed                Warning CreationFailed
any                       the update failed                  Warning UpdateFailed, Normal RolledBack
any                       Deleting                           none
any                       not ready for another reason       Warning with that reason, for example NameTaken
pods could start          pods cannot start                  Warning CannotStart
in service, not ready     in service, ready, same route      Normal  InService
one desired size          another desired size               Normal  ScalingOut, ScalingIn
ScalingActive not False   ScalingActive is False             Warning NoMetrics, CannotScale
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kindler.api import conditions as c
from kindler.core.common.objects import Json
from kindler.core.endpoint.reported import reported_condition

NORMAL, WARNING = "Normal", "Warning"
_SCALING_FAILURES = (c.NO_METRICS, c.CANNOT_SCALE)


@dataclass(frozen=True, slots=True)
class StatusEvent:
    """One Event: its type, reason and note."""

    type: str
    reason: str
    note: str


def events_of(old: Json, new: Json) -> tuple[StatusEvent, ...]:
    """The Events of a change of status from `old` to `new`, in order."""
    return (*_state_events(old, new), *_scaling_events(old, new))


def _state_events(old: Json, new: Json) -> tuple[StatusEvent, ...]:
    if not old.get("endpointStatus") and new.get("endpointStatus") == c.CREATING and not _waits_for_reference(new):
        return (StatusEvent(NORMAL, c.CREATING, "The endpoint is being created."),)
    before, ready = reported_condition(old, c.READY), reported_condition(new, c.READY)
    if ready.get("status") == c.TRUE:
        return _ready_events(old, new)
    if (ready.get("reason"), ready.get("message")) == (before.get("reason"), before.get("message")):
        return ()
    reason, message = str(ready.get("reason")), str(ready.get("message"))
    if reason == c.UPDATE_FAILED:
        failed = StatusEvent(WARNING, reason, message)
        if before.get("reason") == c.UPDATE_FAILED:
            return (failed,)
        config = old.get("endpointConfigName") or new.get("endpointConfigName")
        return (failed, StatusEvent(NORMAL, "RolledBack", f"The endpoint continues to serve {config}."))
    if reason == c.UPDATING:
        return (StatusEvent(NORMAL, c.UPDATING, message),) if before.get("reason") != c.UPDATING else ()
    if reason in (c.CREATING, c.DELETING):
        return ()
    return (StatusEvent(WARNING, reason, message),)


def _ready_events(old: Json, new: Json) -> tuple[StatusEvent, ...]:
    same = _served(old) == _served(new)
    if same and reported_condition(old, c.READY).get("status") == c.TRUE:
        return ()
    config = new.get("endpointConfigName")
    if old.get("route") and not same:
        return (StatusEvent(NORMAL, "Updated", f"The endpoint serves {config} now."),)
    return (StatusEvent(NORMAL, c.IN_SERVICE, f"The endpoint is in service with {config}."),)


def _served(status: Json) -> dict[str, Any]:
    """The route without its pools, because spec.autoscaling adds and removes a warm pool, and that is not an update."""
    return {k: v for k, v in (status.get("route") or {}).items() if k != "pools"}


def _scaling_events(old: Json, new: Json) -> tuple[StatusEvent, ...]:
    """The Events of scaling. Scaling that the user suspended causes no Event.

    A blocker causes no Event here, because the reason of Ready reports it.
    """
    events = []
    before, (latest, *_) = (old.get("scalingActivities") or [None])[0], (new.get("scalingActivities") or [None])
    if latest and not (before and _identity(before) == _identity(latest)):
        reason = "ScalingOut" if latest["to"] > latest["from"] else "ScalingIn"
        note = f"Provisioned concurrency from {latest['from']} to {latest['to']}: {latest['cause']}."
        events.append(StatusEvent(NORMAL, reason, note))
    was, active = reported_condition(old, c.SCALING_ACTIVE), reported_condition(new, c.SCALING_ACTIVE)
    if active.get("status") == c.FALSE != was.get("status") and active.get("reason") in _SCALING_FAILURES:
        events.append(StatusEvent(WARNING, active["reason"], active["message"]))
    return tuple(events)


def _identity(activity: Json) -> tuple[Any, ...]:
    return activity["time"], activity["from"], activity["to"]


def _waits_for_reference(status: Json) -> bool:
    return reported_condition(status, c.READY).get("reason") in (c.ENDPOINT_CONFIG_NOT_FOUND, c.MODEL_NOT_FOUND)
