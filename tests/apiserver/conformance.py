"""What Kindler relies on an API server to do: cases that the one in memory and a real one must both pass.

Each case is an async function of a World; it makes what it needs in a namespace of its own and says in its name what holds.
The namespace is not the case's alone: kube-controller-manager, for one, creates the ConfigMap `kube-root-ca.crt` in each new namespace, at a time that
nobody can know. So a case reads lists and watches by the names of its own objects. The wiring tests run every case with a second writer beside it
(bystander.py).
"""

from __future__ import annotations

import asyncio
import copy
import uuid
from collections.abc import Awaitable, Callable, Collection
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import pytest

from kindler.clients.cluster import (
    CONTROLLER_REVISIONS,
    EVENTS,
    LEASES,
    MODELS,
    PODS,
    REPLICASETS,
    SERVICES,
    ApiError,
    Cluster,
    Conflict,
    Gone,
    Invalid,
    NotFound,
    Object,
    Resource,
)

# A kind that no controller touches, so that nobody else writes to what a case looks at.
THINGS = Resource("conformance.example.com", "v1", "things", "Thing")
THINGS_CRD: Object = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "things.conformance.example.com"},
    "spec": {
        "group": THINGS.group,
        "names": {"kind": "Thing", "listKind": "ThingList", "plural": "things", "singular": "thing"},
        "scope": "Namespaced",
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "subresources": {"status": {}},
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {
                            "spec": {"type": "object", "properties": {"value": {"type": "string"}}},
                            "status": {
                                "type": "object",
                                "default": {"observedGeneration": -1},
                                "properties": {"observedGeneration": {"type": "integer", "format": "int64"}},
                            },
                        },
                    }
                },
            }
        ],
    },
}
CRDS = Resource("apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition", namespaced=False)
NAMESPACES = Resource("", "v1", "namespaces", "Namespace", namespaced=False)
CONFIG_MAPS = Resource("", "v1", "configmaps", "ConfigMap")


@dataclass(frozen=True, slots=True)
class World:
    """A server under test. `collects`: it has a garbage collector. `forget`: makes it forget its history, where that can be asked for."""

    cluster: Cluster
    kubeconfig: str | None  # None: where `Cluster.connect` finds it by itself
    namespace: str
    collects: bool
    forget: Callable[[], None]


Case = Callable[[World], Awaitable[None]]
CASES: list[Case] = []


def case(function: Case) -> Case:
    CASES.append(function)
    return function


# Builders


def thing(name: str, value: str = "c1", **metadata: Any) -> Object:
    return {
        "apiVersion": THINGS.api_version,
        "kind": "Thing",
        "metadata": {"name": name, **metadata},
        "spec": {"value": value},
    }


def model(name: str) -> Object:
    return {
        "apiVersion": MODELS.api_version,
        "kind": "Model",
        "metadata": {"name": name},
        "spec": {"primaryContainer": {"image": "a:1"}},
    }


def config_map(name: str, data: dict[str, str] | None = None, **metadata: Any) -> Object:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **metadata}, "data": data or {}}


def replica_set(name: str, replicas: int | None = None, **container: Any) -> Object:
    spec: Object = {
        "selector": {"matchLabels": {"app": name}},
        # No scheduler of this name: whatever is created stays Pending, on every server.
        "template": {
            "metadata": {"labels": {"app": name}},
            "spec": {"schedulerName": "nobody", "containers": [{"name": "model", "image": "a:1", **container}]},
        },
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {"name": name},
        "spec": spec | ({} if replicas is None else {"replicas": replicas}),
    }


def pod(name: str, node: str = "") -> Object:
    spec: Object = {"schedulerName": "nobody", "containers": [{"name": "model", "image": "a:1"}]} | (
        {"nodeName": node} if node else {}
    )
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


async def there(world: World, resource: Resource, name: str) -> Object:
    found = await world.cluster.get(resource, world.namespace, name)
    assert found is not None
    return found


