"""A metrics server that says what it is told: for the time of a campaign it stands behind custom.metrics.k8s.io, as prometheus-adapter would.

It is a thread of this process. The cluster reaches it at our own address in the nodes' network, through a Service without a selector.
"""

from __future__ import annotations

import base64
import json
import socket
import ssl
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from hack.kubeapi import ApiError, KubeApi

Json = dict[str, Any]

GROUP, VERSION = "custom.metrics.k8s.io", "v1beta2"
SERVICE = "scripted"

Answer = Callable[[str, str], int | None]
"""(name of the ReplicaSet, name of the metric) to its value in thousandths; None: there is none."""


class _Server(ThreadingHTTPServer):
    """Speaks the discovery and the reading of one namespaced object's metric, and nothing else."""

    daemon_threads = True

    def __init__(self, address: str, tls: ssl.SSLContext, namespace: str, answer: Answer) -> None:
        self.tls, self.namespace, self.answer = tls, namespace, answer
        super().__init__((address, 0), _Handler)

    def finish_request(self, request: Any, client_address: Any) -> None:
        """In the connection's own thread: a peer that is slow to shake hands holds up nobody."""
        super().finish_request(self.tls.wrap_socket(request, server_side=True), client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A peer that hangs up is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        parts = self.path.partition("?")[0].strip("/").split("/")
        match parts:
            case ["apis", _, _]:
                kinds = {"name": "replicasets.apps/load", "singularName": "", "namespaced": True, "kind": "MetricValueList", "verbs": ["get"]}
                self._say(200, {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": f"{GROUP}/{VERSION}", "resources": [kinds]})
            case ["apis", _, _, "namespaces", self.server.namespace, "replicasets.apps", name, metric]:
                self._metric(name, metric)
            case _:
                self._refuse(f"{self.path}: not served here")

    def _metric(self, name: str, metric: str) -> None:
        value = self.server.answer(name, metric)
        if value is None:
            self._refuse(f"no data of {metric} for {name}")
            return
        described = {"kind": "ReplicaSet", "apiVersion": "apps/v1", "namespace": self.server.namespace, "name": name}
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        item = {"describedObject": described, "metric": {"name": metric}, "timestamp": now, "value": f"{value}m"}
        self._say(200, {"kind": "MetricValueList", "apiVersion": f"{GROUP}/{VERSION}", "metadata": {}, "items": [item]})

    def _refuse(self, message: str) -> None:
        self._say(404, {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404, "message": message})

    def _say(self, status: int, body: Json) -> None:
        raw = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_: Any) -> None:
        """Said by the campaign, where it matters."""


@contextmanager
def served(api: KubeApi, namespace: str, answer: Answer) -> Iterator[None]:
    """Our server stands behind the API in here. Raises RuntimeError where somebody else holds it."""
    path = api.path("apiservices", None, f"{VERSION}.{GROUP}")
    taken = [item["metadata"]["name"] for item in api.items("apiservices") if item["spec"].get("group") == GROUP]
    if taken:
        raise RuntimeError(f"{taken[0]} is somebody's: this campaign needs {GROUP} for itself")
    host = f"{SERVICE}.{namespace}.svc"
    address = _our_address(api)
    certificate, tls = _certificate(host)
    server = _Server(address, tls, namespace, answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        _introduce(api, namespace, address, server.server_address[1])
        api.call("POST", path.rpartition("/")[0], _api_service(namespace, certificate))
        api.until("apiservices", None, f"{VERSION}.{GROUP}", _available, 60)
        yield
    finally:
        _remove(api, path)
        server.shutdown()
        server.server_close()


def _our_address(api: KubeApi) -> str:
    """By which address the nodes reach us: the one that we would call a node from."""
    node = next(a["address"] for a in api.items("nodes")[0]["status"]["addresses"] if a["type"] == "InternalIP")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((node, 9))
        return str(probe.getsockname()[0])


def _introduce(api: KubeApi, namespace: str, address: str, port: int) -> None:
    service = {"metadata": {"name": SERVICE}, "spec": {"ports": [{"port": 443, "targetPort": port, "protocol": "TCP"}]}}
    api.call("POST", api.path("services", namespace), service)
    slice_ = {
        "metadata": {"name": SERVICE, "labels": {"kubernetes.io/service-name": SERVICE}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": [address], "conditions": {"ready": True}}],
        "ports": [{"port": port, "protocol": "TCP"}],
    }
    api.call("POST", api.path("endpointslices", namespace), slice_)


def _api_service(namespace: str, certificate: bytes) -> Json:
    service = {"namespace": namespace, "name": SERVICE, "port": 443}
    bundle = base64.b64encode(certificate).decode()
    priorities = {"groupPriorityMinimum": 100, "versionPriority": 100}
    return {"metadata": {"name": f"{VERSION}.{GROUP}"}, "spec": {"group": GROUP, "version": VERSION, "service": service, "caBundle": bundle} | priorities}


def _available(found: Json | None) -> bool:
    conditions = (found or {}).get("status", {}).get("conditions", [])
    return any(c["type"] == "Available" and c["status"] == "True" for c in conditions)


def _remove(api: KubeApi, path: str) -> None:
    try:
        api.call("DELETE", path)
    except ApiError as error:
        if error.code != 404:
            raise


def _certificate(host: str) -> tuple[bytes, ssl.SSLContext]:
    """A self-signed one for a few hours, as PEM, and a context that shows it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now - timedelta(hours=1), now + timedelta(hours=6))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
    pem = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    secret = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "server.pem")
        file.touch(0o600)
        file.write_bytes(pem + secret)
        context.load_cert_chain(file)
    return pem, context
