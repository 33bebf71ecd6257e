"""Requests that have no pod yet: they are held, throttled, rejected or looked up, or their client disconnects."""

from __future__ import annotations

import asyncio
import json

import pytest

from kindler.activator.endpoint.requests import Cause, Outcome, Rejection
from kindler.activator.wire.stream import CONNECT_RETRIES
from tests.wiring.wire.models import Connection, reset
from tests.wiring.wire.rig import SAGEMAKER, TestLookup, TestThrottler, post, rig, unresponsive_port, until

HALF = b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12345"


@pytest.mark.parametrize("left", ["close", "half-close", "reset"])
async def test_a_client_that_left_while_held_never_reaches_the_model(left: str) -> None:
    async with rig() as wire:
        caller = await wire.caller(post())
        other = await wire.caller(post(b"other"))
        request = await wire.throttler.held.get()
        await wire.throttler.held.get()
        if left == "half-close":
            caller.writer.write_eof()
        elif left == "reset":
            reset(caller.writer)
        else:
            caller.close()
        assert await wire.throttler.withdrawn.get() is request
        model = await wire.model()
        assert (await other.response()).body == b"other"
        assert model.requests.get_nowait().body == b"other"
        assert model.requests.empty()


async def test_held_requests_are_served_first_in_first_out_one_at_a_time() -> None:
    async with rig() as wire:
        callers = []
        for n in range(8):
            callers.append(await wire.caller(post(b"%d" % n)))
            await wire.throttler.held.get()
        model = await wire.model()
        await asyncio.gather(*(caller.response() for caller in callers))
        assert [model.requests.get_nowait().body for _ in range(8)] == [b"%d" % n for n in range(8)]
        assert wire.throttler.peak == {"pod-1": 1}


@pytest.mark.parametrize("path", [b"/invocations", SAGEMAKER])
async def test_a_throttled_request_is_rejected_before_its_body_is_read(path: bytes) -> None:
    async with rig(TestThrottler(limit=0)) as wire:
        caller = await wire.caller(b"POST %b HTTP/1.1\r\nHost: x\r\nContent-Length: 4000000\r\n\r\n" % path)
        response = await caller.response()
        assert response.fields["retry-after"] == "1"
        assert response.fields["connection"] == "close"
        if path == SAGEMAKER:
            assert (response.status, response.fields["x-amzn-errortype"]) == (400, "ThrottlingException")
        else:
            assert response.status == 429
        assert json.loads(response.body)["message"] == "Too many requests."
        await caller.send(b"x" * 100_000)  # the wire still reads from a client whose request it throttled
        assert await caller.closed() == b""


async def test_a_throttled_client_that_expects_100_continue_does_not_get_it() -> None:
    async with rig(TestThrottler(limit=0)) as wire:
        caller = await wire.caller(
            b"POST /invocations HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"
        )
        assert (await caller.response()).status == 429


async def test_a_throttled_request_whose_body_was_read_keeps_the_connection() -> None:
    async with rig(TestThrottler(limit=0)) as wire:
        caller = await wire.caller()
        for _ in range(3):
            await caller.send(post())
            assert (await caller.response()).status == 429


async def test_the_body_of_a_held_request_is_read_and_later_sent_complete() -> None:
    async with rig() as wire:
        caller = await wire.caller(HALF)
        await wire.throttler.held.get()
        await caller.send(b"67890")
        await until(lambda: wire.router.held == len(HALF) + 5)
        model = await wire.model()
        assert (await caller.response()).body == b"1234567890"
        assert model.requests.get_nowait().body == b"1234567890"
        assert wire.router.held == 0


async def test_a_held_client_that_expects_100_continue_gets_it() -> None:
    async with rig() as wire:
        caller = await wire.caller(
            b"POST /invocations HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
        )
        assert (await caller.response()).status == 100
        await caller.send(b"hi")
        await wire.model()
        assert (await caller.response()).body == b"hi"


async def test_a_request_that_is_dispatched_with_half_its_body_streams_the_rest() -> None:
    async with rig() as wire:
        caller = await wire.caller(HALF)
        await wire.throttler.held.get()
        await wire.model()
        await caller.send(b"67890")
        assert (await caller.response()).body == b"1234567890"


