"""Slow clients and slow models: every wait has a deadline, and the memory for waiting bytes has a limit."""

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
from tests.wiring.wire.models import Connection, reads_body_after
from tests.wiring.wire.rig import FORWARDING, SAGEMAKER, TestLookup, TestThrottler, post, rig, until

HALF = b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12345"

RESET = (h11.RemoteProtocolError, ConnectionResetError, asyncio.IncompleteReadError)


@pytest.mark.parametrize("path", [b"/invocations", SAGEMAKER])
async def test_the_invocation_timeout_ends_a_request_without_a_response(path: bytes) -> None:
    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.closed()

    throttler = TestThrottler()
    throttler.forwarding = replace(FORWARDING, invocation_timeout=0.05)
    async with rig(throttler) as wire:
        await wire.model(script)
        response = await (await wire.caller(post(path=path))).response()
        if path == SAGEMAKER:
            assert response.status == 424
            assert (
                "Your invocation timed out while waiting for a response from container primary."
                in json.loads(response.body)["Message"]
            )
        else:
            assert response.status == 504
        end = await throttler.ends.get()
        assert (end.outcome, end.status) == (Outcome.TIMED_OUT, response.status)


async def test_the_invocation_timeout_also_ends_a_response_that_has_begun() -> None:
    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        await connection.closed()

    throttler = TestThrottler()
    throttler.forwarding = replace(FORWARDING, invocation_timeout=0.05)
    async with rig(throttler) as wire:
        await wire.model(script)
        with pytest.raises(RESET):
            await (await wire.caller(post())).response()
        assert (await throttler.ends.get()).outcome is Outcome.TIMED_OUT


async def test_a_response_that_stops_in_the_middle_is_reset() -> None:
    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")
        await connection.closed()

    async with rig(answer_idle_seconds=0.05) as wire:
        await wire.model(script)
        with pytest.raises(RESET):
            await (await wire.caller(post())).response()
        assert (await wire.throttler.ends.get()).outcome is Outcome.BROKE_OFF


async def test_an_incomplete_head_times_out_with_408() -> None:
    async with rig(head_seconds=0.05) as wire:
        caller = await wire.caller(b"POST /invocations HTTP/1.1\r\nHost:")
        assert (await caller.response()).status == 408
        assert await caller.closed() == b""


async def test_a_client_that_sends_no_request_is_closed() -> None:
    async with rig(client_idle_seconds=0.05) as wire:
        assert await (await wire.caller()).closed() == b""


