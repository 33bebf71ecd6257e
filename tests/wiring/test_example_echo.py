"""The model server examples/echo behaves as its docstring describes. It runs as a real process with real sockets."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

SERVER = Path(__file__).parents[2] / "examples" / "echo" / "server.py"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes  # the content of all chunks


class Client:
    """One connection. Raises EOFError when it ends before a response is complete."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def ask(self, method: str, target: str, body: bytes = b"", headers: dict[str, str] | None = None) -> Answer:
        lines = [
            f"{method} {target} HTTP/1.1",
            "Host: echo",
            f"Content-Length: {len(body)}",
            *(f"{n}: {v}" for n, v in (headers or {}).items()),
        ]
        self.writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        return await self.read()

    async def read(self) -> Answer:
        first, *lines = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[:-2]
        headers = {name.lower(): value.strip() for name, value in (line.split(":", 1) for line in lines)}
        body = b""
        if headers.get("transfer-encoding") == "chunked":
            while size := int(await self.reader.readuntil(b"\r\n"), 16):
                body += (await self.reader.readexactly(size + 2))[:-2]
            await self.reader.readuntil(b"\r\n")
        else:
            body = await self.reader.readexactly(int(headers["content-length"]))
        return Answer(int(first.split(" ")[1]), headers, body)


class Echo:
    """One server process."""

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self.process, self.port = process, port

    async def client(self) -> Client:
        return Client(*await asyncio.open_connection("127.0.0.1", self.port))

    async def ask(self, method: str, target: str, body: bytes = b"", headers: dict[str, str] | None = None) -> Answer:
        client = await self.client()
        try:
            return await client.ask(method, target, body, headers)
        finally:
            client.writer.close()

    async def running(self, count: int) -> None:
        """Waits until exactly `count` invocations run in the server."""
        client = await self.client()
        while json.loads((await client.ask("GET", "/stats")).body)["running"] != count:
            pass  # no pause is necessary: each request takes the time of a round trip
        client.writer.close()


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


@asynccontextmanager
async def echo(*, first_line: bytes = b"listening", **environ: str) -> AsyncIterator[Echo]:
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-I",
        "-S",
        str(SERVER),
        "serve",
        env=os.environ | environ | {"PORT": str(port)},
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    try:
        assert (await process.stderr.readline()).startswith(first_line)
        yield Echo(process, port)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_ping_invocations_and_nothing_else() -> None:
    async with echo() as server:
        assert (await server.ask("GET", "/ping")).status == 200
        answer = await server.ask("POST", "/invocations", b"abc", {"X-Custom": "v"})
        facts = json.loads(answer.body)
        assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
        assert (facts["bytes"], facts["headers"]["x-custom"], facts["concurrent"]) == (3, "v", 1)
        assert facts["hostname"] == answer.headers["x-echo-hostname"] == socket.gethostname()
        assert (await server.ask("GET", "/invocations")).status == 404
        assert (await server.ask("POST", "/elsewhere")).status == 404


@pytest.mark.parametrize(
    ("target", "body", "headers"),
    [
        ("/invocations?status=418&size=7", b"", {}),
        ("/invocations", b"", {"X-Echo-Status": "418", "X-Echo-Size": "7"}),
        ("/invocations", b'{"status": 418, "size": 7}', {}),
    ],
    ids=["query", "headers", "json"],
)
async def test_options_come_from_the_query_headers_or_json(target: str, body: bytes, headers: dict[str, str]) -> None:
    async with echo() as server:
        answer = await server.ask("POST", target, body, headers)
        assert (answer.status, answer.body) == (418, b"x" * 7)


async def test_headers_override_the_query_and_json_overrides_both_and_bad_values_give_400() -> None:
    async with echo() as server:
        answer = await server.ask(
            "POST", "/invocations?status=201&size=1", b'{"size": 3}', {"X-Echo-Status": "202", "X-Echo-Size": "2"}
        )
        assert (answer.status, len(answer.body)) == (202, 3)
        for wrong in ({"X-Echo-Sleep": "long"}, {"X-Echo-Size": "1.5"}):
            assert (await server.ask("POST", "/invocations", b"", wrong)).status == 400
        assert (await server.ask("POST", "/invocations", b'{"sleep": null}')).status == 400


