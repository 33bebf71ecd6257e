"""The PoolActuator of a real cluster: it probes pods, writes to the API server and closes connections."""

from __future__ import annotations

from collections.abc import Callable

from kindler.activator.cluster.prober import Prober
from kindler.activator.cluster.writer import Writer
from kindler.activator.endpoint.requests import Backend


class ClusterActuator:
    """Pings by the prober, writes by the writer, closes by the wire."""

    def __init__(self, prober: Prober, writer: Writer, close_idle: Callable[[Backend], None]) -> None:
        self.probe = prober.probe
        self.forget = prober.forget
        self.scale = writer.scale
        self.cost = writer.cost
        self.delete = writer.delete
        self.close_idle = close_idle
