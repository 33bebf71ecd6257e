"""What a request goes through before it has a pod: held, throttled, refused, looked up, left."""

from __future__ import annotations

import asyncio
import json

import pytest

from kindler.activator.endpoint.requests import Cause, Outcome, Rejection
from kindler.activator.wire.stream import CONNECT_RETRIES
from tests.wiring.wire.models import Connection, reset
from tests.wiring.wire.rig import SAGEMAKER, TestDesk, TestLookup, deaf_port, post, rig, until

HALF = b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12345"


@pytest.mark.parametrize("left", ["close", "half-close", "reset"])
async def test_a_client_that_left_while_held_never_reaches_the_model(left: str) -> None:
    async with rig() as wire:
        caller = await wire.request(post())
        other = await wire.request(post(b"other"))
        request = await wire.throttler.held.get()
        await wire.throttler.held.get()
        if left == "half-close":
            caller.writer.write_eof()
        elif left == "reset":
            reset(caller.writer)
        else:
            caller.close()
        assert await wire.throttler.left.get() is request
        model = await wire.model()
        assert (await other.answer()).body == b"other"
        assert model.requests.get_nowait().body == b"other"
        assert model.requests.empty()


async def test_held_requests_are_served_first_in_first_out_one_at_a_time() -> None:
    async with rig() as wire:
        callers = []
        for n in range(8):
            callers.append(await wire.request(post(b"%d" % n)))
            await wire.throttler.held.get()
        model = await wire.model()
        await asyncio.gather(*(caller.answer() for caller in callers))
        assert [model.requests.get_nowait().body for _ in range(8)] == [b"%d" % n for n in range(8)]
        assert wire.throttler.most == {"pod-1": 1}


@pytest.mark.parametrize("path", [b"/invocations", SAGEMAKER])
async def test_throttled_at_once_and_before_the_body_is_read(path: bytes) -> None:
    async with rig(TestDesk(limit=0)) as wire:
        caller = await wire.request(b"POST %b HTTP/1.1\r\nHost: x\r\nContent-Length: 4000000\r\n\r\n" % path)
        answer = await caller.answer()
        assert answer.fields["retry-after"] == "1"
        assert answer.fields["connection"] == "close"
        if path == SAGEMAKER:
            assert (answer.status, answer.fields["x-amzn-errortype"]) == (400, "ThrottlingException")
        else:
            assert answer.status == 429
        assert json.loads(answer.body)["message"] == "Too many requests."
        await caller.send(b"x" * 100_000)  # a client that sends on all the same is let finish
        assert await caller.closed() == b""


async def test_a_throttled_client_that_waits_to_be_asked_is_not_asked() -> None:
    async with rig(TestDesk(limit=0)) as wire:
        caller = await wire.request(
            b"POST /invocations HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"
        )
        assert (await caller.answer()).status == 429


async def test_throttled_with_its_body_read_keeps_the_connection() -> None:
    async with rig(TestDesk(limit=0)) as wire:
        caller = await wire.request()
        for _ in range(3):
            await caller.send(post())
            assert (await caller.answer()).status == 429


async def test_a_held_body_is_read_while_it_waits_and_sent_whole() -> None:
    async with rig() as wire:
        caller = await wire.request(HALF)
        await wire.throttler.held.get()
        await caller.send(b"67890")
        await until(lambda: wire.front.held == len(HALF) + 5)
        model = await wire.model()
        assert (await caller.answer()).body == b"1234567890"
        assert model.requests.get_nowait().body == b"1234567890"
        assert wire.front.held == 0


async def test_a_held_client_that_waits_is_asked_for_its_body() -> None:
    async with rig() as wire:
        caller = await wire.request(
            b"POST /invocations HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
        )
        assert (await caller.answer()).status == 100
        await caller.send(b"hi")
        await wire.model()
        assert (await caller.answer()).body == b"hi"


