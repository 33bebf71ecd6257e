"""Failures of models and clients: a truncated response never looks complete, and no request is sent twice."""

from __future__ import annotations

import asyncio
import json
import socket
import sys

import h11
import pytest

from kindler.activator.endpoint.requests import Outcome
from kindler.activator.wire import close_idle
from tests.wiring.wire.models import Connection, reset
from tests.wiring.wire.rig import SAGEMAKER, TestThrottler, post, rig, until

RESET = (h11.RemoteProtocolError, ConnectionResetError, asyncio.IncompleteReadError)


@pytest.mark.parametrize(
    "begun",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nonly \r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nonly \r\n0\r\n",
    ],
)
async def test_a_truncated_response_never_looks_complete(begun: bytes) -> None:
    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.send(begun)

    async with rig() as wire:
        await wire.model(script)
        caller = await wire.caller(post())
        with pytest.raises(RESET):
            await caller.response()
        assert (await wire.throttler.ends.get()).outcome is Outcome.BROKE_OFF


async def test_a_response_that_ends_by_a_reset_never_looks_complete() -> None:
    """If a response ends with its connection, only FIN or RST shows whether it is complete."""
    read = asyncio.Event()

    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.send(b"HTTP/1.0 200 OK\r\n\r\nonly this")
        await read.wait()
        reset(connection.writer)

    async with rig() as wire:
        await wire.model(script)
        caller = await wire.caller(post())
        await caller.reader.readuntil(b"only this")
        read.set()
        with pytest.raises(ConnectionResetError):
            await caller.closed()
        assert (await wire.throttler.ends.get()).outcome is Outcome.BROKE_OFF


