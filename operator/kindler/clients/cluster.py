"""Requests to the API server with plain JSON: one method for each kind of request that Kindler makes.

The model classes of kubernetes.aio are not used: an object is the dict that was received. No method retries, because
only the caller knows whether to wait, to read again, or to give up.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator

import aiohttp

from kindler.clients.connection import CONNECT_SECONDS, Connection, Object, lines, parse
from kindler.clients.errors import (
    ApiError,
    Conflict,
    Forbidden,
    Gone,
    Invalid,
    NotFound,
    Unavailable,
    from_status,
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

Objects = list[Object]  # inside Cluster, `list` is a method

MERGE = "application/merge-patch+json"
APPLY = "application/apply-patch+yaml"  # the body is JSON, which is also valid YAML

# Objects per page of a list. Parsing a page takes milliseconds, so a list of thousands never blocks the event loop.
PAGE = 500
SILENCE_SECONDS = 70.0  # a watch without data for longer is broken, because a bookmark comes every 60 s


class Cluster(Connection):
    """The requests to one API server. Every method raises ApiError (see errors.py) if the request fails.

    Requests share at most `max_connections` connections; watches have connections of their own (see Connection).
    """

    def __init__(self, max_connections: int = 32, page_size: int = PAGE) -> None:
        super().__init__(max_connections)
        self._page_size = page_size

    # Methods that read

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
        """All objects of one namespace (None: of all), and the resourceVersion to watch from. See `pages`."""
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
        """Like `list`, but in pages: (objects, resourceVersion of the whole list). All pages show the same state.

        `resource_version`: "" reads the newest state, "0" reads the API server's cache. Raises Gone if the API server
        dropped this state between two pages.
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

        The API server ends the stream after `timeout_seconds`. Raises Gone if the API server does not keep that
        resourceVersion any more. Raises Unavailable if the stream breaks, ends inside an object, or has no data for
        `silence_seconds`. A caller that stops early must close the iterator (`contextlib.aclosing`).
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
            async for line in lines(response.content):
                event = parse(line)
                kind, value = str(event.get("type", "")), event.get("object") or {}
                if kind == "ERROR":
                    raise from_status(int(value.get("code") or 500), value)
                yield kind, value

    async def raw_get(self, path: str) -> bytes:
        """The body of a GET of any path of the API server, for example `/openid/v1/jwks`."""
        return await self._bytes("GET", path)

    # Methods that write

    async def create(self, resource: Resource, namespace: str | None, body: Object, field_manager: str = "") -> Object:
        """Creates the object (POST). Raises Conflict (`already_exists`) if the name is in use."""
        return await self._json("POST", resource.path(namespace), {"fieldManager": field_manager}, body)

    async def apply(
        self, resource: Resource, namespace: str | None, name: str, body: Object, field_manager: str, force: bool = True
    ) -> Object:
        """Server-side apply: creates the object, or sets the fields in `body`.

        It removes fields that this manager applied before and that are not in `body`.
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
        """Replaces the whole object (PUT).

        If `body` has a `metadata.resourceVersion`, raises Conflict unless the object still has that version.
        """
        return await self._json("PUT", resource.path(namespace, name), {"fieldManager": field_manager}, body)

    async def update_status(
        self, resource: Resource, namespace: str | None, name: str, body: Object, field_manager: str = ""
    ) -> Object:
        """Replaces the status of the object (PUT).

        Raises ValueError if `body` has no `metadata.resourceVersion`: then the write could overwrite a newer state.
        """
        if not body.get("metadata", {}).get("resourceVersion"):
            raise ValueError("a status is written only with metadata.resourceVersion")
        return await self._json("PUT", resource.path(namespace, name, "status"), {"fieldManager": field_manager}, body)

    async def scale(
        self, resource: Resource, namespace: str, name: str, replicas: int, field_manager: str = ""
    ) -> Object:
        """Sets `spec.replicas` through the scale subresource. Returns the Scale object."""
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
        """Deletes the object, or begins its deletion. Returns False if the object did not exist.

        Raises Conflict if the object now has another `uid` or `resource_version`.
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