async def test_a_request_dispatched_with_half_its_body_goes_on_streaming() -> None:
    async with rig() as wire:
        caller = await wire.request(HALF)
        await wire.throttler.held.get()
        await wire.model()
        await caller.send(b"67890")
        assert (await caller.answer()).body == b"1234567890"


@pytest.mark.parametrize("path", [b"/invocations", SAGEMAKER])
@pytest.mark.parametrize("held", [False, True])
async def test_a_body_over_the_limit(path: bytes, held: bool) -> None:
    async with rig(body_limit_bytes=100) as wire:
        model = await wire.model(backend=not held)
        caller = await wire.request(
            b"POST %b HTTP/1.1\r\nHost: x\r\nX-Request-Id: r1\r\nContent-Length: 101\r\n\r\n" % path
        )
        answer = await caller.answer()
        if path == SAGEMAKER:
            assert (answer.status, answer.fields["x-amzn-errortype"]) == (400, "ValidationError")
            assert json.loads(answer.body) == {"message": "Request r1 has oversize body."}
        else:
            assert answer.status == 413
        assert (model.connections, wire.throttler.refusals) == (0, [Cause.BODY_TOO_LARGE])


@pytest.mark.parametrize("held", [False, True])
async def test_a_chunked_body_over_the_limit_is_noticed_as_it_grows(held: bool) -> None:
    begun = asyncio.Event()

    async def script(connection: Connection) -> None:
        await connection.head()
        begun.set()
        await connection.closed()

    async with rig(body_limit_bytes=100) as wire:
        await wire.model(script, backend=not held)
        caller = await wire.request(
            b"POST /invocations HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n64\r\n" + b"x" * 90
        )
        await (wire.throttler.held.get() if held else begun.wait())
        await caller.send(b"x" * 10 + b"\r\n")
        assert (await caller.answer()).status == 413
        if held:
            await wire.throttler.left.get()
        else:
            assert (await wire.throttler.ends.get()).outcome is Outcome.ABANDONED


async def test_the_processs_bound_on_held_bytes() -> None:
    async with rig(held_limit=len(post(b"0123456789")) + 2) as wire:
        first = await wire.request(post(b"0123456789"))
        await wire.throttler.held.get()
        second = await wire.request(post(b"0123456789"))
        answer = await second.answer()
        assert (answer.status, answer.fields["retry-after"]) == (503, "1")
        await wire.throttler.left.get()
        await wire.model()
        assert (await first.answer()).body == b"0123456789"


