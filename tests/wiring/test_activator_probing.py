"""Pings of pods that start: their times, the connections that they leave in TIME_WAIT, and pings after an error."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from kindler.activator.cluster import prober as prober_module
from kindler.activator.cluster.prober import Prober
from kindler.activator.endpoint.actuator import Probe
from kindler.activator.endpoint.pod import Pod
from kindler.core.common import pods
from tests.unit import builders

HOST = "127.0.0.77"


class Loading:
    """A model server that responds with 503 until it is `ready`. `pings`: the number of pings that it got."""

    def __init__(self) -> None:
        self.pings = 0
        self.ready = False
        self.enough = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        self.pings += 1
        if self.pings >= 20:
            self.enough.set()
        writer.write(b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % (200 if self.ready else 503))
        writer.close()


@pytest.fixture
async def loading() -> AsyncIterator[tuple[Loading, int]]:
    model = Loading()
    async with await asyncio.start_server(model.serve, HOST, 0) as server:
        yield model, server.sockets[0].getsockname()[1]


@pytest.fixture
async def prober() -> AsyncIterator[Prober]:
    one = Prober(interval=0.005, timeout=2)
    yield one
    await one.close()


def starting(waited: float = 0.0) -> Pod:
    """A pod that got its address `waited` seconds ago."""
    return Pod(replace(pods.read(builders.pod(), builders.NOW), ip=HOST), time.monotonic() - waited)


def in_time_wait(port: int) -> list[str]:
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return [row[1] for row in rows if row[3] == "06" and f":{port:04X}" in row[1] + row[2]]


async def test_pings_leave_no_entry_in_the_connection_table_of_the_node(
    loading: tuple[Loading, int], prober: Prober
) -> None:
    model, port = loading
    succeeded = asyncio.Event()
    prober.probe(starting(), Probe(port, "/ping", 0, False), lambda _: succeeded.set())
    await model.enough.wait()
    model.ready = True
    await succeeded.wait()

    assert in_time_wait(port) == []


async def test_a_pod_that_loads_for_long_is_pinged_less_often(loading: tuple[Loading, int], prober: Prober) -> None:
    model, port = loading
    other = Loading()
    async with await asyncio.start_server(other.serve, HOST, 0) as server:
        prober.probe(starting(), Probe(port, "/ping", 0, False), lambda _: None)
        slow = starting(waited=60)
        slow.facts = replace(slow.facts, uid="slow")
        prober.probe(slow, Probe(server.sockets[0].getsockname()[1], "/ping", 0, False), lambda _: None)
        await model.enough.wait()

    assert other.pings * 2 < model.pings


async def test_a_probe_that_failed_with_an_error_can_be_started_again(
    prober: Prober, monkeypatch: pytest.MonkeyPatch, loading: tuple[Loading, int]
) -> None:
    async def broken(*_: object) -> bool:
        raise RuntimeError("unexpected")

    pod = starting()
    pod.probing = True
    with monkeypatch.context() as patch:
        patch.setattr(prober_module, "ping", broken)
        prober.probe(pod, Probe(loading[1], "/ping", 0, False), lambda _: None)
        while pod.probing:  # noqa: ASYNC110 - there is no event for this
            await asyncio.sleep(0)
    loading[0].ready = True
    succeeded = asyncio.Event()
    prober.probe(pod, Probe(loading[1], "/ping", 0, False), lambda _: succeeded.set())
    await succeeded.wait()
