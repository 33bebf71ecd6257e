"""One connection to a pod: kept between requests, strict with what the model answers.

    waiting for a head --head--> body (Body) --its end--> kept in place.idle, or closed
           ^                                                     |
           +----------------------- next request ----------------+

Kept only if the answer ended where its framing said, nothing came behind it, the request had been sent to its end, and the pod is not going.
"""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, cast

from kindler.activator.endpoint.requests import Backend
from kindler.activator.wire import response
from kindler.activator.wire.body import Body
from kindler.activator.wire.chunked import BadChunk
from kindler.activator.wire.context import NEVER, ListenerContext
from kindler.activator.wire.response import UNTIL_CLOSE, BadResponse

if TYPE_CHECKING:
    from kindler.activator.wire.stream import RequestStream


INTERIM_LIMIT: Final = 16  # 1xx heads in one read


class BackendConnection(asyncio.Protocol):
    """`deadline`: when the exchange under way, or the keeping of an idle connection, is over (monotonic seconds)."""

    __slots__ = (
        "_body",
        "_buffer",
        "_idle_limit",
        "_keep",
        "_moved",
        "_paused",
        "backend",
        "closed",
        "deadline",
        "shared",
        "stream",
        "transport",
    )

    transport: asyncio.Transport

    def __init__(self, shared: ListenerContext, backend: Backend) -> None:
        self.shared = shared
        self.backend = backend
        self.stream: RequestStream | None = None
        self.deadline = NEVER
        self.closed = False
        self._body: Body | None = None
        self._buffer = b""
        self._keep = False
        self._paused = False  # reading is paused, since the client does not keep up
        self._moved = False  # answer bytes came since the last sweep
        self._idle_limit = NEVER  # when an answer that has begun is given up for not going on

    # ---- the transport's events

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.shared.backend_connections.add(self)

    def data_received(self, data: bytes) -> None:
        if self.stream is None:
            self.close()  # nobody asked
        elif self._body is None:
            self._read_head(self.stream, data)
        else:
            self._moved = True
            self._read_body(self.stream, self._body, data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        self.shared.backend_connections.discard(self)
        stream = self.stream
        if stream is None:
            if self in self.backend.idle:
                self.backend.idle.remove(self)
        elif self._body is not None and self._body.framing == UNTIL_CLOSE and exc is None:
            self._complete(stream)
        else:
            begun = self._body is not None or self._buffer
            self._fail(
                "closed the connection before its answer was complete"
                if begun
                else "closed the connection without an answer"
            )

    def pause_writing(self) -> None:
        if self.stream is not None and self.stream.client is not None:
            self.stream.client.pause_reading()

    def resume_writing(self) -> None:
        stream = self.stream
        if stream is not None:
            stream.let_go()
            if stream.client is not None:
                stream.client.resume_reading()

    @property
    def backed_up(self) -> bool:
        """Whether so much of a request waits for the pod to take it that `resume_writing` will tell when it has."""
        return self.transport.get_write_buffer_size() > self.transport.get_write_buffer_limits()[1]

    @property
    def answering(self) -> bool:
        """Whether an answer has begun and not ended."""
        return self._body is not None

    # ---- the answer

    def _read_head(self, stream: RequestStream, data: bytes) -> None:
        if self._buffer:
            known = max(0, len(self._buffer) - 3)
            data, self._buffer = self._buffer + data, b""
            if data.find(b"\r\n\r\n", known) < 0 and len(data) <= response.HEAD_LIMIT:
                self._buffer = data
                return
        try:
            interim = 0
            while (head := response.scan(data, stream.to_head)) is not None and head.status < 200:
                interim += 1
                if interim > INTERIM_LIMIT:
                    raise BadResponse(f"more than {INTERIM_LIMIT} interim heads at once")
                stream.interim(head, data)
                data = data[head.end :]
            if head is None:
                self._buffer = data
                return
            body = Body(head.framing, head.length)
            end = body.feed(data, head.end)
            stream.answer_begins(head, data if end == len(data) else data[:end])
        except (BadResponse, BadChunk) as bad:
            self._fail(f"answered with {bad}")
            return
        self._keep = head.keep and end == len(data)
        if body.complete:
            self._complete(stream)
        else:
            self._body = body

    def _read_body(self, stream: RequestStream, body: Body, data: bytes) -> None:
        try:
            end = body.feed(data)
        except BadChunk as bad:
            self._fail(f"answered with {bad}")
            return
        if end < len(data):
            self._keep = False
            data = data[:end]
        stream.answer_goes_on(data)
        if body.complete:
            self._complete(stream)

    def _complete(self, stream: RequestStream) -> None:
        self.stream = self._body = None
        self._idle_limit = NEVER
        sent = stream.body.complete and not self.transport.get_write_buffer_size()
        if self._keep and sent and not self.closed and not self.backend.closing:
            self.deadline = monotonic() + self.shared.settings.pod_idle_seconds
            if self._paused:
                self.resume_reading()
            self.backend.idle.append(self)
        else:
            self.close()
        stream.answer_ends()

    def _fail(self, what: str) -> None:
        stream, self.stream = self.stream, None
        self.close()
        if stream is not None:
            stream.answer_fails(what)

    # ---- what others ask for

    def close(self) -> None:
        """Closes at once; nothing unsent is worth keeping."""
        if not self.closed:
            self.closed = True
            self.transport.abort()

    def end_request(self) -> None:
        """Tells the model that the request will never be complete, and leaves it the time to notice: its place is free when it closes or answers."""
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
        """Called by the sweep: gives up what takes too long."""
        stream = self.stream
        if now >= self.deadline:
            self.stream = None
            if stream is None and self in self.backend.idle:
                self.backend.idle.remove(self)
            self.close()
            if stream is not None:
                stream.out_of_time()
        elif self._body is not None:
            if self._moved or self._paused or self._idle_limit == NEVER:
                self._moved = False
                self._idle_limit = now + self.shared.settings.answer_idle_seconds
            elif now >= self._idle_limit:
                self._fail(f"stopped in the middle of its answer for {self.shared.settings.answer_idle_seconds:g} s")


def take(backend: Backend, now: float) -> BackendConnection | None:
    """A kept connection of this pod that may be used, the most recently used first; None when a new one is needed."""
    idle: list[Any] = backend.idle
    while idle:
        connection: BackendConnection = idle.pop()
        if now < connection.deadline and not connection.closed and not connection.transport.is_closing():
            return connection
        connection.close()
    return None


def close_idle(backend: Backend) -> None:
    """Closes the kept connections of a pod that is going."""
    while backend.idle:
        backend.idle.pop().close()


async def connect(shared: ListenerContext, backend: Backend, stream: RequestStream) -> None:
    """Opens a connection for an exchange and tells it: `connected` or `not_connected`."""
    try:
        async with asyncio.timeout(shared.settings.connect_seconds):
            _, connection = await shared.loop.create_connection(
                lambda: BackendConnection(shared, backend), backend.host, backend.port
            )
    except (OSError, TimeoutError):
        stream.not_connected()
    else:
        stream.connected(connection)
