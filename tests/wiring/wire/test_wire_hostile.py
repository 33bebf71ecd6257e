"""Heads that are invalid, or that two parsers could read in two ways."""

from __future__ import annotations

import asyncio

import pytest

from tests.wiring.wire.rig import post, rig

HOSTILE = [
    (b"GET / HTTP/0.9\r\n\r\n", 400),
    (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03aaaaaaaaaaaaa", 400),
    (b"POST /invocations HTTP/1.1\nHost: x\n\n", 400),
    (b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    (b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", 400),
    (b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello", 400),
    (
        b"POST /invocations HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n",
        400,
    ),
    (b"POST /invocations HTTP/1.1\r\nHost: x\r\nTransfer-Encoding:\x0bchunked\r\n\r\n", 400),
    (b"POST /invocations HTTP/1.1\r\nHost: x\r\nTransfer-Encoding : chunked\r\n\r\n", 400),
    (b"POST /invocations HTTP/1.1\r\nHost: x\r\n Transfer-Encoding: chunked\r\n\r\n", 400),
    (b"POST /invocations HTTP/1.1\r\nHost: x\r\nX: a\rTransfer-Encoding: chunked\r\n\r\n", 400),
    (b"POST /invocations HTTP/1.1\r\nHost: x\r\nX: a\nTransfer-Encoding: chunked\r\n\r\n", 400),
    (b"POST /invocations HTTP/1.1\r\nHost: x\r\nX: a\x00b\r\n\r\n", 400),
    (b"POST /invocations HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400),
    (b"POST /invocations HTTP/1.1\r\n\r\n", 400),
    (b"POST http://other/invocations HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    (b"POST /invocations/../invocations HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    (b"TRACE /invocations HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    (b"POST /invocations HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 100 + b"\r\n", 431),
    (b"POST /invocations HTTP/1.1\r\nHost: x\r\nA: " + b"b" * 40_000, 431),
    (b"POST /invocations HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n", 400),
    (b"POST /invocations HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloX\r\n", 400),
    (b"POST /invocations HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n", 400),
]


@pytest.mark.parametrize(("data", "status"), HOSTILE, ids=map(str, range(len(HOSTILE))))
@pytest.mark.parametrize("whole", [True, False])
async def test_hostile_heads_are_rejected_and_nothing_after_them_is_read(data: bytes, status: int, whole: bool) -> None:
    """The wire must not read the request after such a head. No model gets a byte, however the bytes are split."""
    async with rig() as wire:
        model = await wire.model()
        caller = await wire.caller()
        smuggled = data + post(b"smuggled")
        step = len(smuggled) if whole else max(7, len(data) // 50)
        try:
            for at in range(0, len(smuggled), step):
                caller.writer.write(smuggled[at : at + step])
                await asyncio.sleep(0)
        except ConnectionError:
            pass
        assert (await caller.response()).status == status
        assert await caller.closed() == b""
        assert model.requests.empty()
