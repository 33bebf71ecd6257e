"""The time until which a pod may start, and until which a request may wait for the start of a pod."""

from __future__ import annotations


def startup_deadline(began: float, startup_timeout_in_seconds: float) -> float:
    """When a start that began at `began` counts as failed: after containerStartupHealthCheckTimeoutInSeconds.

    Both times are seconds on the same clock. The deadline is over if `now >= startup_deadline(...)`.
    """
    return began + startup_timeout_in_seconds
