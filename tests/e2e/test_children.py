"""Kindler restores its child objects, leaves foreign objects alone, and never changes what users wrote."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.e2e.support import manifests, rows
from tests.e2e.support.journey import LABEL, Journey

Json = dict[str, Any]


def is_replacement_of(old: Json) -> Callable[[Json | None], bool]:
    """A predicate: True for an object that is not `old`."""
    return lambda new: new is not None and new["metadata"]["uid"] != old["metadata"]["uid"]


def test_deleted_and_edited_children_are_restored(journey: Journey) -> None:
    endpoint = journey.serving(idle=1, warm=1)
    route = endpoint["status"]["route"]
    demand, warm = route["pools"]["demand"], route["pools"]["warm"]
    revision = f"echo-{route['revision']}"
    for kind, name in (
        ("services", "echo"),
        ("controllerrevisions", revision),
        ("replicasets", demand),
        ("replicasets", warm),
    ):
        old = journey.api.get(kind, journey.namespace, name)
        assert old is not None, f"{kind}/{name}"
        journey.kubectl.delete(kind, name)
        journey.api.until(
            kind,
            journey.namespace,
            name,
            is_replacement_of(old),
        )
    target = journey.kubectl.get("service", "echo")["spec"]["externalName"]
    journey.kubectl.patch("service", "echo", {"spec": {"externalName": "elsewhere.invalid"}})
    journey.api.until(
        "services",
        journey.namespace,
        "echo",
        lambda service: service is not None and service["spec"]["externalName"] == target,
    )
    journey.kubectl.patch("replicaset", warm, {"spec": {"replicas": 0}})
    journey.api.until(
        "replicasets",
        journey.namespace,
        warm,
        lambda obj: obj is not None and obj["status"].get("availableReplicas") == 1,
        90,
    )
    journey.reaches("echo", rows.IN_SERVICE)
    assert journey.invoke().status == 200


def test_a_pod_that_a_user_deletes_is_replaced(journey: Journey) -> None:
    journey.serving(idle=300, warm=1)
    (pod,) = journey.pods()
    journey.kubectl.delete("pod", pod["metadata"]["name"])
    assert journey.invoke().status == 200
    journey.until_pods(lambda pods: len(pods) == 1 and pods[0]["metadata"]["uid"] != pod["metadata"]["uid"])
    journey.reaches("echo", rows.IN_SERVICE)


def test_a_foreign_object_with_the_name_of_a_child_is_never_changed(journey: Journey) -> None:
    """A ReplicaSet that is not Kindler's has the name of a pool.

    The creation of the endpoint fails, and the reason says that the name is taken. The ReplicaSet stays unchanged.
    """
    route = journey.serving(idle=300)["status"]["route"]
    journey.kubectl("delete", "kep", "echo")
    journey.until_scaled_to_zero()
    name = route["pools"]["demand"]
    journey.api.until("replicasets", journey.namespace, name, lambda obj: obj is None)
    labels = {"app": "not-kindler"}
    template: Json = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "x", "image": manifests.ECHO}]}}
    spec = {"replicas": 0, "selector": {"matchLabels": labels}, "template": template}
    journey.kubectl.apply({"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": name}, "spec": spec})
    journey.api.until(
        "replicasets",
        journey.namespace,
        name,
        lambda obj: obj is not None and obj["status"].get("observedGeneration") == 1,
    )
    before = journey.kubectl.get("replicaset", name)
    journey.kubectl.apply(manifests.endpoint("echo"))
    endpoint = journey.reaches("echo", rows.FAILED, reason="NameTaken")
    assert name in endpoint["status"]["failureReason"]
    journey.kubectl("delete", "kep", "echo")
    assert journey.kubectl.get("replicaset", name) == before


def test_kindler_never_writes_the_spec_of_a_users_object(journey: Journey) -> None:
    journey.serving(idle=1)
    assert journey.invoke().status == 200
    journey.until_scaled_to_zero()
    for plural in ("models", "endpointconfigs", "endpoints"):
        obj = journey.api.get(plural, journey.namespace, "echo")
        assert obj is not None
        assert obj["metadata"]["generation"] == 1
        writers = {
            (f["manager"], f.get("subresource")) for f in obj["metadata"]["managedFields"] if "f:spec" in f["fieldsV1"]
        }
        assert writers == {("kubectl-client-side-apply", None)}, writers
        assert not obj["metadata"].get("finalizers")


def test_endpoints_of_the_same_name_in_other_namespaces_are_independent(journeys: Callable[[], Journey]) -> None:
    """Three namespaces have sixteen endpoints each, with the same names.

    Deleting the endpoints of one namespace does not change the others, and these still serve.
    """
    teams = [journeys() for _ in range(3)]
    names = [f"echo-{number}" for number in range(16)]
    for team in teams:
        endpoints = [manifests.endpoint(name, config="echo") for name in names]
        team.kubectl.apply(manifests.model("echo"), manifests.config("echo", limit=2, idle=5), endpoints)
    for team in teams:
        team.kubectl("wait", "kep", "--all", "--for=condition=Ready", "--timeout=300s", timeout=330)
    for team in teams:
        team.until_scaled_to_zero(None, timeout=180)
    children = [child for team in teams[1:] for child in children_of_all(team)]
    teams[0].kubectl("delete", "kep", "--all")
    for team in teams[1:]:
        assert {team.invoke(name).status for name in names[:4]} == {200}
        assert {team.endpoint(name)["status"]["endpointStatus"] for name in names} == {"InService"}
    assert children == [child for team in teams[1:] for child in children_of_all(team)]
    assert teams[0].invoke(names[0]).status == 404


def children_of_all(team: Journey) -> list[str]:
    """The uids of the ReplicaSets and Services that Kindler created in a namespace."""
    children = [each for kind in ("replicasets", "services") for each in team.api.items(kind, team.namespace, LABEL)]
    return sorted(each["metadata"]["uid"] for each in children)
