"""The HTTP part: maps paths to objects and errors to Status responses, and injects faults."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from aiohttp import web

from tests.apiserver import discovery
from tests.apiserver.collector import Collector
from tests.apiserver.faults import Fault, Faults, Request
from tests.apiserver.kinds import Kind, builtin, custom, defined
from tests.apiserver.objects import Object, merged, scale_of
from tests.apiserver.refusal import Refused, bad_request, expired
from tests.apiserver.selectors import matcher
from tests.apiserver.store import Store
from tests.apiserver.watches import Watch, Watches

MERGE, APPLY = "application/merge-patch+json", "application/apply-patch+yaml"


class ApiServer:
    """A strict API server in this process, on the loopback interface. Plain HTTP, or HTTPS with `tls`.

    It has the kinds of the repository's own CRD files and those of `crds`.

    async with ApiServer() as server:
        server.store               objects, to read and to change without a request; functions in its `admission` can
                                   reject writes, for example autoscalers.refuse_zero
        server.faults              faults for the next requests
        server.watches             faults for open watches
        server.log                 every request so far
        await server.until(...)    waits until a change or a request makes a condition true
        server.kubeconfig(folder)  writes a file for $KUBECONFIG
    """

    def __init__(
        self,
        namespaces: tuple[str, ...] = (),
        bookmark_seconds: float = 60,
        history: int = 5000,
        tls: ssl.SSLContext | None = None,
        crds: tuple[Object, ...] = (),
    ) -> None:
        self.store = Store(builtin() + custom() + [kind for crd in crds for kind in defined(crd)], history)
        self.faults = Faults()
        self.watches = Watches(self.store, bookmark_seconds)
        self.collector = Collector(self.store)
        self.log: list[Request] = []
        self.raw: dict[str, bytes] = {
            "/healthz": b"ok",
            "/readyz": b"ok",
            "/livez": b"ok",
            "/openid/v1/jwks": b'{"keys":[]}',
        }
        self.port = 0
        self._tls = tls
        self._runner: web.AppRunner | None = None
        self._waiting: set[asyncio.Event] = set()
        self._pages: dict[str, tuple[list[Object], int]] = {}
        for name in dict.fromkeys(("default", "kube-system", "kindler-system", *namespaces)):
            self.namespace(name)
        self.store.listeners.append(lambda _: self._wake_waiters())

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    def kubeconfig(self, folder: Path) -> str:
        """Writes a kubeconfig and returns its path."""
        file = folder / "kubeconfig"
        cluster = {"name": "memory", "cluster": {"server": self.url}}
        context = {"name": "memory", "context": {"cluster": "memory", "user": "test", "namespace": "default"}}
        user = {"name": "test", "user": {"token": "test"}}
        body = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "memory",
            "clusters": [cluster],
            "contexts": [context],
            "users": [user],
        }
        file.write_text(json.dumps(body))
        return str(file)

    def namespace(self, name: str) -> None:
        self.store.create(self.store.kind("namespaces"), "", {"metadata": {"name": name}})

    async def until(self, condition: Callable[[], Any]) -> Any:
        """Waits until `condition` is true, checking after each change and each request. Returns its result."""
        while not (result := condition()):
            event = asyncio.Event()
            self._waiting.add(event)
            try:
                await event.wait()
            finally:
                self._waiting.discard(event)
        return result

    def compact(self) -> None:
        """Drops the history: watches from earlier versions and later pages of open lists get a 410."""
        self.store.compact()
        self._pages.clear()

    async def up(self) -> None:
        """Starts listening. After `down`, the server listens on the same port and has the same objects."""
        app = web.Application(client_max_size=16 * 2**20)
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True, ssl_context=self._tls)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def down(self) -> None:
        """Stops listening and closes every connection."""
        self.watches.cut()
        self.faults.clear()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def __aenter__(self) -> ApiServer:
        await self.up()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.down()

    # One request

    async def _handle(self, http: web.Request) -> web.StreamResponse:
        request = await _read(http)
        kind = self._locate(request)
        self.log.append(request)
        self._wake_waiters()
        fault = self.faults.of(request)
        if fault is not None and fault.effect == "drop":
            return self._drop(http, request)
        try:
            if fault is not None and fault.refusal is not None:
                raise fault.refusal
            if fault is not None and fault.effect == "hold":
                await fault.released.wait()
            answer = await self._answer(http, request, kind, fault)
        except Refused as refusal:
            request.status = refusal.code
            headers = {} if refusal.retry_after is None else {"Retry-After": str(refusal.retry_after)}
            return web.json_response(refusal.status(), status=refusal.code, headers=headers)
        if fault is not None and fault.effect == "lose":
            return self._drop(http, request)
        request.status = answer.status
        return answer

    def _drop(self, http: web.Request, request: Request) -> web.StreamResponse:
        request.status = 0
        if http.transport is not None:
            http.transport.abort()
        return web.Response(status=500)

    async def _answer(
        self, http: web.Request, request: Request, kind: Kind | None, fault: Fault | None
    ) -> web.StreamResponse:
        if kind is None:
            if request.path in self.raw and request.method == "GET":
                return web.Response(body=self.raw[request.path])
            document = discovery.document(_parts(request), self.store.kinds)
            if document is None:
                raise Refused(404, "NotFound", "the server could not find the requested resource")
            return web.json_response(document)
        if request.verb == "watch":
            match = matcher(request.query.get("labelSelector", ""), request.query.get("fieldSelector", ""))
            watch = Watch(
                request,
                kind,
                request.namespace or None,
                match,
                truncate=fault is not None and fault.effect == "truncate",
            )
            return await self.watches.serve(http, watch)
        value, status = self._do(kind, request)
        body = json.dumps(value).encode()
        if fault is not None and fault.effect == "truncate":
            response = web.StreamResponse(
                headers={"Content-Type": "application/json", "Content-Length": str(len(body))}
            )
            await response.prepare(http)
            await response.write(body[: len(body) // 2])
            return self._drop(http, request)
        return web.Response(body=body, status=status, content_type="application/json")

    def _locate(self, request: Request) -> Kind | None:
        """The kind in the request's path, or None for another path. Sets the request's fields from the path."""
        parts = _parts(request)
        group, version, rest = (
            ("", parts[1:2], parts[2:]) if parts[0] == "api" else ("".join(parts[1:2]), parts[2:3], parts[3:])
        )
        namespace = ""
        if len(rest) > 2 and rest[0] == "namespaces" and rest[2] not in ("status", "finalize"):
            namespace, rest = rest[1], rest[2:]
        name, subresource = [*rest[1:], "", ""][:2]
        for kind in self.store.kinds:
            if parts[0] == ("apis" if kind.group else "api") and ([kind.group, kind.version], rest[:1]) == (
                [group, *version],
                [kind.plural],
            ):
                known = {"": True, "status": kind.status, "scale": kind.scale}
                if len(rest) <= 3 and known.get(subresource):
                    request.group, request.resource, request.namespace = group, kind.plural, namespace
                    request.name, request.subresource = name, subresource
                    return kind
        return None

    def _do(self, kind: Kind, request: Request) -> tuple[Object, int]:
        """Executes a request that is not a watch. Returns the body and the status of the response."""
        store, ns, name = self.store, request.namespace, request.name
        manager = request.query.get("fieldManager") or request.user_agent.partition("/")[0]
        match request.verb, request.subresource:
            case "list", _:
                return self._list(kind, request), 200
            case "get", "scale":
                return scale_of(store.get(kind, ns, name)), 200
            case "get", _:
                return store.get(kind, ns, name), 200
            case "create", "" if not name:
                return store.create(kind, ns, request.body, manager), 201
            case (("update" | "patch"), "scale"):
                scale = (
                    request.body
                    if request.verb == "update"
                    else merged(scale_of(store.get(kind, ns, name)), _merge_only(request))
                )
                return store.scale(kind, ns, name, scale, manager), 200
            case "update", _:
                return store.update(kind, ns, name, request.body, request.subresource, manager), 200
            case "patch", _ if request.content_type == APPLY:
                manager, force = request.query.get("fieldManager", ""), request.query.get("force") == "true"
                value, created = store.apply(kind, ns, name, request.body, manager, force, request.subresource)
                return value, 201 if created else 200
            case "patch", _:
                return store.merge_patch(kind, ns, name, _merge_only(request), request.subresource, manager), 200
            case "delete", "" if name:
                return store.delete(kind, ns, name, request.body), 200
        raise Refused(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")

    def _list(self, kind: Kind, request: Request) -> Object:
        match = matcher(request.query.get("labelSelector", ""), request.query.get("fieldSelector", ""))
        if token := request.query.get("continue"):
            if token not in self._pages:
                raise expired("the provided continue parameter is too old")
            items, version = self._pages.pop(token)
        else:
            items, version = (
                [obj for obj in self.store.all(kind, request.namespace or None) if match(obj)],
                self.store.version,
            )
        limit = int(request.query.get("limit") or 0) or len(items)
        metadata: dict[str, Any] = {"resourceVersion": str(version)}
        page, rest = items[:limit], items[limit:]
        if rest:
            last = page[-1]["metadata"]
            token = base64.urlsafe_b64encode(
                json.dumps([kind.plural, version, last.get("namespace", ""), last["name"]]).encode()
            ).decode()
            self._pages[token] = rest, version
            metadata |= {"continue": token, "remainingItemCount": len(rest)}
        if not kind.custom:  # items in lists of built-in kinds have no kind field
            page = [{k: v for k, v in obj.items() if k not in ("apiVersion", "kind")} for obj in page]
        return {"kind": f"{kind.kind}List", "apiVersion": kind.api_version, "metadata": metadata, "items": page}

    def _wake_waiters(self) -> None:
        for event in self._waiting:
            event.set()


def _parts(request: Request) -> list[str]:
    return [unquote(part) for part in request.path.strip("/").split("/")]


async def _read(http: web.Request) -> Request:
    raw = await http.read()
    try:
        body = json.loads(raw) if raw else None
    except ValueError:
        body = raw
    return Request(
        http.method,
        http.rel_url.raw_path,
        dict(http.query),
        http.content_type,
        http.headers.get("User-Agent", ""),
        http.headers.get("Authorization", ""),
        body=body,
    )


def _merge_only(request: Request) -> Object:
    if request.content_type != MERGE:
        raise Refused(
            415,
            "UnsupportedMediaType",
            f"the body of the request was in an unknown format - accepted media types include: {MERGE}, {APPLY}",
        )
    if not isinstance(request.body, dict):
        raise bad_request("a merge patch of an object must be an object")
    return request.body