async def events(
    world: World, resource: Resource, version: str, names: Collection[str], count: int, selector: str = ""
) -> list[tuple[str, Object]]:
    """The first `count` events about objects of these names: the case's own. Other writers' events may come between them."""
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


# Creating and reading


@case
async def creation_sets_what_belongs_to_the_server(world: World) -> None:
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
    assert made["status"] == {"observedGeneration": -1}, "a status cannot be created, but its default is there"
    assert [(f["manager"], f["operation"]) for f in metadata["managedFields"]] == [("me", "Update")]
    assert await there(world, THINGS, "m") == made


@case
async def creation_is_refused_for_a_name_in_use_a_missing_namespace_or_a_resource_version(world: World) -> None:
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
async def what_is_not_there_is_none(world: World) -> None:
    for name in ("no", "..", "a/b", "a%2fb"):
        assert await world.cluster.get(THINGS, world.namespace, name) is None
    with pytest.raises(NotFound):
        await world.cluster.list(Resource("serving.kindler.dev", "v1alpha1", "nothings", "Nothing"), world.namespace)


@case
async def custom_resources_are_pruned_completed_and_checked(world: World) -> None:
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
async def lists_are_selected_by_labels_and_by_name(world: World) -> None:
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
    assert "kind" not in items[0], "items of built-in lists don't say what they are"
    with pytest.raises(ApiError) as caught:
        await world.cluster.list(CONFIG_MAPS, world.namespace, "x in 1")
    assert caught.value.status == 400


@case
async def a_list_in_pages_shows_one_moment(world: World) -> None:
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
        "the list's version is from before the deletion"
    )


# Changing


@case
async def a_put_needs_the_present_version(world: World) -> None:
    first = await world.cluster.create(THINGS, world.namespace, thing("e"))
    second = await world.cluster.update(THINGS, world.namespace, "e", first | {"spec": {"value": "c2"}})
    with pytest.raises(Conflict) as caught:
        await world.cluster.update(THINGS, world.namespace, "e", first | {"spec": {"value": "c3"}})
    assert not caught.value.already_exists
    with pytest.raises(Invalid, match="must be specified for an update"):
        await world.cluster.update(THINGS, world.namespace, "e", thing("e"))
    assert await there(world, THINGS, "e") == second
    other_uid = copy.deepcopy(second)
    other_uid["metadata"]["uid"] = "00000000-0000-0000-0000-000000000000"
    with pytest.raises(Conflict):
        await world.cluster.update(THINGS, world.namespace, "e", other_uid)


@case
async def generation_counts_changes_of_the_spec_alone(world: World) -> None:
    made = await world.cluster.create(THINGS, world.namespace, thing("e"))
    made["metadata"]["labels"] = {"a": "b"}
    labelled = await world.cluster.update(THINGS, world.namespace, "e", made)
    told = await world.cluster.update_status(
        THINGS, world.namespace, "e", labelled | {"status": {"observedGeneration": 1}}
    )
    assert (labelled["metadata"]["generation"], told["metadata"]["generation"]) == (1, 1)
    changed = await world.cluster.merge_patch(THINGS, world.namespace, "e", {"spec": {"value": "c2"}})
    assert changed["metadata"]["generation"] == 2


@case
async def a_write_that_changes_nothing_is_no_write(world: World) -> None:
    made = await world.cluster.create(THINGS, world.namespace, thing("e"))
    # A real server stores the default of a status with the first write after the creation, whatever that says.
    made = await world.cluster.update_status(THINGS, world.namespace, "e", made | {"status": {"observedGeneration": 1}})
    same = await world.cluster.update(THINGS, world.namespace, "e", made)
    patched = await world.cluster.merge_patch(THINGS, world.namespace, "e", {"spec": {"value": "c1"}})
    status = await world.cluster.update_status(THINGS, world.namespace, "e", made)
    assert {o["metadata"]["resourceVersion"] for o in (made, same, patched, status)} == {
        made["metadata"]["resourceVersion"]
    }


