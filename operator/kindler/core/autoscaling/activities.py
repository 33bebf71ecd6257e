"""`status.scalingActivities`: the last changes of the desired provisioned concurrency, the latest first, each with its cause and what became of it.

the latest one                                  its result
--------------                                  ----------
the size is reached                             Successful, for good
another size is wanted before it is reached     Overridden, for good
instances cannot come up                        Failed, with why; Successful after all when they do
else                                            InProgress
"""

from __future__ import annotations

from typing import Any

from kindler.api import conditions as c
from kindler.api.autoscalingstatus import ACTIVITIES
from kindler.core.autoscaling.decision import ScalingDecision
from kindler.core.common.objects import Json
from kindler.core.common.pods import PodFailure

_OPEN = (c.IN_PROGRESS, c.FAILED)


def activities(status: Json, provision: ScalingDecision, failure: PodFailure | None, now: str) -> list[dict[str, Any]]:
    """What is to stand there after a pass that decided `provision`. `status`: as found; `trouble`: why instances do not come up; `now` in RFC 3339."""
    kept = [dict(entry) for entry in status.get("scalingActivities") or ()]
    if kept and kept[0]["result"] in _OPEN and kept[0]["to"] != provision.desired:
        kept[0] = _with(kept[0], c.OVERRIDDEN)
    before = desired_before(status)
    if before is not None and before != provision.desired and (provision.status is not None or "autoscaling" in status):
        kept.insert(
            0,
            {
                "time": now,
                "cause": provision.cause or "the size was changed",
                "from": before,
                "to": provision.desired,
                "result": c.IN_PROGRESS,
            },
        )
    if kept and kept[0]["result"] in _OPEN:
        kept[0] = _with(kept[0], *_result(kept[0], provision.current, failure))
    return kept[:ACTIVITIES]


def desired_before(status: Json) -> int | None:
    """Units that were wanted until now; None before anything served."""
    for entry in status.get("autoscaling") or ():
        if "desiredCapacity" in entry:
            return int(entry["desiredCapacity"])
    for variant in status.get("productionVariants") or ():
        return int((variant.get("currentServerlessConfig") or {}).get("provisionedConcurrency", 0))
    return None


def _result(entry: Json, current: int, failure: PodFailure | None) -> tuple[str, str]:
    grows = entry["to"] > entry["from"]
    if current >= entry["to"] if grows else current <= entry["to"]:
        return c.SUCCESSFUL, ""
    return (c.FAILED, failure.message) if failure and grows else (c.IN_PROGRESS, "")


def _with(entry: Json, result: str, message: str = "") -> dict[str, Any]:
    kept = {k: v for k, v in entry.items() if k != "statusMessage"}
    return kept | {"result": result} | ({"statusMessage": message} if message else {})
