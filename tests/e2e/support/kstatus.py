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


def verdict(found: dict[str, Any]) -> str:
    """ "Terminating", "InProgress", "Failed" or "Current"."""
    if found["metadata"].get("deletionTimestamp"):
        return "Terminating"
    status = found.get("status", {})
    observed = status.get("observedGeneration")
    if observed is not None and observed != found["metadata"]["generation"]:
        return "InProgress"
    conditions = {condition["type"]: condition["status"] for condition in status.get("conditions", [])}
    if conditions.get("Reconciling") == "True":
        return "InProgress"
    if conditions.get("Stalled") == "True":
        return "Failed"
    if "Ready" in conditions and conditions["Ready"] != "True":
        return "InProgress"
    return "Current"
