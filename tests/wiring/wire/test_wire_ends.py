"""How connections of clients end: an answer that was whole arrives whole, however slowly it is read; who takes nothing is cut; who leaves is noticed."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic

import pytest

from kindler.activator.wire import client
from kindler.activator.wire.sweep import sweep
from tests.wiring.wire.models import Connection
from tests.wiring.wire.rig import HOST, Caller, Rig, post, rig, until

SIZE = 3_000_000
LAST_ANSWERS = ["close", "1.0", "until-close", "draining", "half-close"]


async def slow_caller(wire: Rig) -> Caller:
    """A client whose kernel takes a few KiB only, so that an answer waits at ours."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.setblocking(False)
    await asyncio.get_running_loop().sock_connect(sock, (HOST, wire.listener.port))
    return Caller(*await asyncio.open_connection(sock=sock, limit=4096))


@asynccontextmanager
async def last_answer(wire: Rig, how: str) -> AsyncIterator[Caller]:
    """A request with whose answer its connection ends; read until the model's part is over and the rest lies here."""

    async def script(connection: Connection) -> None:
        await connection.head()
        if how == "until-close":
            await connection.send(b"HTTP/1.0 200 OK\r\n\r\n" + b"x" * SIZE)
        else:
            await connection.answer(b"x" * SIZE)

    await wire.model(script)
    wire.front.going = how == "draining"
    caller = await slow_caller(wire)
    data = post(b"", fields=b"Connection: close\r\n" if how == "close" else b"")
    await caller.send(data.replace(b"HTTP/1.1", b"HTTP/1.0") if how == "1.0" else data)
    if how == "half-close":
        await until(lambda: wire.throttler.running)
        caller.writer.write_eof()
    await caller.reader.readuntil(b"\r\n\r\n")
    try:
        yield caller
    finally:
        caller.close()


@pytest.mark.parametrize("how", LAST_ANSWERS)
async def test_a_whole_answer_arrives_whole_at_a_slow_reader(how: str) -> None:
    async with rig() as wire, last_answer(wire, how) as caller:
        got = 0
        while wire.listener.streams:
            got += len(await caller.reader.read(65536))
        begun = monotonic()
        for step in range(
            1, 20
        ):  # it goes on reading, a little between sweeps that are further apart than LINGER_SECONDS
            sweep(wire.listener._context, begun + step * 1.5 * client.LINGER_SECONDS)
            got += len(await caller.reader.readexactly(1000))
        assert got < SIZE
        assert got + len(await caller.closed()) == SIZE


@pytest.mark.parametrize("how", LAST_ANSWERS)
async def test_a_reader_that_takes_nothing_of_a_last_answer_is_cut(how: str) -> None:
    async with rig() as wire, last_answer(wire, how) as caller:
        while wire.listener.streams:
            await caller.reader.read(65536)
        caller.writer.transport.pause_reading()
        context, begun = wire.listener._context, monotonic()
        while wire.listener.connections:  # what its kernel still takes counts as progress
            begun += context.settings.client_write_seconds + 1
            sweep(context, begun)
            await asyncio.sleep(0.01)
        caller.writer.transport.resume_reading()
        with pytest.raises(ConnectionResetError):
            await caller.closed()


async def test_a_client_that_took_its_last_answer_and_does_not_close_is_closed() -> None:
    async with rig() as wire:
        await wire.model()
        caller = await wire.request(post(fields=b"Connection: close\r\n"))
        assert (await caller.answer()).body == b"hello"
        assert caller.reader.at_eof() or await caller.closed() == b""
        context, now = wire.listener._context, monotonic()
        while wire.listener.connections:
            now += client.LINGER_SECONDS
            sweep(context, now)
            await asyncio.sleep(0.01)
