"""Watches the three kinds by kopf. Kindler uses nothing else of kopf, and no other module imports it.

It uses only `on.event`, without peering, finalizers, indexes or annotations, for two reasons. kopf's stateful handlers
lose work if one of kopf's own writes fails. And when kopf lists again, no event reports the objects that were deleted
in the meantime. So an event only updates `objects` and queues a key, and each `relist` corrects what no event reported.
kopf runs in a thread and a loop of its own, because in the main thread it would handle the process's signals.
"""

from __future__ import annotations

import asyncio
import logging
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, Final

import kopf

from kindler.api import names
from kindler.clients.cluster import ENDPOINT_CONFIGS, ENDPOINTS, MODELS, Cluster, Object, Resource

log = logging.getLogger(__name__)

KINDS: Final = (MODELS, ENDPOINT_CONFIGS, ENDPOINTS)
# Kind; the object before the change, None if it was created; the object after the change, None if it was deleted.
OnEvent = Callable[[Resource, Object | None, Object | None], None]
NamespacedName = tuple[str, str]


class Watcher:
    """`objects[kind]`: the latest raw objects of each kind by (namespace, name). Calls `on_event` for each change.

    `run` ends only with a RuntimeError. Then the process must end, too.
    """

    def __init__(self, cluster: Cluster, namespaces: tuple[str, ...], on_event: OnEvent) -> None:
        self.objects: dict[Resource, dict[NamespacedName, Object]] = {kind: {} for kind in KINDS}
        self._cluster = cluster
        self._namespaces = namespaces
        self._on_event = on_event

    async def relist(self) -> None:
        """Lists the three kinds and makes `objects` equal to the lists, deletions included. Raises ApiError."""
        for kind in KINDS:
            for namespace in self._namespaces or (None,):
                items, version = await self._cluster.list(kind, namespace)
                found = {_name(item): item for item in items}
                for item in found.values():
                    self._put(kind, {"apiVersion": kind.api_version, "kind": kind.kind} | item)
                known = self.objects[kind]
                for key in [k for k in known if k not in found and namespace in (None, k[0])]:
                    if _version(known[key]) <= int(version or 0):  # a newer object was created after the list
                        self._remove(kind, key)

    async def run(self) -> None:
        """Watches until cancelled. Raises RuntimeError if kopf ended."""
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[str] = loop.create_future()
        stop = threading.Event()
        thread = threading.Thread(target=self._run_kopf, args=(loop, stop, ended), name="kopf", daemon=True)
        thread.start()
        try:
            raise RuntimeError(f"kopf ended: {await asyncio.shield(ended)}")
        finally:
            stop.set()

    def on_written(self, kind: Resource, value: Object) -> None:
        """Stores an object that a write returned, before its event arrives, unless it was deleted in the meantime."""
        old = self.objects[kind].get(_name(value))
        if old is not None and old["metadata"].get("uid") == value["metadata"].get("uid"):
            self._put(kind, value)

    # In kopf's thread

    def _run_kopf(self, loop: asyncio.AbstractEventLoop, stop: threading.Event, ended: asyncio.Future[str]) -> None:
        def end(reason: str) -> None:
            if not ended.done():
                ended.set_result(reason)

        reason = "without an error"
        try:
            asyncio.run(
                kopf.operator(
                    registry=self._registry(loop),
                    settings=_settings(),
                    standalone=True,
                    # Without this value kopf looks up the user's name, but the uid of the image has no name.
                    identity="kindler",  # type: ignore[arg-type]
                    clusterwide=not self._namespaces,
                    namespaces=self._namespaces,
                    stop_flag=stop,
                )
            )
        except Exception as error:
            log.exception("kopf failed")
            reason = repr(error)
        if not loop.is_closed():
            loop.call_soon_threadsafe(end, reason)

    def _registry(self, loop: asyncio.AbstractEventLoop) -> kopf.OperatorRegistry:
        registry = kopf.OperatorRegistry()
        # kopf uses the first configuration that exists: the pod's ServiceAccount, else $KUBECONFIG or ~/.kube/config.
        kopf.on.login(registry=registry)(_login)
        for kind in KINDS:
            kopf.on.event(names.GROUP, names.VERSION, kind.plural, registry=registry)(self._handler(loop, kind))
        return registry

    def _handler(self, loop: asyncio.AbstractEventLoop, kind: Resource) -> Any:
        async def on_event(event: Any, **_: Any) -> None:
            value: Object = dict(event["object"])
            value = {"apiVersion": kind.api_version, "kind": kind.kind} | value
            with suppress(RuntimeError):  # the process is ending, and its loop is closed
                loop.call_soon_threadsafe(self._receive, kind, event["type"], value)

        return on_event

    # In the event loop of the process

    def _receive(self, kind: Resource, event: str | None, value: Object) -> None:
        """Stores one event: ADDED, MODIFIED, DELETED, or None for an object that existed when the watch began."""
        if event != "DELETED":
            self._put(kind, value)
            return
        known = self.objects[kind].get(_name(value))
        # A late event of a deleted object must not remove a new object of the same name.
        if known is not None and known["metadata"]["uid"] == value["metadata"]["uid"]:
            self._remove(kind, _name(value))

    def _put(self, kind: Resource, value: Object) -> None:
        key = _name(value)
        old = self.objects[kind].get(key)
        if old is not None and _version(old) >= _version(value):
            return
        value["metadata"] = {k: v for k, v in value["metadata"].items() if k != "managedFields"}
        self.objects[kind][key] = value
        self._on_event(kind, old, value)

    def _remove(self, kind: Resource, key: NamespacedName) -> None:
        old = self.objects[kind].pop(key, None)
        if old is not None:
            self._on_event(kind, old, None)


def _login(**kwargs: Any) -> kopf.ConnectionInfo | None:
    return kopf.login_with_service_account(**kwargs) or kopf.login_with_kubeconfig(**kwargs)


class _Backoffs:
    """Endless pauses in seconds: an API server that is unavailable for an hour must not end the process."""

    def __iter__(self) -> Iterator[float]:
        pause = 0.5
        while True:
            yield pause * random.uniform(0.5, 1)
            pause = min(10.0, pause * 2)


def _settings() -> kopf.OperatorSettings:
    """kopf's settings. The comment of each value gives its reason."""
    settings = kopf.OperatorSettings()
    settings.peering.standalone = True  # a Lease elects the leader; peering would stop two replicas of equal priority
    settings.posting.enabled = False  # Kindler writes its own Events, each once an hour at most
    settings.scanning.disabled = True  # no watch of CRDs and namespaces, so Kindler needs fewer rights
    settings.queueing.worker_limit = 50  # without it, one connection per active object: 1.4 GB for 10,000
    settings.queueing.idle_timeout = 0.1  # seconds for which a worker keeps its slot after its event
    settings.watching.server_timeout = 600
    # The API server sends a bookmark every 60 s, so a stream that is silent for longer is dead.
    settings.watching.inactivity_timeout = 70
    settings.watching.connect_timeout = 10
    settings.networking.request_timeout = 30
    settings.networking.error_backoffs = _Backoffs()
    settings.execution.max_workers = 4  # threads; kopf's thread pool never shrinks
    return settings


def _name(value: Object) -> NamespacedName:
    return str(value["metadata"].get("namespace", "")), str(value["metadata"]["name"])


def _version(value: Object) -> int:
    """The resourceVersion as a number. The resourceVersions of one kind can be compared."""
    return int(value["metadata"].get("resourceVersion") or 0)
