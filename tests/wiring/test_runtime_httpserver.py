"""The HTTP server of every process closes connections of silent clients, so that others can still connect."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager

import pytest
from aiohttp import web
from prometheus_client import CollectorRegistry, Counter

from kindler.runtime.httpserver import health_application, serving
from tests.wiring.activator_rig import free_port

Client = tuple[asyncio.StreamReader, asyncio.StreamWriter]

REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


def server(connections: int, head_seconds: float) -> AbstractAsyncContextManager[int]:
    async def ok(_: web.Request) -> web.Response:
        return web.Response(text="ok")

    app = web.Application()
    app.router.add_get("/", ok)
    return serving(app, free_port(), connections=connections, head_seconds=head_seconds)


async def connect(port: int) -> Client:
    return await asyncio.open_connection("127.0.0.1", port)


async def answers(client: Client) -> bool:
    client[1].write(REQUEST)
    return b" 200 " in await client[0].readuntil(b"\r\n\r\nok")


async def test_a_client_must_send_a_request_in_time_and_may_then_stay() -> None:
    async with server(connections=10, head_seconds=0.2) as port:
        silent, slow, good = [await connect(port) for _ in range(3)]
        slow[1].write(REQUEST[:8])
        assert await answers(good)
        assert (await silent[0].read(), await slow[0].read()) == (b"", b"")
        assert await answers(good)
        for _, writer in (silent, slow, good):
            writer.close()


async def test_at_the_limit_a_new_client_replaces_a_silent_one_and_never_one_with_a_request() -> None:
    async with server(connections=2, head_seconds=60) as port:
        silent = await connect(port)
        first, second = [await connect(port) for _ in range(2)]
        assert await silent[0].read() == b""
        assert await answers(first) and await answers(second)
        third = await connect(port)
        assert await third[0].read() == b""
        for _, writer in (silent, first, second, third):
            writer.close()


async def test_a_port_in_use_is_an_error() -> None:
    async with server(connections=2, head_seconds=1) as port:
        with pytest.raises(OSError, match=str(port)):
            async with serving(web.Application(), port):
                pass


@pytest.mark.parametrize(("problem", "status", "text"), [(None, 200, "ok\n"), ("no data", 503, "no data\n")])
async def test_health_pages_say_what_is_wrong(problem: str | None, status: int, text: str) -> None:
    registry = CollectorRegistry()
    Counter("kindler_tries", "Tries.", registry=registry).inc()
    app = health_application(lambda: problem, lambda: problem, registry)
    async with serving(app, 0) as port:
        for path in ("/healthz", "/readyz"):
            reader, writer = await connect(port)
            writer.write(f"GET {path} HTTP/1.0\r\n\r\n".encode())
            response = (await reader.read()).decode()
            writer.close()
            assert f" {status} " in response.splitlines()[0]
            assert response.endswith(text)
        reader, writer = await connect(port)
        writer.write(b"GET /metrics HTTP/1.0\r\n\r\n")
        assert b"kindler_tries_total 1.0" in await reader.read()
        writer.close()
