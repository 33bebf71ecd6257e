"""Writes a status: once a pass, last, only if it differs, with the resourceVersion that the decision was made from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from kindler.api import names
from kindler.clients.cluster import Cluster, Object, Resource
from kindler.controller.apply import LeadershipLost
from kindler.controller.metrics import Metrics
from kindler.core.endpoint.statusdiff import only_counts_differ

COUNTS_SECONDS: Final = 10.0


class Reporter:
    """`clock` gives monotonic seconds; `written` is handed each object as it came back, before any watch tells of it."""

    def __init__(
        self,
        cluster: Cluster,
        metrics: Metrics,
        leading: Callable[[], bool],
        clock: Callable[[], float],
        written: Callable[[Resource, Object], None],
    ) -> None:
        self._cluster = cluster
        self._metrics = metrics
        self._leading = leading
        self._clock = clock
        self._written = written
        self._last: dict[str, float] = {}

    async def report(self, resource: Resource, raw: Object, status: dict[str, Any]) -> float | None:
        """Writes unless it stands so already. Returns the seconds after which a write that told only numbers of pods is due, None when nothing waits.

        Raises Conflict when the object has changed since: the pass is to be done again on what it is now.
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
        back = await self._cluster.update_status(resource, meta["namespace"], meta["name"], body, names.APPLIER)
        self._last[uid] = self._clock()
        self._written(resource, back)
        return None

    def forget(self, uid: str) -> None:
        """The object is gone."""
        self._last.pop(uid, None)
