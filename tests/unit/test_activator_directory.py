"""What the watches show, in whatever order: tied together by uid, found by name."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any, cast

import pytest

from kindler.activator.cluster.directory import Directory, trim_endpoint, trim_pod, trim_pool
from kindler.activator.endpoint.throttler import EndpointThrottler
from kindler.activator.ownership import Ownership
from kindler.activator.router import REMEMBERED, Router
from kindler.activator.wire.roles import RequestHead, RouteMatch
from kindler.api import names
from kindler.api.settings import activator_settings
from tests.unit import builders
from tests.unit.throttlers import RecordingActuator, RecordingObserver, route


class Seen:
    """A directory, and what it is shown."""

    def __init__(self) -> None:
        self.actuator = RecordingActuator()
        self.changes = 0
        self.directory = Directory(
            lambda identity: EndpointThrottler(identity, self.actuator, RecordingObserver(), lambda: 100.0)
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
        "name": "iris-abc-demand", "namespace": namespace, "uid": uid, "resourceVersion": "1", "labels": {names.LABEL_REVISION: "abc"},
        "ownerReferences": [{"kind": kind, "name": "iris", "uid": owner, "controller": True}],
    }  # fmt: skip
    return trim_pool({"metadata": meta, "spec": {"replicas": 1}})


def shown_pod(
    name: str = "p1", owner: str = "r1", deleting: bool = False, namespace: str = "team", age: float = 10
) -> dict[str, Any]:
    pod = builders.pod(name, owner_uid=owner, deleting=deleting, created=builders.NOW - age)
    pod["metadata"] |= {"namespace": namespace, "resourceVersion": "1"}
    return trim_pod(pod)


def test_whatever_the_order_the_pod_is_pinged() -> None:
    for order in itertools.permutations(("endpoint", "pool", "pod")):
        seen = Seen()
        for what in order:
            {"endpoint": seen.directory.on_endpoint, "pool": seen.directory.on_pool, "pod": seen.directory.on_pod}[what](
                None, {"endpoint": shown_endpoint, "pool": shown_pool, "pod": shown_pod}[what]()
            )
        assert list(seen.actuator.probing) == ["p1"], order


@pytest.mark.parametrize(
    ("pool", "pod"),
    [
        (shown_pool(owner="e0"), shown_pod()),  # of an endpoint that had this name before
        (shown_pool(uid="r0"), shown_pod()),  # the pod is of another ReplicaSet
        (shown_pool(kind="Deployment"), shown_pod()),  # not ours, whatever its labels say
        (shown_pool(), shown_pod(owner="")),
        (shown_pool(), shown_pod(namespace="other")),  # of another tenant, who knows the ReplicaSet's uid
        (shown_pool(namespace="other"), shown_pod(namespace="other")),  # or the Endpoint's
    ],
)
def test_labels_and_names_alone_make_no_place(pool: dict[str, Any], pod: dict[str, Any]) -> None:
    seen = Seen()
    seen.directory.on_endpoint(None, shown_endpoint())
    seen.directory.on_pool(None, pool)
    seen.directory.on_pod(None, pod)

    assert seen.actuator.probing == {}


def test_a_name_belongs_to_the_oldest_and_is_called_exactly() -> None:
    seen = Seen()
    young = shown_endpoint("young", "e2", "2026-02-01T00:00:00Z", sagemaker="iris")
    old = shown_endpoint("old", "e1", "2026-01-01T00:00:00Z", sagemaker="IRIS")
    seen.directory.on_endpoint(None, young)
    first = seen.directory.by_name("team", "iris")
    assert first is not None
    seen.directory.on_endpoint(None, old)
    owner = seen.directory.by_name("team", "IRIS")

    assert owner is not None
    assert owner.identity.name == "old"
    assert seen.directory.by_name("team", "iris") is None
    assert seen.directory.actual_spelling("team", "Iris") == "IRIS"
    assert seen.directory.by_object_name("team", "young") is first, "by its own name it is reached all the same"
    assert seen.directory.by_name("other", "IRIS") is None
    seen.directory.on_endpoint(old, None)
    assert seen.directory.by_name("team", "iris") is first
    assert seen.changes == 3


def test_the_door_remembers_few_and_short_heads() -> None:
    seen = Seen()
    seen.directory.on_endpoint(None, shown_endpoint())
    door = Router(activator_settings({}), cast(Any, None), seen.directory, Ownership(), lambda: True)

    def find(query: bytes, namespace: bytes | None = None) -> RouteMatch:
        found = door.find(
            RequestHead(b"POST", b"/namespaces/team/endpoints/iris/invocations?" + query, b"h", namespace)
        )
        assert isinstance(found, RouteMatch)
        assert found.throttler is seen.directory.throttlers["e1"]
        return found

    assert find(b"a") is find(b"a")
    assert find(b"a" * 600) is not find(b"a" * 600)
    assert find(b"a", b"x" * 600) is not find(b"a", b"x" * 600)
    for number in range(2 * REMEMBERED):
        find(b"%d" % number)
    assert len(door._found) <= REMEMBERED


def test_a_route_that_is_lost_or_unreadable_serves_on() -> None:
    seen = Seen()
    seen.directory.on_endpoint(None, shown_endpoint())
    throttler = seen.directory.by_object_name("team", "iris")
    assert throttler is not None
    good = throttler.pools.route
    seen.directory.on_endpoint(None, shown_endpoint(routed=False))
    assert throttler.pools.route == good
    seen.directory.on_endpoint(None, shown_endpoint(route={"revision": "half"}))
    assert throttler.pools.route == good


def test_an_endpoint_that_is_being_deleted_serves_no_more() -> None:
    seen = Seen()
    seen.directory.on_endpoint(None, shown_endpoint())
    throttler = seen.directory.by_object_name("team", "iris")
    assert throttler is not None
    going = shown_endpoint() | {"deleting": True}
    seen.directory.on_endpoint(shown_endpoint(), going)
    seen.directory.on_endpoint(going, None)

    assert throttler.closed
    assert seen.directory.by_object_name("team", "iris") is None
    assert seen.directory.throttlers == {}


def test_a_failed_creation_is_told_with_its_reason() -> None:
    value = shown_endpoint(routed=False, failureReason="The image cannot be pulled.")

    assert value["no_route_reason"] == "Endpoint iris could not be created: The image cannot be pulled."


def test_what_is_being_created_says_what_it_waits_for() -> None:
    """In the controller's words, where it has said more than that it is at work."""
    waits = {
        "type": "Ready",
        "status": "False",
        "reason": "EndpointConfigNotFound",
        "message": 'Could not find endpoint configuration "iris".',
    }
    assert (
        shown_endpoint(routed=False, conditions=[waits])["no_route_reason"]
        == 'Endpoint iris is being created. Could not find endpoint configuration "iris".'
    )
    works = {"type": "Ready", "status": "False", "reason": "Creating", "message": "The endpoint is being created."}
    for told in ([works], []):
        assert (
            shown_endpoint(routed=False, conditions=told)["no_route_reason"]
            == "Endpoint iris is being created: it has no revision to serve yet."
        )


