"""The wire between real sockets, with the simplest throttler that the wire can use, and clients that send bytes."""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from typing import Any

import h11

from kindler.activator.endpoint.requests import (
    Backend,
    Cause,
    ColdStart,
    ForwardingConfig,
    Outcome,
    PendingRequest,
    Purpose,
    Rejection,
    Style,
)
from kindler.activator.wire import Listener, start
from kindler.activator.wire.roles import Lookup, RequestHead, RouteLookup, RouteMatch, RouteMiss, RouteResult, Throttler
from kindler.api.settings import ActivatorSettings, activator_settings
from tests.wiring.wire.models import HOST, Model, Script, echo

FORWARDING = ForwardingConfig("Iris", "shop", "AllTraffic", b"/invocations", 10.0)


def settings(**changes: Any) -> ActivatorSettings:
    return replace(activator_settings({}), **changes)


# ---- the throttler


@dataclass
class End:
    """How a request that had a backend ended."""

    outcome: Outcome
    status: int
    received: int
    sent: int


class TestThrottler:
    """Admits `limit` requests at the same time and places up to `per_backend` on each backend, first in first out.

    `peak`: by pod, the highest number of requests at the same time.
    """

    __test__ = False

    def __init__(self, limit: int = 100, per_backend: int = 1) -> None:
        self.forwarding = FORWARDING
        self.limit = limit
        self.per_backend = per_backend
        self.backends: list[Backend] = []
        self.waiting: deque[PendingRequest] = deque()
        self.running: dict[PendingRequest, Backend] = {}
        self.ends: asyncio.Queue[End] = asyncio.Queue()
        self.withdrawn: asyncio.Queue[PendingRequest] = asyncio.Queue()
        self.held: asyncio.Queue[PendingRequest] = asyncio.Queue()
        self.rejections: list[Cause] = []
        self.peak: dict[str, int] = {}
        self.cold: ColdStart | None = None
        self.counted = False

    def offer(self, request: PendingRequest) -> Backend | Rejection | None:
        if len(self.waiting) + len(self.running) >= self.limit:
            return Rejection(Cause.THROTTLED, "Too many requests.", 1)
        backend = self._free()
        if backend is None:
            self.waiting.append(request)
            self.held.put_nowait(request)
            return None
        return self._take(request, backend)

    def gone(self, request: PendingRequest) -> None:
        self.waiting.remove(request)
        self.withdrawn.put_nowait(request)

    def finished(
        self, request: PendingRequest, backend: Backend, outcome: Outcome, status: int, received: int, sent: int
    ) -> None:
        assert self.running.pop(request) is backend
        backend.in_use -= 1
        self.ends.put_nowait(End(outcome, status, received, sent))
        self.serve()

    def unreachable(self, request: PendingRequest, backend: Backend) -> Backend | Rejection | None:
        assert self.running.pop(request) is backend
        backend.in_use -= 1
        self.backends.remove(backend)
        other = self._free()
        if other is not None:
            return self._take(request, other)
        self.waiting.appendleft(request)
        self.held.put_nowait(request)
        return None

    def rejected(self, request: PendingRequest | None, rejection: Rejection) -> None:
        self.rejections.append(rejection.cause)

    def add(self, port: int, pod: str = "pod-1") -> Backend:
        backend = Backend(HOST, port, pod, f"uid-{pod}", "demand", "abc")
        self.backends.append(backend)
        self.serve()
        return backend

    def serve(self) -> None:
        while self.waiting and (backend := self._free()) is not None:
            request = self.waiting.popleft()
            request.cold = self.cold
            request.dispatch(self._take(request, backend))

    def _free(self) -> Backend | None:
        return next((p for p in self.backends if p.in_use < self.per_backend and not p.closing), None)

    def _take(self, request: PendingRequest, backend: Backend) -> Backend:
        self.running[request] = backend
        backend.in_use += 1
        self.peak[backend.pod] = max(self.peak.get(backend.pod, 0), backend.in_use)
        return backend


class TestLookup:
    """A look-up of an endpoint. The test calls `callback` with the result."""

    __test__ = False

    def __init__(self) -> None:
        self.callback: Callable[[Throttler | Rejection], None] | None = None
        self.cancelled = asyncio.Event()

    def then(self, callback: Callable[[Throttler | Rejection], None]) -> None:
        self.callback = callback

    def cancel(self) -> None:
        self.callback = None
        self.cancelled.set()


class TestRouter:
    """Routes every known address to one throttler.

    `/endpoints/Iris/invocations` gets responses in SageMaker's style; `/invocations` and `/ping` get plain ones.
    `/lookup` starts the look-up `lookup`.
    """

    __test__ = False

    def __init__(self, throttler: Throttler, held_limit: int = 1 << 40) -> None:
        self.throttler = throttler
        self.lookup: Lookup = TestLookup()
        self.held = 0
        self.held_limit = held_limit
        self.is_draining = False

    def find(self, head: RequestHead) -> RouteResult:
        path = head.target.partition(b"?")[0]
        if path == b"/endpoints/Iris/invocations":
            return RouteMatch(Purpose.INVOCATION, Style.SAGEMAKER, self.throttler)
        if path == b"/invocations":
            return RouteMatch(Purpose.INVOCATION, Style.PLAIN, self.throttler)
        if path == b"/ping":
            return RouteMatch(Purpose.WAKE, Style.PLAIN, self.throttler)
        if path == b"/lookup":
            return RouteLookup(Purpose.INVOCATION, Style.PLAIN, self.lookup)
        return RouteMiss(Style.PLAIN, Rejection(Cause.UNKNOWN_ADDRESS, "No such address."))

    def reserve_bytes(self, count: int) -> bool:
        if count > 0 and self.held + count > self.held_limit:
            return False
        self.held += count
        return True

    def draining(self) -> bool:
        return self.is_draining


