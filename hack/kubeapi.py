"""A very small Kubernetes client on the standard library: what tests, demo and benchmarks need to watch a cluster without polling it.

Users act through kubectl; this looks. One HTTPS connection per call, so that it may be used from any thread.
"""

from __future__ import annotations

import base64
import http.client
import json
import ssl
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

Json = dict[str, Any]

# plural -> path prefix; everything that this project's tests look at.
_CORE = ("namespaces", "pods", "services", "events", "secrets", "nodes", "resourcequotas", "serviceaccounts")
_GROUPS = {
    "apis/serving.kindler.dev/v1alpha1": ("models", "endpointconfigs", "endpoints"),
    "apis/apps/v1": ("replicasets", "deployments", "controllerrevisions"),
    "apis/coordination.k8s.io/v1": ("leases",),
    "apis/autoscaling/v2": ("horizontalpodautoscalers",),
    "apis/discovery.k8s.io/v1": ("endpointslices",),
    "apis/apiregistration.k8s.io/v1": ("apiservices",),
    "apis/apiextensions.k8s.io/v1": ("customresourcedefinitions",),
}
_PREFIX = dict.fromkeys(_CORE, "api/v1") | {plural: prefix for prefix, plurals in _GROUPS.items() for plural in plurals}


class ApiError(Exception):
    """The API server said no. `code` is the HTTP status, the text is the Status object's message."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


class KubeApi:
    """Talks to the cluster of the current kubeconfig. Raises ApiError for answers of 400 and above, OSError when nobody answers."""

    def __init__(self, kubectl: str = "kubectl") -> None:
        raw = subprocess.run(
            [kubectl, "config", "view", "--raw", "--minify", "-o", "json"], check=True, capture_output=True, text=True
        ).stdout
        config = json.loads(raw)
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        server = urlsplit(cluster["server"])
        self._address = (server.hostname or "127.0.0.1", server.port or 443)
        self._tls = ssl.create_default_context(cadata=base64.b64decode(cluster["certificate-authority-data"]).decode())
        with tempfile.TemporaryDirectory() as folder:
            for name in ("client-certificate-data", "client-key-data"):
                Path(folder, name).write_bytes(base64.b64decode(user[name]))
            self._tls.load_cert_chain(f"{folder}/client-certificate-data", f"{folder}/client-key-data")

    def path(self, plural: str, namespace: str | None = None, name: str | None = None, sub: str | None = None) -> str:
        """The object's or the collection's path; `sub` is a subresource (scale, log, status)."""
        parts = [
            _PREFIX[plural],
            *(("namespaces", namespace) if namespace else ()),
            plural,
            *((name,) if name else ()),
            *((sub,) if sub else ()),
        ]
        return "/" + "/".join(parts)

    def call(
        self,
        method: str,
        path: str,
        body: Json | None = None,
        *,
        content_type: str | None = None,
        user: str = "",
        timeout: float = 30,
    ) -> Any:
        """One request, as somebody else where `user` is named; returns the decoded JSON, or text where the answer is none."""
        connection = self._connect(timeout)
        try:
            kind = content_type or ("application/merge-patch+json" if method == "PATCH" else "application/json")
            headers = {"Content-Type": kind, "Accept": "application/json, */*"} | (
                {"Impersonate-User": user} if user else {}
            )
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            raw = answer.read()
        finally:
            connection.close()
        value = json.loads(raw) if "json" in (answer.getheader("Content-Type") or "") else raw.decode(errors="replace")
        if answer.status >= 400:
            raise ApiError(answer.status, value.get("message", "") if isinstance(value, dict) else value)
        return value

    def get(self, plural: str, namespace: str | None, name: str) -> Json | None:
        """One object, or None when there is none."""
        try:
            found: Json = self.call("GET", self.path(plural, namespace, name))
        except ApiError as error:
            if error.code == 404:
                return None
            raise
        return found

    def items(self, plural: str, namespace: str | None = None, selector: str = "") -> list[Json]:
        """All objects of a kind, in one namespace or in all."""
        items: list[Json] = self._list(plural, namespace, {"labelSelector": selector} if selector else {})["items"]
        return items

    def watch(
        self, plural: str, namespace: str | None, *, selector: str = "", field: str = "", timeout: float = 60
    ) -> Iterator[tuple[str, Json]]:
        """Yields ("ADDED", object) for what is there, then each change (ADDED, MODIFIED, DELETED) until `timeout` seconds are over."""
        query = ({"labelSelector": selector} if selector else {}) | ({"fieldSelector": field} if field else {})
        listed = self._list(plural, namespace, query)
        yield from (("ADDED", item) for item in listed["items"])
        yield from self.follow(plural, namespace, listed["metadata"]["resourceVersion"], query, timeout)

    def follow(
        self, plural: str, namespace: str | None, version: str, query: dict[str, str], timeout: float
    ) -> Iterator[tuple[str, Json]]:
        """Yields each change after `version`, until `timeout` seconds are over."""
        end = time.monotonic() + timeout
        while (left := end - time.monotonic()) > 0:
            connection = self._connect(left)
            try:
                watch = query | {"watch": "1", "resourceVersion": version, "timeoutSeconds": str(max(1, int(left)))}
                connection.request("GET", f"{self.path(plural, namespace)}?{urlencode(watch)}")
                for line in iter(connection.getresponse().readline, b""):
                    event = json.loads(line)
                    if event["type"] == "ERROR":
                        raise ApiError(event["object"].get("code", 500), event["object"].get("message", ""))
                    version = event["object"]["metadata"]["resourceVersion"]
                    yield event["type"], event["object"]
            except TimeoutError:
                return
            finally:
                connection.close()

    def until(
        self, plural: str, namespace: str | None, name: str, ready: Callable[[Json | None], bool], timeout: float = 60
    ) -> Json | None:
        """Waits by watch until `ready(object)` (None: gone); returns that state. Raises TimeoutError with the last state seen."""
        current: Json | None = self.get(plural, namespace, name)
        if ready(current):
            return current
        for kind, found in self.watch(plural, namespace, field=f"metadata.name={name}", timeout=timeout):
            current = None if kind == "DELETED" else found
            if ready(current):
                return current
        last = json.dumps(current.get("status", current)) if current else "nothing"
        raise TimeoutError(f"{plural}/{name} in {namespace}: not as awaited within {timeout:g} s; last seen: {last}")

    def until_all(
        self,
        plural: str,
        namespace: str | None,
        ready: Callable[[list[Json]], bool],
        *,
        selector: str = "",
        timeout: float = 60,
    ) -> list[Json]:
        """As `until`, for all objects of a kind together."""
        query = {"labelSelector": selector} if selector else {}
        listed = self._list(plural, namespace, query)
        found = {item["metadata"]["uid"]: item for item in listed["items"]}
        if ready(list(found.values())):
            return list(found.values())
        for kind, item in self.follow(plural, namespace, listed["metadata"]["resourceVersion"], query, timeout):
            if kind == "DELETED":
                found.pop(item["metadata"]["uid"], None)
            else:
                found[item["metadata"]["uid"]] = item
            if ready(list(found.values())):
                return list(found.values())
        names = sorted(item["metadata"]["name"] for item in found.values())
        raise TimeoutError(
            f"{plural} ({selector or 'all'}) in {namespace}: not as awaited within {timeout:g} s; last seen: {names}"
        )

    def _connect(self, timeout: float) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection(*self._address, context=self._tls, timeout=timeout)

    def _list(self, plural: str, namespace: str | None, query: dict[str, str]) -> Json:
        found: Json = self.call("GET", f"{self.path(plural, namespace)}?{urlencode(query)}")
        return found
