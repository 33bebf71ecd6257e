"""The process's limit on held bytes.

The limit counts heads, bodies, incomplete heads, pipelined requests, and bytes that a pod has not taken yet.
"""

from __future__ import annotations

import asyncio

import pytest

from tests.wiring.wire.models import Connection, reads_body_after
from tests.wiring.wire.rig import post, rig, until

LONG = b"X-Long: " + b"x" * 20_000 + b"\r\n"


@pytest.mark.parametrize("path", [b"/invocations", b"/lookup"])
async def test_a_held_head_is_reserved(path: bytes) -> None:
    request = post(b"", path, LONG)
    async with rig(held_limit=len(request) + 100) as wire:
        first = await wire.caller(request)
        await until(lambda: wire.router.held)
        assert wire.router.held == len(request)
        second = await (await wire.caller(request)).response()
        assert (second.status, second.fields["retry-after"]) == (503, "1")
        first.close()
        await until(lambda: not wire.router.held)


async def test_an_incomplete_head_is_reserved() -> None:
    request = post(b"", fields=LONG)
    async with rig(held_limit=len(request) + 100) as wire:
        await wire.model()
        first = await wire.caller(request[:10_000])
        await until(lambda: wire.router.held == 10_000)
        await first.send(request[10_000:15_000])
        await until(lambda: wire.router.held == 15_000)
        second = await wire.caller(request[:10_000])
        assert (await second.response()).status == 503
        assert await second.closed() == b""
        await first.send(request[15_000:])
        assert (await first.response()).status == 200
        assert wire.router.held == 0


async def test_pipelined_requests_are_reserved() -> None:
    async with rig(held_limit=1_000) as wire:
        caller = await wire.caller(post())
        await wire.throttler.held.get()
        alone = wire.router.held
        await caller.send(post(b"second"))
        await until(lambda: wire.router.held == alone + len(post(b"second")))
        await caller.send(post(b"x" * 2_000))  # over the limit: all pipelined bytes are dropped
        await until(lambda: wire.router.held == alone)
        await wire.model()
        response = await caller.response()
        assert (response.body, response.fields["connection"]) == (b"hello", "close")
        assert await caller.closed() == b""


async def test_a_held_body_is_reserved_until_the_pod_has_taken_it() -> None:
    """While a pod has not taken the body, the body still uses memory. Therefore its bytes must stay reserved."""
    read = asyncio.Event()
    body = b"x" * (32 << 20)
    async with rig(body_limit_bytes=1 << 30) as wire:
        caller = await wire.caller()
        await caller.send(post(body))
        await until(lambda: wire.router.held == len(post(body)))
        await wire.model(reads_body_after(read, len(body)))
        await until(lambda: wire.listener._context.backend_connections)
        assert wire.router.held == len(post(body))
        read.set()
        await until(lambda: not wire.router.held)
        assert (await caller.response()).body == b"all"


async def test_a_connection_with_unsent_bytes_is_not_reused() -> None:
    """The model responded without reading the body.

    The unsent bytes must neither precede the next request nor stay reserved.
    """
    body = b"x" * (32 << 20)

    async def script(connection: Connection) -> None:
        await connection.head()
        connection.writer.transport.pause_reading()
        await connection.respond(b"early")
        await asyncio.Event().wait()

    async with rig(body_limit_bytes=1 << 30) as wire:
        caller = await wire.caller()
        await caller.send(post(body))
        await until(lambda: wire.router.held == len(post(body)))
        await wire.model(script)
        assert (await caller.response()).body == b"early"
        assert wire.throttler.backends[0].idle == []
        assert wire.router.held == 0
