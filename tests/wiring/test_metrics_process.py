"""The metrics process serves only the API server: over TLS, if the client shows the front-proxy certificate."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import ssl
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from cryptography import x509

from kindler.api.settings import Prometheus
from kindler.clients.cluster import ApiError, Cluster
from kindler.core.autoscaling.metrics.usage import NoData
from kindler.metrics.certificate import make
from kindler.metrics.process import MetricsProcess
from tests.apiserver import ApiServer, matching
from tests.wiring.metrics_rig import (
    CUSTOM,
    EXTERNAL,
    NS,
    ROUTE,
    SERVICE,
    SYSTEM,
    Authority,
    World,
    customized,
    policy,
    world,
)

EXECUTIONS = f"{EXTERNAL}/concurrent-executions"


@pytest.fixture
async def w(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    async with world(tmp_path, monkeypatch) as made:
        yield made


# Values


async def test_the_values_that_an_hpa_reads_through_both_apis(w: World) -> None:
    uid = w.endpoint(policy("p"), policy("calls", customized("Invocations", statistic="Sum")), policy("of all: sorts"))
    w.activator.serve(uid, load_seconds=90, in_flight=3, invocations=7)
    await w.sampled()
    assert await w.value() == (200, "1500m")
    assert await w.value("customized-metric", "calls") == (200, "28000m")  # 7 invocations times the 4 present units
    status, body = await w.ask(
        EXECUTIONS, labelSelector="serving.kindler.dev/endpoint=iris,serving.kindler.dev/policy in (p)"
    )
    (item,) = body["items"]
    assert (status, body["kind"], body["apiVersion"]) == (
        200,
        "ExternalMetricValueList",
        "external.metrics.k8s.io/v1beta1",
    )
    assert item["metricLabels"] == {"serving.kindler.dev/endpoint": "iris", "serving.kindler.dev/policy": "p"}
    assert (item["metricName"], item["window"], item["timestamp"][-1]) == ("concurrent-executions", 60, "Z")
    status, body = await w.ask(
        f"{CUSTOM}/iris/concurrent-executions", metricLabelSelector="serving.kindler.dev/policy=p"
    )
    (item,) = body["items"]
    assert (status, body["kind"], body["apiVersion"]) == (200, "MetricValueList", "custom.metrics.k8s.io/v1beta2")
    assert item["describedObject"] == {
        "kind": "Endpoint",
        "namespace": NS,
        "name": "iris",
        "apiVersion": "serving.kindler.dev/v1alpha1",
    }
    assert (item["value"], item["windowSeconds"], item["metric"]["name"]) == ("1500m", 60, "concurrent-executions")


async def test_an_idle_endpoint_has_the_value_zero(w: World) -> None:
    w.activator.serve(w.endpoint(policy("p")))
    await w.sampled()
    assert await w.value() == (200, "0m")


async def test_a_request_for_all_endpoints_returns_all_values_or_the_reason(w: World) -> None:
    for name in ("iris", "rose"):
        w.activator.serve(w.endpoint(policy("p"), policy("q"), name=name), load_seconds=60, name=name)
    w.endpoint(policy("p"), name="iris", namespace="other")
    await w.sampled()
    status, body = await w.ask(EXECUTIONS)
    found = [tuple(item["metricLabels"].values()) for item in body["items"]]
    assert (status, sorted(found)) == (200, [("iris", "p"), ("iris", "q"), ("rose", "p"), ("rose", "q")])
    status, body = await w.ask(f"{CUSTOM}/*/concurrent-executions", metricLabelSelector="serving.kindler.dev/policy=q")
    assert [item["describedObject"]["name"] for item in body["items"]] == ["iris", "rose"]
    assert w.activator.reported is not None
    del w.activator.reported[f"{NS}/rose"]
    w.endpoint(policy("p"), name="lily")
    await w.sampled()
    status, body = await w.ask(EXECUTIONS)
    assert (status, body["reason"]) == (
        503,
        "ServiceUnavailable",
    ) and "no activator serves a warm pool of it yet" in body["message"]


async def test_a_variant_that_an_update_renames_is_still_measured(w: World) -> None:
    uid = w.endpoint(policy("p"), route=ROUTE | {"variantName": "B"})
    w.activator.serve(uid)
    kind = w.server.store.kind("endpoints", "serving.kindler.dev")
    w.server.store.merge_patch(
        kind, NS, "iris", {"status": {"endpointConfigName": "older than c"}}, "status", "kindler"
    )
    await w.sampled()
    assert (await w.value())[0] == 200


async def test_an_entry_for_neither_the_serving_nor_the_next_variant_is_not_measured(w: World) -> None:
    uid = w.endpoint(policy("p"), route=ROUTE | {"variantName": "B"})
    w.activator.serve(uid)
    kind = w.server.store.kind("endpoints", "serving.kindler.dev")

    def update_to(variant: str) -> None:
        pending = {"endpointConfigName": "c", "productionVariants": [{"variantName": variant}]}
        status = {"endpointConfigName": "older than c", "pendingDeploymentSummary": pending}
        w.server.store.merge_patch(kind, NS, "iris", {"status": status}, "status", "kindler")

    update_to("C")
    await w.sampled()
    no_data = "no data: Endpoint team/iris does not serve a variant with scaling policies yet"
    assert await w.value() == (503, no_data), "the entry names AllTraffic, the update leads from B to C"
    update_to("AllTraffic")
    await w.sampled()
    assert (await w.value())[0] == 200


async def test_missing_values_are_explained(w: World) -> None:
    w.endpoint(policy("p"), policy("m", customized("ModelLatency", statistic="Maximum")))
    w.endpoint(name="none")
    w.endpoint(policy("p"), name="new", route=None)
    w.endpoint(policy("p"), name="elsewhere", route=ROUTE | {"variantName": "B"})
    w.activator.serve("another uid", name="iris")
    await w.sampled()
    assert await w.value(policy="x") == (
        404,
        "Endpoint team/iris has no scaling policy that reads concurrent-executions "
        "and has serving.kindler.dev/endpoint in (iris), serving.kindler.dev/policy in (x)",
    )
    status, message = await w.value(policy="m")
    assert status == 404 and message.startswith(
        "Endpoint team/iris has no scaling policy that reads concurrent-executions"
    )
    assert await w.value(endpoint="rose") == (404, "namespace team has no Endpoint 'rose' with scaling policies")
    assert (
        (await w.value(endpoint="new"))[0]
        == (await w.value(endpoint="elsewhere"))[0]
        == (await w.value(endpoint="none"))[0]
        == 503
    )
    assert await w.value(endpoint="new") == (
        503,
        "no data: Endpoint team/new does not serve a variant with scaling policies yet",
    )
    w.process.directory.on_event(
        None,
        {
            "metadata": {"namespace": NS, "name": "old"},
            "spec": {"autoscaling": [{}]},
            "status": {"route": {"revision": "abc"}},
        },
    )
    status, message = await w.value(endpoint="old")
    assert status == 503 and message.startswith(
        "no data: the autoscaling of Endpoint team/old cannot be read: KeyError"
    )
    assert (await w.value())[1].startswith("no data for Endpoint team/iris: no activator serves a warm pool of it yet")
    status, message = await w.value("cpu")
    assert status == 404 and "serves concurrent-executions and customized-metric" in message
    status, body = await w.ask(f"{CUSTOM}/*/concurrent-executions", labelSelector="app=x")
    assert (status, body["reason"]) == (400, "BadRequest") and "use metricLabelSelector" in body["message"]
    status, body = await w.ask(EXECUTIONS, labelSelector="a!=b")
    assert (status, body["reason"]) == (400, "BadRequest") and "use equalities" in body["message"]
    status, body = await w.ask("/apis/metrics.k8s.io/v1beta1/nodes")
    assert (status, body["kind"], body["reason"], body["status"]) == (404, "Status", "NotFound", "Failure")
    w.activator.serve(
        w.server.store.get(w.server.store.kind("endpoints", "serving.kindler.dev"), NS, "iris")["metadata"]["uid"]
    )
    await w.sampled()
    assert (await w.value())[0] == 200
    assert "statistic 'Maximum' of ModelLatency is not kept" in (await w.value("customized-metric", "m"))[1]


async def test_a_request_when_an_endpoint_begins_to_serve_waits_for_the_next_sample(w: World) -> None:
    uid = w.endpoint(policy("p"))
    assert (await w.value())[0] == 503
    asked = asyncio.create_task(w.value())
    w.activator.serve(uid)
    assert await asked == (200, "0m")


async def test_endpoints_are_created_changed_and_deleted(w: World) -> None:
    uid = w.endpoint(policy("p"))
    w.activator.serve(uid, load_seconds=60)
    await w.sampled()
    assert (await w.value())[0] == 200
    kind = w.server.store.kind("endpoints", "serving.kindler.dev")
    changed = {"variantName": "AllTraffic", "minCapacity": 0, "maxCapacity": 2, "scalingPolicies": [policy("other")]}
    w.server.store.merge_patch(kind, NS, "iris", {"spec": {"autoscaling": [changed]}}, "", "kubectl")
    await w.sampled()
    assert ((await w.value())[0], (await w.value(policy="other"))[0]) == (404, 200)
    w.server.store.merge_patch(kind, NS, "iris", {"spec": {"autoscaling": None}}, "", "kubectl")
    await w.sampled()
    assert (await w.value(policy="other"))[0] == 404
    w.server.store.merge_patch(kind, NS, "iris", {"spec": {"autoscaling": [changed]}}, "", "kubectl")
    w.server.store.delete(kind, NS, "iris", None)
    await w.sampled()
    assert (await w.value(policy="other"))[0] == 404


async def test_a_missing_response_is_no_data_and_loses_nothing(w: World) -> None:
    uid = w.endpoint(policy("p"))
    w.activator.serve(uid, load_seconds=60)
    await w.sampled()
    reported, w.activator.reported = w.activator.reported, None
    await w.until(lambda: isinstance(w.process.sampler.usage(uid, 1.0), NoData))
    status, message = await w.value()
    assert status == 503 and "activator activator-0, which serves it, does not answer" in message
    w.activator.reported = reported
    w.activator.serve(uid, load_seconds=120)
    await w.sampled()
    assert await w.value() == (200, "2000m")


async def test_while_the_activators_cannot_be_listed_there_is_no_data(w: World) -> None:
    w.activator.serve(w.endpoint(policy("p")), load_seconds=60)
    await w.sampled()
    w.server.faults.fail(500, matching(resource="pods"), times=1000)
    await w.until(lambda: w.process.sampler.sample_age > 5.2)
    status, message = await w.value()
    assert status == 503 and "activators cannot be asked" in message
    w.server.faults.clear()
    await w.sampled()
    assert await w.value() == (200, "1000m")


# Foreign metrics


async def test_a_foreign_metric_from_the_external_metrics_api(w: World) -> None:
    uid = w.endpoint(
        policy("queue", customized("queue_length", "Mine", app="jobs")), policy("gone", customized("gone", "Mine"))
    )
    w.activator.serve(uid, load_seconds=60, allocated=3)
    items = [
        {"metricName": "queue_length", "metricLabels": {}, "timestamp": "", "value": value} for value in ("1500m", "1")
    ]
    path = f"/apis/external.metrics.k8s.io/v1beta1/namespaces/{NS}"
    w.server.raw[f"{path}/queue_length"] = json.dumps({"items": items}).encode()
    await w.sampled()
    assert await w.value("customized-metric", "queue") == (200, "7500m")
    assert [r.query for r in w.server.log if r.path.endswith("queue_length")] == [{"labelSelector": "app=jobs"}]
    status, message = await w.value("customized-metric", "gone")
    assert status == 503 and "the cluster's external metrics API has no 'gone': 404" in message
    w.endpoint(policy("p", customized("secret", "Mine")), name="rose")
    w.activator.serve(
        w.server.store.get(w.server.store.kind("endpoints", "serving.kindler.dev"), NS, "rose")["metadata"]["uid"],
        name="rose",
    )
    w.server.faults.fail(403, lambda request: "secret" in request.path)
    await w.sampled()
    status, message = await w.value("customized-metric", "p", "rose")
    assert (
        status == 503 and "may not read the external metric 'secret': add it to autoscaling.externalMetrics" in message
    )


async def test_a_foreign_metric_from_prometheus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    queries: list[str] = []
    results = {"queue": [{"metric": {}, "value": [1, "2.5"]}], "none": [], "odd": [{"metric": {}, "value": [1, "NaN"]}]}

    async def query(request: web.Request) -> web.Response:
        queries.append(request.query["query"])
        name = queries[-1].split('"')[1]
        return (
            web.json_response({"status": "success", "data": {"resultType": "vector", "result": results[name]}})
            if name in results
            else web.Response(status=500)
        )

    app = web.Application()
    app.router.add_get("/prometheus/api/v1/query", query)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        there = Prometheus(f"http://127.0.0.1:{runner.addresses[0][1]}/prometheus")
        async with world(tmp_path, monkeypatch, prometheus=there) as w:
            policies = [policy(name, customized(name, "Mine", app='x"')) for name in ("queue", "none", "odd", "broken")]
            w.activator.serve(w.endpoint(*policies), load_seconds=60)
            await w.sampled()
            answers = await asyncio.gather(*(w.value("customized-metric", "queue") for _ in range(20)))
            assert set(answers) == {(200, "10000m")}
            assert queries == [f'avg(avg_over_time({{__name__="queue",app="x\\u0022",namespace="{NS}"}}[1m]))']
            for name, words in {
                "none": "has no value of avg",
                "odd": "has no value of avg",
                "broken": "answers 500",
            }.items():
                status, message = await w.value("customized-metric", name)
                assert status == 503 and words in message
    finally:
        await runner.cleanup()


# Trust


async def test_only_the_api_server_may_call(w: World) -> None:
    status, body = await w.ask(EXECUTIONS, w.front.client("somebody"))
    assert (status, body["reason"]) == (403, "Forbidden") and "'somebody' may not ask here" in body["message"]
    with pytest.raises((aiohttp.ClientError, OSError)):
        await w.ask(EXECUTIONS, Authority().client())
    tls = ssl.create_default_context(cadata=w.config_map()["metrics-0"])
    with pytest.raises((aiohttp.ClientError, OSError)):  # without a certificate
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"https://127.0.0.1:{w.process.ports[0]}/apis", ssl=tls, server_hostname=SERVICE) as answer,
        ):
            await answer.read()
    assert (await w.ask("/apis"))[0] == 200


async def test_a_new_front_proxy_ca_replaces_the_old_one(w: World) -> None:
    before = w.front
    w.allow(Authority("front-proxy-ca"))
    await w.process.trust.read()
    assert (await w.ask("/apis", w.front.client("any name")))[0] == 200
    with pytest.raises((aiohttp.ClientError, OSError)):
        await w.ask("/apis", before.client())
    w.server.store.merge_patch(
        w.server.store.kind("configmaps"), "kube-system", "extension-apiserver-authentication", {"data": None}
    )
    with pytest.raises(ValueError, match="requestheader-client-ca-file"):
        await w.process.trust.read()
    assert (await w.ask("/apis"))[0] == 200  # a failed read changes nothing


async def test_connections_and_sessions_end_with_the_front_proxy_ca_that_verified_them(w: World) -> None:
    client, file = w.front.client(), w.folder / "kept.pem"
    file.write_text(client.certificate + client.key)
    tls = ssl.create_default_context(cadata=w.config_map()["metrics-0"])
    tls.load_cert_chain(file)
    reader, writer = await asyncio.open_connection("127.0.0.1", w.process.ports[0], ssl=tls, server_hostname=SERVICE)

    async def ask() -> bytes:
        writer.write(b"GET /apis HTTP/1.1\r\nHost: x\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]))
        return head

    assert (await ask()).startswith(b"HTTP/1.1 200")
    w.process.publisher.rotate()
    assert (await ask()).startswith(b"HTTP/1.1 200")
    assert not writer.get_extra_info("ssl_object").session.has_ticket
    w.allow(Authority("front-proxy-ca"))
    await w.process.trust.read()
    rejected = await ask()
    assert rejected.startswith(b"HTTP/1.1 403") and b"connection: close" in rejected.lower()
    assert await reader.read() == b""
    writer.close()


@pytest.mark.parametrize(
    ("allowed", "failure"),
    [("null", ""), ("[]", ""), ('{"a": 1}', "list"), ('"abc"', "list"), ("[1]", "list"), ("[", "line 1")],
)
async def test_the_allowed_names_must_be_a_list(w: World, allowed: str, failure: str) -> None:
    kind = w.server.store.kind("configmaps")
    w.server.store.merge_patch(
        kind, "kube-system", "extension-apiserver-authentication", {"data": {"requestheader-allowed-names": allowed}}
    )
    if failure:
        with pytest.raises(ValueError, match=failure):
            await w.process.trust.read()
        assert (await w.ask("/apis", w.front.client("any name")))[0] == 403, "what was read last stays in force"
    else:
        await w.process.trust.read()
        assert (await w.ask("/apis", w.front.client("any name")))[0] == 200


# The certificate


async def test_it_is_not_ready_before_its_certificate_is_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world(tmp_path, monkeypatch) as w:
        cluster = Cluster()
        await cluster.connect()
        other = MetricsProcess(
            replace(w.settings, common=replace(w.settings.common, pod_name="metrics-1")), cluster, w.now
        )
        other.informer.synced.set()
        other.handover.taken_over.set()
        other.publisher.rotate()
        await other.trust.read()
        assert other.not_ready() == "its certificate is not published yet"
        w.server.faults.fail(500, matching("patch", "configmaps"))
        with pytest.raises(ApiError):
            await other.publisher.publish()
        assert other.not_ready() == "its certificate is not published yet"
        await other.publisher.publish()
        assert other.not_ready() is None
        await cluster.close()


async def test_the_certificate_is_published_and_expired_ones_of_others_are_removed(w: World) -> None:
    maps = w.server.store.kind("configmaps")
    others = {
        "gone": make(("x",), w.now() - 49 * 3600).certificate,
        "lives": make(("x",), w.now()).certificate,
        "odd": "?",
    }
    w.server.store.merge_patch(maps, SYSTEM, "kindler-metrics", {"data": others})
    await w.process.publisher.publish()
    assert set(w.config_map()) == {"lives", "metrics-0"}
    (shown,) = x509.load_pem_x509_certificates(w.config_map()["metrics-0"].encode())
    assert shown.extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(
        x509.DNSName
    ) == [
        SERVICE,
        f"{SERVICE}.cluster.local",
    ]
    writes = len([r for r in w.server.log if r.write])
    await w.process.publisher.publish()
    assert len([r for r in w.server.log if r.write]) == writes
    assert "PRIVATE" not in str([r.body for r in w.server.log])


async def test_the_next_certificate_is_published_before_it_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = -37 * 3600.0  # so that all certificates are valid now
    async with world(tmp_path, monkeypatch, begin) as w:
        first = w.config_map()["metrics-0"]
        for hours, count, seen in ((23, 1, True), (24.1, 2, True), (36.2, 1, False)):
            w.later = begin + hours * 3600
            w.process.publisher.rotate()
            await w.process.publisher.publish()
            published = w.config_map()["metrics-0"]
            assert (published.count("BEGIN"), first in published) == (count, seen)
            assert (await w.ask("/apis"))[0] == 200
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await w.ask("/apis", roots=first)


async def test_mounted_certificates_are_used_and_read_again_when_they_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "tls"
    folder.mkdir()

    def write() -> str:
        pair = make((SERVICE,), time.time())
        (folder / "tls.crt").write_text(pair.certificate)
        (folder / "tls.key").write_text(pair.key)
        return pair.certificate

    first = write()
    async with world(tmp_path, monkeypatch, tls_directory=str(folder)) as w:
        assert w.config_map() == {"metrics-0": first}, "the controller shall know that somebody answers"
        assert (await w.ask("/apis", roots=first))[0] == 200
        second = write()
        w.process.publisher.rotate()
        assert (await w.ask("/apis", roots=second))[0] == 200
        (folder / "tls.key").write_text("half")
        w.process.publisher.rotate()
        assert (await w.ask("/apis", roots=second))[0] == 200


# Discovery and the admin port


async def test_discovery(w: World) -> None:
    status, body = await w.ask("/apis/external.metrics.k8s.io/v1beta1")
    assert (status, body["kind"], body["groupVersion"]) == (200, "APIResourceList", "external.metrics.k8s.io/v1beta1")
    assert [r["name"] for r in body["resources"]] == ["concurrent-executions", "customized-metric"]
    status, body = await w.ask("/apis/custom.metrics.k8s.io/v1beta2")
    assert [r["name"] for r in body["resources"]] == [
        f"endpoints.serving.kindler.dev/{m}" for m in ("concurrent-executions", "customized-metric")
    ]
    assert (await w.ask("/apis"))[1]["kind"] == "APIGroupList"
    assert (await w.ask("/apis/external.metrics.k8s.io"))[1]["preferredVersion"]["version"] == "v1beta1"
    assert (await w.ask("/openapi/v2"))[1]["swagger"] == "2.0" and (await w.ask("/openapi/v3"))[1] == {"paths": {}}


async def test_the_admin_port(w: World) -> None:
    w.activator.serve(w.endpoint(policy("p")), load_seconds=60)
    await w.sampled()
    await w.value()
    await w.value(policy="x")
    assert (await w.admin("/healthz"))[0] == (await w.admin("/readyz"))[0] == 200
    _, text = await w.admin("/metrics")
    assert 'kindler_metrics_requests_total{api="external",outcome="ok"} 1.0' in text
    assert 'kindler_metrics_requests_total{api="external",outcome="not_found"} 1.0' in text
    assert "kindler_metrics_endpoints 1.0" in text and "kindler_metrics_warm_pools 1.0" in text
    age = next(
        float(line.split()[1]) for line in text.splitlines() if line.startswith("kindler_metrics_sample_age_seconds ")
    )
    assert age < 5


async def test_the_process_ends_on_sigterm_and_rejects_invalid_settings(tmp_path: Path) -> None:
    async with ApiServer() as server:
        with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
            ports = [str(listening.getsockname()[1]) for listening in (one, other)]
        env = os.environ | {
            "KUBECONFIG": server.kubeconfig(tmp_path),
            "KINDLER_METRICS_API_PORT": ports[0],
            "KINDLER_METRICS_PORT": ports[1],
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "kindler", "metrics", env=env, stderr=asyncio.subprocess.PIPE
        )
        async with asyncio.timeout(20):
            await server.until(
                lambda: any(request.resource == "pods" for request in server.log)
            )  # the process lists activators, so all its parts run
            process.send_signal(signal.SIGTERM)
            assert await process.wait() == 0
    wrong = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "kindler",
        "metrics",
        env=env | {"KINDLER_METRICS_PORT": "x"},
        stderr=asyncio.subprocess.PIPE,
    )
    _, stderr = await wrong.communicate()
    assert wrong.returncode == 2 and b"KINDLER_METRICS_PORT='x' is not a number" in stderr
