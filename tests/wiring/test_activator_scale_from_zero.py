"""Scale up from zero: from the first request to its response, and the failures that may prevent a scale-up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from kindler.activator.cluster import lookups
from kindler.activator.cluster.lookups import LOOKUPS_BURST
from kindler.api import names
from kindler.api.settings import activator_settings
from tests.apiserver.faults import matching
from tests.apiserver.kubelet import Behaviour
from tests.wiring.activator_rig import Rig
from tests.wiring.activator_rig import rig as make


@pytest.fixture
async def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Rig]:
    async with make(tmp_path, monkeypatch) as made:
        yield made


async def test_a_request_at_zero_starts_a_pod_and_its_response_contains_the_phases(rig: Rig) -> None:
    rig.serving()
    await rig.until(rig.throttler)
    answer = await rig.invoke(body="hello")

    assert answer.status == 200, answer
    assert rig.models[answer.pod].served == ["hello"]
    assert rig.scales() == [1]
    assert "x-kindler-cold-start" in answer.headers
    assert [
        name for name in ("created", "scheduled", "ip", "ping") if name not in answer.headers["server-timing"]
    ] == []
    again = await rig.invoke()
    assert again.status == 200
    assert "x-kindler-cold-start" not in again.headers


async def test_a_request_does_not_wait_for_the_kubelets_ready(rig: Rig) -> None:
    rig.kubelet.behave = lambda _: Behaviour.NEVER_PINGS
    rig.serving()

    assert (await rig.invoke()).status == 200
    (pod,) = rig.pods()
    assert not pod["status"]["containerStatuses"][0]["ready"]


async def test_held_requests_are_served_first_in_first_out(rig: Rig) -> None:
    rig.kubelet.behave = lambda _: Behaviour.UNSCHEDULABLE
    rig.serving(limit=4, per_pod=4)
    requests = []
    for number in range(4):
        requests.append(rig.begin(body=str(number)))
        await rig.until(lambda expected=number + 1: rig.throttler() and rig.throttler().held == expected)
    assert rig.scales() == [1], "four requests fit into one pod"
    rig.heal()

    answers = await asyncio.gather(*requests)
    assert [answer.status for answer in answers] == [200] * 4
    (model,) = rig.models.values()
    assert model.served == ["0", "1", "2", "3"]


async def test_if_no_pod_can_start_the_request_is_rejected_at_once_with_the_reason(rig: Rig) -> None:
    rig.kubelet.behave = lambda _: Behaviour.IMAGE_MISSING
    rig.serving()
    answer = await rig.invoke()

    assert answer.status >= 500
    assert "iris:1 cannot be pulled" in answer.body
    sagemaker = await rig.request("POST", "/endpoints/iris/invocations", "x")
    assert "x-amzn-errortype" in sagemaker.headers
    assert "cannot be pulled" in sagemaker.body
    rig.heal()
    await rig.until(rig.throttler().pools.any_usable)
    assert (await rig.invoke()).status == 200, "it serves once the cause is fixed"


@pytest.mark.parametrize("again", ["endpoint", "pool"])
async def test_a_recreated_pool_is_scaled_up_although_a_write_to_its_predecessor_is_pending(
    rig: Rig, again: str
) -> None:
    endpoint = rig.serving(startup=10)
    await rig.until(rig.throttler)
    rejected = rig.server.faults.fail(503, matching("patch", "replicasets", subresource="scale"), times=10**6)
    request = rig.begin()
    await rig.until(lambda: rejected.met)
    if again == "endpoint":
        rig.delete("endpoints", "iris", names.GROUP)
        assert (await request).status == 404
    else:
        rig.delete("replicasets", "iris-abc-demand", "apps")
    await rig.until(lambda: not (rig.throttler() and rig.throttler().pools.sizes))
    if again == "endpoint":
        rig.serving(startup=10)
        await rig.until(rig.throttler)
        request = rig.begin()
    else:
        rig.pools(endpoint)
    await rig.until(lambda: (size := rig.throttler().pools.demand_size()) and size.requested)
    rig.server.faults.clear()

    assert (await request).status == 200


async def test_a_request_is_held_for_the_startup_time_if_the_failure_is_not_final(rig: Rig) -> None:
    rig.kubelet.behave = lambda _: Behaviour.UNSCHEDULABLE
    rig.serving(startup=1)
    answer = await rig.invoke()

    assert answer.status >= 500
    assert "did not start within 1 s" in answer.body
    assert "Insufficient memory" in answer.body


async def test_an_exceeded_quota_is_reported(rig: Rig) -> None:
    rig.kubelet.replica_sets.refuse = lambda _: 'pods "iris" is forbidden: exceeded quota: small, requested: pods=1'
    rig.serving(startup=1)

    assert "exceeded quota: small" in (await rig.invoke()).body


async def test_an_endpoint_without_a_route_reports_that_and_serves_as_soon_as_it_has_one(rig: Rig) -> None:
    endpoint = rig.endpoint()
    await rig.until(rig.throttler)
    early = await rig.invoke()
    assert early.status == 503
    assert "being created" in early.body
    rig.pools(endpoint, demand=1)
    rig.route()
    await rig.until(rig.throttler().pools.any_usable)

    assert (await rig.invoke()).status == 200
    assert rig.scales() == [], "the controller's first pod was used"


async def test_a_ping_scales_nothing_up_unless_it_has_wake_true(rig: Rig) -> None:
    rig.serving()
    await rig.until(rig.throttler)
    path = "/namespaces/default/endpoints/iris/ping"
    ping = await rig.request("GET", path)
    assert ping.status == 503
    assert "scaled to zero" in ping.body
    assert rig.scales() == []
    assert (await rig.request("GET", path + "?wake=true")).status == 200
    assert rig.scales() == [1]
    assert (await rig.request("GET", path)).status == 200


async def test_an_endpoint_is_found_by_each_of_its_names(rig: Rig) -> None:
    rig.serving(sagemaker="Iris-Model", demand=1)
    await rig.until(rig.throttler)
    here = [
        ("/endpoints/Iris-Model/invocations", {}),
        ("/namespaces/default/endpoints/Iris-Model/invocations", {}),
        ("/invocations", {"Host": "iris.default.svc.cluster.local"}),
        ("/invocations", {"Host": "iris.default:80"}),
    ]
    assert [(await rig.request("POST", path, "x", headers)).status for path, headers in here] == [200] * 4
    cased = await rig.request("POST", "/endpoints/iris-model/invocations", "x")
    assert cased.status == 400
    assert "there is Iris-Model" in cased.body
    alone = await rig.request("POST", "/invocations", "x", {"Host": "iris"})
    assert alone.status == 404
    assert "http://iris.{namespace}/invocations" in alone.body
    unknown = await rig.request("POST", "/namespaces/default/endpoints/nobody/invocations", "x")
    assert unknown.status == 404
    assert "nobody" in unknown.body


async def test_an_endpoint_that_the_watch_has_not_shown_is_looked_up(rig: Rig) -> None:
    await rig.mute("endpoints")
    rig.serving()
    answer = await rig.invoke()

    assert answer.status == 200


async def test_a_route_that_the_watch_has_not_shown_is_looked_up(rig: Rig) -> None:
    rig.pools(rig.endpoint(sagemaker="Iris-Model"))
    await rig.until(rig.throttler)
    await rig.mute("endpoints")
    rig.route()
    answer = await rig.invoke("Iris-Model")

    assert answer.status == 200


async def test_look_ups_by_object_name_and_by_sagemaker_name_have_separate_results(rig: Rig) -> None:
    await rig.mute("endpoints")
    rig.serving(sagemaker="Other", demand=1)
    gets = rig.server.faults.hold(matching("get", "endpoints"), times=2)
    by_object_name = rig.spawn(rig.request("POST", "/invocations", "object", {"Host": "iris.default"}))
    await gets.arrived.wait()
    by_endpoint_name = rig.begin("iris", "name")
    await rig.until(lambda: gets.met == 2)
    gets.end()

    assert (await by_object_name).status == 200
    assert (await by_endpoint_name).status == 404
    assert [model.served for model in rig.models.values()] == [["object"]]


async def test_a_failed_look_up_is_not_reported_as_not_found(rig: Rig) -> None:
    rig.server.faults.fail(503, matching("get", "endpoints"), times=2)
    plain = await rig.invoke("nobody")
    sagemaker = await rig.request("POST", "/endpoints/nobody/invocations", "x")
    assert (plain.status, sagemaker.status) == (503, 503)
    assert sagemaker.headers["retry-after"] == "1"
    assert (await rig.invoke("nobody")).status == 404


async def test_requests_get_a_response_also_if_the_looked_up_object_cannot_be_parsed(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookups, "trim_endpoint", lambda value: value["no such thing"])
    await rig.mute("endpoints")
    rig.endpoint()
    answers = await asyncio.gather(*(rig.invoke() for _ in range(3)))

    assert [answer.status for answer in answers] == [503] * 3


async def test_before_all_is_listed_too_many_look_ups_are_not_reported_as_not_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with make(
        tmp_path, monkeypatch, before=lambda server: server.faults.fail(503, matching("list", "endpoints"), times=10**6)
    ) as rig:
        answers = await asyncio.gather(*(rig.invoke(f"n{n}") for n in range(LOOKUPS_BURST + 20)))

        assert {answer.status for answer in answers} == {404, 503}


async def test_an_endpoint_that_only_a_look_up_has_shown_is_removed_when_it_is_deleted(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookups, "CONFIRM_SECONDS", 0.05)
    await rig.mute("endpoints")
    rig.serving(demand=1)
    assert (await rig.invoke()).status == 200
    rig.delete("endpoints", "iris", names.GROUP)
    await rig.until(lambda: rig.throttler() is None)

    assert (await rig.invoke()).status == 404


async def test_unknown_names_reach_the_api_server_at_a_limited_rate(rig: Rig) -> None:
    def looked_up() -> list[str]:
        return [r.name for r in rig.server.log if r.verb == "get" and r.resource == "endpoints"]

    path = "/namespaces/default/endpoints/{}/invocations"
    together = await asyncio.gather(*(rig.request("POST", path.format("nobody"), "x") for _ in range(5)))
    assert {answer.status for answer in together} == {404}
    assert looked_up() == ["nobody"], "concurrent requests share one look-up, and its result is cached for a moment"
    many = await asyncio.gather(*(rig.request("POST", path.format(f"n{n}"), "x") for n in range(200)))
    assert {answer.status for answer in many} == {404}
    assert len(looked_up()) < 100


async def test_there_are_no_look_ups_in_namespaces_that_are_not_watched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    common = replace(activator_settings({}).common, namespaces=("default",))
    async with make(tmp_path, monkeypatch, common=common) as rig:
        rig.serving(demand=1)
        assert (await rig.invoke()).status == 200
        seen = len(rig.server.log)
        assert (await rig.request("POST", "/namespaces/kube-system/endpoints/iris/invocations", "x")).status == 404
        assert not [r for r in rig.server.log[seen:] if r.namespace == "kube-system"]
