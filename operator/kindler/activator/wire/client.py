"""The connection of a client: it reads one head after the other and has one request stream at a time.

Bytes that a client sends after the current request (pipelining) are kept for later, up to a limit. Above the limit they
are dropped, and the connection closes after the current response. HTTP allows this: a client may repeat a request that
got no response.

Reading is never paused while a request waits for a backend, so that a client that leaves is detected at once.

If a client half-closes while its request is held or incomplete, the request is dropped. If the complete request was
already sent to a model, the client gets the response, and then the connection closes.
"""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import Final, cast

from kindler.activator.endpoint.requests import Cause, Rejection, Style
from kindler.activator.wire import head, localreply, sockets
from kindler.activator.wire.context import NEVER, ListenerContext
from kindler.activator.wire.head import BadHead
from kindler.activator.wire.state import HELD, LOOKING_UP
from kindler.activator.wire.stream import RequestStream
from kindler.activator.wire.writeprogress import WriteProgress

BODY_PROGRESS_BYTES: Final = 16 * 1024  # in each `body_idle_seconds`; a body that arrives more slowly is rejected
LOOKUP_SECONDS: Final = 10.0  # the limit of a look-up; normally the look-up itself ends earlier
PIPELINE_LIMIT: Final = 64 * 1024  # bytes after the current request that are kept
REJECTING_LIMIT: Final = 256  # so many connections over the limit get a rejection; further connections are reset
LINGER_SECONDS: Final = 2.0  # after its last response, a client's bytes are read and dropped this long (see `_close`)


