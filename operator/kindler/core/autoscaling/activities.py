"""`status.scalingActivities`: the last changes of the desired provisioned concurrency, the newest first.

Each entry has a cause and a result:

the newest activity                                 its result
-------------------                                 ----------
the size is reached                                 Successful, final
another size is desired before this one is reached  Overridden, final
instances cannot start                              Failed, with the reason; Successful if they start later
any other case                                      InProgress
"""

from __future__ import annotations

from typing import Any

from kindler.api import conditions as c
from kindler.api.autoscalingstatus import ACTIVITIES
from kindler.core.autoscaling.decision import ScalingDecision
from kindler.core.autoscaling.stored import desired_before
from kindler.core.common.objects import Json
from kindler.core.common.pods import PodFailure

_OPEN = (c.IN_PROGRESS, c.FAILED)


def activities(status: Json, decision: ScalingDecision, failure: PodFailure | None, now: str) -> list[dict[str, Any]]:
    """The activities that this pass writes. `now`: RFC 3339.

    `status`: the status that was read. `decision`: the decision of this pass. `failure`: why instances do not start.
    """
    entries = [dict(entry) for entry in status.get("scalingActivities") or ()]
    if entries and entries[0]["result"] in _OPEN and entries[0]["to"] != decision.desired:
        entries[0] = _with(entries[0], c.OVERRIDDEN)
    before = desired_before(status)
    if before is not None and before != decision.desired and (decision.status is not None or "autoscaling" in status):
        entries.insert(
            0,
            {
                "time": now,
                "cause": decision.cause or "the size was changed",
                "from": before,
                "to": decision.desired,
                "result": c.IN_PROGRESS,
            },
        )
    if entries and entries[0]["result"] in _OPEN:
        entries[0] = _with(entries[0], *_result(entries[0], decision.current, failure))
    return entries[:ACTIVITIES]


def _result(entry: Json, current: int, failure: PodFailure | None) -> tuple[str, str]:
    grows = entry["to"] > entry["from"]
    if current >= entry["to"] if grows else current <= entry["to"]:
        return c.SUCCESSFUL, ""
    return (c.FAILED, failure.message) if failure and grows else (c.IN_PROGRESS, "")


def _with(entry: Json, result: str, message: str = "") -> dict[str, Any]:
    entries = {k: v for k, v in entry.items() if k != "statusMessage"}
    return entries | {"result": result} | ({"statusMessage": message} if message else {})
