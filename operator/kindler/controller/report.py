"""Writes a status as the last step of a pass, only if it differs, with the resourceVersion that was observed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from kindler.api import names
from kindler.clients.cluster import Cluster, Object, Resource
from kindler.controller.apply import LeadershipLost
from kindler.controller.metrics import Metrics
from kindler.core.endpoint.statusdiff import only_counts_differ

COUNTS_SECONDS: Final = 10.0  # between two writes of a status that differ only in counts


class Reporter:
    """`leading`: whether this process leads now. `clock` returns monotonic seconds.

    `on_written` receives each object that the API server returned, before any watch reports it.
    """

    def __init__(
        self,
        cluster: Cluster,
        metrics: Metrics,
        leading: Callable[[], bool],
        clock: Callable[[], float],
        on_written: Callable[[Resource, Object], None],
    ) -> None:
        self._cluster = cluster
        self._metrics = metrics
        self._leading = leading
        self._clock = clock
        self._on_written = on_written
        self._last: dict[str, float] = {}

    async def report(self, resource: Resource, raw: Object, status: dict[str, Any]) -> float | None:
        """Writes `status` to the object if it differs. Returns the seconds until a delayed write of counts is due.

        Returns None if no write is delayed. Raises Conflict if the object has changed since it was observed: retry the
        pass with its new state. Raises LeadershipLost.
        """
        old = raw.get("status") or {}
        if status == old:
            return None
        uid = str(raw["metadata"]["uid"])
        if only_counts_differ(status, old):
            due = self._last.get(uid, -COUNTS_SECONDS) + COUNTS_SECONDS - self._clock()
            if due > 0:
                return due
        if not self._leading():
            raise LeadershipLost
        self._metrics.writes.labels(resource.kind, "status").inc()
        meta = raw["metadata"]
        body = {k: v for k, v in raw.items() if k != "status"} | {"status": status}
        written = await self._cluster.update_status(resource, meta["namespace"], meta["name"], body, names.APPLIER)
        self._last[uid] = self._clock()
        self._on_written(resource, written)
        return None

    def forget(self, uid: str) -> None:
        """Removes the data about an object that does not exist any more."""
        self._last.pop(uid, None)
