"""Observers of requests publish metrics as text, and write log lines of cold starts and requests."""

from __future__ import annotations

import json
import logging
from types import SimpleNamespace
from typing import Any, cast

import pytest

from kindler.activator import metrics
from kindler.activator.accesslog import FLUSH_LINES, AccessLog
from kindler.activator.endpoint.records import FinishedRequest, RejectedRequest
from kindler.activator.endpoint.requests import Backend, Cause, Outcome, Rejection
from kindler.activator.ownership import Ownership
from kindler.activator.router import Router
from kindler.api import names
from kindler.api.settings import activator_settings
from kindler.runtime.logs import JsonFormatter
from tests.unit.throttlers import IDENTITY, World, route

LABELS = 'namespace="team",endpoint="Iris",variant="AllTraffic"'


def test_metrics_of_an_endpoint() -> None:
    world = World(route(limit=2, provisioned=1))
    world.start("w", names.WARM)
    world.start("d")
    first, second = world.request(), world.request()
    world.request()
    world.now += 0.3
    world.finish(first, status=200)
    world.finish(second, Outcome.TIMED_OUT, 0)
    running = world.request()
    held = world.request()
    world.throttler.gone(held)
    world.throttler.gone(held)
    lines = "".join(
        metrics.pieces([world.throttler], [("up", "gauge", [("", 1), ('x="y"', 2.5), ('x="z"', 1234567891)])])
    ).splitlines()

    assert running.got is not None
    for line in (
        "up 1",
        'up{x="y"} 2.5',
        'up{x="z"} 1234567891',
        f'kindler_invocations_total{{{LABELS},outcome="client_left"}} 1',
        f'kindler_invocations_total{{{LABELS},outcome="ok"}} 1',
        f'kindler_invocations_total{{{LABELS},outcome="timed_out"}} 1',
        f'kindler_invocations_total{{{LABELS},outcome="throttled"}} 1',
        f"kindler_throttled_total{{{LABELS}}} 1",
        f"kindler_provisioned_invocations_total{{{LABELS}}} 2",
        f"kindler_spillover_total{{{LABELS}}} 1",
        f"kindler_concurrent_executions{{{LABELS}}} 1",
        f"kindler_held_requests{{{LABELS}}} 0",
        f"kindler_provisioned_concurrency{{{LABELS}}} 1",
        f"kindler_provisioned_concurrency_utilization{{{LABELS}}} 1",
        f'kindler_pool_pods{{{LABELS},pool="warm",state="usable"}} 1',
        f'kindler_pool_pods{{{LABELS},pool="demand",state="starting"}} 1',
        f'kindler_model_latency_seconds_bucket{{{LABELS},le="0.25"}} 0',
        f'kindler_model_latency_seconds_bucket{{{LABELS},le="0.5"}} 2',
        f'kindler_model_latency_seconds_bucket{{{LABELS},le="+Inf"}} 2',
        f"kindler_model_latency_seconds_sum{{{LABELS}}} 0.600000",
    ):
        assert line in lines


def scraped(world: World) -> str:
    return "".join(metrics.pieces([world.throttler], []))


def test_utilization_covers_the_usable_warm_pods_and_is_absent_without_them() -> None:
    world = World(route(limit=8, per_instance=2, scaled=True))
    assert f"kindler_provisioned_concurrency{{{LABELS}}} 0" in scraped(world)
    assert "utilization{" not in scraped(world), "0 / 0 is no utilization"
    for name in ("a", "b"):
        world.start(name, names.WARM)
    world.show("starting", names.WARM)
    requests = [world.request() for _ in range(3)]
    assert f"kindler_provisioned_concurrency{{{LABELS}}} 4" in scraped(world)
    assert f"kindler_provisioned_concurrency_utilization{{{LABELS}}} 0.75" in scraped(world)
    world.show("a", names.WARM, deleting=True)
    remaining = sum(request.got.pod == "b" for request in requests if request.got)
    assert f"kindler_provisioned_concurrency_utilization{{{LABELS}}} {remaining / 2:g}" in scraped(world)


def test_an_endpoint_without_a_warm_pool_has_no_metrics_of_one() -> None:
    text = scraped(World(route()))

    assert not any(line.startswith(("kindler_provisioned", "kindler_spillover")) for line in text.splitlines())


def test_an_endpoint_without_requests_has_no_histograms() -> None:
    text = "".join(metrics.pieces([World(route()).throttler], []))

    assert "_bucket" not in text
    assert f"kindler_concurrent_executions{{{LABELS}}} 0" in text


def test_a_cold_start_is_one_readable_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    world = World(route())
    request = world.request()
    world.now += 0.013
    world.show("a", ip=None, scheduled=None, started=None)
    world.now += 0.346
    world.show("a", ip="10.0.0.1", started=None)
    world.now += 0.002
    world.answer("a")
    assert request.cold is not None
    AccessLog(access_log=False).cold_start(IDENTITY, "a", request.cold)
    line = json.loads(JsonFormatter().format(caplog.records[-1]))

    assert (
        line["message"]
        == "cold start of team/Iris: request 0 ms · pod created 13 · scheduled 359 · IP 359 · first ping 361"
    )
    assert line["phases"] == {"created": 13, "scheduled": 359, "ip": 359, "ping": 361}
    assert (line["level"], line["event"], line["pod"]) == ("INFO", "coldStart", "a")


def test_the_access_log_is_written_in_batches_of_whole_json_lines() -> None:
    written: list[bytes] = []
    access_log = AccessLog(True, written.append)
    backend = Backend("10.0.0.1", 8080, "pod-1", "u", names.DEMAND, "abc")
    request_id = b'a "quoted" \xff id'
    record = FinishedRequest(IDENTITY, request_id, backend, Outcome.ANSWERED, 200, 3, 4, 10.0, 10.5, 11.0)
    access_log.finished(record)
    access_log.rejected(RejectedRequest(IDENTITY, request_id, Rejection(Cause.THROTTLED, "no"), 10.0, 11.0))
    assert written == []
    access_log.flush()
    finished, rejected = (json.loads(line) for line in written[0].splitlines())
    assert (finished["request"], finished["outcome"], finished["status"], finished["ms"], finished["modelMs"]) == (
        'a "quoted" \xff id',
        "answered",
        200,
        1000.0,
        500.0,
    )
    assert (rejected["outcome"], rejected["pod"]) == ("throttled", "")
    for _ in range(FLUSH_LINES):
        access_log.finished(record)
    assert len(written) == 2, "a full batch is written at once"


def test_held_bytes_have_a_limit() -> None:
    settings = activator_settings({"KINDLER_HELD_BYTES_LIMIT": "100"})
    router = Router(settings, cast(Any, None), cast(Any, SimpleNamespace()), Ownership(), lambda: True)

    assert router.reserve_bytes(60)
    assert not router.reserve_bytes(41)
    assert router.reserve_bytes(40)
    assert not router.reserve_bytes(1)
    assert router.reserve_bytes(-60)
    assert router.reserve_bytes(60)
    assert router.held_bytes == 100