@case
async def status_and_the_rest_are_written_apart(world: World) -> None:
    made = await world.cluster.create(THINGS, world.namespace, thing("e"))
    body = copy.deepcopy(made) | {"spec": {"value": "other"}, "status": {"observedGeneration": 1}}
    body["metadata"]["labels"] = {"a": "b"}
    told = await world.cluster.update_status(THINGS, world.namespace, "e", body)
    assert (
        told["spec"] == made["spec"] and told["status"]["observedGeneration"] == 1 and "labels" not in told["metadata"]
    )
    changed = await world.cluster.update(
        THINGS, world.namespace, "e", told | {"status": {"observedGeneration": 5}, "spec": {"value": "c2"}}
    )
    assert changed["spec"]["value"] == "c2" and changed["status"]["observedGeneration"] == 1
    with pytest.raises(Conflict):
        await world.cluster.update_status(THINGS, world.namespace, "e", told | {"status": {"observedGeneration": 9}})
    patched = await world.cluster.merge_patch(
        THINGS, world.namespace, "e", {"status": {"observedGeneration": 2}}, "status"
    )
    assert patched["status"]["observedGeneration"] == 2


@case
async def unknown_fields_of_a_status_are_dropped(world: World) -> None:
    made = await world.cluster.create(THINGS, world.namespace, thing("e"))
    told = await world.cluster.update_status(
        THINGS, world.namespace, "e", made | {"status": {"observedGeneration": 1, "unknown": True}}
    )
    assert told["status"] == {"observedGeneration": 1}


@case
async def a_merge_patch_removes_by_null_and_can_be_fenced(world: World) -> None:
    made = await world.cluster.create(CONFIG_MAPS, world.namespace, config_map("c", {"a": "1", "b": "2"}))
    patched = await world.cluster.merge_patch(
        CONFIG_MAPS, world.namespace, "c", {"data": {"a": None, "c": "3"}}, field_manager="patcher"
    )
    assert patched["data"] == {"b": "2", "c": "3"}
    assert "patcher" in [f["manager"] for f in patched["metadata"]["managedFields"]]
    fence = {"metadata": {"resourceVersion": made["metadata"]["resourceVersion"]}}
    with pytest.raises(Conflict):
        await world.cluster.merge_patch(CONFIG_MAPS, world.namespace, "c", fence | {"data": {"d": "4"}})
    with pytest.raises(NotFound):
        await world.cluster.merge_patch(CONFIG_MAPS, world.namespace, "no", {"data": {}})


@case
async def what_cannot_change_is_refused(world: World) -> None:
    await world.cluster.create(REPLICASETS, world.namespace, replica_set("r", 0))
    with pytest.raises(Invalid, match="immutable"):
        await world.cluster.merge_patch(
            REPLICASETS,
            world.namespace,
            "r",
            {"spec": {"selector": {"matchLabels": {"app": "z"}}, "template": {"metadata": {"labels": {"app": "z"}}}}},
        )
    wrong = replica_set("wrong", 0)
    wrong["spec"]["template"]["metadata"]["labels"] = {"app": "other"}
    with pytest.raises(Invalid, match="does not match template"):
        await world.cluster.create(REPLICASETS, world.namespace, wrong)
    revision = {"apiVersion": "apps/v1", "kind": "ControllerRevision", "metadata": {"name": "v"}, "revision": 1}
    revision |= {"data": {"b": {"z": "<é>&\u2028", "y": [], "x": 10**12}, "a": True}}
    made = await world.cluster.create(CONTROLLER_REVISIONS, world.namespace, revision, "maker")
    put = await world.cluster.update(CONTROLLER_REVISIONS, world.namespace, "v", made | {"revision": 2})
    patched = await world.cluster.merge_patch(CONTROLLER_REVISIONS, world.namespace, "v", {"revision": 3})
    applied = await world.cluster.apply(CONTROLLER_REVISIONS, world.namespace, "v", revision | {"revision": 4}, "one")
    assert [o["revision"] for o in (put, patched, applied)] == [2, 3, 4] and applied["data"] == revision["data"]
    with pytest.raises(Invalid, match="immutable"):
        await world.cluster.merge_patch(CONTROLLER_REVISIONS, world.namespace, "v", {"data": {"a": 2}})


