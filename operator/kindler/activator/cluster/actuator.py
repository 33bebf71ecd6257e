"""The PoolActuator of a real cluster: the prober probes, the writer writes, and the wire closes idle connections."""

from __future__ import annotations

from collections.abc import Callable

from kindler.activator.cluster.prober import Prober
from kindler.activator.cluster.writer import Writer
from kindler.activator.endpoint.requests import Backend


class ClusterActuator:
    """Composes prober, writer and `close_idle` into one PoolActuator. It has no logic of its own."""

    def __init__(self, prober: Prober, writer: Writer, close_idle: Callable[[Backend], None]) -> None:
        self.probe = prober.probe
        self.stop_probing = prober.stop_probing
        self.scale = writer.scale
        self.set_deletion_cost = writer.set_deletion_cost
        self.delete_pod = writer.delete_pod
        self.close_idle = close_idle