async def test_echo_returns_the_whole_body_also_if_it_came_in_chunks() -> None:
    async with echo() as server:
        body = os.urandom(1_000_000)
        answer = await server.ask(
            "POST", "/invocations", body, {"X-Echo-Echo": "true", "Content-Type": "image/x-noise"}
        )
        assert answer.body == body
        assert answer.headers["content-type"] == "image/x-noise"
        client = await server.client()
        client.writer.write(
            b"POST /invocations?echo=1 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n"
            b"Expect: 100-continue\r\n\r\n"
        )
        assert await client.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.writer.write(b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nTrailer: t\r\n\r\n")
        assert (await client.read()).body == b"abcde"
        assert (await client.ask("GET", "/ping")).status == 200  # the connection is still usable
        client.writer.close()


async def test_chunks_are_sent_one_by_one() -> None:
    async with echo() as server:
        client = await server.client()
        client.writer.write(b"POST /invocations?chunks=3&interval=3600 HTTP/1.1\r\nHost: h\r\n\r\n")
        head = await client.reader.readuntil(b"\r\n\r\n")
        assert b"transfer-encoding: chunked" in head.lower()
        assert (
            await client.reader.readexactly(len("8\r\nchunk 0\n\r\n")) == b"8\r\nchunk 0\n\r\n"
        )  # the server sends the other bytes after an hour
        client.writer.close()
        assert (await server.ask("POST", "/invocations?chunks=3&size=4")).body == b"x" * 12


@pytest.mark.parametrize("option", ["close=true", "truncate=true&size=1000", "truncate=true&chunks=4", "crash=true"])
async def test_a_truncated_response_never_looks_complete(option: str) -> None:
    async with echo() as server:
        with pytest.raises((EOFError, ConnectionResetError)):
            await server.ask("POST", f"/invocations?{option}")
        if option == "crash=true":
            assert await server.process.wait() == 1


async def test_overlap_is_reported_by_both_overlapping_requests_and_by_no_other() -> None:
    async with echo() as server:
        first = asyncio.create_task(server.ask("POST", "/invocations?sleep=0.2"))
        await server.running(1)
        second = await server.ask("POST", "/invocations")
        assert second.headers["x-echo-concurrent"] == "2"
        assert (await first).headers["x-echo-concurrent"] == "2"
        client = await server.client()
        alone = [(await client.ask("POST", "/invocations")).headers["x-echo-concurrent"] for _ in range(200)]
        assert set(alone) == {"1"}
        assert json.loads((await client.ask("GET", "/stats")).body) == {
            "running": 0,
            "maxConcurrent": 2,
            "served": 202,
            "pings": 0,
        }
        client.writer.close()


async def test_a_client_that_leaves_does_not_stop_its_request() -> None:
    async with echo() as server:
        client = await server.client()
        client.writer.write(b"POST /invocations?sleep=0.3 HTTP/1.1\r\nHost: h\r\n\r\n")
        await server.running(1)
        client.writer.close()
        assert (await server.ask("POST", "/invocations")).headers["x-echo-concurrent"] == "2"
        await server.running(0)


async def test_one_worker_answers_no_ping_while_it_works() -> None:
    async with echo(WORKERS="1") as server:
        long = asyncio.create_task(server.ask("POST", "/invocations?sleep=0.3"))
        await server.running(1)
        assert (await server.ask("GET", "/ping")).status == 200
        assert long.done() or json.loads((await server.ask("GET", "/stats")).body)["running"] == 0
        await long


@pytest.mark.parametrize(
    ("name", "value", "status"),
    [("PING_FAIL", "true", 503), ("PING_STATUS", "404", 404), ("PING_SECONDS", "0.01", 200)],
)
async def test_ping_behaves_as_configured(name: str, value: str, status: int) -> None:
    async with echo(first_line=b"listening", **{name: value}) as server:
        assert (await server.ask("GET", "/ping")).status == status
        assert (await server.ask("POST", "/invocations")).status == 200


async def test_slow_start_refuses_connections_and_can_be_stopped() -> None:
    async with echo(first_line=b"starts in 3600 s", START_SECONDS="3600") as server:
        with pytest.raises(ConnectionRefusedError):
            await server.client()
        server.process.send_signal(signal.SIGTERM)
        assert await server.process.wait() == 0
    async with echo(first_line=b"starts in 0.05 s", START_SECONDS="0.05") as server:
        assert server.process.stderr is not None
        assert (await server.process.stderr.readline()).startswith(b"listening")
        assert (await server.ask("GET", "/ping")).status == 200


async def test_it_crashes_as_configured() -> None:
    async with echo(first_line=b"CRASH_AT_START", CRASH_AT_START="true") as server:
        assert await server.process.wait() == 1
    async with echo(CRASH_AFTER="0.2") as server:
        assert await server.process.wait() == 1


async def test_on_sigterm_requests_finish_new_ones_are_refused_and_the_status_is_zero() -> None:
    async with echo() as server:
        idle = await server.client()
        await idle.ask("GET", "/ping")
        last = asyncio.create_task(server.ask("POST", "/invocations?sleep=0.3"))
        await server.running(1)
        server.process.send_signal(signal.SIGTERM)
        assert await idle.reader.read() == b""
        with pytest.raises(ConnectionRefusedError):
            await server.client()
        answer = await last
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert await server.process.wait() == 0
        idle.writer.close()


async def test_sigterm_can_be_ignored_or_obeyed_at_once() -> None:
    async with echo(IGNORE_SIGTERM="true") as server:
        server.process.send_signal(signal.SIGTERM)
        assert (await server.ask("GET", "/ping")).status == 200
    async with echo(DIE_ON_SIGTERM="true") as server:
        cut = asyncio.create_task(server.ask("POST", "/invocations?sleep=3600"))
        await server.running(1)
        server.process.send_signal(signal.SIGTERM)
        with pytest.raises((EOFError, ConnectionResetError)):
            await cut
        assert await server.process.wait() == 143


@pytest.mark.parametrize(
    "raw",
    [
        b"nonsense\r\n\r\n",
        b"POST /invocations HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: " + b"y" * 70_000 + b"\r\n\r\n",
    ],
)
async def test_a_malformed_request_is_answered_with_400(raw: bytes) -> None:
    async with echo() as server:
        client = await server.client()
        client.writer.write(raw)
        assert (await client.read()).status == 400
        client.writer.close()
