"""Events for the user (`kubectl describe`, `kubectl events`): what happened to an object.

The same Event of the same object is written at most once an hour, and each object has a rate limit. So a repeated
failure cannot flood the cluster. If an Event cannot be written, it is dropped, because nothing depends on
Events.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from kindler.api import names
from kindler.clients.cluster import EVENTS, ApiError, Cluster, Object
from kindler.core.common.ratelimit import TokenBucket

log = logging.getLogger(__name__)

REPEAT_SECONDS: Final = 3600.0
RATE: Final = 1 / 60  # Events per second and object in the long run
BURST: Final = 25
MAX_OBJECTS: Final = 20_000  # objects whose history is remembered
NOTE_LIMIT: Final = 1024  # bytes, set by the Events API


@dataclass(slots=True)
class _History:
    """The Events of one object. `written`: when each (reason, note) was written last."""

    limiter: TokenBucket = field(default_factory=lambda: TokenBucket(RATE, BURST))
    written: dict[tuple[str, str], float] = field(default_factory=dict)


class Recorder:
    """Writes the Events of one controller replica. `clock` returns epoch seconds."""

    def __init__(self, cluster: Cluster, replica: str, clock: Callable[[], float]) -> None:
        self._cluster = cluster
        self._replica = replica
        self._clock = clock
        self._histories: OrderedDict[str, _History] = OrderedDict()

    async def event(self, regarding: Object, kind: str, reason: str, action: str, note: str) -> bool:
        """Writes an Event about `regarding`. `kind`: Normal or Warning. Returns True if it was written."""
        if not self._admit(str(regarding["metadata"].get("uid", "")), reason, note):
            return False
        now = self._clock()
        meta = regarding["metadata"]
        body: Object = {
            "apiVersion": "events.k8s.io/v1",
            "kind": "Event",
            "metadata": {"name": f"{meta['name']}.{int(now * 1e6):x}", "namespace": meta["namespace"]},
            "eventTime": datetime.fromtimestamp(now, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
            "reportingController": f"{names.GROUP}/controller",
            "reportingInstance": self._replica[:128],
            "type": kind,
            "reason": reason,
            "action": action,
            "note": note.encode()[:NOTE_LIMIT].decode(errors="ignore"),
            "regarding": {
                "apiVersion": regarding["apiVersion"],
                "kind": regarding["kind"],
                "name": meta["name"],
                "namespace": meta["namespace"],
                "uid": meta.get("uid", ""),
                "resourceVersion": meta.get("resourceVersion", ""),
            },
        }
        try:
            await self._cluster.create(EVENTS, meta["namespace"], body)
        except ApiError as error:
            log.info("the Event %s of %s/%s was not written: %s", reason, meta["namespace"], meta["name"], error)
            return False
        return True

    def _admit(self, uid: str, reason: str, note: str) -> bool:
        """Whether this Event was not written in the last hour and is within the object's rate limit.

        If so, remembers the Event as written.
        """
        now = self._clock()
        history = self._histories.setdefault(uid, _History())
        self._histories.move_to_end(uid)
        if len(self._histories) > MAX_OBJECTS:
            self._histories.popitem(last=False)
        before = history.written.get((reason, note))
        if (before is not None and now - before < REPEAT_SECONDS) or not history.limiter.take(now):
            return False
        history.written = {k: at for k, at in history.written.items() if now - at < REPEAT_SECONDS}
        history.written[reason, note] = now
        return True