@case
async def built_in_kinds_are_completed_and_written_canonically(world: World) -> None:
    probe = {"httpGet": {"path": "/ping", "port": 8080}}
    resources = {"limits": {"memory": "1024Mi", "cpu": "1.5"}, "requests": {"memory": "0.5Gi", "cpu": "0.0579"}}
    environment = [{"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}]
    body = replica_set(
        "r", 0, resources=resources, startupProbe=probe, ports=[{"containerPort": 8080}], env=environment
    )
    made = await world.cluster.create(REPLICASETS, world.namespace, body)
    assert made["spec"]["template"]["spec"] == {
        "containers": [
            {
                "name": "model",
                "image": "a:1",
                "imagePullPolicy": "IfNotPresent",
                "env": [{"name": "IP", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "status.podIP"}}}],
                "ports": [{"containerPort": 8080, "protocol": "TCP"}],
                "resources": {
                    "limits": {"cpu": "1500m", "memory": "1Gi"},
                    "requests": {"cpu": "58m", "memory": "512Mi"},
                },
                "startupProbe": {
                    "httpGet": {"path": "/ping", "port": 8080, "scheme": "HTTP"},
                    "timeoutSeconds": 1,
                    "periodSeconds": 10,
                    "successThreshold": 1,
                    "failureThreshold": 3,
                },
                "terminationMessagePath": "/dev/termination-log",
                "terminationMessagePolicy": "File",
            }
        ],
        "dnsPolicy": "ClusterFirst",
        "restartPolicy": "Always",
        "schedulerName": "nobody",
        "securityContext": {},
        "terminationGracePeriodSeconds": 30,
    }
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "s"},
        "spec": {"type": "ExternalName", "externalName": "a.b.svc.cluster.local"},
    }
    stored = await world.cluster.create(SERVICES, world.namespace, service)
    assert stored["spec"] == {
        "type": "ExternalName",
        "externalName": "a.b.svc.cluster.local",
        "sessionAffinity": "None",
    }


# Server-side apply


@case
async def an_apply_creates_changes_and_takes_back_what_it_no_longer_says(world: World) -> None:
    await world.cluster.apply(
        CONFIG_MAPS, world.namespace, "c", config_map("c", {"a": "1", "b": "2"}, labels={"x": "1"}), "one"
    )
    await world.cluster.merge_patch(CONFIG_MAPS, world.namespace, "c", {"data": {"other": "3"}}, field_manager="two")
    after = await world.cluster.apply(CONFIG_MAPS, world.namespace, "c", config_map("c", {"a": "9"}), "one")
    assert after["data"] == {"a": "9", "other": "3"} and "labels" not in after["metadata"]
    same = await world.cluster.apply(CONFIG_MAPS, world.namespace, "c", config_map("c", {"a": "9"}), "one")
    assert same["metadata"]["resourceVersion"] == after["metadata"]["resourceVersion"]


@case
async def an_apply_over_another_manager_conflicts_unless_forced(world: World) -> None:
    await world.cluster.create(CONFIG_MAPS, world.namespace, config_map("c", {"a": "1", "b": "2"}), "maker")
    with pytest.raises(Conflict, match="maker"):
        await world.cluster.apply(CONFIG_MAPS, world.namespace, "c", config_map("c", {"a": "9"}), "one", force=False)
    shared = await world.cluster.apply(
        CONFIG_MAPS, world.namespace, "c", config_map("c", {"b": "2"}), "one", force=False
    )
    assert shared["data"] == {"a": "1", "b": "2"}, "the same value is no conflict: both own it"
    kept = await world.cluster.apply(CONFIG_MAPS, world.namespace, "c", config_map("c", {"a": "9"}), "one")
    assert kept["data"] == {"a": "9", "b": "2"}, "b is no longer one's, but still the maker's"
    gone = await world.cluster.apply(CONFIG_MAPS, world.namespace, "c", config_map("c"), "one")
    assert gone["data"] == {"b": "2"}, "a was taken from the maker by force, so nobody is left who wants it"


