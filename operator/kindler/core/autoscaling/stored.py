"""What earlier passes stored in an Endpoint's status about scaling."""

from __future__ import annotations

from kindler.core.common.objects import Json


def stored_entry(status: Json) -> Json | None:
    """The entry of status.autoscaling: there is one, whatever name its variant had."""
    return next(iter(status.get("autoscaling") or ()), None)


def desired_before(status: Json) -> int | None:
    """The desired units until now; None before anything served."""
    for entry in status.get("autoscaling") or ():
        if "desiredCapacity" in entry:
            return int(entry["desiredCapacity"])
    for variant in status.get("productionVariants") or ():
        return int((variant.get("currentServerlessConfig") or {}).get("provisionedConcurrency", 0))
    return None