async def test_a_malformed_chunk_while_held() -> None:
    async with rig() as wire:
        caller = await wire.request(b"POST /invocations HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        await wire.throttler.held.get()
        await caller.send(b"zz\r\n")
        assert (await caller.answer()).status == 400
        await wire.throttler.left.get()


async def test_a_held_request_that_is_refused() -> None:
    async with rig() as wire:
        caller = await wire.request(post(path=SAGEMAKER))
        request = await wire.throttler.held.get()
        wire.throttler.waiting.clear()
        request.reject(Rejection(Cause.CANNOT_START, "The image does not exist."))
        answer = await caller.answer()
        assert (answer.status, answer.fields["x-amzn-errortype"]) == (424, "ModelError")
        assert "The image does not exist." in json.loads(answer.body)["Message"]


async def test_connect_refused_goes_to_another_pod_and_nothing_was_sent_to_the_first() -> None:
    async with rig() as wire:
        gone = await wire.model(backend=False, pod="gone")
        await gone.stop()
        wire.throttler.add(gone.port, "gone")
        await wire.model(pod="good")
        caller = await wire.request(post())
        assert (await caller.answer()).body == b"hello"
        assert [backend.pod for backend in wire.throttler.backends] == ["good"]


async def test_connect_refused_without_another_pod_is_held_again() -> None:
    async with rig() as wire:
        gone = await wire.model(backend=False)
        await gone.stop()
        wire.throttler.add(gone.port, "gone")
        caller = await wire.request(post())
        await wire.throttler.held.get()
        await wire.model(pod="good")
        assert (await caller.answer()).body == b"hello"


@pytest.mark.parametrize("path", [b"/invocations", SAGEMAKER])
async def test_pods_that_cannot_be_reached_are_not_all_tried(path: bytes) -> None:
    """Of a lost node each pod costs the time to connect; nothing was sent, so that the client may well ask again."""
    async with rig() as wire:
        gone = await wire.model(backend=False)
        await gone.stop()
        for number in range(10):
            wire.throttler.add(gone.port, f"gone-{number}")
        answer = await (await wire.request(post(path=path))).answer()
        assert answer.status == (503 if path == SAGEMAKER else 502)
        assert answer.fields["retry-after"] == "1"
        assert len(wire.throttler.backends) == 10 - CONNECT_RETRIES
        end = await wire.throttler.ends.get()
        assert (end.outcome, end.status) == (Outcome.BROKE_OFF, answer.status)


async def test_a_look_up_that_finds_the_endpoint() -> None:
    async with rig() as wire:
        await wire.model()
        caller = await wire.request(post(path=b"/lookup"))
        lookup = wire.front.lookup
        assert isinstance(lookup, TestLookup)
        await until(lambda: lookup.callback)
        lookup.callback(wire.throttler)
        assert (await caller.answer()).body == b"hello"


async def test_a_look_up_that_finds_nothing() -> None:
    async with rig() as wire:
        caller = await wire.request(post(path=b"/lookup"))
        lookup = wire.front.lookup
        assert isinstance(lookup, TestLookup)
        await until(lambda: lookup.callback)
        lookup.callback(Rejection(Cause.UNKNOWN_ENDPOINT, "There is no endpoint Iris."))
        assert (await caller.answer()).status == 404


async def test_a_look_up_is_cancelled_when_its_client_leaves() -> None:
    async with rig() as wire:
        caller = await wire.request(post(path=b"/lookup"))
        lookup = wire.front.lookup
        assert isinstance(lookup, TestLookup)
        await until(lambda: lookup.callback)
        caller.close()
        await lookup.cancelled.wait()


async def test_an_address_that_names_nothing() -> None:
    async with rig() as wire:
        answer = await (await wire.request(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")).answer(b"GET")
        assert (answer.status, json.loads(answer.body)) == (
            404,
            {"message": "No such address.", "cause": "unknown_address"},
        )


async def test_more_connections_than_allowed_are_told_so() -> None:
    async with rig(connection_limit=2) as wire:
        await wire.model()
        callers = [await wire.request(), await wire.request()]
        await until(lambda: wire.listener.connections >= 2)
        extra = await wire.request(post())
        assert (await extra.answer()).status == 503
        await callers[0].send(post())
        assert (await callers[0].answer()).status == 200


async def test_a_client_that_leaves_while_its_connection_to_the_pod_is_being_made() -> None:
    """Nothing was written, so the place is given back at once."""
    with deaf_port() as port:
        async with rig(connect_seconds=30) as wire:
            wire.throttler.add(port, "deaf")
            caller = await wire.request(post())
            await until(lambda: wire.throttler.running)
            reset(caller.writer)
            assert (await wire.throttler.ends.get()).outcome is Outcome.ABANDONED


async def test_a_connect_that_takes_too_long_is_no_better_than_one_refused() -> None:
    with deaf_port() as port:
        async with rig(connect_seconds=0.01) as wire:
            wire.throttler.add(port, "deaf")
            await wire.model(pod="good")
            assert (await (await wire.request(post())).answer()).body == b"hello"


async def test_half_closed_after_its_request_was_sent_is_answered() -> None:
    go_on = asyncio.Event()

    async def script(connection: Connection) -> None:
        await connection.request()
        await go_on.wait()
        await connection.answer(b"late")

    async with rig() as wire:
        model = await wire.model(script)
        caller = await wire.request(post())
        await model.requests.get()
        caller.writer.write_eof()
        go_on.set()
        assert (await caller.answer()).body == b"late"
        assert await caller.closed() == b""