@case
async def an_apply_needs_a_manager_and_can_be_fenced(world: World) -> None:
    with pytest.raises(ApiError, match="fieldManager"):
        await world.cluster.apply(CONFIG_MAPS, world.namespace, "c", config_map("c"), "")
    made = await world.cluster.create(CONFIG_MAPS, world.namespace, config_map("c"))
    await world.cluster.merge_patch(CONFIG_MAPS, world.namespace, "c", {"data": {"a": "1"}})
    with pytest.raises(Conflict):
        stale = config_map("c", {"b": "2"}, resourceVersion=made["metadata"]["resourceVersion"])
        await world.cluster.apply(CONFIG_MAPS, world.namespace, "c", stale, "one")


@case
async def replicas_applied_once_and_then_left_out_fall_back_to_one(world: World) -> None:
    await world.cluster.apply(REPLICASETS, world.namespace, "r", replica_set("r", 0), "kindler")
    after = await world.cluster.apply(REPLICASETS, world.namespace, "r", replica_set("r"), "kindler")
    assert after["spec"]["replicas"] == 1


@case
async def replicas_posted_by_another_manager_stay_through_applies_and_scaling(world: World) -> None:
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


# Scaling


@case
async def scaling_changes_replicas_alone(world: World) -> None:
    made = await world.cluster.create(REPLICASETS, world.namespace, replica_set("r", 0))
    scale = await world.cluster.scale(REPLICASETS, world.namespace, "r", 3)
    assert (scale["kind"], scale["spec"], scale["status"]["selector"]) == ("Scale", {"replicas": 3}, "app=r")
    after = await there(world, REPLICASETS, "r")
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


# Deleting


@case
async def deletion_keeps_to_its_preconditions(world: World) -> None:
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
async def an_object_with_a_finalizer_goes_when_the_finalizer_does(world: World) -> None:
    made = await world.cluster.create(THINGS, world.namespace, thing("e", finalizers=["example.com/wait"]))
    await world.cluster.delete(THINGS, world.namespace, "e")
    going = await there(world, THINGS, "e")
    assert "deletionTimestamp" in going["metadata"] and going["metadata"]["generation"] == 2
    assert await world.cluster.delete(THINGS, world.namespace, "e"), "once more changes nothing"
    await world.cluster.merge_patch(THINGS, world.namespace, "e", {"metadata": {"finalizers": None}})
    assert await world.cluster.get(THINGS, world.namespace, "e") is None
    again = await world.cluster.create(THINGS, world.namespace, thing("e"))
    assert again["metadata"]["uid"] != made["metadata"]["uid"]


@case
async def only_a_pod_on_a_node_is_given_time_to_go(world: World) -> None:
    await world.cluster.create(PODS, world.namespace, pod("waiting"))
    # A node name of this run alone: kube-controller-manager deletes the pods of a missing node 40 s after it first saw one.
    await world.cluster.create(PODS, world.namespace, pod("placed", node=f"no-such-node-{uuid.uuid4().hex[:8]}"))
    for name in ("waiting", "placed"):
        assert await world.cluster.delete(PODS, world.namespace, name)
    assert await world.cluster.get(PODS, world.namespace, "waiting") is None
    going = await there(world, PODS, "placed")
    assert "deletionTimestamp" in going["metadata"] and going["metadata"]["deletionGracePeriodSeconds"] == 30
    await world.cluster.delete(PODS, world.namespace, "placed", grace_seconds=0)
    assert await world.cluster.get(PODS, world.namespace, "placed") is None


