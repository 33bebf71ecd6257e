"""A local copy of one kind of object that stays true: list, compare, watch, and again whenever the stream cannot be trusted.

    list  -> what the store has and the list has not was deleted meanwhile: told as such (a watch would never tell)
    watch -> from the list's resourceVersion; bookmarks move that on, so that a reconnect rarely needs a list
    410, or trouble before the first list       -> list again
    cut, truncated, silent, refused, 5xx, 429   -> watch again from where we were, after a wait that grows

The store keeps answering while the API server is away.
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

log = logging.getLogger(__name__)

Key = tuple[str, str]  # namespace ("" for cluster-scoped kinds), name
OnChange = Callable[[Object | None, Object | None], None]

LONGEST_WAIT_SECONDS = 10.0
WATCH_SECONDS = 300


@dataclass(slots=True)
class _View:
    """One list and watch: of a namespace, or of all (None)."""

    namespace: str | None
    version: str = ""  # resourceVersion to watch from; empty: list first
    listed: bool = False
    heard: float = 0.0  # monotonic seconds of the last sign of life
    failures: int = 0  # since the last sign of life in a watch


class Informer:
    """Objects of one kind in `namespaces` (empty: everywhere), in `store`, as `keep` left them.

    `keep(object)` may trim an object before it is stored (default: managedFields go); name, namespace, uid and resourceVersion must stay.
    `on_change(old, new)` is called after the store was changed: new is None for a deletion, old is None for a new object. An object that was deleted
    and made again unseen (another uid) is told as a deletion and a new object. Objects in the store are shared: don't change them.
    `synced` is set once everything was listed. `restarts` counts lists and watches that ended in trouble.
    """

    def __init__(
        self,
        cluster: Cluster,
        resource: Resource,
        namespaces: tuple[str, ...] = (),
        label_selector: str = "",
        keep: Callable[[Object], Object] | None = None,
        on_change: OnChange | None = None,
        silence_seconds: float = SILENCE_SECONDS,
        longest_wait_seconds: float = LONGEST_WAIT_SECONDS,
        field_selector: str = "",
    ) -> None:
        self.store: dict[Key, Object] = {}
        self.synced = asyncio.Event()
        self.restarts = 0
        self._cluster = cluster
        self._resource = resource
        self._selector = label_selector
        self._field_selector = field_selector
        self._keep = keep or without_managed_fields
        self._on_change = on_change
        self._silence = silence_seconds
        self._longest_wait = longest_wait_seconds
        self._views = [_View(namespace) for namespace in namespaces or (None,)]

    @property
    def last_event(self) -> float:
        """Monotonic seconds of the last sign of life of the watch that has been silent longest; 0 before the first."""
        return min(view.heard for view in self._views)

    async def run(self) -> None:
        """Follows for ever; ends only when cancelled."""
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
                # The first trouble is told, then only each time it has doubled: an outage must not flood the log.
                if view.failures & (view.failures + 1) == 0:
                    log.warning(
                        "%s in %s: %s; the last known state serves on",
                        self._resource.plural,
                        view.namespace or "all namespaces",
                        error,
                    )
            # Also after a stream that ended well: a server that ends every stream at once must not be asked without pause.
            await asyncio.sleep(self._wait(view, failure))
            view.failures += 1

    def _wait(self, view: _View, failure: ApiError | None) -> float:
        grown: float = min(self._longest_wait, 0.1 * 2 ** min(view.failures, 16)) * random.uniform(0.5, 1)
        asked = (failure.retry_after if failure else None) or 0.0
        return max(grown, min(asked, 3 * self._longest_wait))

    async def _list(self, view: _View) -> None:
        seen: set[Key] = set()
        version = ""
        async with aclosing(
            self._cluster.pages(self._resource, view.namespace, self._selector, self._field_selector)
        ) as pages:
            async for items, version in pages:  # noqa: B007
                for item in items:
                    # Items of a list don't say what they are; a stored object should, as one from a watch does.
                    item = {"apiVersion": self._resource.api_version, "kind": self._resource.kind} | item
                    seen.add(_key(item))
                    self._put(item)
                await asyncio.sleep(0)  # thousands of changes must not hold up the loop in one piece
        for key in [k for k in self.store if view.namespace in (None, k[0]) and k not in seen]:
            self._drop(key)
        view.version = version  # only now: a list that broke off must begin again
        view.heard = time.monotonic()
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
            self._silence,
            self._field_selector,
        )
        async with aclosing(stream) as events:
            async for kind, value in events:
                if kind in ("ADDED", "MODIFIED"):
                    self._put(value)
                elif kind == "DELETED":
                    self._drop(_key(value))
                view.version = _version(value)
                view.heard = time.monotonic()
                view.failures = 0

    def _put(self, value: Object) -> None:
        key = _key(value)
        old = self.store.get(key)
        if old is not None and _version(old) == _version(value):
            return
        new = self._trimmed(value)
        if old is not None and old["metadata"].get("uid") != new["metadata"].get("uid"):
            self._drop(key)
            old = None
        self.store[key] = new
        self._tell(old, new)

    def _drop(self, key: Key) -> None:
        old = self.store.pop(key, None)
        if old is not None:
            self._tell(old, None)

    def _trimmed(self, value: Object) -> Object:
        try:
            return self._keep(value)
        except Exception:
            log.exception("%s %s could not be trimmed", self._resource.plural, _key(value))
            return value

    def _tell(self, old: Object | None, new: Object | None) -> None:
        if self._on_change is None:
            return
        try:
            self._on_change(old, new)
        except Exception:
            log.exception("a change of %s %s was not taken", self._resource.plural, _key(new or old or {}))


def without_managed_fields(value: Object) -> Object:
    """The object without `metadata.managedFields`: often half of it, and nothing that we read."""
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
