"""The tests' model server: a SageMaker container whose behaviour is asked for by environment or by request. Standard library alone.

It listens on PORT (8080) and speaks the container contract: GET /ping, POST /invocations. GET /stats tells what the process has seen so far.

By environment, for the life of the process:

    START_SECONDS=n      listens only after n seconds: until then a connection is refused
    CRASH_AT_START=true  ends with exit code 1 at once
    CRASH_AFTER=n        ends with exit code 1 after n seconds
    PING_STATUS=n        /ping answers n instead of 200
    PING_FAIL=true       the same as PING_STATUS=503
    PING_SECONDS=n       /ping answers after n seconds
    WORKERS=n            works on n requests at a time, pings too, as a server with n workers does; the others wait (0, the default: no limit)
    IGNORE_SIGTERM=true  lives on after SIGTERM, until it is killed
    DIE_ON_SIGTERM=true  ends at once on SIGTERM, requests in progress unanswered (default: answers them, takes no others, ends with 0)

By request, as query parameter (?sleep=1), as header (X-Echo-Sleep: 1) or as a key of a JSON object in the body; what stands later in this line wins:

    sleep=n              answers after n seconds
    status=n             answers with this status
    size=n               answers with n bytes; with chunks: n bytes in each chunk
    chunks=n             answers in n chunks (Transfer-Encoding: chunked)
    interval=n           n seconds between chunks
    echo=true            answers with the request's own body and content type
    crash=true           ends the process with exit code 1, nothing answered
    close=true           closes the connection, nothing answered
    truncate=true        breaks off half-way: half of the announced length, or no last chunk

Without `size`, `chunks` or `echo` the answer is a JSON object: `hostname`, `concurrent`, `maxConcurrent`, `served`, `method`, `path`, `headers` (names in lower
case), `bytes` (the body's size). Every answer carries X-Echo-Hostname and X-Echo-Concurrent: the most requests that ran in this process at any moment while
this one ran, itself included. A limit of one request a pod holds exactly when no answer says 2. A client that leaves does not stop its request.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import parse_qsl, urlsplit

HEAD_LIMIT = 64 * 1024


def truth(value: object) -> bool:
    return str(value).lower() in ("true", "1", "yes")


@dataclass(frozen=True)
class Behaviour:
    """What the environment asks for."""

    port: int
    start_seconds: float
    crash_at_start: bool
    crash_after: float
    ping_status: int
    ping_seconds: float
    workers: int
    ignore_sigterm: bool
    die_on_sigterm: bool

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Behaviour:
        return cls(
            port=int(environ.get("PORT", "8080")),
            start_seconds=float(environ.get("START_SECONDS", "0")),
            crash_at_start=truth(environ.get("CRASH_AT_START")),
            crash_after=float(environ.get("CRASH_AFTER", "0")),
            ping_status=int(environ.get("PING_STATUS") or (503 if truth(environ.get("PING_FAIL")) else 200)),
            ping_seconds=float(environ.get("PING_SECONDS", "0")),
            workers=int(environ.get("WORKERS", "0")),
            ignore_sigterm=truth(environ.get("IGNORE_SIGTERM")),
            die_on_sigterm=truth(environ.get("DIE_ON_SIGTERM")),
        )


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    query: str
    headers: dict[str, str]  # names in lower case
    body: bytes


@dataclass(frozen=True)
class Wish:
    """What one request asks for. `size` is None when it asks for the JSON answer."""

    sleep: float = 0.0
    status: int = 200
    size: int | None = None
    chunks: int = 0
    interval: float = 0.0
    echo: bool = False
    crash: bool = False
    close: bool = False
    truncate: bool = False

    @classmethod
    def of(cls, request: Request) -> Wish:
        """Raises ValueError or TypeError when a wish is no number."""
        said: dict[str, object] = dict(parse_qsl(request.query))
        said |= {
            name.removeprefix("x-echo-"): value for name, value in request.headers.items() if name.startswith("x-echo-")
        }
        with suppress(ValueError):
            body = json.loads(request.body)
            said |= body if isinstance(body, dict) else {}
        kinds = {"sleep": float, "status": int, "size": int, "chunks": int, "interval": float}
        return cls(**{name: kinds.get(name, truth)(said[name]) for name in cls.__dataclass_fields__ if name in said})


@dataclass(eq=False)
class Run:
    """One invocation in progress; `peak` is the most that ran at once while it did."""

    peak: int = 1


@dataclass
class Seen:
    """What the process has seen so far."""

    running: set[Run] = field(default_factory=set)
    peak: int = 0
    served: int = 0
    pings: int = 0

    def begin(self) -> Run:
        run = Run()
        self.running.add(run)
        self.peak = max(self.peak, len(self.running))
        for other in self.running:
            other.peak = max(other.peak, len(self.running))
        return run

    def end(self, run: Run) -> None:
        """Called before the last byte of an answer leaves, so that the client's next request never counts as an overlap."""
        if run in self.running:
            self.running.remove(run)
            self.served += 1


