"""Autoscaling with a real controller: the life of an HPA, schedules, and which actor sizes a pool."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from kindler.api.settings import Prometheus
from tests.apiserver import Behaviour, autoscalers
from tests.unit.builders import scaling
from tests.wiring.controlled import NS, World, config, endpoint, model, world

IN_SERVICE = ("InService", "True", "True")
STALLED = ("InService", "False", "True", "Stalled")
HPAS = "horizontalpodautoscalers"


@pytest.fixture
async def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    """A world with the objects of an endpoint without provisioned concurrency. No metrics server is installed."""
    async with world(tmp_path, monkeypatch) as made:
        made.apply(model(), config(limit=20), endpoint())
        yield made


async def serve(w: World) -> World:
    await w.start()
    await w.reaches("echo", *IN_SERVICE)
    w.serve()
    return w


@pytest.fixture
async def w(bare: World) -> World:
    """An endpoint in service in a cluster in which HPAs can read Kindler's metrics."""
    bare.metrics_api()
    return await serve(bare)


@pytest.fixture
async def scaled(w: World) -> World:
    """An endpoint with autoscaling between 1 and 10 units, whose warm pool has size 1."""
    w.autoscale(scaling(1, 10))
    await w.until(lambda: w.hpa() and w.warm() == 1 and activities(w) == [(0, 1, "Successful")])
    await w.reaches("echo", *IN_SERVICE)
    return w


def sized(w: World) -> list[str]:
    """The names of the warm pools whose size the controller wrote, one for each write."""
    return [r.name for r in w.server.log if r.write and r.subresource == "scale" and r.name.endswith("-warm")]


def activities(w: World) -> list[tuple[int, int, str]]:
    """The scaling activities in status as (from, to, result), the oldest first."""
    return [(a["from"], a["to"], a["result"]) for a in reversed(w.status().get("scalingActivities", []))]


def events(w: World) -> list[str]:
    return [e["reason"] for e in sorted(w.all("events", "events.k8s.io"), key=lambda e: str(e["eventTime"]))]


# --- Added and removed


async def test_autoscaling_is_added_to_an_endpoint_in_service(w: World) -> None:
    before = w.status()["route"]
    w.autoscale(scaling(2, 10))
    await w.until(lambda: w.hpa() and w.warm() == 2)
    status = await w.reaches("echo", *IN_SERVICE)
    warm = status["route"]["pools"]["warm"]
    assert status["route"] == before | {"pools": before["pools"] | {"warm": warm}}
    assert status["endpointConfigName"] == "echo"
    spec = w.hpa()
    assert spec["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": warm}
    assert w.bounds() == (2, 10)
    (metric,) = spec["metrics"]
    assert metric["external"]["metric"]["name"] == "concurrent-executions"
    assert metric["external"]["target"] == {"type": "AverageValue", "averageValue": "700m"}
    await w.until(lambda: activities(w) == [(0, 2, "Successful")])
    assert sized(w) == []


async def test_the_hpa_sizes_and_the_controller_reports(scaled: World) -> None:
    w = scaled
    w.hpa_says()
    await w.until(lambda: w.reason(kind="ScalingActive") == "MetricsAvailable")
    w.scales(4)
    await w.until(lambda: activities(w)[-1:] == [(1, 4, "Successful")])
    (variant,) = w.status()["productionVariants"]
    assert variant["desiredServerlessConfig"]["provisionedConcurrency"] == 4
    w.scales(2)
    await w.until(lambda: activities(w)[-1:] == [(4, 2, "Successful")])
    await w.until(
        lambda: (
            [reason for reason in events(w) if reason.startswith("Scaling")]
            == ["ScalingOut", "ScalingOut", "ScalingIn"]
        )
    )
    assert sized(w) == [], "two actors never size one pool"


async def test_each_field_has_one_writer(scaled: World) -> None:
    w = scaled
    w.scales(3)
    (pool,) = [p for p in w.all("replicasets", "apps") if p["metadata"]["name"].endswith("-warm")]
    managers = {
        m["manager"] for m in pool["metadata"]["managedFields"] if "f:replicas" in m["fieldsV1"].get("f:spec", {})
    }
    assert managers == {"kube-controller-manager"}
    w.patch(
        "replicasets",
        pool["metadata"]["name"],
        {"spec": {"template": {"spec": {"enableServiceLinks": True}}}},
        group="apps",
    )
    await w.until(
        lambda: (
            not w.find("replicasets", pool["metadata"]["name"], group="apps")["spec"]["template"]["spec"][
                "enableServiceLinks"
            ]
        )
    )  # type: ignore[index]
    (corrected,) = [p for p in w.all("replicasets", "apps") if p["metadata"]["name"].endswith("-warm")]
    managers = {
        m["manager"] for m in corrected["metadata"]["managedFields"] if "f:replicas" in m["fieldsV1"].get("f:spec", {})
    }
    assert (managers, w.warm()) == ({"kube-controller-manager"}, 3)


