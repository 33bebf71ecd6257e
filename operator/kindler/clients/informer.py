"""A local copy of one kind of object that follows the API server: list, compare, watch.

    list   an object that is in the store but not in the list was deleted in the meantime; it is reported as deleted,
           because a watch would never report it
    watch  starts at the list's resourceVersion; bookmarks advance it, so a reconnect rarely needs a list

    failure                                           then
    -------                                           ----
    410, or an error before the first list            list again
    a lost, truncated or silent watch; another error  watch again from the last resourceVersion, after a back-off

The store stays readable while the API server is unreachable.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass

from kindler.clients.cluster import SILENCE_SECONDS, ApiError, Cluster, Gone, Object, Resource, Unavailable
from kindler.core.common.ratelimit import backoff

log = logging.getLogger(__name__)

Key = tuple[str, str]  # namespace ("" for cluster-scoped kinds), name
OnChange = Callable[[Object | None, Object | None], None]

WATCH_SECONDS = 300
FIRST_BACKOFF_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class InformerTimes:
    """Times in seconds. A watch without data for more than `silence` is replaced. `max_backoff`: the longest pause."""

    silence: float = SILENCE_SECONDS
    max_backoff: float = 10.0


@dataclass(slots=True)
class _View:
    """One list and watch: of one namespace, or of all namespaces (None)."""

    namespace: str | None
    version: str = ""  # resourceVersion to watch from; empty: list first
    listed: bool = False
    last_event: float = 0.0  # monotonic seconds: when data was last received
    failures: int = 0  # since a watch last received data


class Informer:
    """Keeps the objects of one kind in `namespaces` (empty: all) in `store`.

    `transform(object)` may trim an object before it is stored (default: without managedFields). It must keep name,
    namespace, uid and resourceVersion. `on_change(old, new)` is called after the store has changed: `new` is None for a
    deletion, `old` is None for a new object. If an object has another uid than before, it was deleted and created again
    between two events; then `on_change` is called for a deletion and for a new object. Objects in the store are shared:
    do not change them. `synced` is set once everything was listed. `restarts` counts lists and watches that ended with
    an error.
    """

    def __init__(
        self,
        cluster: Cluster,
        resource: Resource,
        namespaces: tuple[str, ...] = (),
        label_selector: str = "",
        transform: Callable[[Object], Object] | None = None,
        on_change: OnChange | None = None,
        field_selector: str = "",
        times: InformerTimes | None = None,
    ) -> None:
        self.store: dict[Key, Object] = {}
        self.synced = asyncio.Event()
        self.restarts = 0
        self._cluster = cluster
        self._resource = resource
        self._selector = label_selector
        self._field_selector = field_selector
        self._transform = transform or without_managed_fields
        self._on_change = on_change
        self._times = times or InformerTimes()
        self._views = [_View(namespace) for namespace in namespaces or (None,)]

    @property
    def last_event(self) -> float:
        """When the watch that has been silent longest last received data: monotonic seconds, 0 before the first."""
        return min(view.last_event for view in self._views)

    async def run(self) -> None:
        """Lists and watches until it is cancelled."""
        async with asyncio.TaskGroup() as group:
            for view in self._views:
                group.create_task(self._follow(view), name=f"informer {self._resource.plural} {view.namespace or '*'}")

    async def _follow(self, view: _View) -> None:
        while True:
            failure: ApiError | None = None
            try:
                if not view.version:
                    await self._list(view)
                await self._watch(view)
            except ApiError as error:
                failure = error
                self.restarts += 1
                if isinstance(error, Gone):
                    view.version = ""
                # Log the 1st, 2nd, 4th, 8th … failure: an outage must not flood the log.
                if view.failures & (view.failures + 1) == 0:
                    log.warning(
                        "%s in %s: %s; the last known state stays in use",
                        self._resource.plural,
                        view.namespace or "all namespaces",
                        error,
                    )
            # Also pause after a stream that ended normally, because a server may end each stream immediately.
            await asyncio.sleep(self._backoff(view, failure))
            view.failures += 1

    def _backoff(self, view: _View, failure: ApiError | None) -> float:
        pause = backoff(FIRST_BACKOFF_SECONDS, view.failures + 1, self._times.max_backoff) * random.uniform(0.5, 1)
        retry_after = (failure.retry_after if failure else None) or 0.0
        return max(pause, min(retry_after, 3 * self._times.max_backoff))

    async def _list(self, view: _View) -> None:
        seen: set[Key] = set()
        version = ""
        async with aclosing(
            self._cluster.pages(self._resource, view.namespace, self._selector, self._field_selector)
        ) as pages:
            async for items, version in pages:  # noqa: B007
                for item in items:
                    # Items of a list lack apiVersion and kind; objects from a watch have them.
                    item = {"apiVersion": self._resource.api_version, "kind": self._resource.kind} | item
                    seen.add(_key(item))
                    self._put(item)
                await asyncio.sleep(0)  # thousands of changes must not block the event loop
        for key in [k for k in self.store if view.namespace in (None, k[0]) and k not in seen]:
            self._delete(key)
        view.version = version  # set only after the whole list, because an interrupted list must start again
        view.last_event = time.monotonic()
        view.listed = True
        if all(v.listed for v in self._views):
            self.synced.set()

    async def _watch(self, view: _View) -> None:
        stream = self._cluster.watch(
            self._resource,
            view.namespace,
            self._selector,
            view.version,
            WATCH_SECONDS,
            self._times.silence,
            self._field_selector,
        )
        async with aclosing(stream) as events:
            async for kind, value in events:
                if kind in ("ADDED", "MODIFIED"):
                    self._put(value)
                elif kind == "DELETED":
                    self._delete(_key(value))
                view.version = _version(value)
                view.last_event = time.monotonic()
                view.failures = 0

    def _put(self, value: Object) -> None:
        key = _key(value)
        old = self.store.get(key)
        if old is not None and _version(old) == _version(value):
            return
        new = self._apply_transform(value)
        if old is not None and old["metadata"].get("uid") != new["metadata"].get("uid"):
            self._delete(key)
            old = None
        self.store[key] = new
        self._notify(old, new)

    def _delete(self, key: Key) -> None:
        old = self.store.pop(key, None)
        if old is not None:
            self._notify(old, None)

    def _apply_transform(self, value: Object) -> Object:
        try:
            return self._transform(value)
        except Exception:
            log.exception("%s %s could not be transformed", self._resource.plural, _key(value))
            return value

    def _notify(self, old: Object | None, new: Object | None) -> None:
        if self._on_change is None:
            return
        try:
            self._on_change(old, new)
        except Exception:
            log.exception("on_change failed for %s %s", self._resource.plural, _key(new or old or {}))


def without_managed_fields(value: Object) -> Object:
    """The object without `metadata.managedFields`, which are often half of its size, and which we never read."""
    metadata = {k: v for k, v in value["metadata"].items() if k != "managedFields"}
    return value | {"metadata": metadata}


def _key(value: Object) -> Key:
    try:
        return str(value["metadata"].get("namespace", "")), str(value["metadata"]["name"])
    except (KeyError, TypeError, AttributeError) as error:
        raise Unavailable(0, "BadResponse", f"an object without a name: {value!r:.200}") from error


def _version(value: Object) -> str:
    try:
        return str(value["metadata"]["resourceVersion"])
    except (KeyError, TypeError) as error:
        raise Unavailable(0, "BadResponse", f"an object without a resourceVersion: {value!r:.200}") from error
