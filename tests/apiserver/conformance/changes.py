"""Cases: PUT, merge patch, status, defaults and immutable fields."""

from __future__ import annotations

import copy

import pytest

from kindler.clients.cluster import CONTROLLER_REVISIONS, REPLICASETS, SERVICES, Conflict, Invalid, NotFound
from tests.apiserver.conformance.bodies import CONFIG_MAPS, THINGS, config_map, replica_set, thing
from tests.apiserver.conformance.world import World, case, existing


@case
async def a_put_needs_the_current_resource_version(world: World) -> None:
    first = await world.cluster.create(THINGS, world.namespace, thing("e"))
    second = await world.cluster.update(THINGS, world.namespace, "e", first | {"spec": {"value": "c2"}})
    with pytest.raises(Conflict) as caught:
        await world.cluster.update(THINGS, world.namespace, "e", first | {"spec": {"value": "c3"}})
    assert not caught.value.already_exists
    with pytest.raises(Invalid, match="must be specified for an update"):
        await world.cluster.update(THINGS, world.namespace, "e", thing("e"))
    assert await existing(world, THINGS, "e") == second
    other_uid = copy.deepcopy(second)
    other_uid["metadata"]["uid"] = "00000000-0000-0000-0000-000000000000"
    with pytest.raises(Conflict):
        await world.cluster.update(THINGS, world.namespace, "e", other_uid)


@case
async def only_changes_of_spec_increase_generation(world: World) -> None:
    made = await world.cluster.create(THINGS, world.namespace, thing("e"))
    made["metadata"]["labels"] = {"a": "b"}
    labelled = await world.cluster.update(THINGS, world.namespace, "e", made)
    updated = await world.cluster.update_status(
        THINGS, world.namespace, "e", labelled | {"status": {"observedGeneration": 1}}
    )
    assert (labelled["metadata"]["generation"], updated["metadata"]["generation"]) == (1, 1)
    changed = await world.cluster.merge_patch(THINGS, world.namespace, "e", {"spec": {"value": "c2"}})
    assert changed["metadata"]["generation"] == 2


@case
async def a_write_without_a_change_keeps_the_resource_version(world: World) -> None:
    made = await world.cluster.create(THINGS, world.namespace, thing("e"))
    # A real server stores the default of status with the first write after creation, even if that write does not
    # change status.
    made = await world.cluster.update_status(THINGS, world.namespace, "e", made | {"status": {"observedGeneration": 1}})
    same = await world.cluster.update(THINGS, world.namespace, "e", made)
    patched = await world.cluster.merge_patch(THINGS, world.namespace, "e", {"spec": {"value": "c1"}})
    status = await world.cluster.update_status(THINGS, world.namespace, "e", made)
    assert {o["metadata"]["resourceVersion"] for o in (made, same, patched, status)} == {
        made["metadata"]["resourceVersion"]
    }


@case
async def status_and_spec_are_written_by_separate_requests(world: World) -> None:
    made = await world.cluster.create(THINGS, world.namespace, thing("e"))
    body = copy.deepcopy(made) | {"spec": {"value": "other"}, "status": {"observedGeneration": 1}}
    body["metadata"]["labels"] = {"a": "b"}
    updated = await world.cluster.update_status(THINGS, world.namespace, "e", body)
    assert (
        updated["spec"] == made["spec"]
        and updated["status"]["observedGeneration"] == 1
        and "labels" not in updated["metadata"]
    )
    changed = await world.cluster.update(
        THINGS, world.namespace, "e", updated | {"status": {"observedGeneration": 5}, "spec": {"value": "c2"}}
    )
    assert changed["spec"]["value"] == "c2" and changed["status"]["observedGeneration"] == 1
    with pytest.raises(Conflict):
        await world.cluster.update_status(THINGS, world.namespace, "e", updated | {"status": {"observedGeneration": 9}})
    patched = await world.cluster.merge_patch(
        THINGS, world.namespace, "e", {"status": {"observedGeneration": 2}}, "status"
    )
    assert patched["status"]["observedGeneration"] == 2


@case
async def unknown_fields_of_a_status_are_dropped(world: World) -> None:
    made = await world.cluster.create(THINGS, world.namespace, thing("e"))
    updated = await world.cluster.update_status(
        THINGS, world.namespace, "e", made | {"status": {"observedGeneration": 1, "unknown": True}}
    )
    assert updated["status"] == {"observedGeneration": 1}


@case
async def a_merge_patch_removes_a_field_by_null_and_checks_the_resource_version(world: World) -> None:
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
async def changes_of_immutable_fields_are_rejected(world: World) -> None:
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
async def built_in_kinds_get_defaults_and_canonical_quantities(world: World) -> None:
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
