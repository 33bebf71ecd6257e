"""Pipelined requests: the wire keeps them up to a limit and drops them when their client disconnects."""

from __future__ import annotations

import asyncio
import socket

import pytest

from kindler.activator.wire.client import PIPELINE_LIMIT, ClientConnection
from tests.wiring.wire.rig import HOST, Rig, post, rig, until

UNROUTABLE = b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n"


class NonReadingCaller:
    """A client that sends and never reads. Its connection closes at the end of a `with` block."""

    def __init__(self, wire: Rig) -> None:
        self.wire = wire
        self.sock = socket.socket()
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.sock.connect((HOST, wire.listener.port))
        self.sock.setblocking(False)

    def __enter__(self) -> NonReadingCaller:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    async def client(self) -> ClientConnection:
        """The wire's connection to this client. A small kernel buffer makes unread bytes stay in the transport."""
        await until(lambda: self.wire.listener.connections)
        (client,) = self.wire.listener._context.clients
        client.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        return client

    async def send(self, data: bytes) -> None:
        """Sends `data` and waits until the wire has read it."""
        expected = self.wire.listener.bytes_received + len(data)
        await asyncio.get_running_loop().sock_sendall(self.sock, data)
        await until(lambda: self.wire.listener.bytes_received >= expected)

    async def send_unroutable(self, client: ClientConnection) -> None:
        """Sends 50 requests that get 404, until all have a response or the wire waits for the client to read."""
        await self.send(UNROUTABLE * 50)
        await until(lambda: client.write_paused or not client._pipelined)


async def test_beyond_the_pipelining_limit_nothing_is_read_in_the_middle_of_a_body() -> None:
    """If the wire drops the first half of a body, the second half may look like a request.

    A proxy may share one connection between users. Then this request would count as one of another user.
    """
    hidden = post(b"", fields=b"X-Smuggled: yes\r\n")
    body = b"A" * (PIPELINE_LIMIT + 5_000) + hidden
    async with rig() as wire:
        model = await wire.model()
        with NonReadingCaller(wire) as caller:
            client = await caller.client()
            while not (client.write_paused and client._pipelined):
                await caller.send_unroutable(client)
            await caller.send(post(body)[: -len(hidden)])
            await caller.send(hidden)
            assert (client._stream, client._pipelined) == (None, b"")
            caller.sock.setblocking(True)
            caller.sock.settimeout(10)
            while await asyncio.to_thread(caller.sock.recv, 65536):
                pass
        assert model.requests.empty()


@pytest.mark.parametrize("whole", [True, False])
async def test_pipelined_requests_get_responses_after_a_half_close(whole: bool) -> None:
    async with rig() as wire:
        caller = await wire.caller(UNROUTABLE * 30 + (b"" if whole else UNROUTABLE[:20]))
        caller.writer.write_eof()
        assert (await caller.closed()).count(b"HTTP/1.1 404") == 30


async def test_a_pipelined_request_whose_client_left_never_reaches_a_model() -> None:
    """The client's FIN is detected although it has not read all earlier responses."""
    async with rig() as wire:
        with NonReadingCaller(wire) as caller:
            client = await caller.client()
            while client.transport.get_write_buffer_size() < 32 * 1024:
                await caller.send_unroutable(client)
            await caller.send(post())
            request = await wire.throttler.held.get()
            caller.sock.shutdown(socket.SHUT_WR)
            assert await wire.throttler.withdrawn.get() is request
