"""What desks do to the world. Each call returns at once; the work behind it goes on by itself and is repeated until it is done."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from kindler.activator.endpoint.pod import Pod
from kindler.activator.endpoint.requests import Backend
from kindler.activator.endpoint.size import PoolSize


class PoolActuator(Protocol):
    """One process's hands, shared by all desks."""

    def scale(self, size: PoolSize, replicas: int) -> None:
        """Wants the ReplicaSet to have `replicas`; the newest number wins."""

    def probe(self, pod: Pod, port: int, path: str, rest: float, again: bool, answered: Callable[[Pod], None]) -> None:
        """Pings the pod after `rest` seconds until it answers 200 or `forget` is called. `again`: it answered before; ask it less and less often."""

    def forget(self, pod: Pod) -> None:
        """Ends pinging and whatever else is under way for a pod."""

    def cost(self, namespace: str, pod: Pod, value: int) -> None:
        """Wants the pod to carry this deletion cost; the newest number wins, and `pod.cost_written` tells when it is there."""

    def delete(self, namespace: str, pod: Pod, why: str) -> None:
        """Deletes a pod that is given up, if the rate allows; else nothing, and it will be asked again."""

    def close_idle(self, backend: Backend) -> None:
        """Closes the kept connections to a pod."""
