"""A request through the wire over real sockets: what the model gets, and what the client gets."""

from __future__ import annotations

import asyncio
import json

import pytest

from kindler.activator.endpoint.requests import ColdStart, Outcome
from tests.wiring.wire.models import Connection
from tests.wiring.wire.rig import SAGEMAKER, TestThrottler, post, rig, until


async def test_a_request_is_forwarded_and_gets_the_models_response() -> None:
    async with rig() as wire:
        model = await wire.model()
        caller = await wire.caller(post(b"1,2,3", SAGEMAKER))
        response = await caller.response()
        assert (response.status, response.body) == (200, b"1,2,3")
        seen = model.requests.get_nowait()
        assert (seen.method, seen.target, seen.body) == ("POST", "/invocations", b"1,2,3")
        assert seen.fields["x-amzn-requestid"] == response.fields["x-amzn-requestid"]
        assert response.fields["x-amzn-invoked-production-variant"] == "AllTraffic"
        end = await wire.throttler.ends.get()
        assert (end.outcome, end.status, end.received, end.sent) == (Outcome.ANSWERED, 200, 5, 5)


async def test_hop_by_hop_and_proxy_fields_do_not_reach_the_model_and_others_do() -> None:
    fields = b"Connection: keep-alive, X-Secret\r\nX-Secret: 1\r\nX-Forwarded-For: 1.2.3.4\r\n"
    fields += b"X-Kindler-Hop: 1\r\nContent_Length: 9\r\n"
    fields += b"X-Request-Id: mine\r\nX-A: b\r\n"
    async with rig() as wire:
        model = await wire.model()
        response = await (await wire.caller(post(fields=fields))).response()
        seen = model.requests.get_nowait().fields
        assert response.fields["x-amzn-requestid"] == seen["x-amzn-requestid"] == seen["x-request-id"] == "mine"
        assert seen["x-a"] == "b"
        assert not {"connection", "x-secret", "x-forwarded-for", "x-kindler-hop", "content_length"} & seen.keys()


async def test_the_models_hop_by_hop_fields_and_kindlers_own_do_not_reach_the_client() -> None:
    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.respond(
            b"x",
            fields=b"Connection: X-B\r\nX-B: 1\r\nKeep-Alive: 5\r\nX-Kindler-Cold-Start: 7\r\n"
            b"x-amzn-RequestId: lie\r\nX-C: d\r\n",
        )

    async with rig() as wire:
        await wire.model(script)
        response = await (await wire.caller(post())).response()
        assert response.fields["x-c"] == "d"
        assert response.fields["x-amzn-requestid"] != "lie"
        assert not {"connection", "x-b", "keep-alive", "x-kindler-cold-start"} & response.fields.keys()


async def test_connections_are_reused_on_both_sides() -> None:
    async with rig() as wire:
        model = await wire.model()
        caller = await wire.caller()
        for n in range(5):
            await caller.send(post(b"%d" % n))
            assert (await caller.response()).body == b"%d" % n
        assert model.connections == 1


async def test_an_idle_connection_is_not_reused_after_its_deadline() -> None:
    async with rig(pod_idle_seconds=0.01) as wire:
        model = await wire.model()
        caller = await wire.caller()
        for _ in range(2):
            await caller.send(post())
            await caller.response()
            await asyncio.sleep(0.02)  # longer than `pod_idle_seconds`
        assert model.connections == 2


async def test_pipelined_requests_get_responses_in_order() -> None:
    async with rig() as wire:
        model = await wire.model()
        caller = await wire.caller(b"".join(post(b"%d" % n) for n in range(20)))
        assert [(await caller.response()).body for _ in range(20)] == [b"%d" % n for n in range(20)]
        assert wire.throttler.peak == {"pod-1": 1}
        assert model.connections == 1