@pytest.mark.parametrize("held", [False, True])
async def test_a_body_that_stops_in_the_middle_times_out_with_408(held: bool) -> None:
    async def script(connection: Connection) -> None:
        await connection.head()
        await connection.closed()

    async with rig(body_idle_seconds=0.05) as wire:
        await wire.model(script, backend=not held)
        caller = await wire.caller(b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12345")
        assert (await caller.response()).status == 408
        assert wire.throttler.rejections == [Cause.REQUEST_TIMEOUT]
        if held:
            await wire.throttler.withdrawn.get()
        else:
            assert (await wire.throttler.ends.get()).outcome is Outcome.ABANDONED


async def test_a_slow_reader_slows_the_model_and_bounds_memory() -> None:
    """Until the client reads, the model can write only as much as the sockets and two buffers hold."""
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
        caller = await wire.caller(post())
        await caller.reader.readuntil(b"\r\n\r\n")
        caller.writer.transport.pause_reading()
        last = -1
        while last != written:  # until the model is blocked
            last = written
            await asyncio.sleep(0.1)
        assert written < total / 2
        assert max(client.transport.get_write_buffer_size() for client in wire.listener._context.clients) < 1 << 20
        caller.writer.transport.resume_reading()
        assert len(await caller.reader.readexactly(total)) == total


async def test_a_client_that_reads_nothing_is_reset() -> None:
    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            await connection.send(b"10000\r\n" + b"x" * 65536 + b"\r\n")

    async with rig(client_write_seconds=0.05) as wire:
        await wire.model(script)
        caller = await wire.caller(post())
        caller.writer.transport.pause_reading()
        await until(lambda: not wire.listener.connections)
        throttler = wire.throttler
        throttler.forwarding = FORWARDING
        await wire.listener.stop()  # else the wire would read and drop the response until its timeout
        assert (await throttler.ends.get()).outcome is Outcome.BROKE_OFF


async def test_a_slow_model_slows_the_client() -> None:
    """Until the model reads, the client can send only a limited number of bytes."""
    read = asyncio.Event()
    body = b"x" * (32 << 20)
    async with rig(body_limit_bytes=1 << 30) as wire:
        await wire.model(reads_body_after(read, len(body)))
        caller = await wire.caller()
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
        assert (await caller.response()).body == b"all"
        await sending


@pytest.mark.parametrize("held", [False, True])
async def test_a_body_that_is_sent_byte_by_byte_times_out(held: bool) -> None:
    """A client must send a minimum of bytes per time, so that a slow body does not occupy a pod for a long time."""

    async def script(connection: Connection) -> None:
        await connection.head()
        await connection.closed()

    throttler = TestThrottler()
    throttler.forwarding = replace(FORWARDING, invocation_timeout=300.0)
    async with rig(throttler) as wire:
        await wire.model(script, backend=not held)
        caller = await wire.caller(b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n12345")
        await (wire.throttler.held.get() if held else until(lambda: wire.throttler.running))
        (client,) = wire.listener._context.clients

        async def deadline_after(data: bytes) -> float:
            expected = wire.listener.bytes_received + len(data)
            await caller.send(data)
            await until(lambda: wire.listener.bytes_received == expected)
            return client.deadline

        first = client.deadline
        assert await deadline_after(b"x") == first
        second = await deadline_after(b"x" * BODY_PROGRESS_BYTES)
        assert second > first
        assert await deadline_after(b"x") == second
        sweep(wire.listener._context, second)
        assert (await caller.response()).status == 408
        assert wire.throttler.rejections == [Cause.REQUEST_TIMEOUT]


@pytest.mark.parametrize("whole", [True, False])
async def test_a_look_up_without_a_result_times_out(whole: bool) -> None:
    request = post(path=b"/lookup")
    async with rig() as wire:
        caller = await wire.caller(request if whole else request[:-1])
        lookup = wire.router.lookup
        assert isinstance(lookup, TestLookup)
        await until(lambda: lookup.callback)
        if not whole:
            await caller.send(request[-1:])
            await until(lambda: wire.listener.bytes_received == len(request))
        sweep(wire.listener._context, monotonic() + LOOKUP_SECONDS)
        response = await caller.response()
        assert (response.status, response.fields["retry-after"]) == (503, "1")
        assert json.loads(response.body)["message"] == "The look-up of the endpoint took too long. Try again."
        assert lookup.cancelled.is_set()


async def test_the_deadline_of_a_look_up_does_not_apply_after_its_result() -> None:
    async with rig() as wire:
        caller = await wire.caller(post(path=b"/lookup"))
        lookup = wire.router.lookup
        assert isinstance(lookup, TestLookup)
        await until(lambda: lookup.callback)
        lookup.callback(wire.throttler)
        sweep(wire.listener._context, monotonic() + LOOKUP_SECONDS)
        await wire.model()
        assert (await caller.response()).body == b"hello"


class BrokenThrottler(TestThrottler):
    """Raises when the wire reports a rejection."""

    def rejected(self, request: PendingRequest | None, rejection: Rejection) -> None:
        raise RuntimeError("on purpose")


async def test_a_failure_of_one_connection_does_not_stop_the_deadlines_of_others() -> None:
    async with rig(BrokenThrottler(), body_idle_seconds=0.05, head_seconds=0.05) as wire:
        first = await wire.caller(HALF)
        await wire.throttler.held.get()
        others = [await wire.caller(b"POST /inv") for _ in range(20)]
        assert [(await other.response()).status for other in others] == [408] * 20
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await first.response()
        await wire.throttler.withdrawn.get()
