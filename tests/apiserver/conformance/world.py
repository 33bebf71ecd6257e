"""The server under test, the list of cases, and how a case reads objects and events."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from contextlib import aclosing
from dataclasses import dataclass

from kindler.clients.cluster import Cluster, Object, Resource


@dataclass(frozen=True, slots=True)
class World:
    """A server under test.

    `has_collector`: it has a garbage collector. `drop_history`: makes a server that can do so drop its history.
    """

    cluster: Cluster
    kubeconfig: str | None  # None: `Cluster.connect` finds the cluster itself
    namespace: str
    has_collector: bool
    drop_history: Callable[[], None]


Case = Callable[[World], Awaitable[None]]
CASES: list[Case] = []


def case(function: Case) -> Case:
    CASES.append(function)
    return function


async def existing(world: World, resource: Resource, name: str) -> Object:
    found = await world.cluster.get(resource, world.namespace, name)
    assert found is not None
    return found


async def events(
    world: World, resource: Resource, version: str, names: Collection[str], count: int, selector: str = ""
) -> list[tuple[str, Object]]:
    """The first `count` events about objects with these names.

    The stream may also contain events about objects of other writers. These are skipped.
    """
    found: list[tuple[str, Object]] = []
    async with (
        asyncio.timeout(30),
        aclosing(world.cluster.watch(resource, world.namespace, selector, version)) as stream,
    ):
        async for kind, value in stream:
            if kind != "BOOKMARK" and value["metadata"]["name"] in names:
                found.append((kind, value))
            if len(found) == count:
                return found
    raise AssertionError(f"the watch ended after {found}")
