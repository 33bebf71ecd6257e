"""Whether two statuses of an Endpoint differ in more than counts.

Each write of a status is sent to every activator's watch. Therefore a status that differs only in counts is written
rarely.
"""

from __future__ import annotations

from typing import Any

from kindler.api import conditions as c

_COUNTS = (
    "currentInstanceCount",
    "desiredInstanceCount",
    "warmInstanceCount",
    "demandInstanceCount",
    "currentServerlessConfig",  # contains a count; all its other values are also in the route
    "currentCapacity",
)
_TIMES = ("lastScheduledAction", "nextScheduledAction")


def only_counts_differ(new: dict[str, Any], old: Any) -> bool:
    """True if the statuses differ, but only in counts, times of actions, or reason and message of ScalingActive."""
    return new != old and _without_counts(new) == _without_counts(old)


def _without_counts(status: Any) -> dict[str, Any]:
    omitted = (*_COUNTS, *_TIMES)
    lists = {
        name: [{k: v for k, v in entry.items() if k not in omitted} for entry in status.get(name) or ()]
        for name in ("productionVariants", "autoscaling")
    }
    conditions = [
        {k: v for k, v in x.items() if x.get("type") != c.SCALING_ACTIVE or k not in ("reason", "message")}
        for x in status.get("conditions") or ()
    ]
    return dict(status) | lists | {"conditions": conditions}
