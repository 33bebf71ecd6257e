"""How throttlers act on the cluster. Each call returns at once. The work continues in the background, with retries."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from kindler.activator.endpoint.pod import Pod
from kindler.activator.endpoint.requests import Backend
from kindler.activator.endpoint.size import PoolSize


@dataclass(frozen=True, slots=True)
class Probe:
    """How to ping a pod.

    `delay`: seconds before the first ping. `answered_before`: the pod answered earlier and may only be busy. Then the
    interval between pings grows.
    """

    port: int
    path: str
    delay: float
    answered_before: bool


class PoolActuator(Protocol):
    """The actions of throttlers on the cluster. One object per process serves all throttlers."""

    def scale(self, size: PoolSize, replicas: int) -> None:
        """Sets `replicas` of the ReplicaSet. A newer number replaces an older number that is not written yet."""

    def probe(self, pod: Pod, probe: Probe, on_success: Callable[[Pod], None]) -> None:
        """Pings the pod until it responds with 200, and then calls `on_success`. `stop_probing` ends this earlier."""

    def stop_probing(self, pod: Pod) -> None:
        """Ends the probe of a pod, if one is running."""

    def set_deletion_cost(self, namespace: str, pod: Pod, value: int) -> None:
        """Sets the pod's deletion cost. A newer number replaces an older number that is not written yet.

        `pod.written_cost` is set when the cost has been written.
        """

    def delete_pod(self, namespace: str, pod: Pod, reason: str) -> None:
        """Deletes a stuck pod, if the rate limit allows it. Otherwise does nothing: the next tick repeats the call."""

    def close_idle(self, backend: Backend) -> None:
        """Closes the idle connections to a pod."""
