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

from kindler.activator.calls import Place
from kindler.activator.wire import response
from kindler.activator.wire.body import Body
from kindler.activator.wire.chunked import BadChunk
from kindler.activator.wire.response import UNTIL_CLOSE, BadAnswer
from kindler.activator.wire.shared import NEVER, Shared

if TYPE_CHECKING:
    from kindler.activator.wire.exchange import Exchange


INTERIM_LIMIT: Final = 16  # 1xx heads in one read


class Upstream(asyncio.Protocol):
    """`deadline`: when the exchange under way, or the keeping of an idle connection, is over (monotonic seconds)."""

    __slots__ = ("_body", "_buffer", "_idle_limit", "_keep", "_moved", "_paused", "closed", "deadline", "exchange", "place", "shared", "transport")

    transport: asyncio.Transport

    def __init__(self, shared: Shared, place: Place) -> None:
        self.shared = shared
        self.place = place
        self.exchange: Exchange | None = None
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
        self.shared.upstreams.add(self)

    def data_received(self, data: bytes) -> None:
        if self.exchange is None:
            self.close()  # nobody asked
        elif self._body is None:
            self._read_head(self.exchange, data)
        else:
            self._moved = True
            self._read_body(self.exchange, self._body, data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        self.shared.upstreams.discard(self)
        exchange = self.exchange
        if exchange is None:
            if self in self.place.idle:
                self.place.idle.remove(self)
        elif self._body is not None and self._body.framing == UNTIL_CLOSE and exc is None:
            self._complete(exchange)
        else:
            begun = self._body is not None or self._buffer
            self._fail("closed the connection before its answer was complete" if begun else "closed the connection without an answer")

    def pause_writing(self) -> None:
        if self.exchange is not None and self.exchange.client is not None:
            self.exchange.client.pause_reading()

    def resume_writing(self) -> None:
        exchange = self.exchange
        if exchange is not None:
            exchange.let_go()
            if exchange.client is not None:
                exchange.client.resume_reading()

    @property
    def backed_up(self) -> bool:
        """Whether so much of a request waits for the pod to take it that `resume_writing` will tell when it has."""
        return self.transport.get_write_buffer_size() > self.transport.get_write_buffer_limits()[1]

    @property
    def answering(self) -> bool:
        """Whether an answer has begun and not ended."""
        return self._body is not None

    # ---- the answer

    def _read_head(self, exchange: Exchange, data: bytes) -> None:
        if self._buffer:
            known = max(0, len(self._buffer) - 3)
            data, self._buffer = self._buffer + data, b""
            if data.find(b"\r\n\r\n", known) < 0 and len(data) <= response.HEAD_LIMIT:
                self._buffer = data
                return
        try:
            interim = 0
            while (head := response.scan(data, exchange.to_head)) is not None and head.status < 200:
                interim += 1
                if interim > INTERIM_LIMIT:
                    raise BadAnswer(f"more than {INTERIM_LIMIT} interim heads at once")
                exchange.interim(head, data)
                data = data[head.end :]
            if head is None:
                self._buffer = data
                return
            body = Body(head.framing, head.length)
            end = body.feed(data, head.end)
            exchange.answer_begins(head, data if end == len(data) else data[:end])
        except (BadAnswer, BadChunk) as bad:
            self._fail(f"answered with {bad}")
            return
        self._keep = head.keep and end == len(data)
        if body.complete:
            self._complete(exchange)
        else:
            self._body = body

    def _read_body(self, exchange: Exchange, body: Body, data: bytes) -> None:
        try:
            end = body.feed(data)
        except BadChunk as bad:
            self._fail(f"answered with {bad}")
            return
        if end < len(data):
            self._keep = False
            data = data[:end]
        exchange.answer_goes_on(data)
        if body.complete:
            self._complete(exchange)

    def _complete(self, exchange: Exchange) -> None:
        self.exchange = self._body = None
        self._idle_limit = NEVER
        sent = exchange.body.complete and not self.transport.get_write_buffer_size()
        if self._keep and sent and not self.closed and not self.place.closing:
            self.deadline = monotonic() + self.shared.settings.pod_idle_seconds
            if self._paused:
                self.resume_reading()
            self.place.idle.append(self)
        else:
            self.close()
        exchange.answer_ends()

    def _fail(self, what: str) -> None:
        exchange, self.exchange = self.exchange, None
        self.close()
        if exchange is not None:
            exchange.answer_fails(what)

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
        exchange = self.exchange
        if now >= self.deadline:
            self.exchange = None
            if exchange is None and self in self.place.idle:
                self.place.idle.remove(self)
            self.close()
            if exchange is not None:
                exchange.out_of_time()
        elif self._body is not None:
            if self._moved or self._paused or self._idle_limit == NEVER:
                self._moved = False
                self._idle_limit = now + self.shared.settings.answer_idle_seconds
            elif now >= self._idle_limit:
                self._fail(f"stopped in the middle of its answer for {self.shared.settings.answer_idle_seconds:g} s")


def take(place: Place, now: float) -> Upstream | None:
    """A kept connection of this pod that may be used, the most recently used first; None when a new one is needed."""
    idle: list[Any] = place.idle
    while idle:
        upstream: Upstream = idle.pop()
        if now < upstream.deadline and not upstream.closed and not upstream.transport.is_closing():
            return upstream
        upstream.close()
    return None


def close_idle(place: Place) -> None:
    """Closes the kept connections of a pod that is going."""
    while place.idle:
        place.idle.pop().close()


async def connect(shared: Shared, place: Place, exchange: Exchange) -> None:
    """Opens a connection for an exchange and tells it: `connected` or `not_connected`."""
    try:
        async with asyncio.timeout(shared.settings.connect_seconds):
            _, upstream = await shared.loop.create_connection(lambda: Upstream(shared, place), place.host, place.port)
    except (OSError, TimeoutError):
        exchange.not_connected()
    else:
        exchange.connected(upstream)