def test_what_is_gone_is_forgotten() -> None:
    seen = Seen()
    seen.directory.on_endpoint(None, shown_endpoint())
    seen.directory.on_pool(None, shown_pool())
    seen.directory.on_pod(None, shown_pod())
    throttler = seen.directory.by_object_name("team", "iris")
    assert throttler is not None
    seen.directory.on_pod(shown_pod(), None)
    assert throttler.pools.pods == {}
    assert seen.actuator.probing == {}
    seen.directory.on_pool(shown_pool(), None)
    assert throttler.pools.sizes == {}


@pytest.mark.parametrize("order", list(itertools.permutations(("endpoint", "pool", "pod"))))
def test_in_whatever_order_they_are_deleted_no_pod_no_place_and_no_probe_is_left(order: tuple[str, ...]) -> None:
    seen = Seen()
    shown = {"endpoint": shown_endpoint(), "pool": shown_pool(), "pod": shown_pod(), "young": shown_pod("p2")}
    seen.directory.on_endpoint(None, shown["endpoint"])
    seen.directory.on_pool(None, shown["pool"])
    seen.directory.on_pod(None, shown["pod"])
    pod, answered = seen.actuator.probing.pop("p1")
    answered(pod)
    seen.directory.on_pod(None, shown["young"])
    throttler = seen.directory.throttlers["e1"]
    assert throttler.pools.any_usable()
    for what in order:
        if what == "pod":
            for name in ("pod", "young"):
                seen.directory.on_pod(shown[name], going := shown_pod(shown[name]["metadata"]["name"], deleting=True))
                seen.directory.on_pod(going, None)
        else:
            getattr(seen.directory, what)(shown[what], None)
        assert (throttler.pools.any_usable(), throttler.pools.placement.take(), seen.actuator.probing) == (
            None,
            None,
            {},
        ), what


