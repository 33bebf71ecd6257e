"""Models that fail, clients that fail, and what neither may be told: a truncated answer never looks whole, and nothing is sent twice."""

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
from tests.wiring.wire.rig import SAGEMAKER, TestDesk, post, rig, until

CUT = (h11.RemoteProtocolError, ConnectionResetError, asyncio.IncompleteReadError)


@pytest.mark.parametrize(
    "begun",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nonly \r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nonly \r\n0\r\n",
    ],
)
async def test_a_truncated_answer_never_looks_whole(begun: bytes) -> None:
    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.send(begun)

    async with rig() as wire:
        await wire.model(script)
        caller = await wire.request(post())
        with pytest.raises(CUT):
            await caller.answer()
        assert (await wire.throttler.ends.get()).outcome is Outcome.BROKE_OFF


async def test_an_answer_that_ends_by_a_reset_never_looks_whole() -> None:
    """Of an answer that ends with its connection only the manner of the end tells whether it was whole."""
    read = asyncio.Event()

    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.send(b"HTTP/1.0 200 OK\r\n\r\nonly this")
        await read.wait()
        reset(connection.writer)

    async with rig() as wire:
        await wire.model(script)
        caller = await wire.request(post())
        await caller.reader.readuntil(b"only this")
        read.set()
        with pytest.raises(ConnectionResetError):
            await caller.closed()
        assert (await wire.throttler.ends.get()).outcome is Outcome.BROKE_OFF


@pytest.mark.parametrize("path", [b"/invocations", SAGEMAKER])
@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nBad Name: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: x\r\n folded\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"hello\r\n\r\n",
    ],
)
async def test_answers_that_are_not_passed_on(answer: bytes, path: bytes) -> None:
    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.send(answer)

    async with rig() as wire:
        model = await wire.model(script)
        caller = await wire.request(post(path=path))
        told = await caller.answer()
        if path == SAGEMAKER:
            body = json.loads(told.body)
            assert (told.status, body["OriginalStatusCode"]) == (424, 0)
            assert body["Message"].startswith("Received server error (0) from primary with message")
        else:
            assert told.status == 502
        assert (await wire.throttler.ends.get()).outcome is Outcome.BROKE_OFF
        assert model.requests.qsize() == 1


async def test_a_malformed_chunk_cuts_the_answer() -> None:
    begun = asyncio.Event()

    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        await begun.wait()
        await connection.send(b"zz\r\n")
        await connection.closed()

    async with rig() as wire:
        await wire.model(script)
        caller = await wire.request(post())
        await caller.reader.readuntil(b"hello\r\n")
        begun.set()
        with pytest.raises(ConnectionResetError):
            await caller.closed()


async def test_a_post_on_a_connection_that_the_model_closed_is_never_sent_twice() -> None:
    """The model says nothing of it, closes after one answer: either the close was seen in time, or the request fails. It arrives once at most."""

    async def script(connection: Connection) -> None:
        request = await connection.request()
        await connection.answer(request.body)

    async with rig() as wire:
        model = await wire.model(script)
        caller = await wire.request()
        for n in range(20):
            await caller.send(post(b"%d" % n))
            assert (await caller.answer()).status in (200, 502)
        seen = [model.requests.get_nowait().body for _ in range(model.requests.qsize())]
        assert len(seen) == len(set(seen))


async def test_no_retry_once_a_byte_was_written() -> None:
    async def script(connection: Connection) -> None:
        await connection.request()

    async with rig(TestDesk()) as wire:
        bad = await wire.model(script, "bad")
        good = await wire.model(pod="good")
        assert (await (await wire.request(post())).answer()).status == 502
        assert (bad.requests.qsize(), good.connections) == (1, 0)


async def test_bytes_on_an_idle_connection_end_it() -> None:
    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.answer(b"one")
        await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad")
        await connection.closed()

    async with rig() as wire:
        model = await wire.model(script)
        caller = await wire.request(post())
        assert (await caller.answer()).body == b"one"
        await until(lambda: not wire.throttler.backends[0].idle)
        await caller.send(post())
        assert (await caller.answer()).body == b"one"
        assert model.connections == 2


async def test_a_client_that_leaves_after_dispatch_frees_the_place_only_when_the_answer_was_read() -> None:
    answered = asyncio.Event()

    async def script(connection: Connection) -> None:
        await connection.request()
        await answered.wait()
        await connection.answer(b"x" * 300_000)
        await script(connection)

    async with rig() as wire:
        model = await wire.model(script)
        caller = await wire.request(post(b"first"))
        await model.requests.get()
        reset(caller.writer)
        second = await wire.request(post(b"second"))
        await wire.throttler.held.get()
        await until(lambda: wire.listener.connections == 1)
        assert (model.connections, model.requests.qsize(), wire.throttler.ends.qsize()) == (1, 0, 0)
        answered.set()
        end = await wire.throttler.ends.get()
        assert (end.outcome, end.status) == (Outcome.ANSWERED, 200)
        assert (await second.answer()).status == 200
        assert (wire.throttler.most, model.connections) == ({"pod-1": 1}, 1)


async def test_a_client_that_leaves_in_the_middle_of_its_body() -> None:
    """The model is told that no more will come; its place is free when it has closed."""
    begun, close = asyncio.Event(), asyncio.Event()

    async def script(connection: Connection) -> None:
        await connection.head()
        begun.set()
        assert await connection.closed() == b"12345"
        await close.wait()

    async with rig() as wire:
        await wire.model(script)
        caller = await wire.request(b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12345")
        await begun.wait()
        caller.close()
        await until(lambda: not wire.listener.connections)
        assert wire.throttler.ends.empty()
        close.set()
        assert (await wire.throttler.ends.get()).outcome is Outcome.ABANDONED


async def test_a_pod_that_is_going_keeps_no_connection() -> None:
    go_on = asyncio.Event()

    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.answer()
        await connection.request()
        await go_on.wait()
        await connection.answer()
        await connection.closed()

    async with rig() as wire:
        model = await wire.model(script)
        backend = wire.throttler.backends[0]
        caller = await wire.request(post())
        await caller.answer()
        assert len(backend.idle) == 1
        await caller.send(post())
        await until(lambda: model.requests.qsize() == 2)
        backend.closing = True
        go_on.set()
        await caller.answer()
        assert backend.idle == []


async def test_kept_connections_are_closed_when_their_pod_goes() -> None:
    async with rig() as wire:
        await wire.model()
        await (await wire.request(post())).answer()
        backend = wire.throttler.backends[0]
        assert len(backend.idle) == 1
        close_idle(backend)
        assert backend.idle == []
        await until(lambda: not wire.listener._context.backend_connections)


async def test_a_client_that_vanished_without_a_word_is_looked_for() -> None:
    """Its packets cannot be made to vanish here; that the kernel asks after it can be read off."""
    async with rig() as wire:
        await wire.request()
        await until(lambda: wire.listener.connections)
        (client,) = wire.listener._context.clients
        sock = client.transport.get_extra_info("socket")
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        if sys.platform == "linux":
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 15


async def test_a_flood_of_interim_heads() -> None:
    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.send(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 1000)

    async with rig() as wire:
        await wire.model(script)
        caller = await wire.request(post())
        while (answer := await caller.answer()).status == 103:
            pass
        assert answer.status == 502
