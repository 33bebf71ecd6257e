"""One client's connection: heads one after the other, one exchange at a time, what comes behind it kept for later (pipelining, bounded).

Reading is never paused while a request waits for a place, so that a client that leaves is noticed at once; what it sends ahead beyond a bound is thrown
away, and the connection closed after the present answer (HTTP lets a client repeat what was not answered).

A client that half-closes: taken for gone while its request is held or incomplete; answered, then closed, once its request is on its way to a model.
"""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import Final, cast

from kindler.activator.endpoint.requests import Cause, Rejection, Style
from kindler.activator.wire import head, localreply, sockets
from kindler.activator.wire.context import NEVER, ListenerContext
from kindler.activator.wire.head import BadHead
from kindler.activator.wire.stream import HELD, LOOKING, RequestStream

BODY_STEP: Final = (
    16 * 1024
)  # bytes of a body that count as progress: fewer within the settings' time without progress, and it is given up
LOOKUP_SECONDS: Final = 10.0  # how long a look-up may take; it answers sooner by itself
PIPELINE_LIMIT: Final = 64 * 1024  # bytes sent ahead of an answer that are kept
REFUSED_LIMIT: Final = 256  # connections beyond the limit that are told so at the same time; others are cut
LINGER_SECONDS: Final = 2.0  # how long, once it has its last answer, what a client still sends is read and dropped: a close would make its kernel drop both


