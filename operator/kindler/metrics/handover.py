"""An upgrade without a gap: if another metrics server is Ready, a new server first samples a whole minute.

minute sampled  any Endpoint scales  another is Ready  then
--------------  -------------------  ----------------  ----
yes             any                  any               it takes over
no              no                   any               it takes over, because no client will read values
no              yes                  no                it takes over, so that clients get the reason "no data yet"
no              yes                  yes               it waits
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

CHECK_SECONDS: Final = 2.0  # between two checks
SELECTOR: Final = "app.kubernetes.io/component=metrics"


class Handover:
    """`taken_over` is set once this server may become Ready.

    `any_scaled`: whether any Endpoint scales. `minute_complete`: whether the whole last minute was sampled.
    """

    def __init__(
        self,
        cluster: Cluster,
        common: Common,
        any_scaled: Callable[[], bool],
        minute_complete: Callable[[], bool],
        seconds: float = CHECK_SECONDS,
    ) -> None:
        self.taken_over = asyncio.Event()
        self._cluster = cluster
        self._common = common
        self._any_scaled = any_scaled
        self._minute_complete = minute_complete
        self._seconds = seconds

    async def run(self, listed: asyncio.Event) -> None:
        """Sets `taken_over` by the table above. Runs until cancelled. `listed`: set once `any_scaled` is reliable."""
        await listed.wait()
        while not self.taken_over.is_set():
            if self._minute_complete() or not self._any_scaled() or not await self._another_is_ready():
                self.taken_over.set()
            await asyncio.sleep(self._seconds)
        await asyncio.Event().wait()  # waits forever, because the process would end if `run` returned

    async def _another_is_ready(self) -> bool:
        try:
            pods, _ = await self._cluster.list(PODS, self._common.system_namespace, SELECTOR)
        except ApiError as error:
            log.warning("it is not known whether another metrics server is Ready: %s", error)
            return False
        begin = f"{names.metrics_name(self._common.release)}-"
        return any(
            _is_ready(pod)
            for pod in pods
            if pod["metadata"]["name"].startswith(begin) and pod["metadata"]["name"] != self._common.pod_name
        )


def _is_ready(pod: Object) -> bool:
    ready = any(
        c["type"] == "Ready" and c["status"] == "True" for c in (pod.get("status") or {}).get("conditions") or ()
    )
    return ready and "deletionTimestamp" not in pod["metadata"]