@case
async def what_an_object_owns_goes_with_it(world: World) -> None:
    if not world.collects:
        pytest.skip("a bare API server has no garbage collector")
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


# Watching


@case
async def a_watch_replays_in_order_from_its_version(world: World) -> None:
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
        "a version is what was seen: only what came after is sent"
    )


@case
async def a_watch_without_a_version_begins_with_what_is_there(world: World) -> None:
    for name in ("a", "b"):
        await world.cluster.create(THINGS, world.namespace, thing(name))
    seen = await events(world, THINGS, "", ("a", "b"), 2)
    assert sorted((kind, value["metadata"]["name"]) for kind, value in seen) == [("ADDED", "a"), ("ADDED", "b")]


@case
async def a_watch_hears_what_comes_later(world: World) -> None:
    _, version = await world.cluster.list(THINGS, world.namespace)
    hearing = asyncio.create_task(events(world, THINGS, version, ["m"], 1))
    await world.cluster.create(THINGS, world.namespace, thing("m"))
    assert [(kind, value["metadata"]["name"]) for kind, value in await hearing] == [("ADDED", "m")]


@case
async def an_object_comes_and_goes_for_a_watch_as_its_labels_do(world: World) -> None:
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
async def a_watch_ends_when_its_time_is_over(world: World) -> None:
    _, version = await world.cluster.list(THINGS, world.namespace)
    async with asyncio.timeout(30):
        kinds = {
            kind
            async for kind, _ in world.cluster.watch(THINGS, world.namespace, "of=nobody", version, timeout_seconds=1)
        }
    assert kinds <= {"BOOKMARK"}


@case
async def a_watch_from_before_the_history_is_gone(world: World) -> None:
    await world.cluster.create(THINGS, world.namespace, thing("m"))
    world.forget()
    with pytest.raises(Gone):
        await events(world, THINGS, "1", ["m"], 1)


# Other kinds that Kindler writes


@case
async def a_lease_is_held_by_compare_and_swap(world: World) -> None:
    spec = {
        "holderIdentity": "a",
        "leaseDurationSeconds": 15,
        "renewTime": "2026-11-24T10:00:00.123456Z",
        "leaseTransitions": 0,
    }
    body = {"apiVersion": LEASES.api_version, "kind": "Lease", "metadata": {"name": "l"}, "spec": spec}
    first = await world.cluster.create(LEASES, world.namespace, body)
    second = await world.cluster.update(LEASES, world.namespace, "l", first | {"spec": spec | {"holderIdentity": "b"}})
    assert second["spec"]["renewTime"] == "2026-11-24T10:00:00.123456Z"
    with pytest.raises(Conflict):
        await world.cluster.update(LEASES, world.namespace, "l", first | {"spec": spec | {"holderIdentity": "c"}})
    with pytest.raises(Invalid):
        await world.cluster.update(LEASES, world.namespace, "l", body)


@case
async def an_event_about_an_object_is_taken(world: World) -> None:
    made = await world.cluster.create(THINGS, world.namespace, thing("e"))
    regarding = {
        "apiVersion": THINGS.api_version,
        "kind": "Thing",
        "name": "e",
        "namespace": world.namespace,
        "uid": made["metadata"]["uid"],
    }
    body = {
        "apiVersion": EVENTS.api_version,
        "kind": "Event",
        "metadata": {"name": "e.1"},
        "eventTime": "2026-11-24T10:00:00.123456Z",
        "reportingController": "serving.kindler.dev/controller",
        "reportingInstance": "controller-0",
        "action": "Create",
        "reason": "Ready",
        "type": "Normal",
        "note": "serves",
        "regarding": regarding,
    }
    stored = await world.cluster.create(EVENTS, world.namespace, body)
    assert stored["regarding"] == regarding and stored["note"] == "serves"


@case
async def other_paths_can_be_read(world: World) -> None:
    assert b"keys" in await world.cluster.raw_get("/openid/v1/jwks")
    with pytest.raises(NotFound):
        await world.cluster.raw_get("/no/such/path")
