"""The whole activator with real sockets, and an API server and a kubelet in memory.

Each pod has an address on the loopback interface, at which a small model server listens.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import aiohttp

from kindler.activator.process import LIST_PAGE, Activator
from kindler.api import names
from kindler.api.route import Route
from kindler.api.settings import ActivatorSettings, activator_settings
from kindler.clients.cluster import Cluster
from tests.apiserver import ApiServer, Object
from tests.apiserver.kubelet import Behaviour, Kubelet

NAMESPACE = "default"


@dataclass(eq=False)
class Model:
    """The server of one pod. `now`: requests that run in it. `most`: the highest number of `now` so far."""

    pod: str
    host: str
    rig: Rig
    healthy: bool = True
    now: int = 0
    most: int = 0
    served: list[str] = field(default_factory=list)  # bodies, in the order of arrival
    connections: set[asyncio.StreamWriter] = field(default_factory=set)
    server: asyncio.Server | None = None

    async def start(self, port: int) -> None:
        self.server = await asyncio.start_server(self._serve, self.host, port)

    async def stop(self) -> None:
        if self.server is not None:
            self.server.close()
        for writer in list(self.connections):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections.add(writer)
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                await self._respond(head, reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.connections.discard(writer)
            writer.close()

    async def _respond(self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if head.startswith(b"GET /ping"):
            status, body = (200 if self.healthy else 500), b""
        else:
            length = next(
                (int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0
            )
            self.served.append((await reader.readexactly(length)).decode())
            self.now += 1
            self.most = max(self.most, self.now)
            self.rig.most = max(self.rig.most, sum(model.now for model in self.rig.models.values()))
            await self.rig.gate.wait()
            self.now -= 1
            status, body = 200, json.dumps({"pod": self.pod, "body": self.served[-1]}).encode()
        writer.write(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body))
        await writer.drain()


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: str

    @property
    def pod(self) -> str:
        return str(json.loads(self.body)["pod"])


class Rig:
    """The activator, its cluster and the models. `models`: by pod name, also those of deleted pods.

    `gate`: while it is closed (`clear`), models do not respond to invocations.

    `most`: the most requests that ran in all models at the same time.
    """

    def __init__(
        self, server: ApiServer, kubelet: Kubelet, activator: Activator, session: aiohttp.ClientSession
    ) -> None:
        self.server, self.kubelet, self.activator, self.session = server, kubelet, activator, session
        self.models: dict[str, Model] = {}
        self.gate = asyncio.Event()
        self.gate.set()
        self.most = 0
        self.port = free_port()
        self._tasks: set[asyncio.Task[Any]] = set()
        kubelet.address = self._address
        kubelet.lingers = lambda pod: (
            (model := self.models.get(pod["metadata"]["name"])) is not None and bool(model.connections)
        )

    def _address(self, pod: Object) -> str:
        number = len(self.models) + 1
        model = Model(pod["metadata"]["name"], f"127.0.{1 + number // 250}.{1 + number % 250}", self)
        self.models[model.pod] = model
        if self.kubelet.behave(pod) in (Behaviour.READY, Behaviour.NEVER_PINGS):
            self.spawn(model.start(self.port))
        return model.host

    def heal(self) -> None:
        """Lets all pods start, also those whose start failed before."""
        self.kubelet.behave = lambda _: Behaviour.READY
        for model in self.models.values():
            if model.server is None:
                self.spawn(model.start(self.port))
        self.kubelet.poke()

    def spawn(self, work: Any) -> asyncio.Task[Any]:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    # Writes that the controller makes in a real cluster

    def endpoint(self, name: str = "iris", sagemaker: str | None = None) -> Object:
        spec = {"endpointConfigName": "c"} | ({"endpointName": sagemaker} if sagemaker else {})
        body = {
            "apiVersion": names.API_VERSION,
            "kind": "Endpoint",
            "metadata": {"name": name, "namespace": NAMESPACE},
            "spec": spec,
        }
        return self.server.store.create(self._kind("endpoints", names.GROUP), NAMESPACE, body)

    def pools(self, endpoint: Object, revision: str = "abc", demand: int = 0, warm: int = 0) -> None:
        """The ReplicaSets of a revision, as the controller creates them."""
        meta = endpoint["metadata"]
        owner = {
            "apiVersion": names.API_VERSION,
            "kind": "Endpoint",
            "name": meta["name"],
            "uid": meta["uid"],
            "controller": True,
        }
        for pool, replicas in ((names.DEMAND, demand), (names.WARM, warm)):
            if pool == names.WARM and not warm:
                continue
            labels = {names.LABEL_ENDPOINT: meta["name"], names.LABEL_REVISION: revision, names.LABEL_POOL: pool}
            spec = {"replicas": replicas, "selector": {"matchLabels": labels}}
            spec["template"] = {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": names.CONTAINER, "image": "iris:1"}]},
            }
            body = {
                "metadata": {
                    "name": names.pool_name(meta["name"], revision, pool),
                    "labels": labels,
                    "ownerReferences": [owner],
                },
                "spec": spec,
            }
            self.server.store.create(self._kind("replicasets", "apps"), NAMESPACE, body)

    def route(
        self,
        name: str = "iris",
        revision: str = "abc",
        limit: int = 5,
        idle: int = 60,
        startup: int = 60,
        warm: int = 0,
        per_pod: int = 1,
    ) -> Route:
        """Sets status.route."""
        route = Route(
            "AllTraffic", revision, names.pool_name(name, revision, names.DEMAND),
            names.pool_name(name, revision, names.WARM) if warm else None,
            limit, per_pod, warm, 2048, idle, 60, startup, self.port, "/ping", "/invocations",
        )  # fmt: skip
        kind = self._kind("endpoints", names.GROUP)
        self.server.store.merge_patch(
            kind, NAMESPACE, name, {"status": {"observedGeneration": 1, "route": route.to_json()}}, "status"
        )
        return route

    def serving(
        self, name: str = "iris", sagemaker: str | None = None, demand: int = 0, warm: int = 0, **route: Any
    ) -> Object:
        endpoint = self.endpoint(name, sagemaker)
        self.pools(endpoint, demand=demand, warm=warm)
        self.route(name, warm=warm, **route)
        return endpoint

    def delete(self, plural: str, name: str, group: str = "") -> None:
        self.server.store.delete(self._kind(plural, group), NAMESPACE, name)

    async def mute(self, resource: str) -> None:
        """Makes the API server send no more events on the watch of this kind. The watch stays open."""
        await self.until(lambda: self.server.watches.of(resource))
        self.server.watches.hush(resource)

    # State

    def _kind(self, plural: str, group: str = "") -> Any:
        return self.server.store.kind(plural, group or None)

    def replicas(self, pool: str = "iris-abc-demand") -> int:
        return int(self.server.store.get(self._kind("replicasets", "apps"), NAMESPACE, pool)["spec"]["replicas"])

    def pods(self) -> list[Object]:
        return self.server.store.all(self._kind("pods"), NAMESPACE)

    def scales(self) -> list[int]:
        """The sizes that the activator wrote to demand pools, in the order of the writes."""
        writes = (r for r in self.server.log if r.subresource == "scale" and r.write)
        return [int(r.body["spec"]["replicas"]) for r in writes if r.body]

    async def until(self, condition: Callable[[], Any]) -> Any:
        """Waits for a state inside the activator. No event of the API server shows such a state."""
        while not (result := condition()):  # noqa: ASYNC110 - the activator has no event for this
            await asyncio.sleep(0.005)
        return result

    def throttler(self, name: str = "iris") -> Any:
        return self.activator.directory.by_object_name(NAMESPACE, name)

    # Requests

    async def request(self, method: str, path: str, body: str = "", headers: dict[str, str] | None = None) -> Answer:
        return await self._send(method, self.activator.ports.public, path, body, headers)

    async def _send(
        self, method: str, port: int, path: str, body: str = "", headers: dict[str, str] | None = None
    ) -> Answer:
        data = body.encode() if method == "POST" else None
        async with self.session.request(
            method, f"http://127.0.0.1:{port}{path}", data=data, headers=headers
        ) as response:
            return Answer(response.status, {k.lower(): v for k, v in response.headers.items()}, await response.text())

    async def invoke(self, name: str = "iris", body: str = "x") -> Answer:
        return await self.request("POST", f"/namespaces/{NAMESPACE}/endpoints/{name}/invocations", body)

    async def admin(self, path: str) -> Answer:
        return await self._send("GET", self.activator.ports.admin, path)

    async def peer(self, path: str, headers: dict[str, str] | None = None) -> Answer:
        return await self._send("GET", self.activator.ports.peer, path, headers=headers)

    def begin(self, name: str = "iris", body: str = "x") -> asyncio.Task[Answer]:
        """Starts an invocation in the background."""
        return self.spawn(self.invoke(name, body))

    async def stop(self) -> None:
        self.gate.set()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for model in self.models.values():
            await model.stop()


def free_port() -> int:
    """A port of the loopback interface that no process uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def settings(**changes: Any) -> ActivatorSettings:
    values: dict[str, Any] = {
        "public_port": free_port(),
        "peer_port": free_port(),
        "admin_port": free_port(),
        "shutdown_grace_seconds": 0.2,
    }
    return replace(activator_settings({}), **(values | changes))


@asynccontextmanager
async def rig(
    folder: Path, monkeypatch: Any, before: Callable[[ApiServer], Any] | None = None, **changes: Any
) -> AsyncIterator[Rig]:
    """An activator on an empty cluster that has listed all objects.

    `before` may prepare faults in the API server. With it, the activator may not have listed any object yet.
    """
    async with ApiServer() as server:
        if before is not None:
            before(server)
        monkeypatch.setenv("KUBECONFIG", server.kubeconfig(folder))
        cluster, stop = Cluster(page_size=LIST_PAGE), asyncio.Event()
        await cluster.connect()
        activator = Activator(settings(**changes), cluster)
        running = asyncio.ensure_future(activator.run(stop))
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
            new_rig = Rig(server, Kubelet(server), activator, session)
            await activator.listening.wait()
            for informer in activator.informers if before is None else ():
                await informer.synced.wait()
            try:
                yield new_rig
            finally:
                await new_rig.stop()
        stop.set()
        assert await running == 0
        await cluster.close()