# ---- clients


@dataclass
class Response:
    """A response as a client read it. The names of `fields` are lower case."""

    status: int
    fields: dict[str, str]
    body: bytes


class Caller:
    """A client's connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def response(self, method: bytes = b"POST") -> Response:
        """Reads one response. Raises h11's error if it is malformed or truncated, or ConnectionError after a reset."""
        parser = h11.Connection(h11.CLIENT)
        parser.send(h11.Request(method=method, target="/", headers=[("host", "x")]))
        parser.send(h11.EndOfMessage())
        parser.receive_data(await self.reader.readuntil(b"\r\n\r\n"))
        status, fields, body = 0, {}, b""
        while True:
            event = parser.next_event()
            if event is h11.NEED_DATA:
                parser.receive_data(await self._some(fields))
            elif isinstance(event, h11.InformationalResponse):
                return Response(event.status_code, {}, b"")
            elif isinstance(event, h11.Response):
                status, fields = event.status_code, {name.decode(): value.decode() for name, value in event.headers}
            elif isinstance(event, h11.Data):
                body += event.data
            else:
                assert isinstance(event, h11.EndOfMessage)
                return Response(status, fields, body)

    async def _some(self, fields: dict[str, str]) -> bytes:
        """The next bytes of the current response, never bytes of the next response."""
        if "transfer-encoding" not in fields:
            return (
                await self.reader.read(int(fields["content-length"]))
                if "content-length" in fields
                else await self.reader.read(65536)
            )
        data = await self.reader.readuntil(b"\r\n")
        if size := int(data.partition(b";")[0], 16):
            return data + await self.reader.readexactly(size + 2)
        while (line := await self.reader.readuntil(b"\r\n")) != b"\r\n":
            data += line
        return data + line

    async def closed(self) -> bytes:
        """Reads until the wire closes the connection. Raises ConnectionResetError if the wire resets it."""
        return await self.reader.read()

    def close(self) -> None:
        self.writer.close()


async def connect(port: int) -> Caller:
    """Opens a client's connection to a port of the loopback interface."""
    return Caller(*await asyncio.open_connection(HOST, port, limit=1 << 16))


@dataclass
class Rig:
    """A listener with its router and throttler. `caller()` opens a client's connection."""

    listener: Listener
    throttler: TestThrottler
    router: TestRouter

    def __post_init__(self) -> None:
        self._callers: list[Caller] = []
        self._models: list[Model] = []

    async def caller(self, data: bytes = b"") -> Caller:
        caller = await connect(self.listener.port)
        self._callers.append(caller)
        if data:
            await caller.send(data)
        return caller

    async def model(self, script: Script = echo, pod: str = "pod-1", backend: bool = True) -> Model:
        """Starts a model and adds it to the throttler's backends."""
        model = Model(script)
        await model.start()
        self._models.append(model)
        if backend:
            self.throttler.add(model.port, pod)
        return model

    async def stop(self) -> None:
        for caller in self._callers:
            caller.close()
        await self.listener.stop()
        for model in self._models:
            await model.stop()

    def check(self) -> None:
        """Asserts that no byte is reserved, no slot is used and no request is left."""
        assert self.router.held == 0
        assert not self.throttler.running
        assert self.listener.streams == 0


@asynccontextmanager
async def rig(throttler: TestThrottler | None = None, held_limit: int = 1 << 40, **changes: Any) -> AsyncIterator[Rig]:
    """A running wire. When the block ends, `check` runs. `changes`: settings with other values."""
    throttler = throttler or TestThrottler()
    router = TestRouter(throttler, held_limit)
    made = Rig(await start(settings(**changes), router, HOST, 0), throttler, router)
    try:
        yield made
    finally:
        await made.stop()
    made.check()


@contextmanager
def unresponsive_port() -> Iterator[int]:
    """A port on which a connect waits until it times out, because the backlog of the port is full."""
    with socket.create_server((HOST, 0), backlog=0) as server:
        port: int = server.getsockname()[1]
        fillers = [socket.socket() for _ in range(4)]
        try:
            for filler in fillers:
                filler.setblocking(False)
                filler.connect_ex((HOST, port))
            yield port
        finally:
            for filler in fillers:
                filler.close()


async def until(condition: Callable[[], object]) -> None:
    """Waits until a condition is true. It polls, because no event reports these conditions."""
    while not condition():  # noqa: ASYNC110
        await asyncio.sleep(0.001)


def post(
    body: bytes = b"hello", path: bytes = b"/invocations", fields: bytes = b"", host: bytes = b"iris.shop"
) -> bytes:
    return b"POST %b HTTP/1.1\r\nHost: %b\r\n%bContent-Length: %d\r\n\r\n%b" % (path, host, fields, len(body), body)


SAGEMAKER = b"/endpoints/Iris/invocations"
