"""One connection to a pod. Several requests use it one after the other. It checks the model's responses strictly.

    waiting for a head --head--> body (Body) --its end--> idle, in Backend.idle, or closed
           ^                                                     |
           +----------------------- next request ----------------+

A connection is reused only if all of this is true: the response ended where its framing said, no bytes followed it, the
request was sent to its end, and the pod is not being removed.
"""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import Any, Final, cast

from kindler.activator.endpoint.requests import Backend
from kindler.activator.wire import response
from kindler.activator.wire.body import Body
from kindler.activator.wire.chunked import BadChunk
from kindler.activator.wire.context import NEVER, ListenerContext
from kindler.activator.wire.grammar import UNTIL_CLOSE
from kindler.activator.wire.response import BadResponse
from kindler.activator.wire.roles import StreamHandle

INTERIM_LIMIT: Final = 16  # the most 1xx heads in one read


class BackendConnection(asyncio.Protocol):
    """`deadline`: when the current request times out, or when an idle connection expires (monotonic seconds)."""

    __slots__ = (
        "_body",
        "_buffer",
        "_idle_limit",
        "_paused",
        "_progressed",
        "_reusable",
        "backend",
        "closed",
        "context",
        "deadline",
        "stream",
        "transport",
    )

    transport: asyncio.Transport

    def __init__(self, context: ListenerContext, backend: Backend) -> None:
        self.context = context
        self.backend = backend
        self.stream: StreamHandle | None = None
        self.deadline = NEVER
        self.closed = False
        self._body: Body | None = None  # of the response; None until its head was read
        self._buffer = b""  # an incomplete head
        self._reusable = False
        self._paused = False  # reading is paused, because the client reads more slowly than the model writes
        self._progressed = False  # body bytes of the response were received since the last sweep
        self._idle_limit = NEVER  # when a response that has begun times out because it makes no progress

    # ---- events of the transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.context.backend_connections.add(self)

    def data_received(self, data: bytes) -> None:
        if self.stream is None:
            self.close()  # bytes without a request
        elif self._body is None:
            self._read_head(self.stream, data)
        else:
            self._progressed = True
            self._read_body(self.stream, self._body, data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        self.context.backend_connections.discard(self)
        stream = self.stream
        if stream is None:
            if self in self.backend.idle:
                self.backend.idle.remove(self)
        elif self._body is not None and self._body.framing == UNTIL_CLOSE and exc is None:
            self._complete(stream)
        elif self._body is not None or self._buffer:
            self._fail("closed the connection before its answer was complete")
        else:
            self._fail("closed the connection without an answer")

    def pause_writing(self) -> None:
        if self.stream is not None and self.stream.client is not None:
            self.stream.client.pause_reading()

    def resume_writing(self) -> None:
        stream = self.stream
        if stream is not None:
            stream.release_held()
            if stream.client is not None:
                stream.client.resume_reading()

    @property
    def backed_up(self) -> bool:
        """True if the write buffer holds more than its high-water mark. Then `resume_writing` will be called."""
        return self.transport.get_write_buffer_size() > self.transport.get_write_buffer_limits()[1]

    @property
    def responding(self) -> bool:
        """True while a response has begun and has not ended."""
        return self._body is not None

    # ---- the response

    def _read_head(self, stream: StreamHandle, data: bytes) -> None:
        if self._buffer:
            searched = max(0, len(self._buffer) - 3)
            data, self._buffer = self._buffer + data, b""
            if data.find(b"\r\n\r\n", searched) < 0 and len(data) <= response.HEAD_LIMIT:
                self._buffer = data
                return
        to_head = stream.head.method == b"HEAD"
        try:
            interim = 0
            while (head := response.scan(data, to_head)) is not None and head.status < 200:
                interim += 1
                if interim > INTERIM_LIMIT:
                    raise BadResponse(f"more than {INTERIM_LIMIT} interim heads at once")
                stream.interim_response(head, data)
                data = data[head.end :]
            if head is None:
                self._buffer = data
                return
            body = Body(head.framing, head.length)
            end = body.feed(data, head.end)
            stream.response_begins(head, data if end == len(data) else data[:end])
        except (BadResponse, BadChunk) as bad:
            self._fail(f"answered with {bad}")
            return
        self._reusable = head.reusable and end == len(data)
        if body.complete:
            self._complete(stream)
        else:
            self._body = body

    def _read_body(self, stream: StreamHandle, body: Body, data: bytes) -> None:
        try:
            end = body.feed(data)
        except BadChunk as bad:
            self._fail(f"answered with {bad}")
            return
        if end < len(data):
            self._reusable = False
            data = data[:end]
        stream.response_continues(data)
        if body.complete:
            self._complete(stream)

    def _complete(self, stream: StreamHandle) -> None:
        self.stream = self._body = None
        self._idle_limit = NEVER
        request_sent = stream.body.complete and not self.transport.get_write_buffer_size()
        if self._reusable and request_sent and not self.closed and not self.backend.closing:
            self.deadline = monotonic() + self.context.settings.pod_idle_seconds
            if self._paused:
                self.resume_reading()
            self.backend.idle.append(self)
        else:
            self.close()
        stream.response_ends()

    def _fail(self, what: str) -> None:
        stream, self.stream = self.stream, None
        self.close()
        if stream is not None:
            stream.response_fails(what)

    # ---- methods that the stream, the client's connection, the sweep and the listener call

    def close(self) -> None:
        """Closes at once and drops unsent bytes."""
        if not self.closed:
            self.closed = True
            self.transport.abort()

    def end_request(self) -> None:
        """Half-closes the connection of an incomplete request. Its slot is free when the model closes or responds."""
        self.resume_reading()
        if not self.closed:
            self.transport.write_eof()

    def pause_reading(self) -> None:
        if not self._paused and not self.closed:
            self._paused = True
            self.transport.pause_reading()

    def resume_reading(self) -> None:
        if self._paused and not self.closed:
            self._paused = False
            self.transport.resume_reading()

    def check(self, now: float) -> None:
        """Called by the sweep: ends a request that timed out, a response that stopped, or an expired connection."""
        stream = self.stream
        if now >= self.deadline:
            self.stream = None
            if stream is None and self in self.backend.idle:
                self.backend.idle.remove(self)
            self.close()
            if stream is not None:
                stream.timed_out()
        elif self._body is not None:
            if self._progressed or self._paused or self._idle_limit == NEVER:
                self._progressed = False
                self._idle_limit = now + self.context.settings.answer_idle_seconds
            elif now >= self._idle_limit:
                self._fail(f"stopped in the middle of its answer for {self.context.settings.answer_idle_seconds:g} s")


def take_idle(backend: Backend, now: float) -> BackendConnection | None:
    """The idle connection to this pod that was used last and still works. None: a new connection is necessary."""
    idle: list[Any] = backend.idle
    while idle:
        connection: BackendConnection = idle.pop()
        if now < connection.deadline and not connection.closed and not connection.transport.is_closing():
            return connection
        connection.close()
    return None


def close_idle(backend: Backend) -> None:
    """Closes the idle connections to a pod."""
    while backend.idle:
        backend.idle.pop().close()


async def connect(context: ListenerContext, backend: Backend) -> BackendConnection | None:
    """Opens a connection to a pod. None: it failed or took longer than `connect_seconds`."""
    try:
        async with asyncio.timeout(context.settings.connect_seconds):
            _, connection = await context.loop.create_connection(
                lambda: BackendConnection(context, backend), backend.host, backend.port
            )
    except (OSError, TimeoutError):
        return None
    return connection