@pytest.mark.parametrize("order", list(itertools.permutations(("pool", "pod"))))
def test_a_revision_that_comes_back_meets_no_pod_of_its_first_life(order: tuple[str, ...]) -> None:
    """The address of such a pod may be another endpoint's by now: a ping that is answered there would make it a place."""
    seen = Seen()
    seen.directory.on_endpoint(None, shown_endpoint())
    seen.directory.on_pool(None, shown_pool())
    seen.directory.on_pod(None, shown_pod())
    pod, answered = seen.actuator.probing.pop("p1")
    answered(pod)
    throttler = seen.directory.throttlers["e1"]
    throttler.reroute(route("new"))
    for what in order:
        seen.directory.on_pool(shown_pool(), None) if what == "pool" else seen.directory.on_pod(shown_pod(), None)
    throttler.reroute(route())

    assert throttler.pools.pods == {}
    assert seen.actuator.probing == {}


@pytest.mark.parametrize("late", [False, True])
def test_an_address_is_the_youngest_pods(late: bool) -> None:
    """The watch lags: a pod that is gone in truth still shows the address that another endpoint's pod has by now."""
    seen = Seen()
    for name, endpoint, pool in (("iris", "e1", "r1"), ("rose", "e2", "r2")):
        seen.directory.on_endpoint(None, shown_endpoint(name, endpoint))
        seen.directory.on_pool(None, shown_pool(pool, endpoint))
    old, young = shown_pod("old", "r1", age=100), shown_pod("young", "r2", age=1)
    for pod in (young, old) if late else (old, young):
        seen.directory.on_pod(None, pod)
    assert list(seen.actuator.probing) == ["young"]
    assert seen.directory.throttlers["e1"].pools.pods == {}
    seen.directory.on_pod(old, old)
    seen.directory.on_pod(old, None)
    assert list(seen.actuator.probing) == ["young"]
    moved = shown_pod("young", "r2", age=1)
    moved["facts"] = replace(moved["facts"], ip="10.0.0.8")
    seen.directory.on_pod(young, moved)
    assert list(seen.directory._addresses) == ["10.0.0.8"]
    seen.directory.on_pod(moved, None)
    assert seen.directory._addresses == {}


def test_an_orphaned_pod_is_nobodys() -> None:
    seen = Seen()
    seen.directory.on_endpoint(None, shown_endpoint())
    seen.directory.on_pool(None, shown_pool())
    seen.directory.on_pod(None, shown_pod())
    seen.directory.on_pod(shown_pod(), shown_pod(owner=""))

    assert seen.directory.throttlers["e1"].pools.pods == {}
    assert seen.actuator.probing == {}


def test_an_endpoint_made_again_takes_the_place_of_one_whose_deletion_was_not_told_and_not_the_other_way_round() -> (
    None
):
    seen = Seen()
    old, young = shown_endpoint(uid="e1"), shown_endpoint(uid="e2", created="2026-02-01T00:00:00Z")
    seen.directory.on_endpoint(None, old)
    seen.directory.add_looked_up(young)
    assert list(seen.directory.throttlers) == ["e2"]
    seen.directory.add_looked_up(old)
    assert list(seen.directory.throttlers) == ["e2"], "a look-up that was slow"
    throttler = seen.directory.by_name("team", "iris")
    assert throttler is seen.directory.by_object_name("team", "iris") is seen.directory.throttlers["e2"]
    assert seen.directory.only_looked_up(young)
    seen.directory.on_endpoint(None, young)
    assert not seen.directory.only_looked_up(young)
