"""A small Kubernetes client on the standard library, with which journeys and benchmarks watch a cluster.

Where a journey acts as a user, it uses kubectl and not this client. The client waits by watch, never by polling. Each
call opens its own HTTPS connection, so several threads may use one client. Not here: the conditions to wait for, which
the callers define.
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

# Path prefix → plurals, for all kinds that this project's tests read.
_CORE = (
    "configmaps",
    "events",
    "namespaces",
    "nodes",
    "pods",
    "resourcequotas",
    "secrets",
    "serviceaccounts",
    "services",
)
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
    """The API server rejected a request. `code`: the HTTP status. The text is the message in the response."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


class KubeApi:
    """A client of the current kubeconfig's cluster.

    Its methods raise ApiError for a status of 400 and above, and OSError if the API server cannot be reached.
    """

    def __init__(self, kubectl: str = "kubectl") -> None:
        command = [kubectl, "config", "view", "--raw", "--minify", "-o", "json"]
        config = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        server = urlsplit(cluster["server"])
        self._address = (server.hostname or "127.0.0.1", server.port or 443)
        authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
        self._tls = ssl.create_default_context(cadata=authority)
        with tempfile.TemporaryDirectory() as folder:
            for name in ("client-certificate-data", "client-key-data"):
                Path(folder, name).write_bytes(base64.b64decode(user[name]))
            self._tls.load_cert_chain(f"{folder}/client-certificate-data", f"{folder}/client-key-data")

    def path(self, plural: str, namespace: str | None = None, name: str | None = None, sub: str | None = None) -> str:
        """The path of an object or a collection. `sub`: a subresource (scale, log, status)."""
        parts = [_PREFIX[plural]]
        if namespace:
            parts += ["namespaces", namespace]
        parts += [plural, *((name,) if name else ()), *((sub,) if sub else ())]
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
        """Sends one request, with impersonation of `user` if given. Returns the decoded JSON, or else the text."""
        connection = self._connect(timeout)
        try:
            kind = content_type or ("application/merge-patch+json" if method == "PATCH" else "application/json")
            headers = {"Content-Type": kind, "Accept": "application/json, */*"}
            if user:
                headers["Impersonate-User"] = user
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            response = connection.getresponse()
            raw = response.read()
        finally:
            connection.close()
        is_json = "json" in (response.getheader("Content-Type") or "")
        value = json.loads(raw) if is_json else raw.decode(errors="replace")
        if response.status >= 400:
            raise ApiError(response.status, value.get("message", "") if isinstance(value, dict) else value)
        return value

    def get(self, plural: str, namespace: str | None, name: str) -> Json | None:
        """One object, or None if it does not exist."""
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
        """Yields ("ADDED", object) for each existing object, then each change (ADDED, MODIFIED, DELETED).

        Ends after `timeout` seconds.
        """
        query = ({"labelSelector": selector} if selector else {}) | ({"fieldSelector": field} if field else {})
        listed = self._list(plural, namespace, query)
        yield from (("ADDED", item) for item in listed["items"])
        yield from self.follow(plural, namespace, listed["metadata"]["resourceVersion"], query, timeout)

    def follow(
        self, plural: str, namespace: str | None, version: str, query: dict[str, str], timeout: float
    ) -> Iterator[tuple[str, Json]]:
        """Yields each change after the resourceVersion `version`. Ends after `timeout` seconds."""
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
        self,
        plural: str,
        namespace: str | None,
        name: str,
        ready: Callable[[Json | None], bool],
        timeout: float = 60,
    ) -> Json | None:
        """Watches one object until `ready(object)`, and returns that state. The object is None while it does not exist.

        Raises TimeoutError with the last state after `timeout` seconds.
        """
        current: Json | None = self.get(plural, namespace, name)
        if ready(current):
            return current
        for kind, found in self.watch(plural, namespace, field=f"metadata.name={name}", timeout=timeout):
            current = None if kind == "DELETED" else found
            if ready(current):
                return current
        last = json.dumps(current.get("status", current)) if current else "nothing"
        raise TimeoutError(
            f"{plural}/{name} in {namespace} did not reach the expected state in {timeout:g} s; last state: {last}"
        )

    def until_all(
        self,
        plural: str,
        namespace: str | None,
        ready: Callable[[list[Json]], bool],
        *,
        selector: str = "",
        timeout: float = 60,
    ) -> list[Json]:
        """Like `until`, but `ready` gets the list of all objects of the kind."""
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
            f"{plural} ({selector or 'all'}) in {namespace} did not reach the expected state in {timeout:g} s; "
            f"last seen: {names}"
        )

    def _connect(self, timeout: float) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection(*self._address, context=self._tls, timeout=timeout)

    def _list(self, plural: str, namespace: str | None, query: dict[str, str]) -> Json:
        found: Json = self.call("GET", f"{self.path(plural, namespace)}?{urlencode(query)}")
        return found
