"""The environment of the metrics process in wiring tests: the API server in memory, activators and the front proxy."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from kindler.api.settings import MetricsSettings, metrics_settings
from kindler.api.stats import EndpointStats, Stats, Totals
from kindler.clients.cluster import Cluster
from kindler.metrics.process import MetricsProcess
from tests.apiserver import ApiServer

Json = dict[str, Any]
NS, SYSTEM = "team", "kindler-system"
EXTERNAL = f"/apis/external.metrics.k8s.io/v1beta1/namespaces/{NS}"
CUSTOM = f"/apis/custom.metrics.k8s.io/v1beta2/namespaces/{NS}/endpoints.serving.kindler.dev"
SERVICE = f"kindler-metrics.{SYSTEM}.svc"
ROUTE = {
    "variantName": "AllTraffic",
    "revision": "abc",
    "pools": {"demand": "iris-abc-demand", "warm": "iris-abc-warm"},
    "maxConcurrency": 8,
    "maxConcurrencyPerInstance": 2,
    "provisionedConcurrency": 4,
    "memorySizeInMB": 1024,
    "idleTimeoutInSeconds": 300,
    "invocationTimeoutInSeconds": 60,
    "startupTimeoutInSeconds": 180,
    "port": 8080,
    "healthPath": "/ping",
    "invocationsPath": "/invocations",
}
PREDEFINED = {
    "predefinedMetricSpecification": {"predefinedMetricType": "SageMakerVariantProvisionedConcurrencyUtilization"}
}


def customized(metric: str, namespace: str = "AWS/SageMaker", statistic: str = "Average", **dimensions: str) -> Json:
    reported = [{"name": name, "value": value} for name, value in dimensions.items()]
    return {
        "customizedMetricSpecification": {
            "metricName": metric,
            "namespace": namespace,
            "statistic": statistic,
            "dimensions": reported,
        }
    }


def policy(name: str, metric: Json = PREDEFINED, target: float = 0.7) -> Json:
    return {"policyName": name, "targetTrackingScalingPolicyConfiguration": {"targetValue": target} | metric}


class Signed(NamedTuple):
    """A certificate and its key, both in PEM."""

    certificate: str
    key: str


class Authority:
    """Signs client certificates, as a cluster's front-proxy CA does."""

    def __init__(self, name: str = "front-proxy-ca") -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.certificate = self._sign(self._name, self._key, authority=True)

    def client(self, name: str = "front-proxy-client") -> Signed:
        key = ec.generate_private_key(ec.SECP256R1())
        secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        return Signed(
            self._sign(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]), key, authority=False), secret
        )

    def _sign(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, authority: bool) -> str:
        now = datetime.now(UTC)
        made = x509.CertificateBuilder(
            self._name,
            subject,
            key.public_key(),
            x509.random_serial_number(),
            now - timedelta(hours=1),
            now + timedelta(hours=1),
        )
        made = made.add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        return made.sign(self._key, SHA256()).public_bytes(Encoding.PEM).decode()


@dataclass
class Activator:
    """One replica of the activator. `reported`: its response at /stats; None: it responds with status 500."""

    boot: str = "boot"
    reported: dict[str, EndpointStats] | None = field(default_factory=dict)
    asked: int = 0

    async def stats(self, request: web.Request) -> web.Response:
        self.asked += 1
        assert request.query.get("provisioned") == "true"
        assert request.headers["Authorization"] == "Bearer peer"
        return (
            web.Response(status=500)
            if self.reported is None
            else web.json_response(Stats(self.boot, self.reported).to_json())
        )

    def serve(
        self,
        uid: str,
        load_seconds: float = 0,
        in_flight: int = 0,
        allocated: int = 4,
        name: str = "iris",
        **counts: Any,
    ) -> None:
        assert self.reported is not None
        totals = Totals(load_seconds=load_seconds, **counts)
        self.reported[f"{NS}/{name}"] = EndpointStats(
            uid, True, "abc", in_flight, 0, in_flight, 0, {}, allocated, totals
        )