async def test_edited_bounds_are_in_force_at_once(scaled: World) -> None:
    scaled.autoscale(scaling(3, 6))
    await scaled.until(lambda: scaled.bounds() == (3, 6))
    await scaled.until(lambda: scaled.status()["autoscaling"][0]["minCapacity"] == 3)


async def test_removed_autoscaling_deletes_its_pool(scaled: World) -> None:
    w = scaled
    w.serve(warm=1, in_flight=1)
    w.autoscale()
    await w.until(lambda: not w.hpa() and "warm" not in w.status()["route"]["pools"])
    before = len(w.server.log)
    await w.until(
        lambda: len([r for r in w.server.log[before:] if r.resource == "pods" and r.namespace == "kindler-system"]) > 1
    )
    assert len(w.pools()) == 2, "a request is still in flight there"
    w.serve()
    await w.until(lambda: len(w.pools()) == 1)
    status = await w.reaches("echo", *IN_SERVICE)
    assert "autoscaling" not in status


async def test_removed_autoscaling_restores_provisioned_concurrency(w: World) -> None:
    w.apply(config("warm", limit=20, provisionedConcurrency=2))
    w.rename("echo", "warm")
    await w.until(lambda: w.status()["endpointConfigName"] == "warm")
    w.autoscale(scaling(1, 10))
    await w.until(w.hpa)
    w.scales(7)
    await w.until(lambda: activities(w)[-1:] == [(2, 7, "Successful")])
    w.autoscale()
    await w.until(lambda: w.warm() == 2 and not w.hpa())
    order = [
        (r.verb, r.resource)
        for r in w.server.log
        if r.write and (r.resource == HPAS or (r.subresource == "scale" and r.name.endswith("-warm")))
    ]
    assert order[-2:] == [("delete", HPAS), ("patch", "replicasets")], (
        "first the HPA is deleted, then the controller scales"
    )
    await w.until(lambda: activities(w)[-1:] == [(7, 2, "Successful")])


# --- Other writers


async def test_a_deleted_or_edited_hpa_is_corrected(scaled: World) -> None:
    w = scaled
    w.delete(HPAS, "echo-warm", group="autoscaling")
    await w.until(lambda: w.bounds() == (1, 10))
    w.patch(HPAS, "echo-warm", {"spec": {"maxReplicas": 99}}, group="autoscaling")
    await w.until(lambda: w.bounds() == (1, 10))


async def test_an_hpa_of_another_owner_is_not_changed_and_is_reported(w: World) -> None:
    store = w.server.store
    reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "theirs"}
    theirs = {
        "metadata": {"name": "echo-warm", "namespace": NS},
        "spec": {"scaleTargetRef": reference, "maxReplicas": 7},
    }
    before = store.create(store.kind(HPAS), NS, theirs, "somebody")
    w.autoscale(scaling(2, 10))
    await w.reaches("echo", *STALLED)
    assert (w.reason(), w.reason(kind="ScalingActive"), w.warm()) == ("NameTaken", "CannotScale", 2)
    assert w.find(HPAS, "echo-warm", group="autoscaling") == before
    assert "url" in w.status()
    w.delete(HPAS, "echo-warm", group="autoscaling")
    await w.reaches("echo", *IN_SERVICE)
    assert w.bounds() == (2, 10)


async def test_a_failing_metric_is_reported_and_the_size_stays(scaled: World) -> None:
    w = scaled
    w.scales(4)
    w.hpa_says()
    await w.until(lambda: w.reason(kind="ScalingActive") == "MetricsAvailable")
    w.hpa_says(active="False", why="unable to get external metric")
    await w.until(lambda: w.reason(kind="ScalingActive") == "NoMetrics")
    assert w.row() == IN_SERVICE
    assert w.warm() == 4
    await w.until(lambda: "NoMetrics" in events(w))
    w.hpa_says()
    await w.until(lambda: w.reason(kind="ScalingActive") == "MetricsAvailable")
    assert sized(w) == []


# --- Updates


