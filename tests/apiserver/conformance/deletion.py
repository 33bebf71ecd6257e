"""Cases: preconditions, finalizers, grace periods and garbage collection."""

from __future__ import annotations

import uuid

import pytest

from kindler.clients.cluster import PODS, Conflict
from tests.apiserver.conformance.bodies import CONFIG_MAPS, THINGS, config_map, pod, thing
from tests.apiserver.conformance.world import World, case, events, existing


@case
async def deletion_checks_its_preconditions(world: World) -> None:
    made = await world.cluster.create(CONFIG_MAPS, world.namespace, config_map("c"))
    now = await world.cluster.merge_patch(CONFIG_MAPS, world.namespace, "c", {"data": {"a": "1"}})
    with pytest.raises(Conflict):
        await world.cluster.delete(CONFIG_MAPS, world.namespace, "c", uid="00000000-0000-0000-0000-000000000000")
    with pytest.raises(Conflict):
        await world.cluster.delete(
            CONFIG_MAPS, world.namespace, "c", resource_version=made["metadata"]["resourceVersion"]
        )
    metadata = now["metadata"]
    assert await world.cluster.delete(
        CONFIG_MAPS, world.namespace, "c", uid=metadata["uid"], resource_version=metadata["resourceVersion"]
    )
    assert await world.cluster.get(CONFIG_MAPS, world.namespace, "c") is None
    assert not await world.cluster.delete(CONFIG_MAPS, world.namespace, "c")


@case
async def an_object_with_a_finalizer_is_deleted_when_the_finalizer_is_removed(world: World) -> None:
    made = await world.cluster.create(THINGS, world.namespace, thing("e", finalizers=["example.com/wait"]))
    await world.cluster.delete(THINGS, world.namespace, "e")
    deleting = await existing(world, THINGS, "e")
    assert "deletionTimestamp" in deleting["metadata"] and deleting["metadata"]["generation"] == 2
    assert await world.cluster.delete(THINGS, world.namespace, "e"), "a second deletion succeeds and changes nothing"
    await world.cluster.merge_patch(THINGS, world.namespace, "e", {"metadata": {"finalizers": None}})
    assert await world.cluster.get(THINGS, world.namespace, "e") is None
    again = await world.cluster.create(THINGS, world.namespace, thing("e"))
    assert again["metadata"]["uid"] != made["metadata"]["uid"]


@case
async def only_a_pod_on_a_node_gets_a_deletion_grace_period(world: World) -> None:
    await world.cluster.create(PODS, world.namespace, pod("waiting"))
    # A node name that was never used before: 40 s after kube-controller-manager first sees a pod on a node that does
    # not exist, it deletes all pods of that node.
    await world.cluster.create(PODS, world.namespace, pod("placed", node=f"no-such-node-{uuid.uuid4().hex[:8]}"))
    for name in ("waiting", "placed"):
        assert await world.cluster.delete(PODS, world.namespace, name)
    assert await world.cluster.get(PODS, world.namespace, "waiting") is None
    deleting = await existing(world, PODS, "placed")
    assert "deletionTimestamp" in deleting["metadata"] and deleting["metadata"]["deletionGracePeriodSeconds"] == 30
    await world.cluster.delete(PODS, world.namespace, "placed", grace_seconds=0)
    assert await world.cluster.get(PODS, world.namespace, "placed") is None


@case
async def objects_owned_by_a_deleted_object_are_deleted(world: World) -> None:
    if not world.has_collector:
        pytest.skip("an API server without a controller manager has no garbage collector")
    expected = {
        "Background": [("DELETED", "owner"), ("DELETED", "child")],
        "Foreground": [("MODIFIED", "owner"), ("DELETED", "child"), ("DELETED", "owner")],
    }
    for propagation, steps in expected.items():
        owner = await world.cluster.create(CONFIG_MAPS, world.namespace, config_map("owner"))
        reference = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "name": "owner",
            "uid": owner["metadata"]["uid"],
            "blockOwnerDeletion": True,
        }
        child = await world.cluster.create(
            CONFIG_MAPS, world.namespace, config_map("child", ownerReferences=[reference])
        )
        await world.cluster.delete(CONFIG_MAPS, world.namespace, "owner", propagation=propagation)
        seen = await events(world, CONFIG_MAPS, child["metadata"]["resourceVersion"], ("owner", "child"), len(steps))
        assert [(kind, value["metadata"]["name"]) for kind, value in seen] == steps
        if propagation == "Foreground":
            assert "foregroundDeletion" in seen[0][1]["metadata"]["finalizers"]
