"""What earlier passes stored about scaling in an Endpoint's status."""

from __future__ import annotations

from kindler.core.common.objects import Json


def stored_entry(status: Json) -> Json | None:
    """The entry of status.autoscaling, whatever the name of its variant is: a status has at most one entry."""
    return next(iter(status.get("autoscaling") or ()), None)


def desired_before(status: Json) -> int | None:
    """The desired capacity that the last pass stored, in units. None if the endpoint has never served."""
    for entry in status.get("autoscaling") or ():
        if "desiredCapacity" in entry:
            return int(entry["desiredCapacity"])
    for variant in status.get("productionVariants") or ():
        return int((variant.get("currentServerlessConfig") or {}).get("provisionedConcurrency", 0))
    return None