async def test_an_update_keeps_the_size_and_retargets_the_hpa(scaled: World) -> None:
    w = scaled
    w.scales(5)
    await w.until(lambda: activities(w)[-1:] == [(1, 5, "Successful")])
    old = w.hpa()["scaleTargetRef"]["name"]
    w.apply(config("bigger", memory=2048, limit=20))
    w.rename("echo", "bigger")
    await w.until(lambda: w.status()["endpointConfigName"] == "bigger")
    new = w.status()["route"]["pools"]["warm"]
    assert (w.warm(), new != old) == (5, True)
    await w.until(lambda: w.hpa()["scaleTargetRef"]["name"] == new)
    writes = [(r.resource, r.subresource) for r in w.server.log if r.write and r.resource in (HPAS, "endpoints")]
    assert writes[len(writes) - writes[::-1].index((HPAS, "")) :][:1] == [("endpoints", "status")], (
        "in the pass in which the route changes"
    )
    w.serve()
    await w.until(lambda: old not in w.pools())
    assert activities(w) == [(0, 1, "Successful"), (1, 5, "Successful")]


async def test_a_failed_update_does_not_change_the_hpa(scaled: World) -> None:
    w = scaled
    before = w.hpa()
    w.kubelet.behave = lambda pod: Behaviour.IMAGE_MISSING if "broken" in str(pod["spec"]) else Behaviour.READY
    w.apply(model("broken", image="localhost:5000/broken:1"), config("broken", of="broken", limit=20))
    w.rename("echo", "broken")
    await w.reaches("echo", *STALLED)
    assert w.hpa() == before


# --- Schedules


