"""The schema of status for `spec.autoscaling[]`: the bounds in force, their origin, and the last activities.

`boundsSince`, `registered`, `base` and `scheduledScalingSuspended` are the controller's memory. It computes the bounds
in force from them, the scheduled actions and the current time. So a restarted controller computes the same bounds.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from annotated_types import MaxLen
from pydantic import Field

from kindler.api.base import Block

ACTIVITIES = 10
"""How many scaling activities status lists."""


class BoundsStatus(Block):
    """A minimum and a maximum of provisioned concurrency."""

    min_capacity: int
    """The minimum, in units of provisioned concurrency."""
    max_capacity: int
    """The maximum, in units of provisioned concurrency."""


class ScheduledActionTime(Block):
    """A scheduled action and the moment at which it acts."""

    name: str
    """The scheduledActionName."""
    time: datetime
    """The moment in UTC: the one that the schedule names, whenever the controller came to it."""


class ScalableTargetStatus(Block):
    """How the provisioned concurrency of one variant scales now."""

    variant_name: str
    """The variant that this entry of spec.autoscaling is about."""
    min_capacity: int | None = None
    """The minimum in force: as registered in spec.autoscaling, or as the last scheduled action set it."""
    max_capacity: int | None = None
    """The maximum in force, never above the EndpointConfig's maxConcurrency."""
    current_capacity: int | None = None
    """Provisioned concurrency that is reached: instances that have answered, in units."""
    desired_capacity: int | None = None
    """Provisioned concurrency that is wanted now, in units."""
    last_scheduled_action: ScheduledActionTime | None = None
    """The action whose bounds are in force, and since when; absent while the registered ones are."""
    next_scheduled_action: ScheduledActionTime | None = None
    """The action that acts next, and when; absent when none will, and while scheduled scaling is suspended."""
    bounds_since: datetime | None = None
    """Since when `base` holds: actions due after this moment act upon it."""
    registered: BoundsStatus | None = None
    """The bounds in spec.autoscaling as last seen: an edit of them replaces what scheduled actions had set."""
    base: BoundsStatus | None = None
    """The bounds that hold until an action is due."""
    scheduled_scaling_suspended: bool | None = None
    """Whether scheduled actions rested when last looked at."""


class ScalingActivity(Block):
    """One change of the desired provisioned concurrency."""

    time: datetime
    """When it was decided."""
    cause: str
    """Why, in a sentence, as: scheduled action 'morning' set the minimum to 4."""
    from_: Annotated[int, Field(alias="from")]
    """Provisioned concurrency before it."""
    to: int
    """Provisioned concurrency that it asked for."""
    result: str
    """InProgress until the instances have answered, then Successful; Overridden by a later one; Failed when instances
    cannot come up."""
    status_message: str | None = None
    """More about the result; absent when there is nothing to add."""


ScalableTargetStatuses = Annotated[tuple[ScalableTargetStatus, ...], MaxLen(10)]
ScalingActivities = Annotated[tuple[ScalingActivity, ...], MaxLen(ACTIVITIES)]
