"""The controller with edited children, taken names, restarts, replicas, many objects and a failing API server."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from kindler.clients.cluster import Object, Resource
from kindler.controller.directory import Key
from kindler.controller.process import Controller
from tests.apiserver import matching
from tests.wiring.controlled import NS, World, config, endpoint, model, world

IN_SERVICE = ("InService", "True", "True")
FAILED = ("Failed", "False", "False", "Stalled")
STALLED = ("InService", "False", "True", "Stalled")
APPS = "apps"
HANG_SECONDS = 500  # 300 endpoints took 36 s beside 8 other tasks on two cores, and over 100 s beside 27


@pytest.fixture
async def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    async with world(tmp_path, monkeypatch) as made:
        yield made


@pytest.fixture
async def short_lease(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    """A world whose Lease expires after 5 seconds, for tests that wait until it expires.

    On a busy machine the leader may lose such a short Lease without a fault, and then it ends.
    """
    async with world(tmp_path, monkeypatch, lease_seconds=5.0, lease_renew_seconds=3.5) as made:
        await begin(made)
        yield made


@pytest.fixture
async def w(bare: World) -> World:
    await begin(bare)
    return bare


async def begin(w: World) -> None:
    """Starts one controller, and waits until one endpoint is in service."""
    await w.start()
    w.apply(model(), config(), endpoint())
    await w.reaches("echo", *IN_SERVICE)
    w.serve()


async def writes_in(w: World, seconds: float) -> list[str]:
    """The writes of all controllers in the next `seconds`."""
    before = len(w.writes())
    await asyncio.sleep(seconds)
    return w.writes()[before:]


# --- Children


@pytest.mark.parametrize("kind", ["replicasets", "services", "controllerrevisions"])
async def test_a_deleted_child_is_created_again(w: World, kind: str) -> None:
    group = "" if kind == "services" else APPS
    (before,) = w.all(kind, group)
    w.delete(kind, before["metadata"]["name"], group=group)
    found = await w.until(
        lambda: next((x for x in w.all(kind, group) if x["metadata"]["uid"] != before["metadata"]["uid"]), None)
    )
    assert found["metadata"]["name"] == before["metadata"]["name"]
    await w.reaches("echo", *IN_SERVICE)


@pytest.mark.parametrize(
    ("kind", "patch", "corrected"),
    [
        (
            "services",
            {"spec": {"externalName": "elsewhere.invalid"}},
            lambda x: "activator" in x["spec"]["externalName"],
        ),
        (
            "replicasets",
            {"metadata": {"labels": {"serving.kindler.dev/pool": "x"}}},
            lambda x: x["metadata"]["labels"]["serving.kindler.dev/pool"] == "demand",
        ),
        (
            "replicasets",
            {"metadata": {"labels": {"serving.kindler.dev/endpoint": None}}},
            lambda x: "serving.kindler.dev/endpoint" in x["metadata"]["labels"],
        ),
        (
            "replicasets",
            {"spec": {"template": {"spec": {"enableServiceLinks": True}}}},
            lambda x: not x["spec"]["template"]["spec"]["enableServiceLinks"],
        ),
        (
            "controllerrevisions",
            {"metadata": {"annotations": None}},
            lambda x: "serving.kindler.dev/routed" in x["metadata"].get("annotations", {}),
        ),
    ],
)
async def test_an_edited_child_is_corrected(
    w: World, kind: str, patch: dict[str, object], corrected: Callable[[dict[str, object]], bool]
) -> None:
    group = "" if kind == "services" else APPS
    (found,) = w.all(kind, group)
    w.patch(kind, found["metadata"]["name"], patch, group=group)
    await w.until(lambda: corrected(w.all(kind, group)[0]))
    await w.reaches("echo", *IN_SERVICE)


async def test_entries_added_to_a_list_of_a_pool_are_removed_and_then_nothing_is_written(w: World) -> None:
    (pool,) = w.all("replicasets", APPS)
    containers = pool["spec"]["template"]["spec"]["containers"]
    added = [
        containers[0] | {"env": [*containers[0]["env"], {"name": "ADDED", "value": "1"}]},
        {"name": "sidecar", "image": "example.com/sidecar:1"},
    ]
    w.patch(
        "replicasets", pool["metadata"]["name"], {"spec": {"template": {"spec": {"containers": added}}}}, group=APPS
    )
    await w.until(lambda: w.all("replicasets", APPS)[0]["spec"]["template"]["spec"]["containers"] == containers)
    await writes_in(w, 1)
    w.controllers[0][0].enqueue(Key("Endpoint", NS, "echo"))
    assert await writes_in(w, 1) == []


async def test_a_revision_gets_its_label_back_and_updates_work(w: World) -> None:
    (revision,) = w.all("controllerrevisions", APPS)
    w.patch(
        "controllerrevisions",
        revision["metadata"]["name"],
        {"metadata": {"labels": {"serving.kindler.dev/endpoint": None}}},
        group=APPS,
    )
    await w.until(lambda: "serving.kindler.dev/endpoint" in w.all("controllerrevisions", APPS)[0]["metadata"]["labels"])
    w.apply(config("bigger", memory=2048))
    w.rename("echo", "bigger")
    await w.until(lambda: w.status()["endpointConfigName"] == "bigger")
    await w.reaches("echo", *IN_SERVICE)


async def test_sizes_that_others_set_are_not_changed(w: World) -> None:
    (pool,) = w.pools()
    w.patch("replicasets", pool, {"spec": {"replicas": 2}}, group=APPS)
    w.patch("replicasets", pool, {"spec": {"template": {"spec": {"enableServiceLinks": True}}}}, group=APPS)
    await w.until(lambda: not w.all("replicasets", APPS)[0]["spec"]["template"]["spec"]["enableServiceLinks"])
    assert w.pools() == {pool: 2}


# --- Names


async def test_the_oldest_endpoint_owns_the_name_in_any_case(w: World) -> None:
    await w.younger(endpoint("younger", endpointName="Echo"))
    status = await w.reaches("younger", *FAILED)
    assert w.reason("younger") == "NameTaken"
    assert "echo" in status["failureReason"]
    assert all("younger" not in pool for pool in w.pools())
    w.delete("endpoints", "echo")
    await w.reaches("younger", *IN_SERVICE)


async def test_a_younger_model_is_accepted_when_the_name_becomes_free(w: World) -> None:
    await w.younger(model("younger", modelName="echo", environment={"A": "1"}))
    await w.until(lambda: w.reason("younger", "Stalled", "models") == "NameTaken")
    assert w.reason("echo", plural="models") == "Accepted"
    w.delete("models", "echo")
    await w.until(lambda: w.reason("younger", plural="models") == "Accepted")
    await w.reaches("echo", *IN_SERVICE)


async def test_a_service_of_another_owner_is_not_changed_and_is_reported(bare: World) -> None:
    w = bare
    foreign = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "echo"},
        "spec": {"type": "ExternalName", "externalName": "example.invalid"},
    }
    w.server.store.create(w.server.store.kind("services"), NS, foreign, "kubectl")
    await w.start()
    w.apply(model(), config(), endpoint())
    status = await w.reaches("echo", *STALLED)
    assert w.reason() == "NameTaken"
    assert "Service named echo" in status["failureReason"]
    assert w.all("services")[0]["spec"]["externalName"] == "example.invalid"


async def test_a_pool_of_another_owner_fails_the_creation(bare: World) -> None:
    w = bare
    await w.start()
    w.apply(model(), config(), endpoint("first"))
    status = await w.reaches("first", *IN_SERVICE)
    revision = status["route"]["revision"]
    spec = {
        "replicas": 0,
        "selector": {"matchLabels": {"a": "b"}},
        "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "x"}]}},
    }
    name = f"echo-{revision}-demand"
    foreign = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": name}, "spec": spec}
    w.server.store.create(w.server.store.kind("replicasets", APPS), NS, foreign, "kubectl")
    w.apply(endpoint())
    status = await w.reaches("echo", *FAILED)
    assert w.reason() == "NameTaken"
    assert name in status["failureReason"]


# --- Restarts and replicas


async def test_a_restart_writes_nothing(w: World) -> None:
    w.apply(config("bigger", memory=2048, provisionedConcurrency=1), endpoint("second"))
    await w.reaches("second", *IN_SERVICE)
    w.rename("echo", "bigger")
    await w.until(lambda: w.status()["endpointConfigName"] == "bigger")
    w.serve()
    await w.until(lambda: len(w.pools()) == 3)
    await writes_in(w, 11)  # counts are written at most every 10 seconds
    assert await writes_in(w, 2) == []
    (controller, *_) = w.controllers[0]
    assert await w.stop(controller) == 0
    before = len(w.writes())
    again = await w.start()
    await w.until(lambda: again.working)
    assert await writes_in(w, 3) == []
    assert passes(again) >= 5, "every object was reconciled"
    assert w.writes()[before:] == []


def passes(controller: Controller) -> float:
    return sum(s.value for m in controller.metrics.reconciles.collect() for s in m.samples if s.name.endswith("_total"))


async def test_the_standby_takes_over_when_the_leader_is_killed(short_lease: World) -> None:
    w = short_lease
    standby = await w.start()
    await w.until(lambda: len([r for r in w.server.log if r.verb == "get" and r.resource == "leases"]) > 2)
    assert not standby.working
    await w.kill(w.controllers[0][0])
    w.apply(endpoint("second"))
    await w.reaches("second", *IN_SERVICE)
    assert standby.working
    made = [
        r.name or r.body["metadata"]["name"] for r in w.server.log if r.verb == "create" and r.resource == "replicasets"
    ]
    assert len(made) == len(set(made)), "no pool is created twice"


async def test_a_leader_that_stops_releases_the_lease_at_once(w: World) -> None:
    standby = await w.start()
    await standby.listed.wait()
    leader = w.controllers[0][0]
    assert await w.stop(leader) == 0
    await w.until(lambda: standby.working, seconds=w.settings.lease_seconds / 2)


async def test_a_new_leader_with_an_outdated_watch_keeps_the_pools_that_serve(short_lease: World) -> None:
    """During an update by the former leader, the standby's watch of Endpoints reports no event.

    So the new leader knows only the old revision.
    """
    w = short_lease
    w.apply(config("bigger", memory=2048))
    leader, standby = w.controllers[0][0], await w.start()
    await standby.listed.wait()
    await standby.children.synced()
    receive, clock = standby.watcher._receive, standby.reconciler._parts.observer._clock

    def without_endpoints(kind: Resource, event: str | None, value: Object) -> None:
        if kind.kind != "Endpoint":
            receive(kind, event, value)

    standby.watcher._receive = without_endpoints  # type: ignore[method-assign]
    standby.reconciler._parts.observer._clock = lambda: clock() + 100  # beyond the longest invocation time
    w.rename("echo", "bigger")
    await w.until(lambda: w.status()["endpointConfigName"] == "bigger")
    w.serve()
    await w.until(lambda: len(w.pools()) == 1)
    (serving,) = w.all("replicasets", APPS)
    await w.kill(leader)
    await w.until(lambda: passes(standby))
    await writes_in(w, 2)
    assert serving["metadata"]["uid"] in [x["metadata"]["uid"] for x in w.all("replicasets", APPS)]


async def test_a_leader_that_lost_its_lease_ends(w: World) -> None:
    (_, _, task, _) = w.controllers[0]
    lease = w.server.store.kind("leases", "coordination.k8s.io")
    (found,) = w.server.store.all(lease, "kindler-system")
    w.server.store.merge_patch(
        lease, "kindler-system", found["metadata"]["name"], {"spec": {"holderIdentity": "another"}}, "", "another"
    )
    async with asyncio.timeout(10):
        assert await asyncio.shield(task) == 1


# --- A failing API server, and many objects


async def test_temporary_errors_of_the_api_server_are_retried(bare: World) -> None:
    w = bare
    await w.start()
    for status in (500, 429, 503, 409):
        w.server.faults.fail(
            status, lambda r: r.write and r.resource not in ("leases", "events"), times=2, retry_after=0
        )
    w.server.faults.lose(matching("create", "replicasets"))
    w.server.faults.lose(matching("update", "endpoints", subresource="status"))
    w.apply(model(), config(), endpoint())
    await w.reaches("echo", *IN_SERVICE, seconds=60)
    assert len(w.pools()) == 1


async def test_a_quota_on_replica_sets_is_reported(bare: World) -> None:
    w = bare
    await w.start()
    text = 'replicasets.apps "x" is forbidden: exceeded quota: none, requested: count/replicasets.apps=1'
    fault = w.server.faults.fail(403, matching("create", "replicasets"), times=float("inf"), message=text)
    w.apply(model(), config(), endpoint())
    await w.until(lambda: "exceeded quota" in str(w.status().get("conditions")))
    assert w.row() == ("Creating", "False", "False", "Reconciling")
    fault.end()
    await w.reaches("echo", *IN_SERVICE, seconds=60)


async def test_events_report_changes_and_are_few(w: World) -> None:
    w.rename("echo", "missing")
    await w.until(lambda: w.reason() == "EndpointConfigNotFound")
    w.rename("echo", "echo")
    await w.reaches("echo", *IN_SERVICE)
    await w.until(lambda: "EndpointConfigNotFound" in {e["reason"] for e in events(w)})
    reasons = [e["reason"] for e in events(w)]
    assert reasons[:2] == ["Creating", "InService"]
    assert len(reasons) <= 5
    assert all(e["regarding"]["kind"] == "Endpoint" for e in events(w))


def events(w: World) -> list[dict[str, object]]:
    return sorted(w.all("events", "events.k8s.io"), key=lambda e: str(e["eventTime"]))  # type: ignore[return-value]


async def test_hundreds_of_endpoints_reach_their_states(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    namespaces = ("a", "b", "c")
    async with world(tmp_path, monkeypatch, namespaces, automatic=False) as w:
        for namespace in namespaces:
            w.apply(model(namespace=namespace), config(namespace=namespace))
        await w.start()
        for number in range(300):
            w.apply(endpoint(f"e{number}", "echo" if number % 10 else "missing", namespace=namespaces[number % 3]))

        def states() -> Counter[str]:
            return Counter(
                e["status"].get("endpointStatus", "")
                for namespace in namespaces
                for e in w.all("endpoints", "serving.kindler.dev", namespace)
            )

        async with asyncio.timeout(HANG_SECONDS):
            while states() != {"InService": 270, "Creating": 30}:
                w.kubelet.tick()  # one step for all pods: a step after each change would take too long
                await asyncio.sleep(0.2)
        assert {w.row(f"e{n}", namespaces[n % 3]) for n in range(0, 300, 10)} == {
            ("Creating", "False", "False", "Reconciling")
        }
        writes = [r for r in w.server.log if r.write and r.resource == "endpoints"]
        assert len(writes) <= 3 * 300, "created, in service, and sometimes a count of pods"
