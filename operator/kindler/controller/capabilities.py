"""What the cluster offers to HPAs, as far as this process has found out."""

from __future__ import annotations

import logging
from collections.abc import Callable

from kindler.core.autoscaling.decision import ClusterCapabilities, MetricsApi

log = logging.getLogger(__name__)


class CapabilityDetector:
    """`api`: by which API HPAs can read our metrics now. That they may have a minimum of 0 is believed until the API server refuses one."""

    def __init__(self, api: Callable[[], MetricsApi]) -> None:
        self._api = api
        self._zero = True

    def look(self) -> ClusterCapabilities:
        return ClusterCapabilities(self._api(), self._zero)

    def refuse_zero(self) -> ClusterCapabilities:
        """The API server has refused a minimum of 0: it will as long as this process lives."""
        if self._zero:
            log.info(
                "HPAs of this cluster may have no minimum of 0: the controller moves warm pools from and to 0 itself"
            )
        self._zero = False
        return self.look()