@pytest.mark.parametrize("path", [b"/invocations", SAGEMAKER])
@pytest.mark.parametrize(
    ("malformed", "reason"),
    [
        (b"", "closed the connection without an answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Le", "closed the connection before its answer was complete"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", "more than one length"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nhello", "more than one length"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "other than `chunked`"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\nhello", "a malformed Content-Length"),
        (b"HTTP/1.1 200 OK\r\nBad Name: x\r\n\r\n", "a malformed head"),
        (b"HTTP/1.1 200 OK\r\nA: x\r\n folded\r\n\r\n", "a malformed head"),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", "a protocol switch that was not requested"),
        (b"HTTP/2 200\r\n\r\n", "a malformed head"),
        (b"hello\r\n\r\n", "a malformed head"),
    ],
)
async def test_malformed_responses_are_not_forwarded(malformed: bytes, reason: str, path: bytes) -> None:
    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.send(malformed)

    async with rig() as wire:
        model = await wire.model(script)
        caller = await wire.caller(post(path=path))
        reply = await caller.response()
        body = json.loads(reply.body)
        if path == SAGEMAKER:
            assert (reply.status, body["OriginalStatusCode"]) == (424, 0)
            assert body["Message"].startswith("Received server error (0) from primary with message")
            assert reason in body["Message"]
        else:
            assert reply.status == 502
            assert reason in body["message"]
        assert (await wire.throttler.ends.get()).outcome is Outcome.BROKE_OFF
        assert model.requests.qsize() == 1


async def test_a_malformed_chunk_resets_the_clients_connection() -> None:
    begun = asyncio.Event()

    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        await begun.wait()
        await connection.send(b"zz\r\n")
        await connection.closed()

    async with rig() as wire:
        await wire.model(script)
        caller = await wire.caller(post())
        await caller.reader.readuntil(b"hello\r\n")
        begun.set()
        with pytest.raises(ConnectionResetError):
            await caller.closed()


async def test_a_post_on_a_connection_that_the_model_closed_is_never_sent_twice() -> None:
    """The model closes the connection after one response, but does not announce it with `Connection: close`.

    Either the wire sees the close before it sends the next request, or that request fails. The model gets the request
    at most once.
    """

    async def script(connection: Connection) -> None:
        request = await connection.request()
        await connection.respond(request.body)

    async with rig() as wire:
        model = await wire.model(script)
        caller = await wire.caller()
        for n in range(20):
            await caller.send(post(b"%d" % n))
            assert (await caller.response()).status in (200, 502)
        seen = [model.requests.get_nowait().body for _ in range(model.requests.qsize())]
        assert len(seen) == len(set(seen))


async def test_no_retry_once_a_byte_was_written() -> None:
    async def script(connection: Connection) -> None:
        await connection.request()

    async with rig(TestThrottler()) as wire:
        bad = await wire.model(script, "bad")
        good = await wire.model(pod="good")
        assert (await (await wire.caller(post())).response()).status == 502
        assert (bad.requests.qsize(), good.connections) == (1, 0)


async def test_bytes_on_an_idle_connection_end_it() -> None:
    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.respond(b"one")
        await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad")
        await connection.closed()

    async with rig() as wire:
        model = await wire.model(script)
        caller = await wire.caller(post())
        assert (await caller.response()).body == b"one"
        await until(lambda: not wire.throttler.backends[0].idle)
        await caller.send(post())
        assert (await caller.response()).body == b"one"
        assert model.connections == 2


async def test_the_slot_of_a_client_that_left_is_free_only_after_the_response_was_read() -> None:
    respond = asyncio.Event()

    async def script(connection: Connection) -> None:
        await connection.request()
        await respond.wait()
        await connection.respond(b"x" * 300_000)
        await script(connection)

    async with rig() as wire:
        model = await wire.model(script)
        caller = await wire.caller(post(b"first"))
        await model.requests.get()
        reset(caller.writer)
        second = await wire.caller(post(b"second"))
        await wire.throttler.held.get()
        await until(lambda: wire.listener.connections == 1)
        assert (model.connections, model.requests.qsize(), wire.throttler.ends.qsize()) == (1, 0, 0)
        respond.set()
        end = await wire.throttler.ends.get()
        assert (end.outcome, end.status) == (Outcome.ANSWERED, 200)
        assert (await second.response()).status == 200
        assert (wire.throttler.peak, model.connections) == ({"pod-1": 1}, 1)


async def test_a_client_that_leaves_in_the_middle_of_its_body_half_closes_the_models_connection() -> None:
    """The wire half-closes its connection to the model. The slot is free when the model closes the connection."""
    begun, close = asyncio.Event(), asyncio.Event()

    async def script(connection: Connection) -> None:
        await connection.head()
        begun.set()
        assert await connection.closed() == b"12345"
        await close.wait()

    async with rig() as wire:
        await wire.model(script)
        caller = await wire.caller(b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12345")
        await begun.wait()
        caller.close()
        await until(lambda: not wire.listener.connections)
        assert wire.throttler.ends.empty()
        close.set()
        assert (await wire.throttler.ends.get()).outcome is Outcome.ABANDONED


async def test_a_connection_to_a_pod_that_is_being_removed_is_not_reused() -> None:
    proceed = asyncio.Event()

    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.respond()
        await connection.request()
        await proceed.wait()
        await connection.respond()
        await connection.closed()

    async with rig() as wire:
        model = await wire.model(script)
        backend = wire.throttler.backends[0]
        caller = await wire.caller(post())
        await caller.response()
        assert len(backend.idle) == 1
        await caller.send(post())
        await until(lambda: model.requests.qsize() == 2)
        backend.closing = True
        proceed.set()
        await caller.response()
        assert backend.idle == []


async def test_close_idle_closes_the_idle_connections_to_a_pod() -> None:
    async with rig() as wire:
        await wire.model()
        await (await wire.caller(post())).response()
        backend = wire.throttler.backends[0]
        assert len(backend.idle) == 1
        close_idle(backend)
        assert backend.idle == []
        await until(lambda: not wire.listener._context.backend_connections)


async def test_tcp_keepalive_is_enabled_on_clients_connections() -> None:
    """The test cannot drop packets, so it reads the socket options."""
    async with rig() as wire:
        await wire.caller()
        await until(lambda: wire.listener.connections)
        (client,) = wire.listener._context.clients
        sock = client.transport.get_extra_info("socket")
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        if sys.platform == "linux":
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 15


async def test_too_many_interim_heads_are_a_failure_of_the_model() -> None:
    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.send(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 1000)

    async with rig() as wire:
        await wire.model(script)
        caller = await wire.caller(post())
        while (response := await caller.response()).status == 103:
            pass
        assert response.status == 502