async def test_pipelining_beyond_the_limit_closes_the_connection() -> None:
    """The wire drops the bytes above the limit, and the response carries `Connection: close`."""
    gate = asyncio.Event()

    async def script(connection: Connection) -> None:
        await connection.request()
        await gate.wait()
        await connection.respond()

    async with rig() as wire:
        await wire.model(script)
        caller = await wire.caller(post())
        for _ in range(3):
            await caller.send(post(b"x" * 40_000))
        await until(lambda: wire.listener.bytes_received >= 120_000)
        gate.set()
        response = await caller.response()
        assert response.fields["connection"] == "close"
        assert await caller.closed() == b""


@pytest.mark.parametrize("step", [1, 3, 1000])
async def test_chunked_bodies_are_forwarded_both_ways(step: int) -> None:
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
        caller = await wire.caller()
        for _ in range(2):
            await caller.send(b"POST /invocations HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
            for at in range(0, len(body), step):
                await caller.send(body[at : at + step])
            assert (await caller.response()).body == b"abcd" + b"z" * 1024
        assert model.connections == 1


async def test_a_body_of_4_mib_is_forwarded_both_ways() -> None:
    body = bytes(range(256)) * (4 * 1024 * 4)
    async with rig() as wire:
        await wire.model()
        caller = await wire.caller(post(body))
        assert (await caller.response()).body == body


@pytest.mark.parametrize("status", [204, 304])
async def test_responses_without_a_body_keep_the_connection(status: int) -> None:
    async def script(connection: Connection) -> None:
        while True:
            await connection.request()
            await connection.send(b"HTTP/1.1 %d X\r\n\r\n" % status)

    async with rig() as wire:
        model = await wire.model(script)
        caller = await wire.caller()
        for _ in range(2):
            await caller.send(post())
            assert (await caller.response()).status == status
        assert model.connections == 1


async def test_a_response_to_head_has_no_body_in_spite_of_its_length() -> None:
    async def script(connection: Connection) -> None:
        while True:
            await connection.request()
            await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n")

    async with rig() as wire:
        model = await wire.model(script)
        caller = await wire.caller()
        for _ in range(2):
            await caller.send(b"HEAD /invocations HTTP/1.1\r\nHost: x\r\n\r\n")
            assert (await caller.response(b"HEAD")).fields["content-length"] == "10"
        assert model.connections == 1


async def test_interim_responses_are_forwarded_except_100() -> None:
    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.send(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")
        await connection.respond(b"done")

    async with rig() as wire:
        await wire.model(script)
        caller = await wire.caller(post())
        assert (await caller.response()).status == 103
        assert (await caller.response()).body == b"done"


async def test_a_response_that_ends_with_its_connection_is_complete() -> None:
    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.send(b"HTTP/1.0 200 OK\r\n\r\npart one, ")
        await connection.send(b"part two")

    async with rig() as wire:
        await wire.model(script)
        caller = await wire.caller(post())
        response = await caller.response()
        assert (response.body, response.fields["connection"]) == (b"part one, part two", "close")


async def test_server_sent_events_are_forwarded_one_by_one() -> None:
    proceed = asyncio.Event()

    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.send(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"9\r\ndata: 1\n\n\r\n"
        )
        await proceed.wait()
        await connection.send(b"0\r\n\r\n")

    async with rig() as wire:
        await wire.model(script)
        caller = await wire.caller(post())
        assert (await caller.reader.readuntil(b"data: 1\n\n\r\n")).startswith(b"HTTP/1.1 200 OK")
        proceed.set()
        assert await caller.reader.readuntil(b"0\r\n\r\n")


async def test_an_early_response_reaches_a_client_that_is_still_sending() -> None:
    async def script(connection: Connection) -> None:
        await connection.head()
        await connection.respond(b"no thanks", 403)

    async with rig() as wire:
        await wire.model(script)
        caller = await wire.caller(
            b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 1000
        )
        response = await caller.response()
        assert (response.status, response.body, response.fields["connection"]) == (403, b"no thanks", "close")
        await caller.send(b"x" * 1000)  # the wire reads and drops these bytes
        assert (await wire.throttler.ends.get()).outcome is Outcome.ANSWERED
        assert await caller.closed() == b""


async def test_a_client_of_http_1_0_gets_a_response_and_a_close() -> None:
    async with rig() as wire:
        model = await wire.model()
        caller = await wire.caller(b"POST /invocations HTTP/1.0\r\nContent-Length: 2\r\n\r\nhi")
        response = await caller.response()
        assert (response.body, response.fields["connection"]) == (b"hi", "close")
        assert await caller.closed() == b""
        assert model.requests.get_nowait().head.startswith(b"POST /invocations HTTP/1.0\r\n")


async def test_connection_close_of_the_client_is_honoured() -> None:
    async with rig() as wire:
        await wire.model()
        caller = await wire.caller(post(fields=b"Connection: close\r\n"))
        assert (await caller.response()).fields["connection"] == "close"
        assert await caller.closed() == b""


async def test_a_client_that_expects_100_continue_gets_it() -> None:
    async with rig() as wire:
        model = await wire.model()
        caller = await wire.caller(
            b"POST /invocations HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
        )
        assert (await caller.response()).status == 100
        await caller.send(b"hi")
        assert (await caller.response()).body == b"hi"
        assert "expect" not in model.requests.get_nowait().fields


async def test_the_query_is_added_to_the_invocations_path() -> None:
    async with rig() as wire:
        model = await wire.model()
        await (await wire.caller(post(path=b"/invocations?a=%2Fb"))).response()
        assert model.requests.get_nowait().target == "/invocations?a=%2Fb"


async def test_the_response_shows_the_phases_of_a_cold_start() -> None:
    throttler = TestThrottler()
    throttler.cold = ColdStart(asked=10.0, created=10.013, scheduled=10.025, ip=10.359, ping=10.361)
    async with rig(throttler) as wire:
        caller = await wire.caller(post())
        await throttler.held.get()
        await wire.model()
        response = await caller.response()
        assert response.fields["server-timing"] == "created;dur=13, scheduled;dur=25, ip;dur=359, ping;dur=361"
        assert response.fields["x-kindler-cold-start"] == "361"


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_models_own_error_is_wrapped_for_sagemaker_and_forwarded_otherwise(chunked: bool) -> None:
    async def script(connection: Connection) -> None:
        while True:
            await connection.request()
            if chunked:
                await connection.send(
                    b"HTTP/1.1 400 X\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nbad\r\n6\r\n input\r\n0\r\n\r\n"
                )
            else:
                await connection.respond(b"bad input", 400)

    async with rig() as wire:
        await wire.model(script)
        caller = await wire.caller(post(path=SAGEMAKER))
        response = await caller.response()
        assert (response.status, response.fields["x-amzn-errortype"]) == (424, "ModelError")
        body = json.loads(response.body)
        assert (body["OriginalStatusCode"], body["OriginalMessage"]) == (400, "bad input")
        assert body["Message"].startswith('Received client error (400) from primary with message "bad input". See ')
        await caller.send(post())
        response = await caller.response()
        assert (response.status, response.body) == (400, b"bad input")
        assert [(await wire.throttler.ends.get()).status for _ in range(2)] == [400, 400]


async def test_a_ping_that_scales_up_gets_200_without_a_request_to_the_pod() -> None:
    async with rig() as wire:
        caller = await wire.caller(b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n")
        await wire.throttler.held.get()
        model = await wire.model()
        assert (await caller.response(b"GET")).status == 200
        assert (model.connections, wire.throttler.running) == (0, {})


async def test_a_draining_process_closes_idle_connections() -> None:
    async with rig() as wire:
        await wire.model()
        busy, idle = await wire.caller(), await wire.caller(post())
        await idle.response()
        wire.router.is_draining = True
        wire.listener.stop_accepting()
        wire.listener.close_idle()
        assert await idle.closed() == b""
        await busy.closed()
        await asyncio.wait_for(wire.listener.idle(), 5)


async def test_responses_while_draining_close_their_connection() -> None:
    async with rig() as wire:
        caller = await wire.caller(post())
        await wire.throttler.held.get()
        wire.router.is_draining = True
        wire.listener.close_idle()
        await wire.model()
        assert (await caller.response()).fields["connection"] == "close"
        assert await caller.closed() == b""
