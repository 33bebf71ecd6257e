"""The statistics of the activators: each replica that may run has an entry, which is None if it does not respond."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from aiohttp import web

from kindler.api.stats import EndpointStats, Stats
from kindler.clients.activators import ActivatorStats
from kindler.clients.cluster import Cluster, Unavailable
from tests.apiserver import ApiServer

SELECTOR = "app.kubernetes.io/component=activator"
STATS = Stats("boot", {"n/e": EndpointStats("uid", True, "abc", 3, 1, 0, 2, {"old": 1})})


class World:
    """An API server, activators on 127.0.0.2, 127.0.0.3, … on one port, and the reader."""

    def __init__(self, server: ApiServer, stack: AsyncExitStack, folder: Path) -> None:
        self.server, self.stack = server, stack
        self.token = folder / "token"
        self.token.write_text("one\n")
        self.seen: list[str] = []
        self.queries: list[str] = []
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]

    def pod(self, name: str, ip: str = "", phase: str = "Running", component: str = "activator") -> None:
        kind = self.server.store.kind("pods")
        body = {
            "metadata": {"name": name, "labels": {"app.kubernetes.io/component": component}},
            "spec": {"containers": [{"name": "c", "image": "a"}]},
        }
        made = self.server.store.create(kind, "kindler-system", body)
        status = {"phase": phase} | ({"podIP": ip} if ip else {})
        self.server.store.update(kind, "kindler-system", name, made | {"status": status}, "status")

    async def activator(self, ip: str, answer: web.Response | None = None, delay: asyncio.Event | None = None) -> None:
        async def stats(request: web.Request) -> web.Response:
            self.seen.append(request.headers.get("Authorization", ""))
            self.queries.append(request.query_string)
            if delay is not None:
                await delay.wait()
            return answer or web.json_response(STATS.to_json())

        app = web.Application()
        app.router.add_get("/stats", stats)
        runner = web.AppRunner(app, shutdown_timeout=0, handler_cancellation=True)
        await runner.setup()
        self.stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, ip, self.port).start()


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with ApiServer() as server, AsyncExitStack() as stack:
        yield World(server, stack, tmp_path)


@pytest.fixture
async def reader(world: World, tmp_path: Path) -> AsyncIterator[ActivatorStats]:
    cluster = Cluster()
    await cluster.connect(world.server.kubeconfig(tmp_path))
    reader = ActivatorStats(cluster, "kindler-system", SELECTOR, world.port, str(world.token), timeout_seconds=0.5)
    yield reader
    await reader.close()
    await cluster.close()


async def test_every_replica_that_may_run_is_read(world: World, reader: ActivatorStats) -> None:
    world.pod("b", "127.0.0.3")
    world.pod("a", "127.0.0.2")
    world.pod("going", "127.0.0.4")
    world.server.store.merge_patch(
        world.server.store.kind("pods"), "kindler-system", "going", {"spec": {"nodeName": "n"}}
    )
    world.server.store.delete(world.server.store.kind("pods"), "kindler-system", "going")
    world.pod("no-ip-yet", phase="Pending")
    world.pod("ended", "127.0.0.2", phase="Failed")
    world.pod("controller", "127.0.0.2", component="controller")
    for ip in ("127.0.0.2", "127.0.0.3", "127.0.0.4"):
        await world.activator(ip)
    assert await reader.read() == (("a", STATS), ("b", STATS), ("going", STATS))
    world.token.write_text("two\n")
    await reader.read()
    assert world.seen == ["Bearer one"] * 3 + ["Bearer two"] * 3


async def test_a_replica_that_does_not_respond_is_none_and_delays_no_other(
    world: World, reader: ActivatorStats
) -> None:
    never = asyncio.Event()
    answers = {
        "127.0.0.2": None,
        "127.0.0.3": web.Response(status=401),
        "127.0.0.4": web.Response(text="<html>"),
        "127.0.0.5": web.json_response({"boot": "b", "endpoints": {"n/e": {}}}),
        "127.0.0.6": web.json_response([1]),
        "127.0.0.7": web.Response(status=302, headers={"Location": f"http://127.0.0.2:{world.port}/stats"}),
    }
    for ip, answer in answers.items():
        world.pod(f"at-{ip[-1]}", ip)
        await world.activator(ip, answer)
    world.pod("at-8-silent", "127.0.0.8")
    await world.activator("127.0.0.8", delay=never)
    world.pod("at-9-refuses", "127.0.0.9")
    reported = dict(await reader.read())
    assert reported.pop("at-2") == STATS
    assert len(reported) == 7 and set(reported.values()) == {None}


async def test_without_a_token_it_reads_anyway(world: World, reader: ActivatorStats) -> None:
    world.pod("a", "127.0.0.2")
    await world.activator("127.0.0.2", web.Response(status=401))
    world.token.unlink()
    assert await reader.read() == (("a", None),) and world.seen == [""]


async def test_if_the_replicas_cannot_be_listed_the_read_fails(world: World, reader: ActivatorStats) -> None:
    assert await reader.read() == ()
    world.server.faults.fail(503)
    with pytest.raises(Unavailable):
        await reader.read()


async def test_a_failure_is_logged_once_and_again_after_it_was_over(
    world: World, reader: ActivatorStats, caplog: pytest.LogCaptureFixture
) -> None:
    world.pod("a", "127.0.0.2")
    for _ in range(3):
        await reader.read()
        await reader.read(provisioned=True)
    assert len(caplog.messages) == 1
    await world.activator("127.0.0.2")
    assert await reader.read(provisioned=True) == (("a", STATS),)
    await world.stack.aclose()
    await reader.read()
    assert len(caplog.messages) == 2


async def test_a_read_per_second_covers_only_warm_pools_and_lists_from_the_cache(
    world: World, reader: ActivatorStats
) -> None:
    world.pod("a", "127.0.0.2")
    await world.activator("127.0.0.2")
    await reader.read()
    await reader.read(provisioned=True)
    assert [request.query.get("resourceVersion") for request in world.server.log] == [None, "0"]
    assert world.queries == ["", "provisioned=true"]