@pytest.mark.parametrize("path", [b"/invocations", SAGEMAKER])
@pytest.mark.parametrize("held", [False, True])
async def test_a_body_over_the_limit_is_rejected(path: bytes, held: bool) -> None:
    async with rig(body_limit_bytes=100) as wire:
        model = await wire.model(backend=not held)
        caller = await wire.caller(
            b"POST %b HTTP/1.1\r\nHost: x\r\nX-Request-Id: r1\r\nContent-Length: 101\r\n\r\n" % path
        )
        response = await caller.response()
        if path == SAGEMAKER:
            assert (response.status, response.fields["x-amzn-errortype"]) == (400, "ValidationError")
            assert json.loads(response.body) == {"message": "Request r1 has oversize body."}
        else:
            assert response.status == 413
        assert (model.connections, wire.throttler.rejections) == (0, [Cause.BODY_TOO_LARGE])


@pytest.mark.parametrize("held", [False, True])
async def test_a_chunked_body_is_rejected_when_it_grows_over_the_limit(held: bool) -> None:
    begun = asyncio.Event()

    async def script(connection: Connection) -> None:
        await connection.head()
        begun.set()
        await connection.closed()

    async with rig(body_limit_bytes=100) as wire:
        await wire.model(script, backend=not held)
        caller = await wire.caller(
            b"POST /invocations HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n64\r\n" + b"x" * 90
        )
        await (wire.throttler.held.get() if held else begun.wait())
        await caller.send(b"x" * 10 + b"\r\n")
        assert (await caller.response()).status == 413
        if held:
            await wire.throttler.withdrawn.get()
        else:
            assert (await wire.throttler.ends.get()).outcome is Outcome.ABANDONED


async def test_a_request_over_the_processs_limit_on_held_bytes_is_rejected() -> None:
    async with rig(held_limit=len(post(b"0123456789")) + 2) as wire:
        first = await wire.caller(post(b"0123456789"))
        await wire.throttler.held.get()
        second = await wire.caller(post(b"0123456789"))
        response = await second.response()
        assert (response.status, response.fields["retry-after"]) == (503, "1")
        await wire.throttler.withdrawn.get()
        await wire.model()
        assert (await first.response()).body == b"0123456789"


