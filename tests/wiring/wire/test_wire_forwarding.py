"""A request through the wire over real sockets: what the model sees, what the client sees."""

from __future__ import annotations

import asyncio
import json

import pytest

from kindler.activator.endpoint.requests import ColdStart, Outcome
from tests.wiring.wire.models import Connection
from tests.wiring.wire.rig import SAGEMAKER, TestDesk, post, rig, until


async def test_a_request_and_its_answer() -> None:
    async with rig() as wire:
        model = await wire.model()
        caller = await wire.request(post(b"1,2,3", SAGEMAKER))
        answer = await caller.answer()
        assert (answer.status, answer.body) == (200, b"1,2,3")
        seen = model.requests.get_nowait()
        assert (seen.method, seen.target, seen.body) == ("POST", "/invocations", b"1,2,3")
        assert seen.fields["x-amzn-requestid"] == answer.fields["x-amzn-requestid"]
        assert answer.fields["x-amzn-invoked-production-variant"] == "AllTraffic"
        end = await wire.throttler.ends.get()
        assert (end.outcome, end.status, end.received, end.sent) == (Outcome.ANSWERED, 200, 5, 5)


async def test_fields_that_end_here_do_not_reach_the_model_and_others_do() -> None:
    fields = b"Connection: keep-alive, X-Secret\r\nX-Secret: 1\r\nX-Forwarded-For: 1.2.3.4\r\nX-Kindler-Hop: 1\r\nContent_Length: 9\r\n"
    fields += b"X-Request-Id: mine\r\nX-A: b\r\n"
    async with rig() as wire:
        model = await wire.model()
        answer = await (await wire.request(post(fields=fields))).answer()
        seen = model.requests.get_nowait().fields
        assert answer.fields["x-amzn-requestid"] == seen["x-amzn-requestid"] == seen["x-request-id"] == "mine"
        assert seen["x-a"] == "b"
        assert not {"connection", "x-secret", "x-forwarded-for", "x-kindler-hop", "content_length"} & seen.keys()


async def test_the_models_hop_by_hop_fields_and_false_claims_do_not_reach_the_client() -> None:
    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.answer(
            b"x",
            fields=b"Connection: X-B\r\nX-B: 1\r\nKeep-Alive: 5\r\nX-Kindler-Cold-Start: 7\r\nx-amzn-RequestId: lie\r\nX-C: d\r\n",
        )

    async with rig() as wire:
        await wire.model(script)
        answer = await (await wire.request(post())).answer()
        assert answer.fields["x-c"] == "d"
        assert answer.fields["x-amzn-requestid"] != "lie"
        assert not {"connection", "x-b", "keep-alive", "x-kindler-cold-start"} & answer.fields.keys()


async def test_connections_are_kept_on_both_sides() -> None:
    async with rig() as wire:
        model = await wire.model()
        caller = await wire.request()
        for n in range(5):
            await caller.send(post(b"%d" % n))
            assert (await caller.answer()).body == b"%d" % n
        assert model.connections == 1


async def test_a_kept_connection_is_not_used_after_its_time() -> None:
    async with rig(pod_idle_seconds=0.01) as wire:
        model = await wire.model()
        caller = await wire.request()
        for _ in range(2):
            await caller.send(post())
            await caller.answer()
            await asyncio.sleep(0.02)  # the passing of time is what is tested
        assert model.connections == 2


async def test_pipelined_requests_are_answered_in_their_order() -> None:
    async with rig() as wire:
        model = await wire.model()
        caller = await wire.request(b"".join(post(b"%d" % n) for n in range(20)))
        assert [(await caller.answer()).body for _ in range(20)] == [b"%d" % n for n in range(20)]
        assert wire.throttler.most == {"pod-1": 1}
        assert model.connections == 1


async def test_pipelining_is_bounded() -> None:
    """What is sent too far ahead is dropped, and the connection says that it ends."""
    gate = asyncio.Event()

    async def script(connection: Connection) -> None:
        await connection.request()
        await gate.wait()
        await connection.answer()

    async with rig() as wire:
        await wire.model(script)
        caller = await wire.request(post())
        for _ in range(3):
            await caller.send(post(b"x" * 40_000))
        await until(lambda: wire.listener.bytes_received >= 120_000)
        gate.set()
        answer = await caller.answer()
        assert answer.fields["connection"] == "close"
        assert await caller.closed() == b""


