"""A metrics server of somebody else: a thread of this process that stands behind an aggregated API of the cluster, as KEDA or prometheus-adapter would.

The cluster reaches it at our own address in the nodes' network, through a Service without a selector.
"""

from __future__ import annotations

import base64
import json
import socket
import ssl
import tempfile
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from hack.kubeapi import ApiError, KubeApi

Json = dict[str, Any]

Answer = Callable[[list[str]], Json | None]
"""The path below /apis/GROUP/VERSION, in parts, to the object that is answered; None: 404. Discovery is answered already, with no resources."""


class Foreign:
    """Serves within the block. `take` and `leave` put it behind an API and away again; what it still has at the end, it leaves."""

    def __init__(self, api: KubeApi, namespace: str, answer: Answer, name: str = "foreign") -> None:
        self.api, self.namespace, self.name, self._answer = api, namespace, name, answer
        self._taken: set[str] = set()

    def __enter__(self) -> Foreign:
        self._certificate, tls = certificate(f"{self.name}.{self.namespace}.svc")
        address = _our_address(self.api)
        self._server = _Server(address, tls, self._answer)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        port = self._server.server_address[1]
        self.api.call(
            "POST",
            self.api.path("services", self.namespace),
            {"metadata": {"name": self.name}, "spec": {"ports": [{"port": 443}]}},
        )
        slice_ = {
            "metadata": {"name": self.name, "labels": {"kubernetes.io/service-name": self.name}},
            "addressType": "IPv4",
            "endpoints": [{"addresses": [address], "conditions": {"ready": True}}],
            "ports": [{"port": port, "protocol": "TCP"}],
        }
        self.api.call("POST", self.api.path("endpointslices", self.namespace), slice_)
        return self

    def __exit__(self, *_: object) -> None:
        try:
            for api_service in sorted(self._taken):
                self.leave(*reversed(api_service.split(".", 1)))
        finally:
            self._server.shutdown()
            self._server.server_close()

    def take(self, group: str, version: str) -> Json:
        """Makes the APIService, or overwrites what somebody else's says, as an apply of one's own manifest does. Its spec, once the API is available."""
        name = f"{version}.{group}"
        service = {"namespace": self.namespace, "name": self.name, "port": 443}
        bundle = base64.b64encode(self._certificate).decode()
        spec = {
            "group": group,
            "version": version,
            "service": service,
            "caBundle": bundle,
            "groupPriorityMinimum": 100,
            "versionPriority": 100,
        }
        self._taken.add(name)
        if self.api.get("apiservices", None, name) is None:
            self.api.call("POST", self.api.path("apiservices"), {"metadata": {"name": name}, "spec": spec})
        else:
            self.api.call(
                "PATCH", self.api.path("apiservices", None, name), {"metadata": {"labels": None}, "spec": spec}
            )
        found = self.api.until("apiservices", None, name, self._answers, 60)
        assert found is not None
        stored: Json = found["spec"]
        return stored

    def leave(self, group: str, version: str) -> None:
        """Removes the APIService, if it is still ours."""
        name = f"{version}.{group}"
        self._taken.discard(name)
        found = self.api.get("apiservices", None, name)
        if found is None or not self._leads_here(found):
            return
        try:
            self.api.call("DELETE", self.api.path("apiservices", None, name))
        except ApiError as error:
            if error.code != 404:
                raise

    def _leads_here(self, found: Json) -> bool:
        service = found["spec"].get("service") or {}
        return (service.get("namespace"), service.get("name")) == (self.namespace, self.name)

    def _answers(self, found: Json | None) -> bool:
        conditions = (found or {}).get("status", {}).get("conditions", [])
        return (
            found is not None
            and self._leads_here(found)
            and any(c["type"] == "Available" and c["status"] == "True" for c in conditions)
        )


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: str, tls: ssl.SSLContext, answer: Answer) -> None:
        self.tls, self.answer = tls, answer
        super().__init__((address, 0), _Handler)

    def finish_request(self, request: Any, client_address: Any) -> None:
        """In the connection's own thread: a peer that is slow to shake hands holds up nobody."""
        with self.tls.wrap_socket(request, server_side=True) as secured:
            super().finish_request(secured, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A peer that hangs up is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        _, *parts = urlsplit(self.path).path.split("/")
        if len(parts) == 3:
            self._say(
                200,
                {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": "/".join(parts[1:]), "resources": []},
            )
            return
        found = self.server.answer(parts[3:])
        missing = {
            "kind": "Status",
            "apiVersion": "v1",
            "status": "Failure",
            "reason": "NotFound",
            "code": 404,
            "message": f"{self.path}: not served here",
        }
        self._say(*((404, missing) if found is None else (200, found)))

    def _say(self, status: int, body: Json) -> None:
        raw = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_: Any) -> None:
        """Told by whoever uses this, where it matters."""


def _our_address(api: KubeApi) -> str:
    """By which address the nodes reach us: the one that we would call a node from."""
    node = next(a["address"] for a in api.items("nodes")[0]["status"]["addresses"] if a["type"] == "InternalIP")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((node, 9))
        return str(probe.getsockname()[0])


def certificate(host: str) -> tuple[bytes, ssl.SSLContext]:
    """A self-signed one for a few hours, as PEM, and a context that shows it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(
        name, name, key.public_key(), x509.random_serial_number(), now - timedelta(hours=1), now + timedelta(hours=6)
    )
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
    pem = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "server.pem")
        file.touch(0o600)
        file.write_bytes(pem + secret)
        context.load_cert_chain(file)
    return pem, context
