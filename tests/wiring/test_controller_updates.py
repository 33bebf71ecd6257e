"""Updates: new pods start, then the route changes, then the old pool is deleted. A failed update changes no route."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.apiserver import Behaviour, Object, matching
from tests.wiring.controlled import NS, World, config, endpoint, model, world

IN_SERVICE = ("InService", "True", "True")
UPDATING = ("Updating", "Unknown", "True", "Reconciling")
UPDATE_FAILED = ("InService", "False", "True", "Stalled")
UPDATE_WAITS = ("InService", "False", "True", "Reconciling")


@pytest.fixture
async def w(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    """An endpoint in service, and an EndpointConfig with more memory."""
    async with world(tmp_path, monkeypatch) as made:
        await made.start()
        made.apply(model(), config(limit=8), config("bigger", memory=2048, limit=8), endpoint())
        await made.reaches("echo", *IN_SERVICE)
        made.serve()
        yield made


def revision_of(pool: str) -> str:
    return pool.split("-")[1]


async def test_capacity_comes_first_and_the_old_pool_is_deleted_when_drained(w: World) -> None:
    old = w.status()["route"]["revision"]
    w.serve(in_flight=3)
    w.kubelet.behave = lambda pod: Behaviour.NEVER_PINGS if "2Gi" in str(pod["spec"]) else Behaviour.READY
    w.rename("echo", "bigger")
    status = await w.reaches("echo", *UPDATING)
    assert status["route"]["revision"] == old
    assert status["endpointConfigName"] == "echo"
    assert status["pendingDeploymentSummary"]["endpointConfigName"] == "bigger"
    await w.until(lambda: len(w.pools()) == 2)
    assert next(size for name, size in w.pools().items() if revision_of(name) != old) == 3, (
        "as many pods as requests are in flight"
    )

    w.kubelet.behave = lambda _: Behaviour.READY
    w.kubelet.poke()
    status = await w.reaches("echo", *IN_SERVICE)
    new = status["route"]["revision"]
    assert new != old
    assert status["endpointConfigName"] == "bigger"
    w.serve(older={old: 1})
    reads = len([1 for r in w.server.log if r.resource == "pods" and r.namespace == "kindler-system"])
    await w.until(
        lambda: len([1 for r in w.server.log if r.resource == "pods" and r.namespace == "kindler-system"]) > reads + 1
    )
    assert {revision_of(p) for p in w.pools()} == {old, new}, "a request is still in flight on the old one"
    w.serve()
    await w.until(lambda: {revision_of(p) for p in w.pools()} == {new})
    await w.until(lambda: [k["metadata"]["name"] for k in w.all("controllerrevisions", "apps")] == [f"echo-{new}"])
    assert w.all("controllerrevisions", "apps")[0]["revision"] == 2


async def test_an_activator_that_does_not_respond_does_not_report_drained(w: World) -> None:
    old = w.status()["route"]["revision"]
    w.rename("echo", "bigger")
    await w.until(lambda: w.status()["route"]["revision"] != old)
    await w.reaches("echo", *IN_SERVICE)
    w.reported = None
    with pytest.raises(TimeoutError):
        await w.until(lambda: len(w.pools()) == 1, seconds=3)


async def test_without_a_response_the_old_pool_is_deleted_after_the_longest_invocation_time(w: World) -> None:
    w.apply(
        config("short", memory=3072, invocationTimeoutInSeconds=1),
        config("shorter", memory=4096, invocationTimeoutInSeconds=1),
    )
    w.rename("echo", "short")
    await w.reaches("echo", *IN_SERVICE)
    w.serve()
    await w.until(lambda: len(w.pools()) == 1)
    w.rename("echo", "shorter")
    await w.until(lambda: w.status()["endpointConfigName"] == "shorter")
    w.reported = None
    await w.until(lambda: len(w.pools()) == 1)


async def test_a_failed_update_keeps_the_old_revision_and_a_rollback_restarts_no_pod(w: World) -> None:
    before = w.status()["route"]
    pods = {p["metadata"]["uid"] for p in w.all("pods")}
    w.kubelet.behave = lambda pod: Behaviour.IMAGE_MISSING if "broken" in str(pod["spec"]) else Behaviour.READY
    w.apply(model("broken", image="localhost:5000/broken:1"), config("broken", of="broken"))
    w.rename("echo", "broken")
    status = await w.reaches("echo", *UPDATE_FAILED)
    assert "localhost:5000/broken:1" in status["failureReason"]
    assert status["route"] == before
    assert status["endpointConfigName"] == "echo"
    assert status["failedRevision"]
    w.rename("echo", "echo")
    status = await w.reaches("echo", *IN_SERVICE)
    assert "failureReason" not in status
    await w.until(lambda: len(w.pools()) == 1)
    await w.until(lambda: {p["metadata"]["uid"] for p in w.all("pods")} == pods)


async def test_a_failed_update_is_retried_at_once_when_its_model_is_created_again(w: World) -> None:
    w.kubelet.behave = lambda pod: Behaviour.IMAGE_MISSING if "broken" in str(pod["spec"]) else Behaviour.READY
    w.apply(model("broken", image="localhost:5000/broken:1"), config("broken", of="broken"))
    w.rename("echo", "broken")
    await w.reaches("echo", *UPDATE_FAILED)
    w.delete("models", "broken")
    w.apply(model("broken", image="localhost:5000/fixed:1"))
    status = await w.reaches("echo", *IN_SERVICE)
    assert status["endpointConfigName"] == "broken"


async def test_an_update_waits_for_missing_objects(w: World) -> None:
    w.rename("echo", "later")
    await w.reaches("echo", *UPDATE_WAITS)
    assert w.reason() == "EndpointConfigNotFound"
    w.apply(config("later", of="later"))
    await w.until(lambda: w.reason() == "ModelNotFound")
    w.apply(model("later", environment={"A": "1"}))
    status = await w.reaches("echo", *IN_SERVICE)
    assert status["endpointConfigName"] == "later"


async def test_changed_limits_change_only_the_route(w: World) -> None:
    before = w.status()["route"]
    pods = {p["metadata"]["uid"] for p in w.all("pods")}
    w.apply(config("wider", limit=20, idleTimeoutInSeconds=7))
    w.rename("echo", "wider")
    await w.until(lambda: w.status()["endpointConfigName"] == "wider")
    status = await w.reaches("echo", *IN_SERVICE)
    assert status["route"] == before | {"maxConcurrency": 20, "idleTimeoutInSeconds": 7}
    assert {p["metadata"]["uid"] for p in w.all("pods")} == pods
    assert len(w.pools()) == 1


async def test_warm_pods_are_ready_before_the_route_names_them(w: World) -> None:
    w.kubelet.behave = lambda pod: Behaviour.NEVER_PINGS if "-warm" in pod["metadata"]["name"] else Behaviour.READY
    w.apply(config("warm", limit=8, provisionedConcurrency=2))
    w.rename("echo", "warm")
    status = await w.reaches("echo", *UPDATING)
    assert "warm" not in status["route"]["pools"]
    w.kubelet.behave = lambda _: Behaviour.READY
    w.kubelet.poke()
    status = await w.reaches("echo", *IN_SERVICE)
    assert w.pools()[status["route"]["pools"]["warm"]] == 2
    w.serve()
    w.rename("echo", "echo")
    status = await w.reaches("echo", *IN_SERVICE)
    await w.until(lambda: list(w.pools()) == [status["route"]["pools"]["demand"]])


async def test_an_update_that_replaces_an_update_leaves_only_the_last_one(w: World) -> None:
    w.kubelet.behave = lambda pod: Behaviour.NEVER_PINGS if "SLOW" in str(pod["spec"]) else Behaviour.READY
    w.apply(model("slow", environment={"SLOW": "1"}), config("slow", of="slow"))
    w.rename("echo", "slow")
    await w.reaches("echo", *UPDATING)
    w.rename("echo", "bigger")
    status = await w.reaches("echo", *IN_SERVICE)
    assert status["endpointConfigName"] == "bigger"
    w.serve()
    await w.until(lambda: {revision_of(p) for p in w.pools()} == {status["route"]["revision"]})


async def test_an_update_and_a_rollback(w: World) -> None:
    first = w.status()["route"]["revision"]
    w.rename("echo", "bigger")
    await w.until(lambda: w.status()["endpointConfigName"] == "bigger")
    w.serve(older={first: 1})
    w.rename("echo", "echo")
    await w.until(lambda: w.row() == UPDATING or w.status()["endpointConfigName"] == "echo")
    w.serve(revision=w.status()["route"]["revision"])
    await w.until(lambda: w.status()["endpointConfigName"] == "echo")
    status = await w.reaches("echo", *IN_SERVICE)
    assert status["route"]["revision"] == first
    w.serve()
    await w.until(lambda: {revision_of(p) for p in w.pools()} == {first})
    await w.until(lambda: [k["revision"] for k in w.all("controllerrevisions", "apps")] == [3])


async def test_a_rollback_uses_the_old_pods_that_still_exist(w: World) -> None:
    """A request of an hour may still run in the old pods. The rollback does not wait for it and does not end it."""
    w.apply(config("long", limit=8, invocationTimeoutInSeconds=3600))
    w.rename("echo", "long")
    await w.until(lambda: w.status()["endpointConfigName"] == "long")
    w.serve()
    await w.until(lambda: len(w.pools()) == 1 and len(w.all("pods")) == 1)
    first, pods = w.status()["route"]["revision"], {p["metadata"]["uid"] for p in w.all("pods")}
    clock = w.controllers[0][0].reconciler._parts.observer._clock
    w.rename("echo", "bigger")
    await w.until(lambda: w.status()["endpointConfigName"] == "bigger")
    w.serve(older={first: 1})
    w.controllers[0][0].reconciler._parts.observer._clock = lambda: clock() + 10
    w.rename("echo", "long")
    await w.until(lambda: w.status()["endpointConfigName"] == "long")
    w.serve()
    await w.until(lambda: {p["metadata"]["uid"] for p in w.all("pods")} == pods)


async def test_a_failed_write_of_the_status_loses_no_pod(w: World) -> None:
    """If a reconcile fails after it wrote the ControllerRevision, the next reconcile uses the same pods."""
    w.kubelet.behave = lambda pod: Behaviour.NEVER_PINGS if "2Gi" in str(pod["spec"]) else Behaviour.READY
    w.rename("echo", "bigger")
    await w.reaches("echo", *UPDATING)
    w.server.faults.fail(409, matching("update", "endpoints", subresource="status"), times=2)
    w.kubelet.behave = lambda _: Behaviour.READY
    w.kubelet.poke()
    await w.until(lambda: w.status()["endpointConfigName"] == "bigger")
    w.serve()
    await w.until(lambda: len(w.pools()) == 1)
    made = [r for r in w.server.log if r.verb == "create" and r.resource == "replicasets"]
    assert len(made) == 2, "one for each revision"


async def test_deleting_objects_in_use_changes_nothing(w: World) -> None:
    before = w.status()["route"]
    w.delete("models", "echo")
    w.delete("endpointconfigs", "echo")
    w.apply(model(environment={"OTHER": "1"}), config(memory=3072))
    await w.until(
        lambda: (
            w.reason("echo", plural="endpointconfigs") == "Accepted" and w.reason("echo", plural="models") == "Accepted"
        )
    )
    w.patch("endpoints", "echo", {"spec": {"tags": [{"key": "a", "value": "b"}]}})
    status = await w.reaches("echo", *IN_SERVICE)
    assert status["route"] == before
    assert len(w.pools()) == 1


async def test_a_lost_route_is_rebuilt(w: World) -> None:
    before = w.status()["route"]
    w.delete("endpointconfigs", "echo")
    found = w.find("endpoints", "echo")
    assert found is not None
    found["status"] = {"observedGeneration": -1}
    w.server.store.update(
        w.server.store.kind("endpoints", "serving.kindler.dev"), NS, "echo", found, "status", "backup"
    )
    await w.until(lambda: w.status().get("route") == before)
    await w.reaches("echo", *IN_SERVICE)


async def test_a_quota_while_scaled_to_zero_is_reported_until_it_is_raised(w: World) -> None:
    def refuse(replica_set: Object) -> str | None:
        return 'pods "x" is forbidden: exceeded quota: none, requested: pods=1'

    pool = w.status()["route"]["pools"]["demand"]
    w.patch("replicasets", pool, {"spec": {"replicas": 0}}, group="apps")
    await w.until(lambda: not w.all("pods"))
    await w.reaches("echo", *IN_SERVICE)
    w.kubelet.replica_sets.refuse = refuse
    w.patch("replicasets", pool, {"spec": {"replicas": 1}}, group="apps")
    await w.reaches("echo", "InService", "False", "False")
    assert w.reason() == "CannotStart"
    w.kubelet.replica_sets.refuse = lambda _: None
    w.kubelet.poke()
    await w.reaches("echo", *IN_SERVICE)
