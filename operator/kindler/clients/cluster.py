"""The API server, as plain JSON: one method per request that Kindler makes.

kubernetes.aio provides configuration, authentication and TLS. Its model classes are not used: an object is the dict
that was received. Its request method is not used either: it writes JSON in Python's form (see `_encode`). Nothing here
retries: the caller knows whether time, another read, or nothing helps. (aiohttp repeats a GET, PUT or DELETE once if an
idle connection turns out to be closed. A PUT that had been done then meets its own resourceVersion: Conflict, read
again.)
"""

from __future__ import annotations

import json
import os
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlencode

import aiohttp
from kubernetes.aio import config as kube_config
from kubernetes.aio.client.configuration import Configuration
from kubernetes.aio.client.rest import RESTClientObject
from yarl import URL

from kindler.clients.errors import (
    ApiError,
    Conflict,
    Forbidden,
    Gone,
    Invalid,
    NotFound,
    Unavailable,
    from_status,
    no_answer,
)
from kindler.clients.resources import (
    API_SERVICES,
    AUTOSCALERS,
    CLUSTER_ROLES,
    CONFIG_MAPS,
    CONTROLLER_REVISIONS,
    ENDPOINT_CONFIGS,
    ENDPOINTS,
    EVENTS,
    LEASES,
    MODELS,
    PODS,
    REPLICASETS,
    SERVICES,
    Resource,
)

__all__ = [
    "API_SERVICES",
    "AUTOSCALERS",
    "CLUSTER_ROLES",
    "CONFIG_MAPS",
    "CONTROLLER_REVISIONS",
    "ENDPOINTS",
    "ENDPOINT_CONFIGS",
    "EVENTS",
    "LEASES",
    "MODELS",
    "PODS",
    "REPLICASETS",
    "SERVICES",
    "ApiError",
    "Cluster",
    "Conflict",
    "Forbidden",
    "Gone",
    "Invalid",
    "NotFound",
    "Object",
    "Resource",
    "Unavailable",
]

Object = dict[str, Any]
Objects = list[Object]  # inside Cluster, `list` is a method

JSON = "application/json"
MERGE = "application/merge-patch+json"
APPLY = "application/apply-patch+yaml"  # JSON is YAML

# Objects per page of a list. Parsing a page takes milliseconds, so a list of thousands never blocks the event loop.
PAGE = 500
CONNECT_SECONDS = 10.0
REQUEST_SECONDS = 30.0
SILENCE_SECONDS = 70.0  # the API server sends a bookmark every 60 s


