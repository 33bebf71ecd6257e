"""A second writer in the namespace of a conformance case, like the controllers and users of a real cluster.

A case must give the same result for its own objects with and without this writer.
tests/wiring/test_apiserver_conformance.py runs each case both ways. The bystander writes to the store directly, so that
the order of writes does not depend on timing: after each change of an object by a case, the bystander changes an object
of the same kind.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from itertools import count

from kindler.clients.cluster import (
    AUTOSCALERS,
    CONTROLLER_REVISIONS,
    EVENTS,
    LEASES,
    MODELS,
    PODS,
    REPLICASETS,
    SERVICES,
    Resource,
)
from tests.apiserver.conformance.bodies import (
    CONFIG_MAPS,
    THINGS,
    autoscaler,
    config_map,
    model,
    pod,
    replica_set,
    thing,
)
from tests.apiserver.kinds import Kind
from tests.apiserver.objects import Object
from tests.apiserver.store import Change, Store

NAME = "bystander"
PREFIXES = ("a", "b", "m1", "z")  # so that its objects are in lists before, between and after those of a case
TICK_SECONDS = 0.005  # the pause between the bystander's own writes, while the case writes nothing


def _bare(resource: Resource, **content: object) -> Callable[[str], Object]:
    return lambda name: {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": {"name": name},
        **content,
    }


BODIES: dict[Resource, Callable[[str], Object]] = {
    THINGS: thing,
    CONFIG_MAPS: config_map,
    MODELS: model,
    PODS: pod,
    REPLICASETS: lambda name: replica_set(name, 0),
    SERVICES: _bare(SERVICES, spec={"type": "ExternalName", "externalName": "a.b"}),
    CONTROLLER_REVISIONS: _bare(CONTROLLER_REVISIONS, revision=1, data={"a": 1}),
    LEASES: _bare(LEASES, spec={"holderIdentity": NAME}),
    EVENTS: _bare(EVENTS, reason="Started", note="by the bystander"),
    AUTOSCALERS: lambda name: autoscaler() | {"metadata": {"name": name}},
}
"""Every namespaced kind that the cases write."""


class Bystander:
    """Creates, changes and deletes its own objects: one write per step and kind.

    At least one object of each kind exists at any time.
    """

    def __init__(self, store: Store, namespace: str) -> None:
        self._store, self._namespace = store, namespace
        self._steps = {
            store.kind(resource.plural, resource.group): self._writes(resource, body)
            for resource, body in BODIES.items()
        }
        self._writing = False
        self.step()
        store.listeners.append(self._on_change)

    def step(self) -> None:
        """One write to each kind."""
        for kind in self._steps:
            self._write(kind)

    def _on_change(self, change: Change) -> None:
        if (
            not self._writing
            and change.kind in self._steps
            and change.new["metadata"].get("namespace") == self._namespace
        ):
            self._write(change.kind)

    def _write(self, kind: Kind) -> None:
        self._writing = True
        try:
            next(self._steps[kind])
        finally:
            self._writing = False

    def _writes(self, resource: Resource, body: Callable[[str], Object]) -> Iterator[Object]:
        """A generator of writes to one kind: each `next` makes one. Cases use its labels in selectors."""
        store, namespace, kind = self._store, self._namespace, self._store.kind(resource.plural, resource.group)
        before = ""
        for number in count():
            name = f"{PREFIXES[number % len(PREFIXES)]}-{NAME}-{number}"
            created = body(name)
            created["metadata"] |= {"labels": {"x": "1", "y": ""}}
            yield store.create(kind, namespace, created, NAME)
            for value in ("2", "1"):
                yield store.merge_patch(kind, namespace, name, {"metadata": {"labels": {"x": value}}}, manager=NAME)
            if before:
                yield store.delete(kind, namespace, before)
            before = name


@asynccontextmanager
async def bystander(store: Store, namespace: str) -> AsyncIterator[Bystander]:
    """A bystander that writes until the block ends: after each change by another writer, and every few milliseconds."""
    one = Bystander(store, namespace)

    async def write() -> None:
        while True:
            one.step()
            await asyncio.sleep(TICK_SECONDS)

    writing = asyncio.create_task(write())
    try:
        yield one
        assert not writing.done(), writing.exception()
    finally:
        writing.cancel()
