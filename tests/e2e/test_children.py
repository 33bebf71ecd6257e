"""Children come back as they should be; what is not ours stays as it is; what users wrote is never changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.e2e.support import manifests, rows
from tests.e2e.support.journey import LABEL, Journey

Json = dict[str, Any]


def test_deleted_and_edited_children_come_back(journey: Journey) -> None:
    found = journey.serving(idle=1, warm=1)
    route = found["status"]["route"]
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
            lambda new, old=old: new is not None and new["metadata"]["uid"] != old["metadata"]["uid"],
        )  # type: ignore[misc]
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
        lambda found: found is not None and found["status"].get("availableReplicas") == 1,
        90,
    )
    journey.reaches("echo", rows.IN_SERVICE)
    assert journey.invoke().status == 200


def test_a_pod_that_somebody_deletes_is_replaced(journey: Journey) -> None:
    journey.serving(idle=300, warm=1)
    (pod,) = journey.pods()
    journey.kubectl.delete("pod", pod["metadata"]["name"])
    assert journey.invoke().status == 200
    journey.until_pods(lambda pods: len(pods) == 1 and pods[0]["metadata"]["uid"] != pod["metadata"]["uid"])
    journey.reaches("echo", rows.IN_SERVICE)


def test_a_foreign_object_under_our_name_stays_as_it_is(journey: Journey) -> None:
    """A pool's name is taken by somebody else's ReplicaSet: the creation fails and says so; it is neither changed nor removed."""
    route = journey.serving(idle=300)["status"]["route"]
    journey.kubectl("delete", "kep", "echo")
    journey.asleep()
    name = route["pools"]["demand"]
    journey.api.until("replicasets", journey.namespace, name, lambda found: found is None)
    labels = {"app": "somebody-else"}
    template: Json = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "x", "image": manifests.ECHO}]}}
    spec = {"replicas": 0, "selector": {"matchLabels": labels}, "template": template}
    journey.kubectl.apply({"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": name}, "spec": spec})
    journey.api.until(
        "replicasets",
        journey.namespace,
        name,
        lambda found: found is not None and found["status"].get("observedGeneration") == 1,
    )
    before = journey.kubectl.get("replicaset", name)
    journey.kubectl.apply(manifests.endpoint("echo"))
    found = journey.reaches("echo", rows.FAILED, reason="NameTaken")
    assert name in found["status"]["failureReason"]
    journey.kubectl("delete", "kep", "echo")
    assert journey.kubectl.get("replicaset", name) == before


def test_specs_are_never_written(journey: Journey) -> None:
    journey.serving(idle=1)
    assert journey.invoke().status == 200
    journey.asleep()
    for plural in ("models", "endpointconfigs", "endpoints"):
        found = journey.api.get(plural, journey.namespace, "echo")
        assert found is not None
        assert found["metadata"]["generation"] == 1
        writers = {
            (f["manager"], f.get("subresource"))
            for f in found["metadata"]["managedFields"]
            if "f:spec" in f["fieldsV1"]
        }
        assert writers == {("kubectl-client-side-apply", None)}, writers
        assert not found["metadata"].get("finalizers")


def test_namespaces_do_not_meet(journeys: Callable[[], Journey]) -> None:
    """The same names in three namespaces, sixteen endpoints each: all answer; one namespace's end touches nothing in the others."""
    places = [journeys() for _ in range(3)]
    names = [f"echo-{number}" for number in range(16)]
    for place in places:
        endpoints = [manifests.endpoint(name, config="echo") for name in names]
        place.kubectl.apply(manifests.model("echo"), manifests.config("echo", limit=2, idle=5), endpoints)
    for place in places:
        place.kubectl("wait", "kep", "--all", "--for=condition=Ready", "--timeout=300s", timeout=330)
    for place in places:
        place.asleep(None, timeout=180)
    children = [child for place in places[1:] for child in children_of_all(place)]
    places[0].kubectl("delete", "kep", "--all")
    for place in places[1:]:
        assert {place.invoke(name).status for name in names[:4]} == {200}
        assert {place.endpoint(name)["status"]["endpointStatus"] for name in names} == {"InService"}
    assert children == [child for place in places[1:] for child in children_of_all(place)]
    assert places[0].invoke(names[0]).status == 404


def children_of_all(place: Journey) -> list[str]:
    """The uids of the ReplicaSets and Services that Kindler has made in a namespace."""
    found = [each for kind in ("replicasets", "services") for each in place.api.items(kind, place.namespace, LABEL)]
    return sorted(each["metadata"]["uid"] for each in found)
