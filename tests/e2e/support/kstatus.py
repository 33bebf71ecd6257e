"""kstatus's public rules for custom resources, as Flux and Helm 4 apply them. The first matching line decides:

deletionTimestamp                              Terminating
status.observedGeneration != generation        InProgress
condition Reconciling=True                     InProgress
condition Stalled=True                         Failed
condition Ready=True                           Current
condition Ready=False or Unknown               InProgress
none of these                                  Current
"""

from __future__ import annotations

from typing import Any


def verdict(obj: dict[str, Any]) -> str:
    """ "Terminating", "InProgress", "Failed" or "Current"."""
    if obj["metadata"].get("deletionTimestamp"):
        return "Terminating"
    status = obj.get("status", {})
    observed = status.get("observedGeneration")
    if observed is not None and observed != obj["metadata"]["generation"]:
        return "InProgress"
    conditions = {condition["type"]: condition["status"] for condition in status.get("conditions", [])}
    if conditions.get("Reconciling") == "True":
        return "InProgress"
    if conditions.get("Stalled") == "True":
        return "Failed"
    if "Ready" in conditions and conditions["Ready"] != "True":
        return "InProgress"
    return "Current"
