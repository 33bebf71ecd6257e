"""How far a pod is trusted: how long it rests after failures, when it is given up, and whether a pool can start at all."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from kindler.core.common.pods import PodFacts, PodFailure
from kindler.core.common.ratelimit import backoff

MARGIN: Final = (
    10.0  # seconds beyond the startup time: the kubelet restarts a container that never answered, and goes first
)
FIRST_REST, LONGEST_REST = 0.1, 10.0
PING_SHARE, LONGEST_PING = 0.005, 0.25


def ejection_seconds(failures: int) -> float:
    """Seconds that a pod rests after `failures` in a row before it is asked again. The first is free: a keep-alive race is no illness."""
    return 0.0 if failures <= 1 else backoff(FIRST_REST, failures - 1, LONGEST_REST)


def probe_interval(waited: float, cannot_start: bool, shortest: float) -> float:
    """Seconds until a pod that starts since `waited` seconds is asked again: a small share of that, so that asking costs little and finds out soon.

    waited 1 s: `shortest`; 10 s: 50 ms; from 50 s on, and where there is nothing to be hoped for: 250 ms. On average half of it is lost.
    """
    return max(shortest, LONGEST_PING if cannot_start else min(LONGEST_PING, waited * PING_SHARE))


def is_stuck(facts: PodFacts, in_use: int, silent: float, startup_timeout: float) -> bool:
    """Is a pod that has not answered for `silent` seconds to be deleted, and so replaced?

    A pod without a node or an address, or whose container does not run, is the scheduler's and the kubelet's affair (crash back-off, pulls).
    """
    if facts.deleting or in_use or facts.ip is None or facts.started is None:
        return False
    return silent > startup_timeout + MARGIN


def cannot_start(pods: Iterable[tuple[PodFacts, bool]]) -> PodFailure | None:
    """Why none of these pods, which do not answer now, can ever start: the trouble of the first, if there is no hope for each of them.

    Each comes with whether it ever answered a ping in its life:

        its trouble       never answered    answered before
        none, or passing  may start         may start
        final             no hope           may start: what it is made of is good, it is being restarted; who waits, waits for the startup time at most
    """
    failures = [None if answered else facts.failure for facts, answered in pods]
    if not failures or not all(t is not None and t.final for t in failures):
        return None
    return failures[0]
