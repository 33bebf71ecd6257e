"""Whoever is too slow, and what slowness may cost: every wait has its end, and memory its bound."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from time import monotonic

import h11
import pytest

from kindler.activator.endpoint.requests import Cause, Outcome, PendingRequest, Rejection
from kindler.activator.wire.client import BODY_PROGRESS_BYTES, LOOKUP_SECONDS
from kindler.activator.wire.sweep import sweep
from tests.wiring.wire.models import Connection, reluctant
from tests.wiring.wire.rig import SAGEMAKER, TERMS, TestDesk, TestLookup, post, rig, until

HALF = b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12345"

CUT = (h11.RemoteProtocolError, ConnectionResetError, asyncio.IncompleteReadError)


@pytest.mark.parametrize("path", [b"/invocations", SAGEMAKER])
async def test_the_models_time(path: bytes) -> None:
    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.closed()

    throttler = TestDesk()
    throttler.forwarding = replace(TERMS, invocation_timeout=0.05)
    async with rig(throttler) as wire:
        await wire.model(script)
        answer = await (await wire.request(post(path=path))).answer()
        if path == SAGEMAKER:
            assert answer.status == 424
            assert (
                "Your invocation timed out while waiting for a response from container primary."
                in json.loads(answer.body)["Message"]
            )
        else:
            assert answer.status == 504
        end = await throttler.ends.get()
        assert (end.outcome, end.status) == (Outcome.TIMED_OUT, answer.status)


async def test_the_models_time_is_over_in_the_middle_of_its_answer() -> None:
    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        await connection.closed()

    throttler = TestDesk()
    throttler.forwarding = replace(TERMS, invocation_timeout=0.05)
    async with rig(throttler) as wire:
        await wire.model(script)
        with pytest.raises(CUT):
            await (await wire.request(post())).answer()
        assert (await throttler.ends.get()).outcome is Outcome.TIMED_OUT


async def test_an_answer_that_does_not_go_on() -> None:
    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")
        await connection.closed()

    async with rig(answer_idle_seconds=0.05) as wire:
        await wire.model(script)
        with pytest.raises(CUT):
            await (await wire.request(post())).answer()
        assert (await wire.throttler.ends.get()).outcome is Outcome.BROKE_OFF


async def test_a_head_that_does_not_come_to_its_end() -> None:
    async with rig(head_seconds=0.05) as wire:
        caller = await wire.request(b"POST /invocations HTTP/1.1\r\nHost:")
        assert (await caller.answer()).status == 408
        assert await caller.closed() == b""


async def test_a_client_that_never_asks_is_let_go() -> None:
    async with rig(client_idle_seconds=0.05) as wire:
        assert await (await wire.request()).closed() == b""


@pytest.mark.parametrize("held", [False, True])
async def test_a_body_that_does_not_go_on(held: bool) -> None:
    async def script(connection: Connection) -> None:
        await connection.head()
        await connection.closed()

    async with rig(body_idle_seconds=0.05) as wire:
        await wire.model(script, backend=not held)
        caller = await wire.request(b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12345")
        assert (await caller.answer()).status == 408
        assert wire.throttler.refusals == [Cause.REQUEST_TIMEOUT]
        if held:
            await wire.throttler.left.get()
        else:
            assert (await wire.throttler.ends.get()).outcome is Outcome.ABANDONED


async def test_a_slow_reader_slows_the_model_and_bounds_memory() -> None:
    """The model can write only what sockets and two buffers take, until the client reads."""
    total, written = 64 << 20, 0

    async def script(connection: Connection) -> None:
        nonlocal written
        await connection.request()
        await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % total)
        while written < total:
            await connection.send(b"x" * 65536)
            written += 65536

    async with rig() as wire:
        await wire.model(script)
        caller = await wire.request(post())
        await caller.reader.readuntil(b"\r\n\r\n")
        caller.writer.transport.pause_reading()
        last = -1
        while last != written:  # until nothing moves any more
            last = written
            await asyncio.sleep(0.1)
        assert written < total / 2
        assert max(client.transport.get_write_buffer_size() for client in wire.listener._context.clients) < 1 << 20
        caller.writer.transport.resume_reading()
        assert len(await caller.reader.readexactly(total)) == total


async def test_a_reader_that_takes_nothing_is_cut() -> None:
    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            await connection.send(b"10000\r\n" + b"x" * 65536 + b"\r\n")

    async with rig(client_write_seconds=0.05) as wire:
        await wire.model(script)
        caller = await wire.request(post())
        caller.writer.transport.pause_reading()
        await until(lambda: not wire.listener.connections)
        throttler = wire.throttler
        throttler.forwarding = TERMS
        await wire.listener.stop()  # the answer would be read and dropped for the model's whole time
        assert (await throttler.ends.get()).outcome is Outcome.BROKE_OFF


async def test_a_slow_model_slows_the_client() -> None:
    """What the client can send is bounded until the model reads."""
    read = asyncio.Event()
    body = b"x" * (32 << 20)
    async with rig(body_limit_bytes=1 << 30) as wire:
        await wire.model(reluctant(read, len(body)))
        caller = await wire.request()
        sending = asyncio.create_task(caller.send(post(body)))
        last = -1
        while last != wire.listener.bytes_received or last == 0:
            last = wire.listener.bytes_received
            await asyncio.sleep(0.1)
        assert last < len(body) / 2
        assert (
            max(
                connection.transport.get_write_buffer_size()
                for connection in wire.listener._context.backend_connections
            )
            < 1 << 20
        )
        read.set()
        assert (await caller.answer()).body == b"all"
        await sending


@pytest.mark.parametrize("held", [False, True])
async def test_a_body_that_comes_byte_by_byte(held: bool) -> None:
    """It would hold a pod for the model's whole time; what comes must also come to something."""

    async def script(connection: Connection) -> None:
        await connection.head()
        await connection.closed()

    throttler = TestDesk()
    throttler.forwarding = replace(TERMS, invocation_timeout=300.0)
    async with rig(throttler) as wire:
        await wire.model(script, backend=not held)
        caller = await wire.request(b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n12345")
        await (wire.throttler.held.get() if held else until(lambda: wire.throttler.running))
        (client,) = wire.listener._context.clients

        async def deadline_after(data: bytes) -> float:
            want = wire.listener.bytes_received + len(data)
            await caller.send(data)
            await until(lambda: wire.listener.bytes_received == want)
            return client.deadline

        first = client.deadline
        assert await deadline_after(b"x") == first
        second = await deadline_after(b"x" * BODY_PROGRESS_BYTES)
        assert second > first
        assert await deadline_after(b"x") == second
        sweep(wire.listener._context, second)
        assert (await caller.answer()).status == 408
        assert wire.throttler.refusals == [Cause.REQUEST_TIMEOUT]


@pytest.mark.parametrize("whole", [True, False])
async def test_a_look_up_that_is_never_answered(whole: bool) -> None:
    request = post(path=b"/lookup")
    async with rig() as wire:
        caller = await wire.request(request if whole else request[:-1])
        lookup = wire.front.lookup
        assert isinstance(lookup, TestLookup)
        await until(lambda: lookup.callback)
        if not whole:
            await caller.send(request[-1:])
            await until(lambda: wire.listener.bytes_received == len(request))
        sweep(wire.listener._context, monotonic() + LOOKUP_SECONDS)
        answer = await caller.answer()
        assert (answer.status, answer.fields["retry-after"]) == (503, "1")
        assert lookup.cancelled.is_set()


async def test_a_request_that_was_looked_up_in_time_waits_on() -> None:
    async with rig() as wire:
        caller = await wire.request(post(path=b"/lookup"))
        lookup = wire.front.lookup
        assert isinstance(lookup, TestLookup)
        await until(lambda: lookup.callback)
        lookup.callback(wire.throttler)
        sweep(wire.listener._context, monotonic() + LOOKUP_SECONDS)
        await wire.model()
        assert (await caller.answer()).body == b"hello"


class BrokenDesk(TestDesk):
    """Cannot count what it did not refuse itself."""

    def rejected(self, request: PendingRequest | None, rejection: Rejection) -> None:
        raise RuntimeError("on purpose")


async def test_one_connections_trouble_does_not_take_the_others_deadlines() -> None:
    async with rig(BrokenDesk(), body_idle_seconds=0.05, head_seconds=0.05) as wire:
        first = await wire.request(HALF)
        await wire.throttler.held.get()
        others = [await wire.request(b"POST /inv") for _ in range(20)]
        assert [(await other.answer()).status for other in others] == [408] * 20
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await first.answer()
        await wire.throttler.left.get()