class ClientConnection(asyncio.Protocol):
    """One connection of a client. `closing`: no request is read after the current request.

    `deadline`: until when the client must send the next expected bytes (monotonic seconds).
    """

    __slots__ = (
        "_buffer",
        "_discarding",
        "_paused",
        "_pipelined",
        "_progress",
        "_reserved",
        "_stream",
        "_writes",
        "closing",
        "context",
        "deadline",
        "half_closed",
        "transport",
        "write_paused",
    )  # fmt: skip

    transport: asyncio.Transport

    def __init__(self, context: ListenerContext) -> None:
        self.context = context
        self.deadline = NEVER
        self.closing = False
        self.half_closed = False
        self.write_paused = False  # the client reads more slowly than the model writes
        self._stream: RequestStream | None = None
        self._buffer = b""  # an incomplete head
        self._pipelined = b""  # the bytes after the current request
        self._reserved = 0  # bytes of _buffer and _pipelined that are reserved in the process's limit
        self._progress = 0  # bytes of the body that were read when its deadline was set
        self._discarding = False  # the last response was written, so bytes from the client are dropped
        self._paused = False  # reading is paused, because the model reads more slowly than the client writes
        self._writes = WriteProgress(context.settings.client_write_seconds)

    # ---- events of the transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        context = self.context
        context.clients.add(self)
        context.idle.clear()
        self.deadline = monotonic() + context.settings.client_idle_seconds
        limit = context.settings.connection_limit
        excess = len(context.clients) - limit
        if excess > REJECTING_LIMIT:
            self.reset()
        elif excess > 0:
            reason = f"This activator has {limit} connections open, its limit."
            self._reject(Rejection(Cause.TOO_MANY_CONNECTIONS, reason))

    def data_received(self, data: bytes) -> None:
        self.context.received += len(data)
        stream = self._stream
        if stream is None:
            if self._pipelined:
                self.keep_pipelined(data)
            elif not self._discarding:
                self._read_head(data)
        elif stream.body.complete:
            self.keep_pipelined(data)
        else:
            stream.body_received(data)
            self._set_body_deadline()

    def eof_received(self) -> bool:
        stream = self._stream
        if stream is None:
            gone = self._discarding or not self._pipelined
        else:
            gone = stream.state is LOOKING_UP or stream.state is HELD or not stream.body.complete
        if gone:
            self.abandon()
            return False
        self.half_closed = True
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self._discarding = True
        self._drop_received()
        self.context.clients.discard(self)
        self._drop_stream()
        if not self.context.clients:
            self.context.check_idle()

    def pause_writing(self) -> None:
        self.write_paused = True
        self._writes.watch(monotonic(), self.transport.get_write_buffer_size())
        if self._stream is not None and self._stream.connection is not None:
            self._stream.connection.pause_reading()

    def resume_writing(self) -> None:
        self.write_paused = False
        if not self._discarding:
            self._writes.stop()
        if self._stream is None:
            self._read_pipelined()
        elif self._stream.connection is not None:
            self._stream.connection.resume_reading()

    # ---- requests

    def _read_head(self, data: bytes) -> None:
        settings = self.context.settings
        begun = bool(self._buffer)
        if begun:
            searched = max(0, len(self._buffer) - 3)
            data, self._buffer = self._buffer + data, b""
            if data.find(b"\r\n\r\n", searched) < 0 and len(data) <= settings.head_limit_bytes:
                self._keep_incomplete_head(data)
                return
        try:
            request_head = head.scan(data, settings.head_limit_bytes, settings.header_count_limit)
        except BadHead as bad:
            self._reject(Rejection(bad.cause, bad.reason))
            return
        now = monotonic()
        if request_head is None:
            if not begun:
                self.deadline = now + settings.head_seconds
            self._keep_incomplete_head(data)
            return
        if self._reserved:
            self._reserve()
        self.deadline = NEVER
        self._stream = stream = RequestStream(self, self.context, request_head, now)
        stream.start(data)
        if stream.state is LOOKING_UP or not stream.body.complete:
            self._set_body_deadline()

    def _keep_incomplete_head(self, data: bytes) -> None:
        self._buffer = data
        if not self._reserve():
            self._reject(Rejection(Cause.TOO_MANY_HELD_BYTES, "Too many bytes of requests are waiting."))

    def _set_body_deadline(self) -> None:
        """Sets the deadline for the next bytes of the body, or for the look-up. No deadline while reading is paused."""
        stream = self._stream
        if stream is None:
            return
        body = stream.body
        if body.complete:
            self.deadline = stream.arrived + LOOKUP_SECONDS if stream.state is LOOKING_UP else NEVER
        elif self._paused:
            self.deadline = NEVER
        elif self.deadline == NEVER or body.received - self._progress >= BODY_PROGRESS_BYTES:
            self._progress = body.received
            self.deadline = monotonic() + self.context.settings.body_idle_seconds

    def keep_pipelined(self, data: bytes) -> None:
        """Keeps what was received after the current request.

        Above the limit, all of it is dropped, and the connection closes after the current response, or at once if there
        is no response. Nothing may be read after dropped bytes, because the next byte may be in the middle of a
        request.
        """
        if self.closing:
            return
        self._pipelined += data
        if len(self._pipelined) <= PIPELINE_LIMIT and self._reserve():
            return
        self.closing = True
        self._drop_received()
        if self._stream is None:
            self._close(lingering=True)

    def _reserve(self) -> bool:
        """Makes the reservation equal to the number of kept bytes. False: the process's limit is reached."""
        more = len(self._buffer) + len(self._pipelined) - self._reserved
        if more and not self.context.router.reserve_bytes(more):
            return False
        self._reserved += more
        return True

    def _drop_received(self) -> None:
        """Drops the bytes that were kept for later requests."""
        self._buffer = self._pipelined = b""
        if self._reserved:
            self._reserve()

    def _read_pipelined(self) -> None:
        if self._stream is None and not self.write_paused and not self._discarding:
            data, self._pipelined = self._pipelined, b""
            if data:
                self._read_head(data)
            if self.half_closed and self._stream is None and not self._pipelined:
                self._close(lingering=False)  # the last request has its response, or will never be complete

    # ---- the response, and the flow of the request's body: called by other modules of wire

    def write(self, data: bytes) -> None:
        """Writes to the client at once."""
        self.context.sent += len(data)
        self.transport.write(data)

    def is_last_response(self, must_close: bool) -> bool:
        """Whether the connection closes after this response. The stream calls it for the head of each response."""
        if must_close or self.context.router.draining():
            self.closing = True
        return self.closing

    def response_finished(self, request_complete: bool) -> None:
        """The response was written to its end. Another request may follow if this request was read to its end."""
        self._stream = None
        if self._paused:
            self.resume_reading()
        if self.closing or not request_complete:
            self._close(lingering=not self.half_closed)
        elif self._pipelined:
            self.context.loop.call_soon(self._read_pipelined)
        elif self.half_closed:
            self._close(lingering=False)
        else:
            self.deadline = monotonic() + self.context.settings.client_idle_seconds

    def reset(self) -> None:
        """Closes with RST, so that the client sees that the response is incomplete."""
        self._discarding = True
        sockets.reset(self.transport)

    def abandon(self) -> None:
        """Withdraws the request of a client that left or half-closed, and closes the connection."""
        self._drop_stream()
        self._close(lingering=False)

    def pause_reading(self) -> None:
        """Pauses reading, because the model reads the body more slowly than the client sends it."""
        if not self._paused and not self._discarding:
            self._paused = True
            self.deadline = NEVER
            self.transport.pause_reading()

    def resume_reading(self) -> None:
        if self._paused and not self._discarding:
            self._paused = False
            self.transport.resume_reading()
            self._set_body_deadline()

    # ---- deadlines, called by the sweep

    def check(self, now: float) -> None:
        """Ends what takes too long. The sweep calls it if `deadline` is over or writing is paused."""
        if self._discarding:
            self._check_closing(now)
            return
        if self.write_paused and self._writes.stalled(self.transport.get_write_buffer_size(), now):
            self.reset()
            return
        if now < self.deadline:
            return
        if self._stream is not None:
            self._check_request(self._stream)
        elif self._buffer:
            reason = f"The request's head did not come within {self.context.settings.head_seconds:g} s."
            self._reject(Rejection(Cause.REQUEST_TIMEOUT, reason))
        else:
            self._close(lingering=False)

    def _check_request(self, stream: RequestStream) -> None:
        """Aborts a request whose body or look-up did not meet its deadline."""
        if not stream.body.complete:
            seconds = self.context.settings.body_idle_seconds
            reason = f"Less than {BODY_PROGRESS_BYTES} bytes of the body came within {seconds:g} s, and not its end."
            stream.abort(Rejection(Cause.REQUEST_TIMEOUT, reason))
        elif stream.state is LOOKING_UP:
            reason = "The look-up of the endpoint took too long. Try again."
            stream.abort(Rejection(Cause.NOT_READY, reason, 1))
        else:
            self.deadline = NEVER

    def _check_closing(self, now: float) -> None:
        """Closes LINGER_SECONDS after the client took the last response. Resets a client that stops taking it."""
        unsent = sockets.unsent(self.transport)
        if unsent:
            if self._writes.stalled(unsent, now):
                self.reset()
        elif self._writes.deadline != NEVER:
            self._writes.stop()
            self.deadline = now + LINGER_SECONDS
        elif now >= self.deadline:
            self.transport.abort()

    # ---- ends

    def close_if_idle(self) -> bool:
        """Closes if no request is in progress and no byte of one was received. Returns whether that was the case."""
        idle = self._stream is None and not self._buffer and not self._pipelined
        if idle and not self._discarding:
            self._close(lingering=False)
        return idle

    def _drop_stream(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.client_left()

    def _reject(self, rejection: Rejection) -> None:
        """Sends a rejection when no head could be read, and closes: the start of the next request is unknown.

        The reply has the plain form on every path, and is in no metric and in no log: without a head, neither the
        endpoint nor the style of the address is known.
        """
        request_id = self.context.request_id()
        fields = b"x-amzn-RequestId: %b\r\nConnection: close\r\n" % request_id
        self.write(localreply.local_reply(rejection, Style.PLAIN, request_id, fields, "", True))
        self._close(lingering=True)

    def _close(self, lingering: bool) -> None:
        """Closes the connection when everything is sent.

        Lingering: sends FIN first. Then it reads and drops the client's bytes until the client closes, for at most
        LINGER_SECONDS. If the activator closed at once, the client's kernel could drop the response before the client
        has read it.
        """
        self._discarding = True
        self._drop_received()
        if self.transport.is_closing():
            return
        self.deadline = now = monotonic()  # every sweep checks the connection from now on
        self._writes.watch(now)
        if lingering:
            self.transport.write_eof()
        else:
            self.transport.close()
