"""Until when a pod, or a request that needs one, may wait for the pod's start."""

from __future__ import annotations


def startup_deadline(began: float, startup_timeout_in_seconds: float) -> float:
    """When a start that began at `began` counts as failed: containerStartupHealthCheckTimeoutInSeconds later.

    Both times are on the same clock, in seconds. The deadline is reached from `now >= startup_deadline(...)` on.
    """
    return began + startup_timeout_in_seconds
