"""Outlier detection: how long a pod is ejected after failures, when it is replaced, whether a pool can ever start."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from kindler.core.common.pods import PodFacts, PodFailure
from kindler.core.common.ratelimit import backoff

# The activator deletes a pod only this many seconds after its startup time. Before that, the kubelet can restart a
# container that never answered.
RESTART_MARGIN_SECONDS: Final = 10.0
FIRST_EJECTION_SECONDS, LONGEST_EJECTION_SECONDS = 0.1, 10.0
PROBE_SHARE, LONGEST_PROBE_INTERVAL = 0.005, 0.25  # first: share of the time waited so far; second: seconds


def ejection_seconds(failures: int) -> float:
    """Seconds from the last of `failures` failures in a row to the next probe of the pod.

    After the first failure there is no delay, because it is normal that a keep-alive connection closes while a request
    is sent.
    """
    return 0.0 if failures <= 1 else backoff(FIRST_EJECTION_SECONDS, failures - 1, LONGEST_EJECTION_SECONDS)


def probe_interval(waited: float, cannot_start: bool, shortest: float) -> float:
    """Seconds until the next probe of a pod that has been starting for `waited` seconds.

    The interval is a small share of that time. So probes cost little, and the first successful probe follows soon after
    the pod is up:

        waited                                     interval
        1 s                                        `shortest`
        10 s                                       50 ms
        50 s and more, or a pod that cannot start  250 ms

    On average half of the interval is added to the cold start.
    """
    return max(shortest, LONGEST_PROBE_INTERVAL if cannot_start else min(LONGEST_PROBE_INTERVAL, waited * PROBE_SHARE))


def is_stuck(facts: PodFacts, in_use: int, unanswered_seconds: float, startup_timeout: float) -> bool:
    """True if the activator must delete a pod that answered no probe for `unanswered_seconds`, so that it is replaced.

    False for a pod without an address or a running container: the scheduler and the kubelet are responsible for such a
    pod, for example while it pulls its image. False while requests run in the pod.
    """
    if facts.deleting or in_use or facts.ip is None or facts.started is None:
        return False
    return unanswered_seconds > startup_timeout + RESTART_MARGIN_SECONDS


def cannot_start(pods: Iterable[tuple[PodFacts, bool]]) -> PodFailure | None:
    """Why none of `pods` can ever start: the failure of the first pod. None if a pod may start, or if there is no pod.

    None of the pods answers now. Each pod has a flag: True if the pod has ever answered a probe.

        failure             never answered    answered before
        none, or not final  may start         may start
        final               cannot start      may start: its image and configuration work, and the kubelet restarts
                                              it. Held requests wait for it, at most for the startup time.
    """
    failures = [None if answered else facts.failure for facts, answered in pods]
    if not failures or not all(failure is not None and failure.final for failure in failures):
        return None
    return failures[0]