class ClientConnection(asyncio.Protocol):
    """`closing`: no request is taken after the present one. `deadline`: monotonic seconds, of whatever is awaited from the client now."""

    __slots__ = (
        "_buffer",
        "_counted",
        "_ignoring",
        "_paused",
        "_pending",
        "_progress",
        "_stalled_until",
        "_stream",
        "_unwritten",
        "closing",
        "deadline",
        "half_closed",
        "shared",
        "transport",
        "write_paused",
    )  # fmt: skip

    transport: asyncio.Transport

    def __init__(self, shared: ListenerContext) -> None:
        self.shared = shared
        self.deadline = NEVER
        self.closing = False
        self.half_closed = False
        self.write_paused = False  # the client does not keep up
        self._stream: RequestStream | None = None
        self._buffer = b""  # the beginning of a head
        self._pending = b""  # what came behind the request under way
        self._counted = 0  # bytes of both that the process's bound on held bytes knows of
        self._progress = 0  # bytes of the body when its deadline was set
        self._ignoring = False  # the last answer is on its way; what comes is dropped
        self._paused = False  # reading is paused, since the model does not keep up
        self._unwritten = 0  # bytes that waited for the client to take them at the last sweep
        self._stalled_until = NEVER

    # ---- the transport's events

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        shared = self.shared
        shared.clients.add(self)
        shared.quiet.clear()
        self.deadline = monotonic() + shared.settings.client_idle_seconds
        over = len(shared.clients) - shared.settings.connection_limit
        if over > REFUSED_LIMIT:
            self.cut()
        elif over > 0:
            self._reject(
                Rejection(
                    Cause.TOO_MANY_CONNECTIONS,
                    f"This activator has {shared.settings.connection_limit} connections open, its limit.",
                )
            )

    def data_received(self, data: bytes) -> None:
        self.shared.received += len(data)
        stream = self._stream
        if stream is None:
            if self._pending:
                self.keep(data)
            elif not self._ignoring:
                self._read_head(data)
        elif stream.body.complete:
            self.keep(data)
        else:
            stream.more(data)
            self._expect_body()

    def eof_received(self) -> bool:
        stream = self._stream
        if stream is None:
            over = self._ignoring or not self._pending
        else:
            over = stream.state in (LOOKING, HELD) or not stream.body.complete
        if over:
            self.leave()
            return False
        self.half_closed = True
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self._ignoring = True
        self._drop()
        self.shared.clients.discard(self)
        self._withdraw()
        if not self.shared.clients:
            self.shared.look_whether_quiet()

    def pause_writing(self) -> None:
        self.write_paused = True
        self._unwritten = self.transport.get_write_buffer_size()
        self._stalled_until = monotonic() + self.shared.settings.client_write_seconds
        if self._stream is not None and self._stream.connection is not None:
            self._stream.connection.pause_reading()

    def resume_writing(self) -> None:
        self.write_paused = False
        if not self._ignoring:
            self._stalled_until = NEVER
        if self._stream is None:
            self._read_pending()
        elif self._stream.connection is not None:
            self._stream.connection.resume_reading()

    # ---- requests

    def _read_head(self, data: bytes) -> None:
        settings = self.shared.settings
        begun = bool(self._buffer)
        if begun:
            known = max(0, len(self._buffer) - 3)
            data, self._buffer = self._buffer + data, b""
            if data.find(b"\r\n\r\n", known) < 0 and len(data) <= settings.head_limit_bytes:
                self._await_head(data)
                return
        try:
            found = head.scan(data, settings.head_limit_bytes, settings.header_count_limit)
        except BadHead as bad:
            self._reject(Rejection(bad.cause, bad.reason))
            return
        now = monotonic()
        if found is None:
            if not begun:
                self.deadline = now + settings.head_seconds
            self._await_head(data)
            return
        if self._counted:
            self._count()
        self.deadline = NEVER
        self._stream = stream = RequestStream(self, found, now)
        stream.start(data)
        if stream.state == LOOKING or not stream.body.complete:
            self._expect_body()

    def _await_head(self, data: bytes) -> None:
        """Keeps the beginning of a head."""
        self._buffer = data
        if not self._count():
            self._reject(Rejection(Cause.TOO_MANY_HELD_BYTES, "Too many bytes of requests are waiting."))

    def _expect_body(self) -> None:
        """Sets the deadline for the next piece of the body, or for the look-up; none while we ourselves do not read."""
        stream = self._stream
        if stream is None:
            return
        body = stream.body
        if body.complete:
            self.deadline = stream.arrived + LOOKUP_SECONDS if stream.state == LOOKING else NEVER
        elif self._paused:
            self.deadline = NEVER
        elif self.deadline == NEVER or body.received - self._progress >= BODY_STEP:
            self._progress = body.received
            self.deadline = monotonic() + self.shared.settings.body_idle_seconds

    def keep(self, data: bytes) -> None:
        """Keeps what came behind the request under way; beyond the bound the connection ends with the present answer, or at once where none is due.

        Nothing may be read on behind what was dropped: it would begin in the middle of a request.
        """
        if self.closing:
            return
        self._pending += data
        if len(self._pending) <= PIPELINE_LIMIT and self._count():
            return
        self.closing = True
        self._drop()
        if self._stream is None:
            self._close(lingering=True)

    def _count(self) -> bool:
        """Tells the process's bound on held bytes what is kept of requests to come. False when that is too much."""
        more = len(self._buffer) + len(self._pending) - self._counted
        if more and not self.shared.front.reserve_bytes(more):
            return False
        self._counted += more
        return True

    def _drop(self) -> None:
        """Forgets what was kept of requests to come."""
        self._buffer = self._pending = b""
        if self._counted:
            self._count()

    def _read_pending(self) -> None:
        if self._stream is None and not self.write_paused and not self._ignoring:
            data, self._pending = self._pending, b""
            if data:
                self._read_head(data)
            if self.half_closed and self._stream is None and not self._pending:
                self._close(lingering=False)  # the last one was answered, or will never be whole

    # ---- answers, told by the exchange

    def write(self, data: bytes) -> None:
        """To the client; nothing is kept back."""
        self.shared.sent += len(data)
        self.transport.write(data)

    def last_answer(self, must_close: bool) -> bool:
        """Asked when the head of an answer is written: whether it is this connection's last."""
        if must_close or self.shared.front.draining():
            self.closing = True
        return self.closing

    def finish(self, complete: bool) -> None:
        """The answer was written to its end. `complete`: the request had been read to its end, so that another may follow."""
        self._stream = None
        if self._paused:
            self.resume_reading()
        if self.closing or not complete:
            self._close(lingering=not self.half_closed)
        elif self._pending:
            self.shared.loop.call_soon(self._read_pending)
        elif self.half_closed:
            self._close(lingering=False)
        else:
            self.deadline = monotonic() + self.shared.settings.client_idle_seconds

    def cut(self) -> None:
        """Ends the connection so that the client sees that not all has come."""
        self._ignoring = True
        sockets.reset(self.transport)

    def leave(self) -> None:
        """The client cannot be there any more, or will not: takes its request back."""
        self._withdraw()
        self._close(lingering=False)

    def pause_reading(self) -> None:
        """The model does not keep up with the body."""
        if not self._paused and not self._ignoring:
            self._paused = True
            self.deadline = NEVER
            self.transport.pause_reading()

    def resume_reading(self) -> None:
        if self._paused and not self._ignoring:
            self._paused = False
            self.transport.resume_reading()
            self._expect_body()

    def close_if_idle(self) -> bool:
        """Closes politely if no request is under way and none has begun to come."""
        idle = self._stream is None and not self._buffer and not self._pending
        if idle and not self._ignoring:
            self._close(lingering=False)
        return idle

    def check(self, now: float) -> None:
        """Called by the sweep when `deadline` is over, or while the client does not keep up."""
        if self._ignoring:
            self._check_end(now)
            return
        if self.write_paused and self._stuck(self.transport.get_write_buffer_size(), now):
            self.cut()
            return
        if now < self.deadline:
            return
        if self._stream is not None:
            self._check_request(self._stream)
        elif self._buffer:
            self._reject(
                Rejection(
                    Cause.REQUEST_TIMEOUT,
                    f"The request's head did not come within {self.shared.settings.head_seconds:g} s.",
                )
            )
        else:
            self._close(lingering=False)

    def _check_request(self, stream: RequestStream) -> None:
        """The deadline of the request under way is over: of its body, or of its look-up if that still is what it waits for."""
        settings = self.shared.settings
        if not stream.body.complete:
            reason = f"Less than {BODY_STEP} bytes of the body came within {settings.body_idle_seconds:g} s, and not its end."
            stream.give_up(Rejection(Cause.REQUEST_TIMEOUT, reason))
        elif stream.state == LOOKING:
            stream.give_up(
                Rejection(
                    Cause.NOT_READY, "Whether there is such an endpoint could not be found out in time. Try again.", 1
                )
            )
        else:
            self.deadline = NEVER

    # ---- ends

    def _check_end(self, now: float) -> None:
        """The last answer is on its way. As long as the client takes any of it, it gets the time for all of it; only then does the time to linger begin."""
        left = sockets.unsent(self.transport)
        if left:
            if self._stuck(left, now):
                self.cut()
        elif self._stalled_until != NEVER:
            self._stalled_until = NEVER
            self.deadline = now + LINGER_SECONDS
        elif now >= self.deadline:
            self.transport.abort()

    def _stuck(self, left: int, now: float) -> bool:
        """Whether the client has taken nothing for too long. `left`: bytes that wait for it to take them."""
        if left < self._unwritten:
            self._stalled_until = now + self.shared.settings.client_write_seconds
        self._unwritten = left
        return now >= self._stalled_until

    def _withdraw(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.client_left()

    def _reject(self, rejection: Rejection) -> None:
        """Answers where there is no request, and closes: what else comes cannot be told apart."""
        request_id = self.shared.request_id()
        extra = b"x-amzn-RequestId: %b\r\nConnection: close\r\n" % request_id
        self.write(localreply.local_reply(rejection, Style.PLAIN, request_id, extra, "", True))
        self._close(lingering=True)

    def _close(self, lingering: bool) -> None:
        """Closes when everything is sent. Lingering: sends our end first and drops what still comes, for a while, or until the client closes."""
        self._ignoring = True
        self._drop()
        if self.transport.is_closing():
            return
        self.deadline = now = monotonic()  # looked at by each sweep from now on
        self._stalled_until = now + self.shared.settings.client_write_seconds
        if lingering:
            self.transport.write_eof()
        else:
            self.transport.close()
