"""Requests sent ahead of answers: kept up to a bound, never read on in the middle of one, dropped when their client leaves."""

from __future__ import annotations

import asyncio
import socket

import pytest

from kindler.activator.wire.client import PIPELINE_LIMIT, ClientConnection
from tests.wiring.wire.rig import HOST, Rig, post, rig, until

MISSED = b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n"


class DeafCaller:
    """A client that sends and never reads. Closed by `with`."""

    def __init__(self, wire: Rig) -> None:
        self.wire = wire
        self.sock = socket.socket()
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.sock.connect((HOST, wire.listener.port))
        self.sock.setblocking(False)

    def __enter__(self) -> DeafCaller:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    async def client(self) -> ClientConnection:
        """The wire's side; its kernel takes little too, so that what is not read stays in the transport."""
        await until(lambda: self.wire.listener.connections)
        (client,) = self.wire.listener._context.clients
        client.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        return client

    async def send(self, data: bytes) -> None:
        """Sends, and waits until the wire has read it."""
        want = self.wire.listener.bytes_received + len(data)
        await asyncio.get_running_loop().sock_sendall(self.sock, data)
        await until(lambda: self.wire.listener.bytes_received >= want)

    async def ask(self, client: ClientConnection) -> None:
        """Asks 50 times for what there is not, until all are answered or the wire waits for some answers to be read."""
        await self.send(MISSED * 50)
        await until(lambda: client.write_paused or not client._pipelined)


async def test_beyond_the_bound_without_an_exchange_nothing_is_read_on_in_the_middle_of_a_body() -> None:
    """A body that was dropped half may end in what looks like a request: behind a proxy that lets users share a connection, another user's."""
    hidden = post(b"", fields=b"X-Smuggled: yes\r\n")
    body = b"A" * (PIPELINE_LIMIT + 5_000) + hidden
    async with rig() as wire:
        model = await wire.model()
        with DeafCaller(wire) as caller:
            client = await caller.client()
            while not (client.write_paused and client._pipelined):
                await caller.ask(client)
            await caller.send(post(body)[: -len(hidden)])
            await caller.send(hidden)
            assert (client._stream, client._pipelined) == (None, b"")
            caller.sock.setblocking(True)
            caller.sock.settimeout(10)
            while await asyncio.to_thread(caller.sock.recv, 65536):
                pass
        assert model.requests.empty()


@pytest.mark.parametrize("whole", [True, False])
async def test_requests_sent_ahead_are_answered_after_a_half_close(whole: bool) -> None:
    async with rig() as wire:
        caller = await wire.request(MISSED * 30 + (b"" if whole else MISSED[:20]))
        caller.writer.write_eof()
        assert (await caller.closed()).count(b"HTTP/1.1 404") == 30


async def test_a_request_sent_ahead_whose_client_left_never_reaches_a_model() -> None:
    """The end of what the client sends is noticed although it has not yet read all earlier answers."""
    async with rig() as wire:
        with DeafCaller(wire) as caller:
            client = await caller.client()
            while client.transport.get_write_buffer_size() < 32 * 1024:
                await caller.ask(client)
            await caller.send(post())
            request = await wire.throttler.held.get()
            caller.sock.shutdown(socket.SHUT_WR)
            assert await wire.throttler.left.get() is request
