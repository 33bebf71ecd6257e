"""Cases: watches, the events that they replay, and how they end."""

from __future__ import annotations

import asyncio

import pytest

from kindler.clients.cluster import Gone
from tests.apiserver.conformance.bodies import CONFIG_MAPS, THINGS, config_map, thing
from tests.apiserver.conformance.world import World, case, events


@case
async def a_watch_replays_changes_in_order_from_its_version(world: World) -> None:
    _, version = await world.cluster.list(THINGS, world.namespace)
    made = await world.cluster.create(THINGS, world.namespace, thing("m"))
    changed = await world.cluster.merge_patch(THINGS, world.namespace, "m", {"metadata": {"labels": {"a": "b"}}})
    await world.cluster.delete(THINGS, world.namespace, "m")
    seen = await events(world, THINGS, version, ["m"], 3)
    assert [kind for kind, _ in seen] == ["ADDED", "MODIFIED", "DELETED"]
    assert seen[0][1] == made and seen[1][1] == changed
    last = seen[2][1]["metadata"]
    assert last["uid"] == made["metadata"]["uid"] and last["resourceVersion"] not in (
        None,
        changed["metadata"]["resourceVersion"],
    )
    later = await events(world, THINGS, made["metadata"]["resourceVersion"], ["m"], 2)
    assert [kind for kind, _ in later] == ["MODIFIED", "DELETED"], (
        "the watch sends only changes after the given version"
    )


@case
async def a_watch_without_a_version_begins_with_existing_objects(world: World) -> None:
    for name in ("a", "b"):
        await world.cluster.create(THINGS, world.namespace, thing(name))
    seen = await events(world, THINGS, "", ("a", "b"), 2)
    assert sorted((kind, value["metadata"]["name"]) for kind, value in seen) == [("ADDED", "a"), ("ADDED", "b")]


@case
async def a_watch_sends_later_changes(world: World) -> None:
    _, version = await world.cluster.list(THINGS, world.namespace)
    watching = asyncio.create_task(events(world, THINGS, version, ["m"], 1))
    await world.cluster.create(THINGS, world.namespace, thing("m"))
    assert [(kind, value["metadata"]["name"]) for kind, value in await watching] == [("ADDED", "m")]


@case
async def a_watch_with_a_selector_sends_label_changes_as_added_and_deleted(world: World) -> None:
    _, version = await world.cluster.list(CONFIG_MAPS, world.namespace)
    await world.cluster.create(CONFIG_MAPS, world.namespace, config_map("c"))
    await world.cluster.merge_patch(CONFIG_MAPS, world.namespace, "c", {"metadata": {"labels": {"x": "1"}}})
    await world.cluster.merge_patch(CONFIG_MAPS, world.namespace, "c", {"data": {"a": "1"}})
    await world.cluster.merge_patch(CONFIG_MAPS, world.namespace, "c", {"metadata": {"labels": {"x": "2"}}})
    await world.cluster.delete(CONFIG_MAPS, world.namespace, "c")
    await world.cluster.create(CONFIG_MAPS, world.namespace, config_map("d", labels={"x": "1"}))
    seen = await events(world, CONFIG_MAPS, version, ("c", "d"), 4, "x=1")
    assert [(kind, value["metadata"]["name"]) for kind, value in seen] == [
        ("ADDED", "c"),
        ("MODIFIED", "c"),
        ("DELETED", "c"),
        ("ADDED", "d"),
    ]


@case
async def a_watch_ends_after_its_timeout(world: World) -> None:
    _, version = await world.cluster.list(THINGS, world.namespace)
    async with asyncio.timeout(30):
        kinds = {
            kind
            async for kind, _ in world.cluster.watch(THINGS, world.namespace, "of=nobody", version, timeout_seconds=1)
        }
    assert kinds <= {"BOOKMARK"}


@case
async def a_watch_from_a_forgotten_version_gets_gone(world: World) -> None:
    await world.cluster.create(THINGS, world.namespace, thing("m"))
    world.drop_history()
    with pytest.raises(Gone):
        await events(world, THINGS, "1", ["m"], 1)
