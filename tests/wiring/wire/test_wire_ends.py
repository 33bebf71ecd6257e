"""How connections of clients end.

A slow client gets its last response complete. A client that reads nothing is reset. A client that leaves is detected.
"""

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
LAST_RESPONSES = ["close", "1.0", "until-close", "draining", "half-close"]


async def slow_caller(wire: Rig) -> Caller:
    """A client with a receive buffer of a few KiB, so that a response waits in the wire's buffers."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.setblocking(False)
    await asyncio.get_running_loop().sock_connect(sock, (HOST, wire.listener.port))
    return Caller(*await asyncio.open_connection(sock=sock, limit=4096))


@asynccontextmanager
async def last_response(wire: Rig, how: str) -> AsyncIterator[Caller]:
    """A request whose response is the last of its connection.

    The client has read the head; most of the body waits in the wire's buffers.
    """

    async def script(connection: Connection) -> None:
        await connection.head()
        if how == "until-close":
            await connection.send(b"HTTP/1.0 200 OK\r\n\r\n" + b"x" * SIZE)
        else:
            await connection.respond(b"x" * SIZE)

    await wire.model(script)
    wire.router.is_draining = how == "draining"
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


@pytest.mark.parametrize("how", LAST_RESPONSES)
async def test_a_slow_client_gets_its_last_response_complete(how: str) -> None:
    async with rig() as wire, last_response(wire, how) as caller:
        got = 0
        while wire.listener.streams:
            got += len(await caller.reader.read(65536))
        begun = monotonic()
        for step in range(1, 20):  # the client reads a little between sweeps that are more than LINGER_SECONDS apart
            sweep(wire.listener._context, begun + step * 1.5 * client.LINGER_SECONDS)
            got += len(await caller.reader.readexactly(1000))
        assert got < SIZE
        assert got + len(await caller.closed()) == SIZE


@pytest.mark.parametrize("how", LAST_RESPONSES)
async def test_a_client_that_reads_nothing_of_its_last_response_is_reset(how: str) -> None:
    async with rig() as wire, last_response(wire, how) as caller:
        while wire.listener.streams:
            await caller.reader.read(65536)
        caller.writer.transport.pause_reading()
        context, begun = wire.listener._context, monotonic()
        while wire.listener.connections:  # bytes that the client's kernel still accepts count as progress
            begun += context.settings.client_write_seconds + 1
            sweep(context, begun)
            await asyncio.sleep(0.01)
        caller.writer.transport.resume_reading()
        with pytest.raises(ConnectionResetError):
            await caller.closed()


async def test_a_client_that_has_its_last_response_and_does_not_close_is_closed() -> None:
    async with rig() as wire:
        await wire.model()
        caller = await wire.caller(post(fields=b"Connection: close\r\n"))
        assert (await caller.response()).body == b"hello"
        assert caller.reader.at_eof() or await caller.closed() == b""
        context, now = wire.listener._context, monotonic()
        while wire.listener.connections:
            now += client.LINGER_SECONDS
            sweep(context, now)
            await asyncio.sleep(0.01)
