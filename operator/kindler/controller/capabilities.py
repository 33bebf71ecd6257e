"""What the cluster offers to HPAs, as far as this process has detected it."""

from __future__ import annotations

import logging
from collections.abc import Callable

from kindler.core.autoscaling.decision import ClusterCapabilities, MetricsApi

log = logging.getLogger(__name__)


class CapabilityDetector:
    """`api` returns the API through which HPAs can read Kindler's metrics now.

    The detector assumes that HPAs may have a minimum of 0, until the API server rejects such an HPA.
    """

    def __init__(self, api: Callable[[], MetricsApi]) -> None:
        self._api = api
        self._zero = True

    def current(self) -> ClusterCapabilities:
        return ClusterCapabilities(self._api(), self._zero)

    def reject_zero_minimum(self) -> ClusterCapabilities:
        """Records that the API server rejected a minimum of 0. The record stays until this process ends."""
        if self._zero:
            log.info("HPAs of this cluster cannot have a minimum of 0: the controller scales warm pools from and to 0")
        self._zero = False
        return self.current()
