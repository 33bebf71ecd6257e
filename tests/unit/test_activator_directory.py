"""The directory receives objects from the watches in any order, relates them by uid, and finds endpoints by name."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any, cast

import pytest

from kindler.activator.cluster.directory import Directory
from kindler.activator.cluster.trim import trim_endpoint, trim_pod, trim_pool
from kindler.activator.endpoint.throttler import EndpointThrottler
from kindler.activator.ownership import Ownership
from kindler.activator.router import REMEMBERED, Router
from kindler.activator.wire.roles import RequestHead, RouteMatch
from kindler.api import names
from kindler.api.settings import activator_settings
from tests.unit import builders
from tests.unit.throttlers import RecordingActuator, RecordingObserver, route


class DirectoryRig:
    """A directory with a recording actuator. `changes`: how often the directory reported a change of addresses."""

    def __init__(self) -> None:
        self.actuator = RecordingActuator()
        self.changes = 0
        self.directory = Directory(
            lambda identity: EndpointThrottler(identity, self.actuator, (RecordingObserver(),), lambda: 100.0)
        )
        self.directory.changed = self._changed

    def _changed(self) -> None:
        self.changes += 1


def shown_endpoint(
    name: str = "iris",
    uid: str = "e1",
    created: str = "2026-01-01T00:00:00Z",
    sagemaker: str | None = None,
    routed: bool = True,
    **status: Any,
) -> dict[str, Any]:
    meta = {"name": name, "namespace": "team", "uid": uid, "creationTimestamp": created, "resourceVersion": "1"}
    spec = {"endpointConfigName": "c"} | ({"endpointName": sagemaker} if sagemaker else {})
    return trim_endpoint(
        {"metadata": meta, "spec": spec, "status": ({"route": route().to_json()} if routed else {}) | status}
    )


def shown_pool(uid: str = "r1", owner: str = "e1", kind: str = "Endpoint", namespace: str = "team") -> dict[str, Any]:
    meta = {
        "name": "iris-abc-demand", "namespace": namespace, "uid": uid, "resourceVersion": "1",
        "labels": {names.LABEL_REVISION: "abc"},
        "ownerReferences": [{"kind": kind, "name": "iris", "uid": owner, "controller": True}],
    }  # fmt: skip
    return trim_pool({"metadata": meta, "spec": {"replicas": 1}})


def shown_pod(
    name: str = "p1", owner: str = "r1", deleting: bool = False, namespace: str = "team", age: float = 10
) -> dict[str, Any]:
    pod = builders.pod(name, owner_uid=owner, deleting=deleting, created=builders.NOW - age)
    pod["metadata"] |= {"namespace": namespace, "resourceVersion": "1"}
    return trim_pod(pod)


def test_the_pod_is_pinged_whatever_the_order_of_events() -> None:
    for order in itertools.permutations(("endpoint", "pool", "pod")):
        rig = DirectoryRig()
        for what in order:
            {
                "endpoint": rig.directory.on_endpoint,
                "pool": rig.directory.on_pool,
                "pod": rig.directory.on_pod,
            }[what](None, {"endpoint": shown_endpoint, "pool": shown_pool, "pod": shown_pod}[what]())
        assert list(rig.actuator.probing) == ["p1"], order


@pytest.mark.parametrize(
    ("pool", "pod"),
    [
        (shown_pool(owner="e0"), shown_pod()),  # the pool belongs to an earlier Endpoint of this name
        (shown_pool(uid="r0"), shown_pod()),  # the pod belongs to another ReplicaSet
        (shown_pool(kind="Deployment"), shown_pod()),  # no ReplicaSet, although it has Kindler's labels
        (shown_pool(), shown_pod(owner="")),
        (shown_pool(), shown_pod(namespace="other")),  # another tenant's pod, which names the ReplicaSet's uid
        (shown_pool(namespace="other"), shown_pod(namespace="other")),  # its pool names the Endpoint's uid
    ],
)
def test_a_pod_is_not_used_because_of_labels_and_names_alone(pool: dict[str, Any], pod: dict[str, Any]) -> None:
    rig = DirectoryRig()
    rig.directory.on_endpoint(None, shown_endpoint())
    rig.directory.on_pool(None, pool)
    rig.directory.on_pod(None, pod)

    assert rig.actuator.probing == {}


def test_a_name_belongs_to_the_oldest_endpoint_and_is_compared_exactly() -> None:
    rig = DirectoryRig()
    young = shown_endpoint("young", "e2", "2026-02-01T00:00:00Z", sagemaker="iris")
    old = shown_endpoint("old", "e1", "2026-01-01T00:00:00Z", sagemaker="IRIS")
    rig.directory.on_endpoint(None, young)
    first = rig.directory.by_endpoint_name("team", "iris")
    assert first is not None
    rig.directory.on_endpoint(None, old)
    owner = rig.directory.by_endpoint_name("team", "IRIS")

    assert owner is not None
    assert owner.identity.name == "old"
    assert rig.directory.by_endpoint_name("team", "iris") is None
    assert rig.directory.actual_spelling("team", "Iris") == "IRIS"
    assert rig.directory.by_object_name("team", "young") is first, "it is still found by its object name"
    assert rig.directory.by_endpoint_name("other", "IRIS") is None
    rig.directory.on_endpoint(old, None)
    assert rig.directory.by_endpoint_name("team", "iris") is first
    assert rig.changes == 3


def test_the_router_caches_a_limited_number_of_short_heads() -> None:
    rig = DirectoryRig()
    rig.directory.on_endpoint(None, shown_endpoint())
    router = Router(activator_settings({}), cast(Any, None), rig.directory, Ownership(), lambda: True)

    def find(query: bytes, namespace: bytes | None = None) -> RouteMatch:
        found = router.find(
            RequestHead(b"POST", b"/namespaces/team/endpoints/iris/invocations?" + query, b"h", namespace)
        )
        assert isinstance(found, RouteMatch)
        assert found.throttler is rig.directory.throttlers["e1"]
        return found

    assert find(b"a") is find(b"a")
    assert find(b"a" * 600) is not find(b"a" * 600)
    assert find(b"a", b"x" * 600) is not find(b"a", b"x" * 600)
    for number in range(2 * REMEMBERED):
        find(b"%d" % number)
    assert len(router._found) <= REMEMBERED


def test_the_last_valid_route_stays_in_use_when_the_route_is_lost_or_unreadable() -> None:
    rig = DirectoryRig()
    rig.directory.on_endpoint(None, shown_endpoint())
    throttler = rig.directory.by_object_name("team", "iris")
    assert throttler is not None
    good = throttler.pools.route
    rig.directory.on_endpoint(None, shown_endpoint(routed=False))
    assert throttler.pools.route == good
    rig.directory.on_endpoint(None, shown_endpoint(route={"revision": "half"}))
    assert throttler.pools.route == good


def test_an_endpoint_that_is_being_deleted_is_closed() -> None:
    rig = DirectoryRig()
    rig.directory.on_endpoint(None, shown_endpoint())
    throttler = rig.directory.by_object_name("team", "iris")
    assert throttler is not None
    deleted = shown_endpoint() | {"deleting": True}
    rig.directory.on_endpoint(shown_endpoint(), deleted)
    rig.directory.on_endpoint(deleted, None)

    assert throttler.closed
    assert rig.directory.by_object_name("team", "iris") is None
    assert rig.directory.throttlers == {}


def test_a_failed_creation_is_reported_with_its_reason() -> None:
    value = shown_endpoint(routed=False, failureReason="The image cannot be pulled.")

    assert value["no_route_reason"] == "Endpoint iris could not be created: The image cannot be pulled."


def test_an_endpoint_that_is_being_created_reports_what_it_waits_for() -> None:
    """The reason contains the controller's message if the condition's reason is not Creating."""
    waiting = {
        "type": "Ready",
        "status": "False",
        "reason": "EndpointConfigNotFound",
        "message": 'Could not find endpoint configuration "iris".',
    }
    assert (
        shown_endpoint(routed=False, conditions=[waiting])["no_route_reason"]
        == 'Endpoint iris is being created. Could not find endpoint configuration "iris".'
    )
    creating = {"type": "Ready", "status": "False", "reason": "Creating", "message": "The endpoint is being created."}
    for reported in ([creating], []):
        assert (
            shown_endpoint(routed=False, conditions=reported)["no_route_reason"]
            == "Endpoint iris is being created: it has no revision to serve yet."
        )


def test_deleted_objects_leave_nothing_behind() -> None:
    rig = DirectoryRig()
    rig.directory.on_endpoint(None, shown_endpoint())
    rig.directory.on_pool(None, shown_pool())
    rig.directory.on_pod(None, shown_pod())
    throttler = rig.directory.by_object_name("team", "iris")
    assert throttler is not None
    rig.directory.on_pod(shown_pod(), None)
    assert throttler.pools.pods == {}
    assert rig.actuator.probing == {}
    rig.directory.on_pool(shown_pool(), None)
    assert throttler.pools.sizes == {}


@pytest.mark.parametrize("order", list(itertools.permutations(("endpoint", "pool", "pod"))))
def test_no_pod_backend_or_probe_is_left_whatever_the_order_of_deletion(order: tuple[str, ...]) -> None:
    rig = DirectoryRig()
    shown = {"endpoint": shown_endpoint(), "pool": shown_pool(), "pod": shown_pod(), "young": shown_pod("p2")}
    rig.directory.on_endpoint(None, shown["endpoint"])
    rig.directory.on_pool(None, shown["pool"])
    rig.directory.on_pod(None, shown["pod"])
    pod, on_success = rig.actuator.probing.pop("p1")
    on_success(pod)
    rig.directory.on_pod(None, shown["young"])
    throttler = rig.directory.throttlers["e1"]
    assert throttler.pools.any_usable()
    for what in order:
        if what == "pod":
            for name in ("pod", "young"):
                rig.directory.on_pod(shown[name], deleted := shown_pod(shown[name]["metadata"]["name"], deleting=True))
                rig.directory.on_pod(deleted, None)
        else:
            getattr(rig.directory, f"on_{what}")(shown[what], None)
        assert (throttler.pools.any_usable(), throttler.pools.placement.take(), rig.actuator.probing) == (
            None,
            None,
            {},
        ), what


@pytest.mark.parametrize("order", list(itertools.permutations(("pool", "pod"))))
def test_after_a_rollback_pods_of_the_deleted_replicaset_are_not_used(order: tuple[str, ...]) -> None:
    """The address of such a pod may now belong to a pod of another endpoint, whose ping would make it a backend."""
    rig = DirectoryRig()
    rig.directory.on_endpoint(None, shown_endpoint())
    rig.directory.on_pool(None, shown_pool())
    rig.directory.on_pod(None, shown_pod())
    pod, on_success = rig.actuator.probing.pop("p1")
    on_success(pod)
    throttler = rig.directory.throttlers["e1"]
    throttler.reroute(route("new"))
    for what in order:
        rig.directory.on_pool(shown_pool(), None) if what == "pool" else rig.directory.on_pod(shown_pod(), None)
    throttler.reroute(route())

    assert throttler.pools.pods == {}
    assert rig.actuator.probing == {}


@pytest.mark.parametrize("late", [False, True])
def test_an_address_belongs_to_the_youngest_pod_that_shows_it(late: bool) -> None:
    """The watch may still show the address of a pod that does not exist any more.

    A pod of another endpoint may have this address now.
    """
    rig = DirectoryRig()
    for name, endpoint, pool in (("iris", "e1", "r1"), ("rose", "e2", "r2")):
        rig.directory.on_endpoint(None, shown_endpoint(name, endpoint))
        rig.directory.on_pool(None, shown_pool(pool, endpoint))
    old, young = shown_pod("old", "r1", age=100), shown_pod("young", "r2", age=1)
    for pod in (young, old) if late else (old, young):
        rig.directory.on_pod(None, pod)
    assert list(rig.actuator.probing) == ["young"]
    assert rig.directory.throttlers["e1"].pools.pods == {}
    rig.directory.on_pod(old, old)
    rig.directory.on_pod(old, None)
    assert list(rig.actuator.probing) == ["young"]
    moved = shown_pod("young", "r2", age=1)
    moved["facts"] = replace(moved["facts"], ip="10.0.0.8")
    rig.directory.on_pod(young, moved)
    assert list(rig.directory._addresses) == ["10.0.0.8"]
    rig.directory.on_pod(moved, None)
    assert rig.directory._addresses == {}


def test_an_orphaned_pod_is_not_used() -> None:
    rig = DirectoryRig()
    rig.directory.on_endpoint(None, shown_endpoint())
    rig.directory.on_pool(None, shown_pool())
    rig.directory.on_pod(None, shown_pod())
    rig.directory.on_pod(shown_pod(), shown_pod(owner=""))

    assert rig.directory.throttlers["e1"].pools.pods == {}
    assert rig.actuator.probing == {}


def test_a_recreated_endpoint_replaces_its_predecessor_and_a_late_look_up_does_not_undo_that() -> None:
    rig = DirectoryRig()
    old, young = shown_endpoint(uid="e1"), shown_endpoint(uid="e2", created="2026-02-01T00:00:00Z")
    rig.directory.on_endpoint(None, old)
    rig.directory.add_looked_up(young)
    assert list(rig.directory.throttlers) == ["e2"]
    rig.directory.add_looked_up(old)
    assert list(rig.directory.throttlers) == ["e2"], "a look-up that returned late"
    throttler = rig.directory.by_endpoint_name("team", "iris")
    assert throttler is rig.directory.by_object_name("team", "iris") is rig.directory.throttlers["e2"]
    assert rig.directory.only_looked_up(young)
    rig.directory.on_endpoint(None, young)
    assert not rig.directory.only_looked_up(young)