@pytest.mark.parametrize("step", [1, 3, 1000])
async def test_chunked_both_ways_as_it_came(step: int) -> None:
    body = b'4;x="y"\r\nabcd\r\n' + b"400\r\n" + b"z" * 1024 + b"\r\n0\r\nX-Sum: 7\r\n\r\n"

    async def script(connection: Connection) -> None:
        request = await connection.request()
        assert request.body == b"abcd" + b"z" * 1024
        await connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for at in range(0, len(body), step):
            await connection.send(body[at : at + step])
        await script(connection)

    async with rig() as wire:
        model = await wire.model(script)
        caller = await wire.request()
        for _ in range(2):
            await caller.send(b"POST /invocations HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
            for at in range(0, len(body), step):
                await caller.send(body[at : at + step])
            assert (await caller.answer()).body == b"abcd" + b"z" * 1024
        assert model.connections == 1


async def test_a_body_of_4_mib_both_ways() -> None:
    body = bytes(range(256)) * (4 * 1024 * 4)
    async with rig() as wire:
        await wire.model()
        caller = await wire.request(post(body))
        assert (await caller.answer()).body == body


@pytest.mark.parametrize("status", [204, 304])
async def test_answers_without_a_body(status: int) -> None:
    async def script(connection: Connection) -> None:
        while True:
            await connection.request()
            await connection.send(b"HTTP/1.1 %d X\r\n\r\n" % status)

    async with rig() as wire:
        model = await wire.model(script)
        caller = await wire.request()
        for _ in range(2):
            await caller.send(post())
            assert (await caller.answer()).status == status
        assert model.connections == 1


async def test_head_has_no_body_whatever_its_length_says() -> None:
    async def script(connection: Connection) -> None:
        while True:
            await connection.request()
            await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n")

    async with rig() as wire:
        model = await wire.model(script)
        caller = await wire.request()
        for _ in range(2):
            await caller.send(b"HEAD /invocations HTTP/1.1\r\nHost: x\r\n\r\n")
            assert (await caller.answer(b"HEAD")).fields["content-length"] == "10"
        assert model.connections == 1


async def test_interim_answers_are_passed_on() -> None:
    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.send(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")
        await connection.answer(b"done")

    async with rig() as wire:
        await wire.model(script)
        caller = await wire.request(post())
        assert (await caller.answer()).status == 103
        assert (await caller.answer()).body == b"done"


async def test_an_answer_that_ends_with_its_connection() -> None:
    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.send(b"HTTP/1.0 200 OK\r\n\r\npart one, ")
        await connection.send(b"part two")

    async with rig() as wire:
        await wire.model(script)
        caller = await wire.request(post())
        answer = await caller.answer()
        assert (answer.body, answer.fields["connection"]) == (b"part one, part two", "close")


async def test_events_are_passed_on_one_by_one() -> None:
    go_on = asyncio.Event()

    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.send(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n"
        )
        await go_on.wait()
        await connection.send(b"0\r\n\r\n")

    async with rig() as wire:
        await wire.model(script)
        caller = await wire.request(post())
        assert (await caller.reader.readuntil(b"data: 1\n\n\r\n")).startswith(b"HTTP/1.1 200 OK")
        go_on.set()
        assert await caller.reader.readuntil(b"0\r\n\r\n")


async def test_an_early_answer_reaches_a_client_that_is_still_sending() -> None:
    async def script(connection: Connection) -> None:
        await connection.head()
        await connection.answer(b"no thanks", 403)

    async with rig() as wire:
        await wire.model(script)
        caller = await wire.request(
            b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 1000
        )
        answer = await caller.answer()
        assert (answer.status, answer.body, answer.fields["connection"]) == (403, b"no thanks", "close")
        await caller.send(b"x" * 1000)  # still read, and dropped
        assert (await wire.throttler.ends.get()).outcome is Outcome.ANSWERED
        assert await caller.closed() == b""


async def test_old_clients() -> None:
    async with rig() as wire:
        model = await wire.model()
        caller = await wire.request(b"POST /invocations HTTP/1.0\r\nContent-Length: 2\r\n\r\nhi")
        answer = await caller.answer()
        assert (answer.body, answer.fields["connection"]) == (b"hi", "close")
        assert await caller.closed() == b""
        assert model.requests.get_nowait().head.startswith(b"POST /invocations HTTP/1.0\r\n")


async def test_connection_close_is_kept() -> None:
    async with rig() as wire:
        await wire.model()
        caller = await wire.request(post(fields=b"Connection: close\r\n"))
        assert (await caller.answer()).fields["connection"] == "close"
        assert await caller.closed() == b""


async def test_a_client_that_waits_to_be_asked_for_its_body() -> None:
    async with rig() as wire:
        model = await wire.model()
        caller = await wire.request(
            b"POST /invocations HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
        )
        assert (await caller.answer()).status == 100
        await caller.send(b"hi")
        assert (await caller.answer()).body == b"hi"
        assert "expect" not in model.requests.get_nowait().fields


async def test_the_query_goes_on_to_the_invocations_path() -> None:
    async with rig() as wire:
        model = await wire.model()
        await (await wire.request(post(path=b"/invocations?a=%2Fb"))).answer()
        assert model.requests.get_nowait().target == "/invocations?a=%2Fb"


async def test_a_cold_start_is_told_on_the_answer() -> None:
    throttler = TestDesk()
    throttler.cold = ColdStart(asked=10.0, created=10.013, scheduled=10.025, ip=10.359, ping=10.361)
    async with rig(throttler) as wire:
        caller = await wire.request(post())
        await throttler.held.get()
        await wire.model()
        answer = await caller.answer()
        assert answer.fields["server-timing"] == "created;dur=13, scheduled;dur=25, ip;dur=359, ping;dur=361"
        assert answer.fields["x-kindler-cold-start"] == "361"


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_models_own_error_in_both_styles(chunked: bool) -> None:
    async def script(connection: Connection) -> None:
        while True:
            await connection.request()
            if chunked:
                await connection.send(
                    b"HTTP/1.1 400 X\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nbad\r\n6\r\n input\r\n0\r\n\r\n"
                )
            else:
                await connection.answer(b"bad input", 400)

    async with rig() as wire:
        await wire.model(script)
        caller = await wire.request(post(path=SAGEMAKER))
        answer = await caller.answer()
        assert (answer.status, answer.fields["x-amzn-errortype"]) == (424, "ModelError")
        body = json.loads(answer.body)
        assert (body["OriginalStatusCode"], body["OriginalMessage"]) == (400, "bad input")
        assert body["Message"].startswith('Received client error (400) from primary with message "bad input". See ')
        await caller.send(post())
        answer = await caller.answer()
        assert (answer.status, answer.body) == (400, b"bad input")
        assert [(await wire.throttler.ends.get()).status for _ in range(2)] == [400, 400]


async def test_a_ping_that_may_wake_is_answered_without_touching_the_pod() -> None:
    async with rig() as wire:
        caller = await wire.request(b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n")
        await wire.throttler.held.get()
        model = await wire.model()
        assert (await caller.answer(b"GET")).status == 200
        assert (model.connections, wire.throttler.running) == (0, {})


async def test_a_draining_process_says_so_on_every_answer() -> None:
    async with rig() as wire:
        await wire.model()
        busy, idle = await wire.request(), await wire.request(post())
        await idle.answer()
        wire.front.going = True
        wire.listener.stop_accepting()
        wire.listener.close_idle()
        assert await idle.closed() == b""
        await busy.closed()
        await asyncio.wait_for(wire.listener.idle(), 5)


async def test_answers_while_draining_end_their_connection() -> None:
    async with rig() as wire:
        caller = await wire.request(post())
        await wire.throttler.held.get()
        wire.front.going = True
        wire.listener.close_idle()
        await wire.model()
        assert (await caller.answer()).fields["connection"] == "close"
        assert await caller.closed() == b""
