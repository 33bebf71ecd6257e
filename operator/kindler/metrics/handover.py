"""An upgrade without a gap: a new metrics server takes over when it knows a whole minute, if another one answers until then.

its minute is whole   somebody scales   another is Ready   then
-------------------   ---------------   ----------------   ----
yes                   any               any                it takes over
no                    no                any                it takes over: there is nothing to be asked
no                    yes               no                 it takes over, to say that there is no data yet: whoever asks shall have a reason
no                    yes               yes                it waits
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from kindler.api import names
from kindler.api.settings import Common
from kindler.clients.cluster import PODS, ApiError, Cluster, Object

log = logging.getLogger(__name__)

SECONDS: Final = 2.0  # between two looks
SELECTOR: Final = "app.kubernetes.io/component=metrics"


class Handover:
    """`over` is set once this server has taken over. `needed`: whether anybody scales. `whole`: whether the last minute is known."""

    def __init__(
        self,
        cluster: Cluster,
        common: Common,
        needed: Callable[[], bool],
        whole: Callable[[], bool],
        seconds: float = SECONDS,
    ) -> None:
        self.over = asyncio.Event()
        self._cluster = cluster
        self._common = common
        self._needed = needed
        self._whole = whole
        self._seconds = seconds

    async def run(self, known: asyncio.Event) -> None:
        """Until cancelled. `known`: set once `needed` can be answered."""
        await known.wait()
        while not self.over.is_set():
            if self._whole() or not self._needed() or not await self._another():
                self.over.set()
            await asyncio.sleep(self._seconds)
        await asyncio.Event().wait()  # a part that ends ends the process

    async def _another(self) -> bool:
        try:
            pods, _ = await self._cluster.list(PODS, self._common.system_namespace, SELECTOR)
        except ApiError as error:
            log.warning("whether another metrics server answers is not known: %s", error)
            return False
        begin = f"{names.metrics_name(self._common.release)}-"
        return any(
            _answers(pod)
            for pod in pods
            if pod["metadata"]["name"].startswith(begin) and pod["metadata"]["name"] != self._common.pod_name
        )


def _answers(pod: Object) -> bool:
    ready = any(
        c["type"] == "Ready" and c["status"] == "True" for c in (pod.get("status") or {}).get("conditions") or ()
    )
    return ready and "deletionTimestamp" not in pod["metadata"]