class Cluster:
    """A connection to one API server. Every method raises ApiError (see errors.py) and nothing else.

    Requests share at most `max_connections` connections. Watches have connections of their own: they are long-lived and
    must never delay a write.
    """

    def __init__(self, max_connections: int = 32, page_size: int = PAGE) -> None:
        self._max_connections = max_connections
        self._page_size = page_size
        self._configuration = Configuration()
        self._requests: aiohttp.ClientSession | None = None
        self._watches: aiohttp.ClientSession | None = None

    async def connect(self, kubeconfig: str | None = None) -> None:
        """Reads the configuration: the named file, else the pod's ServiceAccount, else $KUBECONFIG or ~/.kube/config.

        The ServiceAccount's token is read again every minute. No request is made. Raises ApiError if there is no usable
        configuration.
        """
        configuration = Configuration()
        try:
            if kubeconfig is None and "KUBERNETES_SERVICE_HOST" in os.environ:
                kube_config.load_incluster_config(client_configuration=configuration)
            else:
                file = kubeconfig or os.environ.get("KUBECONFIG") or None
                await kube_config.load_kube_config(
                    config_file=file, client_configuration=configuration, persist_config=False
                )
            tls = RESTClientObject(configuration).ssl_context
        # The library raises whatever occurs: its own exception, yaml's, OSError, AttributeError for an empty file.
        except Exception as error:
            raise ApiError(0, "Configuration", f"no usable cluster configuration: {error}") from error
        await self.close()
        self._configuration = configuration
        self._requests, self._watches = (
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=limit, ssl=tls), trust_env=False)
            for limit in (self._max_connections, 0)
        )

    async def close(self) -> None:
        """Closes all connections; running watches end with Unavailable."""
        sessions, self._requests, self._watches = (self._requests, self._watches), None, None
        for session in sessions:
            if session is not None:
                await session.close()

    # Reading

    async def get(self, resource: Resource, namespace: str | None, name: str) -> Object | None:
        """The object, or None if it does not exist."""
        try:
            return await self._json("GET", resource.path(namespace, name))
        except NotFound:
            return None

    async def list(
        self,
        resource: Resource,
        namespace: str | None,
        label_selector: str = "",
        field_selector: str = "",
        resource_version: str = "",
    ) -> tuple[Objects, str]:
        """All objects (of one namespace, or of all with None) and the resourceVersion to watch from: see `pages`."""
        pages = [
            page async for page in self.pages(resource, namespace, label_selector, field_selector, resource_version)
        ]
        return [item for items, _ in pages for item in items], pages[-1][1]

    async def pages(
        self,
        resource: Resource,
        namespace: str | None,
        label_selector: str = "",
        field_selector: str = "",
        resource_version: str = "",
    ) -> AsyncGenerator[tuple[Objects, str], None]:
        """The same in pages: (objects, resourceVersion of the whole list). All pages show the same state.

        `resource_version`: "" is the newest state, "0" the API server's cache. Raises Gone if the history expired
        between two pages.
        """
        query = {
            "labelSelector": label_selector,
            "fieldSelector": field_selector,
            "resourceVersion": resource_version,
            "limit": str(self._page_size),
        }
        while True:
            page = await self._json("GET", resource.path(namespace), query)
            metadata = page.get("metadata") or {}
            yield page.get("items") or [], str(metadata.get("resourceVersion", ""))
            if not metadata.get("continue"):
                return
            query |= {"continue": metadata["continue"], "resourceVersion": ""}

    async def watch(
        self,
        resource: Resource,
        namespace: str | None,
        label_selector: str = "",
        resource_version: str = "",
        timeout_seconds: int = 300,
        silence_seconds: float = SILENCE_SECONDS,
        field_selector: str = "",
    ) -> AsyncGenerator[tuple[str, Object], None]:
        """Changes after `resource_version`, as (ADDED | MODIFIED | DELETED | BOOKMARK, object).

        The API server ends the stream after `timeout_seconds`. Raises Gone if the history does not go back that far,
        Unavailable if the stream breaks, ends inside an object, or is silent for `silence_seconds`. Close the iterator
        (`contextlib.aclosing`) when leaving early.
        """
        query = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "labelSelector": label_selector,
            "fieldSelector": field_selector,
            "resourceVersion": resource_version,
            "timeoutSeconds": str(timeout_seconds),
        }
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=silence_seconds)
        async with self._request(self._watches, "GET", resource.path(namespace), query, None, "", timeout) as response:
            async for line in _lines(response.content):
                event = _parse(line)
                kind, value = str(event.get("type", "")), event.get("object") or {}
                if kind == "ERROR":
                    raise from_status(int(value.get("code") or 500), value)
                yield kind, value

    async def raw_get(self, path: str) -> bytes:
        """The body of a GET of any path of the API server, for example `/openid/v1/jwks`."""
        return await self._bytes("GET", path)

    # Writing

    async def create(self, resource: Resource, namespace: str | None, body: Object, field_manager: str = "") -> Object:
        """POST. Raises Conflict (`already_exists`) if the name is in use."""
        return await self._json("POST", resource.path(namespace), {"fieldManager": field_manager}, body)

    async def apply(
        self, resource: Resource, namespace: str | None, name: str, body: Object, field_manager: str, force: bool = True
    ) -> Object:
        """Server-side apply: creates the object, or sets the fields in `body` and drops fields that this manager
        applied before.
        """
        query = {"fieldManager": field_manager, "force": "true" if force else "false"}
        return await self._json("PATCH", resource.path(namespace, name), query, body, APPLY)

    async def merge_patch(
        self,
        resource: Resource,
        namespace: str | None,
        name: str,
        patch: Object,
        subresource: str = "",
        field_manager: str = "",
    ) -> Object:
        """JSON merge patch: null removes a field. A `metadata.resourceVersion` in the patch is a precondition."""
        return await self._json(
            "PATCH", resource.path(namespace, name, subresource), {"fieldManager": field_manager}, patch, MERGE
        )

    async def update(
        self, resource: Resource, namespace: str | None, name: str, body: Object, field_manager: str = ""
    ) -> Object:
        """PUT of the whole object.

        With a `metadata.resourceVersion` in it, raises Conflict unless the object still has that version.
        """
        return await self._json("PUT", resource.path(namespace, name), {"fieldManager": field_manager}, body)

    async def update_status(
        self, resource: Resource, namespace: str | None, name: str, body: Object, field_manager: str = ""
    ) -> Object:
        """PUT of the status.

        `body` needs `metadata.resourceVersion`, else ValueError: without it the write could overwrite a newer state.
        """
        if not body.get("metadata", {}).get("resourceVersion"):
            raise ValueError("a status is written only with metadata.resourceVersion")
        return await self._json("PUT", resource.path(namespace, name, "status"), {"fieldManager": field_manager}, body)

    async def scale(
        self, resource: Resource, namespace: str, name: str, replicas: int, field_manager: str = ""
    ) -> Object:
        """Sets `spec.replicas` through the scale subresource; returns the Scale."""
        return await self.merge_patch(
            resource, namespace, name, {"spec": {"replicas": replicas}}, "scale", field_manager
        )

    async def delete(
        self,
        resource: Resource,
        namespace: str | None,
        name: str,
        uid: str | None = None,
        resource_version: str | None = None,
        propagation: str = "Background",
        grace_seconds: int | None = None,
    ) -> bool:
        """Deletes, or begins to; False if there was no object.

        Raises Conflict if `uid` or `resource_version` is not the present one.
        """
        options: Object = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": propagation}
        if preconditions := {k: v for k, v in (("uid", uid), ("resourceVersion", resource_version)) if v is not None}:
            options["preconditions"] = preconditions
        if grace_seconds is not None:
            options["gracePeriodSeconds"] = grace_seconds
        try:
            await self._json("DELETE", resource.path(namespace, name), None, options)
        except NotFound:
            return False
        return True

    # One request

    async def _json(
        self,
        method: str,
        path: str,
        query: dict[str, str] | None = None,
        body: Object | None = None,
        content_type: str = "",
    ) -> Object:
        return _parse(await self._bytes(method, path, query, body, content_type))

    async def _bytes(
        self,
        method: str,
        path: str,
        query: dict[str, str] | None = None,
        body: Object | None = None,
        content_type: str = "",
    ) -> bytes:
        timeout = aiohttp.ClientTimeout(total=REQUEST_SECONDS, sock_connect=CONNECT_SECONDS)
        async with self._request(self._requests, method, path, query, body, content_type, timeout) as response:
            return await response.read()

    @asynccontextmanager
    async def _request(
        self,
        session: aiohttp.ClientSession | None,
        method: str,
        path: str,
        query: dict[str, str] | None,
        body: Object | None,
        content_type: str,
        limits: aiohttp.ClientTimeout,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """A successful response, its body unread.

        Any failure, here or while the caller reads the body, becomes an ApiError.
        """
        if session is None:
            raise Unavailable(0, "Closed", "not connected to the API server")
        parameters = {k: v for k, v in (query or {}).items() if v}
        url = URL(
            f"{self._configuration.host.rstrip('/')}{path}{'?' + urlencode(parameters) if parameters else ''}",
            encoded=True,
        )
        data = None if body is None else _encode(body)
        try:
            async with session.request(
                method,
                url,
                data=data,
                headers=await self._headers(content_type),
                timeout=limits,
                proxy=self._configuration.proxy,
                server_hostname=self._configuration.tls_server_name,
            ) as response:
                if response.status >= 400:
                    raise from_status(response.status, _parse_any(await response.read()), response.headers)
                yield response
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise no_answer(error) from error

    async def _headers(self, content_type: str) -> dict[str, str]:
        # Not every response is application/json (the keys of /openid/v1/jwks are not); the API server responds 406 if
        # only
        # that is accepted.
        headers = {
            "Accept": "application/json, */*",
            "Content-Type": content_type or JSON,
            "User-Agent": "kindler-client",
        }
        try:
            token = await self._configuration.get_api_key_with_prefix("BearerToken")
        except (kube_config.ConfigException, OSError) as error:
            raise Unavailable(0, "Token", f"the ServiceAccount token cannot be read: {error}") from error
        return headers | ({"Authorization": token} if token else {})


def _encode(body: Object) -> bytes:
    """JSON exactly as the API server itself writes it.

    The API server stores the `data` of a ControllerRevision as the received bytes, and compares them with its own
    encoding in a later patch. With another encoding, the same data is "immutable" for any change of the object (tried
    on 1.37). For the same reason `data` should contain no floats (1.0 becomes 1).
    """
    text = json.dumps(body, separators=(",", ":"), sort_keys=True, ensure_ascii=False)
    return text.translate(_ESCAPES).encode()


_ESCAPES = {ord(c): f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"}  # they occur in strings only


async def _lines(stream: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """Whole lines of any length (aiohttp's own reader has a fixed limit).

    A rest without newline was cut off: Unavailable.
    """
    parts: list[bytes] = []
    async for chunk in stream.iter_any():
        first, *others = chunk.split(b"\n")
        parts.append(first)
        for part in others:
            line = b"".join(parts)
            parts = [part]
            if line:
                yield line
    if any(parts):
        raise Unavailable(0, "Truncated", "the stream ended inside an object")


def _parse(data: bytes) -> Object:
    value = _parse_any(data)
    if not isinstance(value, dict):
        raise Unavailable(0, "BadResponse", f"not a JSON object: {data[:80]!r}")
    return value


def _parse_any(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        return None
