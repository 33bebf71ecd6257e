"""Cases: server-side apply, and scaling of an object that is also applied."""

from __future__ import annotations

import pytest

from kindler.clients.cluster import REPLICASETS, ApiError, Conflict, Invalid, NotFound, Object
from tests.apiserver.conformance.bodies import CONFIG_MAPS, config_map, replica_set
from tests.apiserver.conformance.world import World, case, existing


@case
async def an_apply_creates_changes_and_removes_fields_that_it_no_longer_has(world: World) -> None:
    await world.cluster.apply(
        CONFIG_MAPS, world.namespace, "c", config_map("c", {"a": "1", "b": "2"}, labels={"x": "1"}), "one"
    )
    await world.cluster.merge_patch(CONFIG_MAPS, world.namespace, "c", {"data": {"other": "3"}}, field_manager="two")
    after = await world.cluster.apply(CONFIG_MAPS, world.namespace, "c", config_map("c", {"a": "9"}), "one")
    assert after["data"] == {"a": "9", "other": "3"} and "labels" not in after["metadata"]
    same = await world.cluster.apply(CONFIG_MAPS, world.namespace, "c", config_map("c", {"a": "9"}), "one")
    assert same["metadata"]["resourceVersion"] == after["metadata"]["resourceVersion"]


@case
async def an_apply_of_another_managers_field_conflicts_unless_forced(world: World) -> None:
    await world.cluster.create(CONFIG_MAPS, world.namespace, config_map("c", {"a": "1", "b": "2"}), "maker")
    with pytest.raises(Conflict, match="maker"):
        await world.cluster.apply(CONFIG_MAPS, world.namespace, "c", config_map("c", {"a": "9"}), "one", force=False)
    after = await world.cluster.apply(
        CONFIG_MAPS, world.namespace, "c", config_map("c", {"b": "2"}), "one", force=False
    )
    assert after["data"] == {"a": "1", "b": "2"}, "applying the same value is no conflict: both managers own it"
    after = await world.cluster.apply(CONFIG_MAPS, world.namespace, "c", config_map("c", {"a": "9"}), "one")
    assert after["data"] == {"a": "9", "b": "2"}, "manager `one` gave b up, but `maker` still owns it"
    after = await world.cluster.apply(CONFIG_MAPS, world.namespace, "c", config_map("c"), "one")
    assert after["data"] == {"b": "2"}, "`one` took a from `maker` by force and then gave it up, so no manager owns it"


@case
async def an_apply_needs_a_field_manager_and_checks_the_resource_version(world: World) -> None:
    with pytest.raises(ApiError, match="fieldManager"):
        await world.cluster.apply(CONFIG_MAPS, world.namespace, "c", config_map("c"), "")
    made = await world.cluster.create(CONFIG_MAPS, world.namespace, config_map("c"))
    await world.cluster.merge_patch(CONFIG_MAPS, world.namespace, "c", {"data": {"a": "1"}})
    with pytest.raises(Conflict):
        stale = config_map("c", {"b": "2"}, resourceVersion=made["metadata"]["resourceVersion"])
        await world.cluster.apply(CONFIG_MAPS, world.namespace, "c", stale, "one")


@case
async def replicas_applied_once_and_then_left_out_are_reset_to_one(world: World) -> None:
    await world.cluster.apply(REPLICASETS, world.namespace, "r", replica_set("r", 0), "kindler")
    after = await world.cluster.apply(REPLICASETS, world.namespace, "r", replica_set("r"), "kindler")
    assert after["spec"]["replicas"] == 1


@case
async def applies_keep_replicas_that_another_manager_created_or_scaled(world: World) -> None:
    await world.cluster.create(REPLICASETS, world.namespace, replica_set("r", 0), "kindler-create")
    after = await world.cluster.apply(REPLICASETS, world.namespace, "r", replica_set("r"), "kindler")
    assert after["spec"]["replicas"] == 0
    await world.cluster.scale(REPLICASETS, world.namespace, "r", 2)
    after = await world.cluster.apply(REPLICASETS, world.namespace, "r", replica_set("r", image="a:2"), "kindler")
    assert after["spec"]["replicas"] == 2 and after["spec"]["template"]["spec"]["containers"][0]["image"] == "a:2"


@case
async def lists_with_keys_are_applied_item_by_item(world: World) -> None:
    def body(*names: str) -> Object:
        return replica_set("r", env=[{"name": n, "value": n} for n in names])

    def names_of(obj: Object) -> list[str]:
        return [e["name"] for e in obj["spec"]["template"]["spec"]["containers"][0].get("env", [])]

    await world.cluster.create(REPLICASETS, world.namespace, replica_set("r", 0), "maker")
    assert names_of(await world.cluster.apply(REPLICASETS, world.namespace, "r", body("A", "B"), "one")) == ["A", "B"]
    two = {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {"name": "r"},
        "spec": {"template": {"spec": {"containers": [{"name": "model", "env": [{"name": "C", "value": "C"}]}]}}},
    }
    assert names_of(await world.cluster.apply(REPLICASETS, world.namespace, "r", two, "two")) == ["A", "B", "C"]
    assert names_of(await world.cluster.apply(REPLICASETS, world.namespace, "r", body("B"), "one")) == ["B", "C"]
    assert names_of(await world.cluster.apply(REPLICASETS, world.namespace, "r", body(), "one")) == ["C"]


@case
async def scaling_changes_only_replicas(world: World) -> None:
    made = await world.cluster.create(REPLICASETS, world.namespace, replica_set("r", 0))
    scale = await world.cluster.scale(REPLICASETS, world.namespace, "r", 3)
    assert (scale["kind"], scale["spec"], scale["status"]["selector"]) == ("Scale", {"replicas": 3}, "app=r")
    after = await existing(world, REPLICASETS, "r")
    assert (
        after["spec"] == made["spec"] | {"replicas": 3}
        and after["metadata"]["generation"] == made["metadata"]["generation"] + 1
    )
    with pytest.raises(Invalid):
        await world.cluster.scale(REPLICASETS, world.namespace, "r", -1)
    with pytest.raises(NotFound):
        await world.cluster.scale(REPLICASETS, world.namespace, "no", 1)
    fence = {"metadata": {"resourceVersion": made["metadata"]["resourceVersion"]}, "spec": {"replicas": 0}}
    with pytest.raises(Conflict):
        await world.cluster.merge_patch(REPLICASETS, world.namespace, "r", fence, "scale")
