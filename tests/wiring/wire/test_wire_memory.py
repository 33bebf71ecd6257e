"""The process's bound on what is kept of requests: heads, bodies, beginnings of heads, requests sent ahead, and what a pod has not yet taken."""

from __future__ import annotations

import asyncio

import pytest

from tests.wiring.wire.models import Connection, reluctant
from tests.wiring.wire.rig import post, rig, until

LONG = b"X-Long: " + b"x" * 20_000 + b"\r\n"


@pytest.mark.parametrize("path", [b"/invocations", b"/lookup"])
async def test_a_held_head_counts(path: bytes) -> None:
    request = post(b"", path, LONG)
    async with rig(held_limit=len(request) + 100) as wire:
        first = await wire.request(request)
        await until(lambda: wire.front.held)
        assert wire.front.held == len(request)
        second = await (await wire.request(request)).answer()
        assert (second.status, second.fields["retry-after"]) == (503, "1")
        first.close()
        await until(lambda: not wire.front.held)


async def test_the_beginning_of_a_head_counts() -> None:
    request = post(b"", fields=LONG)
    async with rig(held_limit=len(request) + 100) as wire:
        await wire.model()
        first = await wire.request(request[:10_000])
        await until(lambda: wire.front.held == 10_000)
        await first.send(request[10_000:15_000])
        await until(lambda: wire.front.held == 15_000)
        second = await wire.request(request[:10_000])
        assert (await second.answer()).status == 503
        assert await second.closed() == b""
        await first.send(request[15_000:])
        assert (await first.answer()).status == 200
        assert wire.front.held == 0


async def test_requests_sent_ahead_count() -> None:
    async with rig(held_limit=1_000) as wire:
        caller = await wire.request(post())
        await wire.throttler.held.get()
        alone = wire.front.held
        await caller.send(post(b"second"))
        await until(lambda: wire.front.held == alone + len(post(b"second")))
        await caller.send(post(b"x" * 2_000))  # too much: dropped, and all that was sent ahead with it
        await until(lambda: wire.front.held == alone)
        await wire.model()
        answer = await caller.answer()
        assert (answer.body, answer.fields["connection"]) == (b"hello", "close")
        assert await caller.closed() == b""


async def test_a_held_body_counts_until_the_pod_has_taken_it() -> None:
    """A storm that is let go at once must not be counted as nothing while all of it still lies here."""
    read = asyncio.Event()
    body = b"x" * (32 << 20)
    async with rig(body_limit_bytes=1 << 30) as wire:
        caller = await wire.request()
        await caller.send(post(body))
        await until(lambda: wire.front.held == len(post(body)))
        await wire.model(reluctant(read, len(body)))
        await until(lambda: wire.listener._context.backend_connections)
        assert wire.front.held == len(post(body))
        read.set()
        await until(lambda: not wire.front.held)
        assert (await caller.answer()).body == b"all"


async def test_a_connection_with_unsent_bytes_is_not_kept() -> None:
    """The model answered without reading the body: what still lies here must neither meet the next request nor stay counted."""
    body = b"x" * (32 << 20)

    async def script(connection: Connection) -> None:
        await connection.head()
        connection.writer.transport.pause_reading()
        await connection.answer(b"early")
        await asyncio.Event().wait()

    async with rig(body_limit_bytes=1 << 30) as wire:
        caller = await wire.request()
        await caller.send(post(body))
        await until(lambda: wire.front.held == len(post(body)))
        await wire.model(script)
        assert (await caller.answer()).body == b"early"
        assert wire.throttler.backends[0].idle == []
        assert wire.front.held == 0