@dataclass
class World:
    """`process`: the running metrics process. `front`: the CA whose clients it must trust.

    `later`: the number of seconds by which the clock of the process is ahead.
    """

    server: ApiServer
    settings: MetricsSettings
    activator: Activator
    front: Authority
    folder: Path
    later: float
    process: MetricsProcess = field(init=False)

    def now(self) -> float:
        return time.time() + self.later

    # The cluster

    def endpoint(
        self, *policies: Json, name: str = "iris", namespace: str = NS, route: Json | None = ROUTE, **spec: Any
    ) -> str:
        """Creates an Endpoint that serves; returns its uid."""
        kind = self.server.store.kind("endpoints", "serving.kindler.dev")
        entry = {"variantName": "AllTraffic", "minCapacity": 1, "maxCapacity": 8} | (
            {"scalingPolicies": list(policies)} if policies else {}
        )
        body = {
            "apiVersion": "serving.kindler.dev/v1alpha1",
            "kind": "Endpoint",
            "metadata": {"name": name, "namespace": namespace},
        }
        made = self.server.store.create(
            kind, namespace, body | {"spec": {"endpointConfigName": "c", "autoscaling": [entry]} | spec}, "kubectl"
        )
        if route:
            self.route(route, name, namespace)
        return str(made["metadata"]["uid"])

    def route(self, route: Json, name: str = "iris", namespace: str = NS) -> None:
        kind = self.server.store.kind("endpoints", "serving.kindler.dev")
        self.server.store.merge_patch(kind, namespace, name, {"status": {"route": route}}, "status", "kindler")

    def config_map(self, name: str = "kindler-metrics", namespace: str = SYSTEM) -> dict[str, str]:
        found: Json = self.server.store.get(self.server.store.kind("configmaps"), namespace, name)
        return found.get("data") or {}

    def allow(self, authority: Authority, *allowed: str) -> None:
        """Publishes in the cluster the CA whose clients may call the metrics process."""
        self.front = authority
        kind = self.server.store.kind("configmaps")
        data = {
            "requestheader-client-ca-file": authority.certificate,
            "requestheader-allowed-names": json.dumps(allowed),
        }
        self.server.store.merge_patch(kind, "kube-system", "extension-apiserver-authentication", {"data": data})

    # The API server's part

    async def ask(self, path: str, client: Signed | None = None, roots: str = "", **query: str) -> tuple[int, Json]:
        """Sends a request as the API server does. Returns the status and the body of the response.

        The request trusts only the published certificate, and shows the front-proxy certificate.
        """
        tls = ssl.create_default_context(cadata=roots or self.config_map()[self.settings.common.pod_name])
        shown = client or self.front.client()
        file = self.folder / "client.pem"
        file.write_text(shown.certificate + shown.key)
        tls.load_cert_chain(file)
        url = f"https://127.0.0.1:{self.process.ports[0]}{path}"
        async with (
            aiohttp.ClientSession() as session,
            session.get(url, params=query, ssl=tls, server_hostname=SERVICE) as response,
        ):
            return response.status, json.loads(await response.read() or b"{}")

    async def value(
        self, metric: str = "concurrent-executions", policy: str = "p", endpoint: str = "iris"
    ) -> tuple[int, str]:
        """The response that an HPA would read: its status, and the value or the error message."""
        selector = f"serving.kindler.dev/endpoint={endpoint},serving.kindler.dev/policy={policy}"
        status, body = await self.ask(f"{EXTERNAL}/{metric}", labelSelector=selector)
        return status, body["items"][0]["value"] if status == 200 else body["message"]

    async def admin(self, path: str) -> tuple[int, str]:
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://127.0.0.1:{self.process.ports[1]}{path}") as response,
        ):
            return response.status, await response.text()

    async def sampled(self, rounds: int = 1) -> None:
        """Returns after `rounds` more samples and one further request.

        That request shows that the process has added the samples before it.
        """
        begun = self.activator.asked
        await self.until(lambda: self.activator.asked > begun + rounds)

    async def until(self, condition: Callable[[], Any]) -> None:
        """Waits until `condition` is true.

        The condition is checked at each request to the API server. The process sends one at the beginning of each
        sample, ten times a second.
        """
        async with asyncio.timeout(20):
            await self.server.until(condition)


@asynccontextmanager
async def world(
    folder: Path, monkeypatch: pytest.MonkeyPatch, later: float = 0.0, **changed: Any
) -> AsyncIterator[World]:
    """One activator, and the metrics process after it became Ready. `later`: as for World. `changed`: settings."""
    async with ApiServer(namespaces=(NS, "other")) as server:
        monkeypatch.setenv("KUBECONFIG", server.kubeconfig(folder))
        (folder / "token").write_text("peer")
        store, maps, front = server.store, server.store.kind("configmaps"), Authority()
        store.create(maps, SYSTEM, {"metadata": {"name": "kindler-metrics"}})
        store.create(maps, "kube-system", {"metadata": {"name": "extension-apiserver-authentication"}})
        activator = Activator()
        async with _activator(server, activator) as port:
            local: Json = {
                "api_port": 0,
                "metrics_port": 0,
                "peer_port": port,
                "peer_token_path": str(folder / "token"),
            }
            settings = replace(metrics_settings({"KINDLER_POD_NAME": "metrics-0"}), **(local | changed))
            cluster = Cluster()
            await cluster.connect()
            made = World(server, settings, activator, front, folder, later)
            made.process = MetricsProcess(settings, cluster, made.now, seconds=0.1)
            made.allow(front, "front-proxy-client")
            stop = asyncio.Event()
            running = asyncio.create_task(made.process.run(stop))
            try:
                await _ready(made)
                yield made
            finally:
                stop.set()
                async with asyncio.timeout(10):
                    assert await running == 0
                await cluster.close()


async def _ready(made: World) -> None:
    async with asyncio.timeout(20):
        await made.process.listening.wait()
    await made.until(lambda: made.process.not_ready() is None and (made.settings.tls_directory or made.config_map()))


@asynccontextmanager
async def _activator(server: ApiServer, activator: Activator) -> AsyncIterator[int]:
    app = web.Application()
    app.router.add_get("/stats", activator.stats)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        await web.SockSite(runner, listening).start()
        labels = {"app.kubernetes.io/component": "activator"}
        pod = {
            "metadata": {"name": "activator-0", "labels": labels},
            "spec": {"containers": [{"name": "activator", "image": "x"}]},
        }
        kind = server.store.kind("pods")
        created = server.store.create(kind, SYSTEM, pod, "test")
        server.store.update(
            kind,
            SYSTEM,
            "activator-0",
            created | {"status": {"phase": "Running", "podIP": "127.0.0.1"}},
            "status",
            "kubelet",
        )
        try:
            yield int(listening.getsockname()[1])
        finally:
            await runner.cleanup()
