"""Requests in progress: limits under load, scale-down, route changes, deletion, outages of the API server."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kindler.api import names
from kindler.core.dataplane.scaledown import LOW_COST
from tests.apiserver.faults import matching
from tests.wiring.activator_rig import NAMESPACE, Rig
from tests.wiring.activator_rig import rig as make


@pytest.fixture
async def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Rig]:
    async with make(tmp_path, monkeypatch) as made:
        yield made


async def test_above_the_limit_all_are_throttled_at_once_in_both_styles(rig: Rig) -> None:
    rig.serving(limit=5)
    rig.gate.clear()
    requests = [rig.begin(body=str(n)) for n in range(30)]
    done = 0
    while done < 25:  # the five admitted requests cannot end: the gate is closed
        await asyncio.wait(requests, return_when=asyncio.FIRST_COMPLETED)
        finished = [request for request in requests if request.done()]
        done += len(finished)
        requests = [request for request in requests if not request.done()]
        for request in finished:
            assert request.result().status == 429
            assert request.result().headers["retry-after"] == "1"
    sagemaker = await rig.request("POST", "/endpoints/iris/invocations", "x")
    assert (sagemaker.status, sagemaker.headers["x-amzn-errortype"]) == (400, "ThrottlingException")
    rig.gate.set()

    assert [answer.status for answer in await asyncio.gather(*requests)] == [200] * 5
    assert all(model.most <= 1 for model in rig.models.values())
    assert rig.replicas() == 5


async def test_heavy_load_never_exceeds_the_limit_and_no_request_is_lost(rig: Rig) -> None:
    rig.serving(limit=8, per_pod=2)
    requests = [rig.begin(body=str(n)) for n in range(40)]
    statuses: Counter[int] = Counter()
    for number in range(40, 1000):
        done, pending = await asyncio.wait(requests, return_when=asyncio.FIRST_COMPLETED)
        statuses.update(request.result().status for request in done)
        requests = [*pending, *(rig.begin(body=str(number)) for _ in range(len(done)))]
    statuses.update(answer.status for answer in await asyncio.gather(*requests))

    assert set(statuses) == {200, 429}
    assert sum(len(model.served) for model in rig.models.values()) == statuses[200]
    assert rig.most <= 8
    assert max(model.most for model in rig.models.values()) <= 2
    assert (rig.throttler().in_flight, rig.throttler().held) == (0, 0)


async def test_a_client_that_leaves_while_held_never_reaches_a_model(rig: Rig) -> None:
    rig.gate.clear()
    rig.serving(limit=2, demand=1, per_pod=2)
    await rig.until(lambda: rig.throttler() and rig.throttler().pools.any_usable())
    rig.route(limit=3, per_pod=1)
    await rig.until(lambda: rig.throttler().pools.placement.per_instance == 1)
    first = rig.begin(body="first")
    await rig.until(lambda: rig.throttler().in_flight == 1)
    rig.kubelet.replica_sets.refuse = lambda _: "no more"
    leaves = rig.begin(body="leaves")
    await rig.until(lambda: rig.throttler().held == 1)
    leaves.cancel()
    await rig.until(lambda: rig.throttler().held == 0)
    rig.gate.set()

    assert (await first).status == 200
    assert (await rig.invoke(body="last")).status == 200
    assert [body for model in rig.models.values() for body in model.served] == ["first", "last"]


async def test_an_idle_endpoint_scales_to_zero_and_up_again(rig: Rig) -> None:
    rig.serving(idle=1)
    assert (await rig.invoke()).status == 200
    await rig.server.until(lambda: rig.replicas() == 0 and not rig.pods())
    assert rig.scales() == [1, 0]
    assert not [r for r in rig.server.log if r.resource == "pods" and r.write], "the last pod needs no deletion cost"

    assert (await rig.invoke()).status == 200
    assert rig.scales() == [1, 0, 1]


async def test_of_two_pods_the_idle_one_is_removed_and_the_busy_one_stays(rig: Rig) -> None:
    rig.serving(idle=1)
    rig.gate.clear()
    two = [rig.begin(), rig.begin()]
    await rig.server.until(lambda: rig.replicas() == 2)
    await rig.until(lambda: sum(model.now for model in rig.models.values()) == 2)
    await rig.server.until(
        lambda: len([p for p in rig.pods() if p["status"].get("containerStatuses", [{}])[0].get("ready")]) == 2
    )
    busy, idle = two
    rig.gate.set()
    await asyncio.gather(busy, idle)
    rig.gate.clear()
    busy = rig.begin()
    (model,) = await rig.until(lambda: [m for m in rig.models.values() if m.now])
    await rig.server.until(lambda: rig.replicas() == 1 and len(rig.pods()) == 1)
    assert rig.pods()[0]["metadata"]["name"] == model.pod
    writes = [(r.resource, r.name) for r in rig.server.log if r.write]
    (cost,) = [r for r in rig.server.log if r.write and r.resource == "pods"]
    assert cost.body["metadata"]["annotations"] == {names.ANNOTATION_DELETION_COST: str(LOW_COST)}
    assert writes.index(("pods", cost.name)) < len(writes) - 1, "the cost is written before the size"
    rig.gate.set()

    assert (await busy).pod == model.pod


async def test_a_deleted_pod_stays_until_its_response_is_read_and_not_longer(rig: Rig) -> None:
    rig.serving(demand=1)
    await rig.until(lambda: rig.throttler() and rig.throttler().pools.any_usable())
    rig.gate.clear()
    request = rig.begin()
    (model,) = await rig.until(lambda: [m for m in rig.models.values() if m.now])
    rig.server.store.delete(rig.server.store.kind("pods"), NAMESPACE, model.pod)
    await rig.until(
        lambda: (
            not rig.throttler().pools.pods
            or not rig.throttler().pools.any_usable()
            or rig.throttler().pools.any_usable().pod != model.pod
        )
    )
    assert [p for p in rig.pods() if p["metadata"]["name"] == model.pod], "it stays while a connection is open"
    rig.gate.set()

    assert (await request).status == 200
    await rig.until(lambda: not model.connections)
    rig.kubelet.poke()
    await rig.server.until(lambda: not [p for p in rig.pods() if p["metadata"]["name"] == model.pod])


async def test_a_route_change_under_load_fails_no_request(rig: Rig) -> None:
    endpoint = rig.serving(limit=20, demand=2)
    await rig.until(lambda: rig.throttler() and rig.throttler().pools.any_usable())
    statuses: Counter[int] = Counter()
    stop = asyncio.Event()

    async def client() -> None:
        while not stop.is_set():
            statuses[(await rig.invoke()).status] += 1

    clients = [asyncio.ensure_future(client()) for _ in range(4)]
    old = "abc"
    for revision in ("def", "ghi", "jkl"):
        rig.pools(endpoint, revision, demand=4)
        rig.route(revision=revision, limit=20)
        await rig.until(
            lambda now=revision: rig.throttler().stats(True).revision == now and rig.throttler().stats(True).older == {}
        )
        rig.server.store.delete(rig.server.store.kind("replicasets"), NAMESPACE, f"iris-{old}-demand")
        seen = sum(statuses.values())
        await rig.until(lambda before=seen: sum(statuses.values()) > before + 50)
        old = revision
    stop.set()
    await asyncio.gather(*clients)

    assert set(statuses) == {200}, statuses
    assert all(model.most <= 1 for model in rig.models.values())


async def test_held_requests_follow_the_route(rig: Rig) -> None:
    rig.kubelet.replica_sets.refuse = lambda replica_set: "no" if "-abc-" in replica_set["metadata"]["name"] else None
    endpoint = rig.serving()
    held = rig.begin()
    await rig.until(lambda: rig.throttler() and rig.throttler().held == 1)
    rig.pools(endpoint, "new")
    rig.route(revision="new")
    answer = await held

    assert answer.status == 200
    assert answer.pod.startswith("iris-new-demand")


async def test_deletion_rejects_held_requests_and_lets_running_ones_finish(rig: Rig) -> None:
    rig.serving(limit=2)
    rig.gate.clear()
    running = rig.begin()
    await rig.until(lambda: any(model.now for model in rig.models.values()))
    rig.kubelet.replica_sets.refuse = lambda _: "no more"
    held = rig.begin()
    await rig.until(lambda: rig.throttler().held == 1)
    rig.server.store.delete(rig.server.store.kind("endpoints", names.GROUP), NAMESPACE, "iris")

    rejected = await held
    assert rejected.status == 404
    assert "was deleted" in rejected.body
    rig.gate.set()
    assert (await running).status == 200
    later = await rig.invoke()
    assert later.status == 404


async def test_a_recreated_endpoint_shares_no_pod_with_its_predecessor(rig: Rig) -> None:
    rig.serving(limit=1)
    rig.gate.clear()
    old = rig.begin()
    await rig.until(lambda: any(model.now for model in rig.models.values()))
    uid = rig.throttler().identity.uid
    rig.server.store.delete(rig.server.store.kind("endpoints", names.GROUP), NAMESPACE, "iris")
    await rig.until(lambda: rig.throttler() is None)
    await rig.server.until(lambda: not rig.server.store.all(rig.server.store.kind("replicasets"), NAMESPACE))
    rig.serving(limit=1)
    await rig.until(lambda: rig.throttler() and rig.throttler().identity.uid != uid)
    new = rig.begin()
    await rig.until(lambda: rig.throttler().in_flight == 1)
    rig.gate.set()

    assert (await old).pod != (await new).pod


async def test_without_the_api_server_it_continues_to_serve_and_writes_later(rig: Rig) -> None:
    rig.serving(demand=1)
    rig.serving("idle")
    await rig.until(lambda: rig.throttler() and rig.throttler().pools.any_usable() and rig.throttler("idle"))
    await rig.server.down()
    assert [(await rig.invoke()).status for _ in range(20)] == [200] * 20
    held = rig.begin("idle")
    await rig.until(lambda: rig.activator.writer.failure)
    health = json.loads((await rig.admin("/healthz")).body)
    assert health["status"] == "ok"
    assert health["unwritten"] == 1
    assert "idle-abc-demand" in health["trouble"]
    await rig.server.up()

    assert (await held).status == 200
    assert (await rig.invoke()).status == 200


async def test_a_failed_write_is_repeated_with_the_newest_number(rig: Rig) -> None:
    rig.serving(limit=3)
    await rig.until(rig.throttler)
    held = rig.server.faults.hold(matching("patch", "replicasets"))
    rig.server.faults.fail(503, matching("patch", "replicasets"))
    requests = [rig.begin()]
    await rig.server.until(lambda: len(rig.scales()) == 1)
    requests += [rig.begin(), rig.begin()]
    await rig.until(lambda: rig.throttler().held == 3)
    assert rig.scales() == [1], "one write in flight per pool"
    held.end()

    assert [answer.status for answer in await asyncio.gather(*requests)] == [200] * 3
    assert rig.scales()[-1] == 3


async def test_a_pod_whose_connections_fail_is_ejected_and_used_again_after_a_good_ping(rig: Rig) -> None:
    rig.serving(demand=1, limit=1)
    await rig.until(lambda: rig.throttler() and rig.throttler().pools.any_usable())
    (model,) = rig.models.values()
    await model.stop()
    held = rig.begin()
    await rig.until(lambda: rig.throttler().held == 1)
    await model.start(rig.port)

    assert (await held).status == 200


async def test_warm_pods_serve_first_and_idle_ones_carry_a_low_cost(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kindler.core.dataplane.scaledown.WARM_IDLE_SECONDS", 0.5)
    rig.serving(warm=1, demand=1, limit=3)
    await rig.until(lambda: rig.throttler() and len(rig.throttler().pools.placement.warm) == 1)
    rig.gate.clear()
    request = rig.begin()
    (model,) = await rig.until(lambda: [m for m in rig.models.values() if m.now])
    assert "-warm-" in model.pod
    rig.gate.set()
    await request

    def cost() -> str | None:
        (pod,) = [p for p in rig.pods() if p["metadata"]["name"] == model.pod]
        value: str | None = pod["metadata"].get("annotations", {}).get(names.ANNOTATION_DELETION_COST)
        return value

    await rig.server.until(lambda: cost() == str(LOW_COST))
    rig.gate.clear()
    busy = rig.begin()
    await rig.server.until(lambda: cost() == "0")
    rig.gate.set()
    await busy
