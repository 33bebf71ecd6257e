"""A foreign metrics server: a thread of this process behind an aggregated API of the cluster, as KEDA's server is.

Journeys and the HPA benchmark use it to see how Kindler and HPAs act when another product's server is in the cluster.
The API server reaches this process through a Service without a selector, at its address in the nodes' network.
"""

from __future__ import annotations

import base64
import json
import socket
import ssl
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import trustme

from hack.kubeapi import ApiError, KubeApi

Json = dict[str, Any]

Respond = Callable[[list[str]], Json | None]
"""A function from the parts of the path below /apis/GROUP/VERSION to the object of the response, or None for 404.

The server itself responds to requests for discovery, with an empty list of resources."""


class ForeignMetricsServer:
    """Serves inside the `with` block. At its end, removes the APIServices that still lead to this server."""

    def __init__(self, api: KubeApi, namespace: str, respond: Respond, name: str = "foreign") -> None:
        self.api, self.namespace, self.name, self._respond = api, namespace, name, respond
        self._registered: set[str] = set()

    def __enter__(self) -> ForeignMetricsServer:
        self._authority, tls = _certificate(f"{self.name}.{self.namespace}.svc")
        address = _own_address(self.api)
        self._server = _Server(address, tls, self._respond)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        service = {"metadata": {"name": self.name}, "spec": {"ports": [{"port": 443}]}}
        self.api.call("POST", self.api.path("services", self.namespace), service)
        endpoint_slice = {
            "metadata": {"name": self.name, "labels": {"kubernetes.io/service-name": self.name}},
            "addressType": "IPv4",
            "endpoints": [{"addresses": [address], "conditions": {"ready": True}}],
            "ports": [{"port": self._server.server_address[1], "protocol": "TCP"}],
        }
        self.api.call("POST", self.api.path("endpointslices", self.namespace), endpoint_slice)
        return self

    def __exit__(self, *_: object) -> None:
        try:
            for api_service in sorted(self._registered):
                self.unregister(*reversed(api_service.split(".", 1)))
        finally:
            self._server.shutdown()
            self._server.server_close()

    def register(self, group: str, version: str) -> Json:
        """Creates the APIService, or overwrites an existing one, as `kubectl apply` of another product would.

        Returns the stored spec as soon as the API is available. Raises TimeoutError if it is not available in 60 s.
        """
        name = f"{version}.{group}"
        spec = {
            "group": group,
            "version": version,
            "service": {"namespace": self.namespace, "name": self.name, "port": 443},
            "caBundle": base64.b64encode(self._authority).decode(),
            "groupPriorityMinimum": 100,
            "versionPriority": 100,
        }
        self._registered.add(name)
        if self.api.get("apiservices", None, name) is None:
            self.api.call("POST", self.api.path("apiservices"), {"metadata": {"name": name}, "spec": spec})
        else:
            change = {"metadata": {"labels": None}, "spec": spec}
            self.api.call("PATCH", self.api.path("apiservices", None, name), change)
        found = self.api.until("apiservices", None, name, self._is_available, 60)
        assert found is not None
        stored: Json = found["spec"]
        return stored

    def unregister(self, group: str, version: str) -> None:
        """Removes the APIService if it still leads to this server."""
        name = f"{version}.{group}"
        self._registered.discard(name)
        found = self.api.get("apiservices", None, name)
        if found is None or not self._leads_here(found):
            return
        try:
            self.api.call("DELETE", self.api.path("apiservices", None, name))
        except ApiError as error:
            if error.code != 404:
                raise

    def _leads_here(self, api_service: Json) -> bool:
        service = api_service["spec"].get("service") or {}
        return (service.get("namespace"), service.get("name")) == (self.namespace, self.name)

    def _is_available(self, api_service: Json | None) -> bool:
        if api_service is None or not self._leads_here(api_service):
            return False
        conditions = api_service.get("status", {}).get("conditions", [])
        return any(c["type"] == "Available" and c["status"] == "True" for c in conditions)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: str, tls: ssl.SSLContext, respond: Respond) -> None:
        self.tls, self.respond = tls, respond
        super().__init__((address, 0), _Handler)

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Does the TLS handshake in the connection's own thread, so that a slow peer does not block the others."""
        with self.tls.wrap_socket(request, server_side=True) as secured:
            super().finish_request(secured, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignores the error, because peers may close connections at any time."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        _, *parts = urlsplit(self.path).path.split("/")
        if len(parts) == 3:
            group_version = "/".join(parts[1:])
            discovery = {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": []}
            self._send(200, discovery)
            return
        found = self.server.respond(parts[3:])
        if found is None:
            failure = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404}
            self._send(404, failure | {"message": f"{self.path}: not served here"})
        else:
            self._send(200, found)

    def _send(self, status: int, body: Json) -> None:
        raw = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_: Any) -> None:
        """Drops the log line of a request, because the cluster shows the effect of the request."""


def _own_address(api: KubeApi) -> str:
    """This process's address in the nodes' network."""
    node = api.items("nodes")[0]
    address = next(a["address"] for a in node["status"]["addresses"] if a["type"] == "InternalIP")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((address, 9))  # sends nothing: the kernel chooses the source address
        return str(probe.getsockname()[0])


def _certificate(host: str) -> tuple[bytes, ssl.SSLContext]:
    """The PEM certificate of a new authority, and a server's context with a certificate for `host` that it signed."""
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(host).configure_cert(context)
    return authority.cert_pem.bytes(), context