class BadRequest(Exception):
    """The request cannot be read; the text says why."""


async def read_request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Request | None:
    """The next request of a connection, None when the client is done. Raises BadRequest."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    except asyncio.LimitOverrunError:
        raise BadRequest("the request's head is too large") from None
    first, *lines = head.decode("latin-1").split("\r\n")[:-2]
    try:
        method, target, _version = first.split(" ")
        headers = {name.lower(): value.strip() for name, value in (line.split(":", 1) for line in lines)}
    except ValueError:
        raise BadRequest("the request's head is malformed") from None
    if headers.get("expect", "").lower() == "100-continue":
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    url = urlsplit(target)
    return Request(method, url.path, url.query, headers, await read_body(reader, headers))


async def read_body(reader: asyncio.StreamReader, headers: Mapping[str, str]) -> bytes:
    try:
        if "chunked" not in headers.get("transfer-encoding", "").lower():
            return await reader.readexactly(int(headers.get("content-length", "0")))
        body = b""
        while size := int((await reader.readline()).split(b";")[0], 16):
            body += await reader.readexactly(size)
            await reader.readline()
        while (await reader.readline()).strip():
            """A trailer: not used."""
        return body
    except (ValueError, asyncio.IncompleteReadError):
        raise BadRequest("the request's body is malformed or not complete") from None


def head(status: int, headers: Mapping[str, object]) -> bytes:
    phrase = next((known.phrase for known in HTTPStatus if known == status), "Unknown")
    lines = [f"HTTP/1.1 {status} {phrase}", *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


class Server:
    """One process. `serve()` lasts until SIGTERM has been obeyed."""

    def __init__(self, behaviour: Behaviour) -> None:
        self.behaviour = behaviour
        self.seen = Seen()
        self.hostname = socket.gethostname()
        self.workers = asyncio.Semaphore(behaviour.workers) if behaviour.workers else nullcontext()
        self.stopping = asyncio.Event()
        self.connections: dict[asyncio.Task[None], bool] = {}  # True: in a request

    async def serve(self) -> None:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self.on_sigterm)
        loop.add_signal_handler(signal.SIGINT, self.stopping.set)
        if self.behaviour.crash_after:
            loop.call_later(self.behaviour.crash_after, os._exit, 1)
        if self.behaviour.start_seconds:
            print(f"starts in {self.behaviour.start_seconds:g} s", file=sys.stderr, flush=True)
            with suppress(TimeoutError):
                await asyncio.wait_for(self.stopping.wait(), self.behaviour.start_seconds)
                return
        server = await asyncio.start_server(
            self.connection, "0.0.0.0", self.behaviour.port, limit=HEAD_LIMIT, backlog=1024
        )
        print(f"listening on port {self.behaviour.port}", file=sys.stderr, flush=True)
        await self.stopping.wait()
        server.close()
        for task, busy in self.connections.items():
            if not busy:
                task.cancel()
        await asyncio.gather(*self.connections, return_exceptions=True)

    def on_sigterm(self) -> None:
        if self.behaviour.die_on_sigterm:
            os._exit(143)
        if not self.behaviour.ignore_sigterm:
            self.stopping.set()

    async def connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.connections[task] = False
        try:
            while (request := await read_request(reader, writer)) is not None:
                self.connections[task] = True
                if not await self.answer(request, writer) or self.stopping.is_set():
                    break
                self.connections[task] = False
        except BadRequest as bad:
            with suppress(ConnectionError):
                await self.send(writer, 400, str(bad).encode(), {"Connection": "close"})
        except (ConnectionError, asyncio.CancelledError):
            """The client left, or we are stopping and the connection was idle."""
        finally:
            del self.connections[task]
            writer.close()

    async def answer(self, request: Request, writer: asyncio.StreamWriter) -> bool:
        """True when the connection may carry another request."""
        if request.path == "/ping":
            async with self.workers:
                await asyncio.sleep(self.behaviour.ping_seconds)
            self.seen.pings += 1
            await self.send(writer, self.behaviour.ping_status, b"", {})
            return True
        if request.path == "/stats":
            seen = self.seen
            facts = {
                "running": len(seen.running),
                "maxConcurrent": seen.peak,
                "served": seen.served,
                "pings": seen.pings,
            }
            await self.send(writer, 200, json.dumps(facts).encode(), {"Content-Type": "application/json"})
            return True
        if request.path != "/invocations" or request.method != "POST":
            await self.send(
                writer, 404, b"use GET /ping, POST /invocations or GET /stats\n", {"Content-Type": "text/plain"}
            )
            return True
        run = self.seen.begin()
        try:
            async with self.workers:
                return await self.invocation(request, run, writer)
        finally:
            self.seen.end(run)

    async def invocation(self, request: Request, run: Run, writer: asyncio.StreamWriter) -> bool:
        try:
            wish = Wish.of(request)
        except (ValueError, TypeError) as bad:
            self.seen.end(run)
            await self.send(writer, 400, f"{bad}\n".encode(), {"Content-Type": "text/plain"})
            return True
        await asyncio.sleep(wish.sleep)
        if wish.crash:
            os._exit(1)
        if wish.close:
            return False
        headers = {"X-Echo-Hostname": self.hostname, "X-Echo-Concurrent": run.peak}
        if wish.chunks:
            await self.stream(wish, run, headers, writer)
        else:
            body, kind = self.body(request, wish, run)
            self.seen.end(run)
            await self.send(writer, wish.status, body, {"Content-Type": kind} | headers, cut=wish.truncate)
        return not wish.truncate

    def body(self, request: Request, wish: Wish, run: Run) -> tuple[bytes, str]:
        if wish.echo:
            return request.body, request.headers.get("content-type", "application/octet-stream")
        if wish.size is not None:
            return b"x" * wish.size, "application/octet-stream"
        facts = {
            "hostname": self.hostname,
            "concurrent": run.peak,
            "maxConcurrent": self.seen.peak,
            "served": self.seen.served,
            "method": request.method,
            "path": request.path,
            "headers": request.headers,
            "bytes": len(request.body),
        }
        return json.dumps(facts).encode(), "application/json"

    def connection_header(self) -> dict[str, object]:
        return {"Connection": "close"} if self.stopping.is_set() else {}

    async def send(
        self, writer: asyncio.StreamWriter, status: int, body: bytes, headers: Mapping[str, object], cut: bool = False
    ) -> None:
        writer.write(
            head(status, self.connection_header() | {"Content-Length": len(body), **headers})
            + (body[: len(body) // 2] if cut else body)
        )
        await writer.drain()

    async def stream(self, wish: Wish, run: Run, headers: Mapping[str, object], writer: asyncio.StreamWriter) -> None:
        writer.write(
            head(
                wish.status,
                self.connection_header() | {"Content-Type": "text/plain", "Transfer-Encoding": "chunked", **headers},
            )
        )
        async for chunk in self.chunks(wish):
            writer.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
            await writer.drain()
        self.seen.end(run)
        if not wish.truncate:
            writer.write(b"0\r\n\r\n")
            await writer.drain()

    async def chunks(self, wish: Wish) -> AsyncIterator[bytes]:
        for number in range(wish.chunks):
            if number:
                await asyncio.sleep(wish.interval)
            if wish.truncate and number >= wish.chunks / 2:
                return
            yield b"x" * wish.size if wish.size else f"chunk {number}\n".encode()


def main() -> None:
    behaviour = Behaviour.of(os.environ)
    if behaviour.crash_at_start:
        sys.exit("CRASH_AT_START is set")
    asyncio.run(Server(behaviour).serve())


if __name__ == "__main__":
    main()