def at(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("at(%Y-%m-%dT%H:%M:%S)")


def action(name: str, schedule: str, **sets: Any) -> dict[str, Any]:
    return {"scheduledActionName": name, "schedule": schedule, "scalableTargetAction": sets}


async def test_a_scheduled_action_acts_on_time(scaled: World) -> None:
    w, moment = scaled, int(time.time()) + 3
    w.autoscale(scaling(1, 10, scheduledActions=[action("morning", at(moment), minCapacity=4)]))
    await w.until(lambda: w.status()["autoscaling"][0].get("nextScheduledAction", {}).get("name") == "morning")
    assert w.bounds() == (1, 10)
    await w.until(lambda: w.bounds() == (4, 10))
    assert time.time() >= moment
    w.scales(4)  # the HPA follows a raised minimum without metrics
    await w.until(lambda: activities(w)[-1:] == [(1, 4, "Successful")])
    cause = w.status()["scalingActivities"][0]["cause"]
    assert cause == "scheduled action 'morning' set the minimum to 4"
    await w.until(lambda: w.status()["autoscaling"][0]["lastScheduledAction"]["name"] == "morning")


def sizers(w: World) -> set[str]:
    """The field managers that own the size of the warm pool, each with the subresource that it wrote."""
    pool = w.find("replicasets", w.status()["route"]["pools"]["warm"], group="apps")
    assert pool is not None
    return {
        f"{m['manager']}/{m.get('subresource', '')}"
        for m in pool["metadata"]["managedFields"]
        if "f:replicas" in m["fieldsV1"].get("f:spec", {})
    }


async def test_without_policies_the_controller_keeps_the_size_within_bounds(w: World) -> None:
    moment = int(time.time()) + 3
    w.autoscale(scaling(2, 10, None, scheduledActions=[action("morning", at(moment), minCapacity=4)]))
    await w.until(lambda: w.warm() == 2)
    await w.until(lambda: w.warm() == 4)
    assert (w.hpa(), sizers(w)) == ({}, {"kindler-scale/scale"})
    await w.until(lambda: w.reason(kind="ScalingActive") == "Scheduled")


async def test_an_invalid_schedule_is_reported_and_the_rest_is_in_effect(w: World) -> None:
    wrong = action("noon", "cron(0 12 * * ? *)", minCapacity=9) | {"timezone": "Mars/Olympus_Mons"}
    w.autoscale(scaling(2, 10, scheduledActions=[wrong]))
    await w.reaches("echo", *STALLED)
    assert w.reason() == "InvalidAutoscaling"
    assert "Mars/Olympus_Mons" in w.status()["failureReason"]
    await w.until(lambda: w.warm() == 2 and w.bounds() == (2, 10))
    w.autoscale(scaling(2, 10))
    await w.reaches("echo", *IN_SERVICE)


async def test_suspended_scaling_does_nothing(scaled: World) -> None:
    w = scaled
    suspended = {
        "dynamicScalingInSuspended": True,
        "dynamicScalingOutSuspended": True,
        "scheduledScalingSuspended": True,
    }
    w.autoscale(
        scaling(1, 10, suspendedState=suspended, scheduledActions=[action("past", at(time.time() - 60), minCapacity=5)])
    )
    await w.until(lambda: w.reason(kind="ScalingActive") == "Suspended")
    assert [w.hpa()["behavior"][way]["selectPolicy"] for way in ("scaleUp", "scaleDown")] == ["Disabled", "Disabled"]
    assert w.bounds() == (1, 10)


# --- Zero, and sizes that no HPA can compute


async def test_a_rejected_minimum_of_zero_is_detected_within_one_pass(w: World) -> None:
    w.server.store.admission.append(autoscalers.refuse_zero)
    w.load(0)
    w.autoscale(scaling(0, 10))
    await w.until(lambda: w.bounds() == (1, 10))
    await w.reaches("echo", *IN_SERVICE)
    writes = [r for r in w.server.log if r.write and r.resource == HPAS]
    assert len(writes) == 2, "rejected once, then written with an allowed minimum"
    assert w.warm() == 0
    w.load(5)
    await w.until(w.warm)
    assert w.row() == IN_SERVICE
    assert sized(w) == [w.hpa()["scaleTargetRef"]["name"]], "the controller scales from zero, then the HPA scales"


async def test_a_maximum_of_zero_has_no_hpa(scaled: World) -> None:
    scaled.autoscale(scaling(0, 0))
    await scaled.until(lambda: scaled.warm() == 0 and not scaled.hpa())
    await scaled.until(lambda: scaled.reason(kind="ScalingActive") == "MaximumIsZero")


async def test_without_a_free_metrics_api_the_controller_computes_and_pins_the_hpa(bare: World) -> None:
    w = await serve(bare)
    w.load(0)
    w.autoscale(scaling(1, 10))
    await w.until(lambda: w.bounds() == (1, 1))
    w.load(100)
    await w.until(lambda: w.bounds()[:1] == (10,))
    assert w.bounds() == (10, 10)
    w.scales(10)
    await w.until(lambda: w.reason(kind="ScalingActive") == "Computed")
    w.autoscale()
    await w.until(lambda: not w.hpa())
    reads = [r for r in w.server.log if r.resource == "pods" and r.namespace == "kindler-system"]
    await asyncio.sleep(2.5)
    more = [r for r in w.server.log if r.resource == "pods" and r.namespace == "kindler-system"]
    assert len(more) - len(reads) <= 4, "no load is measured without need"


@asynccontextmanager
async def prometheus(value: list[float]) -> AsyncIterator[str]:
    """A simulated Prometheus that returns `value[0]` for every query. Yields its URL."""

    async def query(_: web.Request) -> web.Response:
        return web.json_response({"data": {"result": [{"metric": {}, "value": [time.time(), str(value[0])]}]}})

    app = web.Application()
    app.router.add_get("/api/v1/query", query)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def test_the_controller_reads_a_foreign_metric_to_compute_a_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    specification = {"metricName": "queue_depth", "namespace": "Team", "statistic": "Average"}
    entry = scaling(1, 10)
    entry["scalingPolicies"][0]["targetTrackingScalingPolicyConfiguration"] = {
        "targetValue": 10,
        "customizedMetricSpecification": specification,
    }
    async with prometheus([50.0]) as url, world(tmp_path, monkeypatch, prometheus=Prometheus(url, "")) as w:
        w.apply(model(), config(limit=20), endpoint(autoscaling=[entry]))
        await serve(w)
        w.load(0)
        await w.until(lambda: w.bounds() == (5, 5))
        assert w.reason(kind="ScalingActive") in ("NotScaledYet", "Computed")
        assert "NoMetrics" not in events(w), "a value that is not known yet is no error"


# --- Restart


async def test_a_restart_writes_nothing(scaled: World) -> None:
    w = scaled
    w.hpa_says()
    w.scales(3)
    await w.until(
        lambda: w.reason(kind="ScalingActive") == "MetricsAvailable" and activities(w)[-1:] == [(1, 3, "Successful")]
    )
    (controller, *_) = w.controllers[0]
    await _no_writes(w)
    assert await w.stop(controller) == 0
    before = w.writes()
    again = await w.start()
    await w.until(lambda: again.working)
    await _no_writes(w)
    assert w.writes() == before


async def _no_writes(w: World) -> None:
    """Returns after 11 seconds without a write: a write of counts is delayed by at most 10 seconds."""
    count = -1
    while count != len(w.writes()):
        count = len(w.writes())
        await asyncio.sleep(11)
