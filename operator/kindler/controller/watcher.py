"""The ear: kopf hears the three kinds and rings. Nothing else of kopf is used, and nothing else imports it.

Only `on.event`, without peering, finalizers, indexes or annotations: kopf's stateful handlers lose work when one of its own writes fails, and an event
that follows a re-list never tells what was deleted meanwhile. So an event is but a hint: what is heard goes into `heard`, a key is rung, and each
`compare` with a list of our own heals what no event told. kopf lives in a thread and loop of its own: it takes the main thread's signals otherwise.
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
OnHeard = Callable[[Resource, Object | None, Object | None], None]  # kind, the object before, and now
NamespacedName = tuple[str, str]


class Watcher:
    """`heard[kind]` holds the raw objects of each of the three kinds by (namespace, name), as last heard; `on_heard` is told of each change.

    `run` ends only with trouble (RuntimeError): the process should end then too.
    """

    def __init__(self, cluster: Cluster, namespaces: tuple[str, ...], on_heard: OnHeard) -> None:
        self.heard: dict[Resource, dict[NamespacedName, Object]] = {kind: {} for kind in KINDS}
        self._cluster = cluster
        self._namespaces = namespaces
        self._on_heard = on_heard

    async def compare(self) -> None:
        """Lists the three kinds and makes `heard` equal to that: what vanished unheard is dropped and told. Raises ApiError."""
        for kind in KINDS:
            for namespace in self._namespaces or (None,):
                items, version = await self._cluster.list(kind, namespace)
                found = {_name(item): item for item in items}
                for item in found.values():
                    self._put(kind, {"apiVersion": kind.api_version, "kind": kind.kind} | item)
                held = self.heard[kind]
                for key in [k for k in held if k not in found and namespace in (None, k[0])]:
                    if _version(held[key]) <= int(version or 0):  # else it was made after the list
                        self._drop(kind, key)

    async def run(self) -> None:
        """Listens until cancelled. Raises RuntimeError when kopf gave up."""
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[str] = loop.create_future()
        stop = threading.Event()
        thread = threading.Thread(target=self._listen, args=(loop, stop, ended), name="ear", daemon=True)
        thread.start()
        try:
            raise RuntimeError(f"kopf stopped listening: {await asyncio.shield(ended)}")
        finally:
            stop.set()

    def note(self, kind: Resource, value: Object) -> None:
        """Takes an object as a write of ours brought it back, before any event tells of it; unless it was heard to be gone meanwhile."""
        old = self.heard[kind].get(_name(value))
        if old is not None and old["metadata"].get("uid") == value["metadata"].get("uid"):
            self._put(kind, value)

    # In kopf's thread

    def _listen(self, loop: asyncio.AbstractEventLoop, stop: threading.Event, ended: asyncio.Future[str]) -> None:
        def tell(word: str) -> None:
            if not ended.done():
                ended.set_result(word)

        word = "it ended"
        try:
            asyncio.run(
                kopf.operator(
                    registry=self._registry(loop),
                    settings=_settings(),
                    standalone=True,
                    identity="kindler",  # type: ignore[arg-type]  # unused when standalone; else kopf asks for a user name, and our uid has none
                    clusterwide=not self._namespaces,
                    namespaces=self._namespaces,
                    stop_flag=stop,
                )
            )
        except Exception as error:
            log.exception("the ear failed")
            word = repr(error)
        if not loop.is_closed():
            loop.call_soon_threadsafe(tell, word)

    def _registry(self, loop: asyncio.AbstractEventLoop) -> kopf.OperatorRegistry:
        registry = kopf.OperatorRegistry()
        # The first that finds a configuration wins: the pod's ServiceAccount, else $KUBECONFIG or ~/.kube/config.
        kopf.on.login(registry=registry)(_login)
        for kind in KINDS:
            kopf.on.event(names.GROUP, names.VERSION, kind.plural, registry=registry)(self._hearer(loop, kind))
        return registry

    def _hearer(self, loop: asyncio.AbstractEventLoop, kind: Resource) -> Any:
        async def hear(event: Any, **_: Any) -> None:
            value: Object = dict(event["object"])
            value = {"apiVersion": kind.api_version, "kind": kind.kind} | value
            with suppress(RuntimeError):  # the process is ending, and its loop is closed already
                loop.call_soon_threadsafe(self._take, kind, event["type"], value)

        return hear

    # In our loop

    def _take(self, kind: Resource, event: str | None, value: Object) -> None:
        if event == "DELETED":
            held = self.heard[kind].get(_name(value))
            if (
                held is not None and held["metadata"]["uid"] == value["metadata"]["uid"]
            ):  # a late word about a former object is not about its successor
                self._drop(kind, _name(value))
        else:  # ADDED, MODIFIED, or None for what was there before
            self._put(kind, value)

    def _put(self, kind: Resource, value: Object) -> None:
        key = _name(value)
        old = self.heard[kind].get(key)
        if old is not None and _version(old) >= _version(value):
            return
        value["metadata"] = {k: v for k, v in value["metadata"].items() if k != "managedFields"}
        self.heard[kind][key] = value
        self._on_heard(kind, old, value)

    def _drop(self, kind: Resource, key: NamespacedName) -> None:
        old = self.heard[kind].pop(key, None)
        if old is not None:
            self._on_heard(kind, old, None)


def _login(**kwargs: Any) -> kopf.ConnectionInfo | None:
    return kopf.login_with_service_account(**kwargs) or kopf.login_with_kubeconfig(**kwargs)


class _Backoffs:
    """Pauses without end, in seconds: an API server that is away for an hour must not end the process."""

    def __iter__(self) -> Iterator[float]:
        pause = 0.5
        while True:
            yield pause * random.uniform(0.5, 1)
            pause = min(10.0, pause * 2)


def _settings() -> kopf.OperatorSettings:
    """Each value has a reason: see the comment beside it."""
    settings = kopf.OperatorSettings()
    settings.peering.standalone = True  # a Lease elects the leader; kopf's peering freezes both on equal priority
    settings.posting.enabled = False  # our own Events, de-duplicated
    settings.scanning.disabled = True  # no watch of CRDs and namespaces, fewer rights
    settings.queueing.worker_limit = 50  # else one connection per object at work: 1.4 GB at 10,000 objects
    settings.queueing.idle_timeout = 0.1  # a worker holds its slot that long after its event
    settings.watching.server_timeout = 600
    settings.watching.inactivity_timeout = (
        70  # the API server sends a bookmark each 60 s: a silent stream is a dead one
    )
    settings.watching.connect_timeout = 10
    settings.networking.request_timeout = 30
    settings.networking.error_backoffs = _Backoffs()
    settings.execution.max_workers = 4  # its thread pool never shrinks
    return settings


def _name(value: Object) -> NamespacedName:
    return str(value["metadata"].get("namespace", "")), str(value["metadata"]["name"])


def _version(value: Object) -> int:
    """resourceVersions of one kind can be compared as numbers."""
    return int(value["metadata"].get("resourceVersion") or 0)
