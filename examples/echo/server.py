"""The tests' model server: a SageMaker container whose behaviour is set by environment or by request.

It needs only the standard library. It listens on PORT (8080) and implements the container contract: GET /ping, POST
/invocations. GET /stats returns counters of the process since its start.

Environment variables, for the life of the process:

    START_SECONDS=n      listens only after n seconds; until then connections are refused
    CRASH_AT_START=true  exits with code 1 at once
    CRASH_AFTER=n        exits with code 1 after n seconds
    PING_STATUS=n        /ping responds with status n instead of 200
    PING_FAIL=true       the same as PING_STATUS=503
    PING_SECONDS=n       /ping responds after n seconds
    WORKERS=n            runs n requests at a time, pings included, like a server with n workers; the others wait
                         (0, the default: no limit)
    IGNORE_SIGTERM=true  ignores SIGTERM; only SIGKILL ends the process
    DIE_ON_SIGTERM=true  exits at once on SIGTERM without responses to requests in progress (default: completes them,
                         accepts no new ones, exits with 0)

Options of a request: a query parameter (?sleep=1), a header (X-Echo-Sleep: 1), or a key of a JSON object in the body.
The body overrides the header, and the header overrides the query parameter:

    sleep=n              responds after n seconds
    status=n             responds with this status
    size=n               responds with n bytes; with chunks: n bytes in each chunk
    chunks=n             responds in n chunks (Transfer-Encoding: chunked)
    interval=n           n seconds between chunks
    echo=true            responds with the request's own body and content type
    crash=true           ends the process with exit code 1, without a response
    close=true           closes the connection without a response
    truncate=true        ends the response early: after half of the announced length, or without the last chunk

Without `size`, `chunks` or `echo`, the response is a JSON object: `hostname`, `concurrent`, `maxConcurrent`, `served`,
`method`, `path`, `headers` (names in lower case), `bytes` (the size of the body).

Every response has X-Echo-Hostname and X-Echo-Concurrent. X-Echo-Concurrent is the largest number of requests that ran
in this process at the same time while this request ran, this request included. So a limit of one
request per pod is kept if and only if no response has 2 or more. A request continues when its client disconnects.
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


def is_true(value: object) -> bool:
    return str(value).lower() in ("true", "1", "yes")


@dataclass(frozen=True)
class Behaviour:
    """The behaviour that the environment sets."""

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
            crash_at_start=is_true(environ.get("CRASH_AT_START")),
            crash_after=float(environ.get("CRASH_AFTER", "0")),
            ping_status=int(environ.get("PING_STATUS") or (503 if is_true(environ.get("PING_FAIL")) else 200)),
            ping_seconds=float(environ.get("PING_SECONDS", "0")),
            workers=int(environ.get("WORKERS", "0")),
            ignore_sigterm=is_true(environ.get("IGNORE_SIGTERM")),
            die_on_sigterm=is_true(environ.get("DIE_ON_SIGTERM")),
        )


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    query: str
    headers: dict[str, str]  # names in lower case
    body: bytes


@dataclass(frozen=True)
class Options:
    """The options of one request. Without `size`, the response is the JSON object."""

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
    def of(cls, request: Request) -> Options:
        """Reads the options. Raises ValueError or TypeError if the value of one is not a number."""
        values: dict[str, object] = dict(parse_qsl(request.query))
        values |= {
            name.removeprefix("x-echo-"): value for name, value in request.headers.items() if name.startswith("x-echo-")
        }
        with suppress(ValueError):
            body = json.loads(request.body)
            values |= body if isinstance(body, dict) else {}
        kinds = {"sleep": float, "status": int, "size": int, "chunks": int, "interval": float}
        return cls(
            **{name: kinds.get(name, is_true)(values[name]) for name in cls.__dataclass_fields__ if name in values}
        )


@dataclass(eq=False)
class Run:
    """One invocation in progress. `peak`: the largest number of invocations at the same time while it ran."""

    peak: int = 1


@dataclass
class Counters:
    """Counters of the process since its start."""

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
        """Counts the invocation as completed.

        The server calls this before it sends the last byte of the response. Otherwise the client's next request could
        overlap with this run.
        """
        if run in self.running:
            self.running.remove(run)
            self.served += 1


class BadRequest(Exception):
    """The request cannot be parsed. The text is the reason."""


async def read_request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Request | None:
    """The next request of a connection. None if the client closed it. Raises BadRequest."""
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
            """The line is a trailer, which is ignored."""
        return body
    except (ValueError, asyncio.IncompleteReadError):
        raise BadRequest("the request's body is malformed or not complete") from None


def head(status: int, headers: Mapping[str, object]) -> bytes:
    phrase = next((known.phrase for known in HTTPStatus if known == status), "Unknown")
    lines = [f"HTTP/1.1 {status} {phrase}", *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


class Server:
    """The server of one process. `serve()` returns after SIGTERM, when all requests have completed."""

    def __init__(self, behaviour: Behaviour) -> None:
        self.behaviour = behaviour
        self.counters = Counters()
        self.hostname = socket.gethostname()
        self.workers = asyncio.Semaphore(behaviour.workers) if behaviour.workers else nullcontext()
        self.stopping = asyncio.Event()
        self.connections: dict[asyncio.Task[None], bool] = {}  # True: a request is in progress

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
                if not await self.respond(request, writer) or self.stopping.is_set():
                    break
                self.connections[task] = False
        except BadRequest as error:
            with suppress(ConnectionError):
                await self.send(writer, 400, str(error).encode(), {"Connection": "close"})
        except (ConnectionError, asyncio.CancelledError):
            """Ends the connection: the client disconnected, or the server stops and the connection was idle."""
        finally:
            del self.connections[task]
            writer.close()

    async def respond(self, request: Request, writer: asyncio.StreamWriter) -> bool:
        """Responds to one request. Returns True if the connection can be used for another request."""
        if request.path == "/ping":
            async with self.workers:
                await asyncio.sleep(self.behaviour.ping_seconds)
            self.counters.pings += 1
            await self.send(writer, self.behaviour.ping_status, b"", {})
            return True
        if request.path == "/stats":
            counters = self.counters
            values = {
                "running": len(counters.running),
                "maxConcurrent": counters.peak,
                "served": counters.served,
                "pings": counters.pings,
            }
            await self.send(writer, 200, json.dumps(values).encode(), {"Content-Type": "application/json"})
            return True
        if request.path != "/invocations" or request.method != "POST":
            await self.send(
                writer, 404, b"use GET /ping, POST /invocations or GET /stats\n", {"Content-Type": "text/plain"}
            )
            return True
        run = self.counters.begin()
        try:
            async with self.workers:
                return await self.invocation(request, run, writer)
        finally:
            self.counters.end(run)

    async def invocation(self, request: Request, run: Run, writer: asyncio.StreamWriter) -> bool:
        try:
            options = Options.of(request)
        except (ValueError, TypeError) as error:
            self.counters.end(run)
            await self.send(writer, 400, f"{error}\n".encode(), {"Content-Type": "text/plain"})
            return True
        await asyncio.sleep(options.sleep)
        if options.crash:
            os._exit(1)
        if options.close:
            return False
        headers = {"X-Echo-Hostname": self.hostname, "X-Echo-Concurrent": run.peak}
        if options.chunks:
            await self.stream(options, run, headers, writer)
        else:
            body, kind = self.body(request, options, run)
            self.counters.end(run)
            await self.send(writer, options.status, body, {"Content-Type": kind} | headers, cut=options.truncate)
        return not options.truncate

    def body(self, request: Request, options: Options, run: Run) -> tuple[bytes, str]:
        if options.echo:
            return request.body, request.headers.get("content-type", "application/octet-stream")
        if options.size is not None:
            return b"x" * options.size, "application/octet-stream"
        values = {
            "hostname": self.hostname,
            "concurrent": run.peak,
            "maxConcurrent": self.counters.peak,
            "served": self.counters.served,
            "method": request.method,
            "path": request.path,
            "headers": request.headers,
            "bytes": len(request.body),
        }
        return json.dumps(values).encode(), "application/json"

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

    async def stream(
        self, options: Options, run: Run, headers: Mapping[str, object], writer: asyncio.StreamWriter
    ) -> None:
        writer.write(
            head(
                options.status,
                self.connection_header() | {"Content-Type": "text/plain", "Transfer-Encoding": "chunked", **headers},
            )
        )
        async for chunk in self.chunks(options):
            writer.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
            await writer.drain()
        self.counters.end(run)
        if not options.truncate:
            writer.write(b"0\r\n\r\n")
            await writer.drain()

    async def chunks(self, options: Options) -> AsyncIterator[bytes]:
        for number in range(options.chunks):
            if number:
                await asyncio.sleep(options.interval)
            if options.truncate and number >= options.chunks / 2:
                return
            yield b"x" * options.size if options.size else f"chunk {number}\n".encode()


def main() -> None:
    behaviour = Behaviour.of(os.environ)
    if behaviour.crash_at_start:
        sys.exit("CRASH_AT_START is set")
    asyncio.run(Server(behaviour).serve())


if __name__ == "__main__":
    main()