async def test_a_malformed_chunk_of_a_held_request_is_rejected() -> None:
    async with rig() as wire:
        caller = await wire.caller(b"POST /invocations HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        await wire.throttler.held.get()
        await caller.send(b"zz\r\n")
        response = await caller.response()
        message = "The chunked body is invalid: a malformed chunk size."
        assert (response.status, json.loads(response.body)["message"]) == (400, message)
        await wire.throttler.withdrawn.get()


async def test_a_held_request_that_is_rejected_gets_a_response() -> None:
    async with rig() as wire:
        caller = await wire.caller(post(path=SAGEMAKER))
        request = await wire.throttler.held.get()
        wire.throttler.waiting.clear()
        request.reject(Rejection(Cause.CANNOT_START, "The image does not exist."))
        response = await caller.response()
        assert (response.status, response.fields["x-amzn-errortype"]) == (424, "ModelError")
        assert "The image does not exist." in json.loads(response.body)["Message"]


async def test_after_a_refused_connect_another_pod_serves_the_request() -> None:
    async with rig() as wire:
        gone = await wire.model(backend=False, pod="gone")
        await gone.stop()
        wire.throttler.add(gone.port, "gone")
        await wire.model(pod="good")
        caller = await wire.caller(post())
        assert (await caller.response()).body == b"hello"
        assert [backend.pod for backend in wire.throttler.backends] == ["good"]


async def test_after_a_refused_connect_without_another_pod_the_request_is_held_again() -> None:
    async with rig() as wire:
        gone = await wire.model(backend=False)
        await gone.stop()
        wire.throttler.add(gone.port, "gone")
        caller = await wire.caller(post())
        await wire.throttler.held.get()
        await wire.model(pod="good")
        assert (await caller.response()).body == b"hello"


@pytest.mark.parametrize("path", [b"/invocations", SAGEMAKER])
async def test_the_number_of_failed_connects_is_limited(path: bytes) -> None:
    """Each pod of a lost node costs one connect timeout, so the attempts are limited.

    The wire sent no byte of the request to a pod, so the client may retry.
    """
    async with rig() as wire:
        gone = await wire.model(backend=False)
        await gone.stop()
        for number in range(10):
            wire.throttler.add(gone.port, f"gone-{number}")
        response = await (await wire.caller(post(path=path))).response()
        assert response.status == (503 if path == SAGEMAKER else 502)
        assert response.fields["retry-after"] == "1"
        assert len(wire.throttler.backends) == 10 - CONNECT_RETRIES
        end = await wire.throttler.ends.get()
        assert (end.outcome, end.status) == (Outcome.BROKE_OFF, response.status)


async def test_a_look_up_that_finds_the_endpoint_forwards_the_request() -> None:
    async with rig() as wire:
        await wire.model()
        caller = await wire.caller(post(path=b"/lookup"))
        lookup = wire.router.lookup
        assert isinstance(lookup, TestLookup)
        await until(lambda: lookup.callback)
        lookup.callback(wire.throttler)
        assert (await caller.response()).body == b"hello"


async def test_a_look_up_that_finds_nothing_rejects_the_request() -> None:
    async with rig() as wire:
        caller = await wire.caller(post(path=b"/lookup"))
        lookup = wire.router.lookup
        assert isinstance(lookup, TestLookup)
        await until(lambda: lookup.callback)
        lookup.callback(Rejection(Cause.UNKNOWN_ENDPOINT, "There is no endpoint Iris."))
        assert (await caller.response()).status == 404


async def test_a_look_up_is_cancelled_when_its_client_leaves() -> None:
    async with rig() as wire:
        caller = await wire.caller(post(path=b"/lookup"))
        lookup = wire.router.lookup
        assert isinstance(lookup, TestLookup)
        await until(lambda: lookup.callback)
        caller.close()
        await lookup.cancelled.wait()


async def test_an_address_that_names_no_endpoint_gets_404() -> None:
    async with rig() as wire:
        response = await (await wire.caller(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")).response(b"GET")
        assert (response.status, json.loads(response.body)) == (
            404,
            {"message": "No such address.", "cause": "unknown_address"},
        )


async def test_a_connection_over_the_limit_gets_503() -> None:
    async with rig(connection_limit=2) as wire:
        await wire.model()
        callers = [await wire.caller(), await wire.caller()]
        await until(lambda: wire.listener.connections >= 2)
        extra = await wire.caller(post())
        assert (await extra.response()).status == 503
        await callers[0].send(post())
        assert (await callers[0].response()).status == 200


async def test_a_client_that_leaves_during_the_connect_frees_the_slot_at_once() -> None:
    """The wire has sent no byte to the pod, so the slot is free at once."""
    with unresponsive_port() as port:
        async with rig(connect_seconds=30) as wire:
            wire.throttler.add(port, "deaf")
            caller = await wire.caller(post())
            await until(lambda: wire.throttler.running)
            reset(caller.writer)
            assert (await wire.throttler.ends.get()).outcome is Outcome.ABANDONED


async def test_after_a_connect_that_times_out_another_pod_serves_the_request() -> None:
    with unresponsive_port() as port:
        async with rig(connect_seconds=0.01) as wire:
            wire.throttler.add(port, "deaf")
            await wire.model(pod="good")
            assert (await (await wire.caller(post())).response()).body == b"hello"


async def test_a_client_that_half_closes_after_its_request_was_sent_gets_the_response() -> None:
    proceed = asyncio.Event()

    async def script(connection: Connection) -> None:
        await connection.request()
        await proceed.wait()
        await connection.respond(b"late")

    async with rig() as wire:
        model = await wire.model(script)
        caller = await wire.caller(post())
        await model.requests.get()
        caller.writer.write_eof()
        proceed.set()
        assert (await caller.response()).body == b"late"
        assert await caller.closed() == b""
