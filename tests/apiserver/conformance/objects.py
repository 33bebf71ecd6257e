"""Cases: creating, reading and listing objects."""

from __future__ import annotations

import copy

import pytest

from kindler.clients.cluster import MODELS, ApiError, Cluster, Conflict, Invalid, NotFound, Resource
from tests.apiserver.conformance.bodies import CONFIG_MAPS, THINGS, config_map, model, thing
from tests.apiserver.conformance.world import World, case, events, existing


@case
async def creation_sets_the_fields_that_the_server_owns(world: World) -> None:
    body = thing("m") | {"status": {"observedGeneration": 7}}
    body["metadata"] |= {"uid": "mine", "generation": 9, "creationTimestamp": "2001-01-01T00:00:00Z"}
    made = await world.cluster.create(THINGS, world.namespace, body, "me")
    metadata = made["metadata"]
    assert (
        metadata["uid"] != "mine"
        and metadata["generation"] == 1
        and not metadata["creationTimestamp"].startswith("2001")
    )
    assert metadata["resourceVersion"] and metadata["namespace"] == world.namespace
    assert made["status"] == {"observedGeneration": -1}, "creation ignores status, but sets its default"
    assert [(f["manager"], f["operation"]) for f in metadata["managedFields"]] == [("me", "Update")]
    assert await existing(world, THINGS, "m") == made


@case
async def creation_is_rejected_for_a_used_name_a_missing_namespace_or_a_resource_version(world: World) -> None:
    made = await world.cluster.create(THINGS, world.namespace, thing("m"))
    with pytest.raises(Conflict) as caught:
        await world.cluster.create(THINGS, world.namespace, thing("m"))
    assert caught.value.already_exists and "already exists" in caught.value.message
    with pytest.raises(NotFound, match="namespaces"):
        await world.cluster.create(THINGS, "no-such-namespace", thing("m"))
    again = copy.deepcopy(made)
    again["metadata"]["name"] = "other"
    with pytest.raises(ApiError, match="resourceVersion should not be set"):
        await world.cluster.create(THINGS, world.namespace, again)


@case
async def getting_a_missing_object_gives_none_and_listing_a_missing_kind_raises(world: World) -> None:
    for name in ("no", "..", "a/b", "a%2fb"):
        assert await world.cluster.get(THINGS, world.namespace, name) is None
    with pytest.raises(NotFound):
        await world.cluster.list(Resource("serving.kindler.dev", "v1alpha1", "nothings", "Nothing"), world.namespace)


@case
async def custom_resources_are_pruned_defaulted_and_validated(world: World) -> None:
    body = model("m")
    body["spec"]["primaryContainer"]["unknown"] = 1
    made = await world.cluster.create(MODELS, world.namespace, body)
    assert made["spec"]["primaryContainer"] == {
        "image": "a:1",
        "args": ["serve"],
        "port": 8080,
        "healthPath": "/ping",
        "invocationsPath": "/invocations",
        "drain": "Connections",
        "securityContext": {"runAsUser": 10001, "runAsGroup": 0, "readOnlyRootFilesystem": False},
    }
    bad = model("bad")
    bad["spec"]["primaryContainer"]["drain"] = "Never"
    with pytest.raises(Invalid, match="drain"):
        await world.cluster.create(MODELS, world.namespace, bad)
    with pytest.raises(Invalid, match="spec"):
        await world.cluster.create(MODELS, world.namespace, {k: v for k, v in model("bad").items() if k != "spec"})


@case
async def lists_can_be_filtered_by_labels_and_by_name(world: World) -> None:
    own = {"a": {"x": "1"}, "b": {"x": "2"}, "c": {"x": "1", "y": ""}, "d": {}}
    for name, labels in own.items():
        await world.cluster.create(CONFIG_MAPS, world.namespace, config_map(name, labels=labels))
    cases = {
        "x=1": "ac",
        "x==2": "b",
        "x!=1": "bd",
        "x in (1,2)": "abc",
        "x notin (1)": "bd",
        "x": "abc",
        "!x": "d",
        "x=1,y": "c",
        "x in (1), !y": "a",
    }
    for selector, names in cases.items():
        items, _ = await world.cluster.list(CONFIG_MAPS, world.namespace, selector)
        found = "".join(item["metadata"]["name"] for item in items if item["metadata"]["name"] in own)
        assert found == names, selector
    items, version = await world.cluster.list(CONFIG_MAPS, world.namespace, field_selector="metadata.name=b")
    assert [item["metadata"]["name"] for item in items] == ["b"] and version
    assert "kind" not in items[0], "items in lists of built-in kinds have no kind field"
    with pytest.raises(ApiError) as caught:
        await world.cluster.list(CONFIG_MAPS, world.namespace, "x in 1")
    assert caught.value.status == 400


@case
async def all_pages_of_a_list_show_the_same_version(world: World) -> None:
    for i in range(5):
        await world.cluster.create(THINGS, world.namespace, thing(f"m{i}", labels={"in": "pages"}))
    small = Cluster(page_size=2)
    await small.connect(world.kubeconfig)
    names, versions = [], set()
    async for items, version in small.pages(THINGS, world.namespace, "in=pages"):
        names.append([item["metadata"]["name"] for item in items])
        versions.add(version)
        if len(names) == 1:
            await world.cluster.delete(THINGS, world.namespace, "m4")
    await small.close()
    assert names == [["m0", "m1"], ["m2", "m3"], ["m4"]] and len(versions) == 1
    assert [kind for kind, _ in await events(world, THINGS, versions.pop(), ["m4"], 1)] == ["DELETED"], (
        "the list's version must be older than the deletion"
    )
