"""One request, from its head to the end of its answer: the wire's side of a `Call`.

    state         the request is                                    its client leaves ->
    ----------    ----------------------------------------------    -----------------------------------------------------------------
    LOOKING       waiting for the look-up of its endpoint           look-up cancelled
    HELD          waiting for a place; its body is read meanwhile   desk.gone: it never reaches a model
    CONNECTING    placed, no byte written yet                       finished (ABANDONED)
    SENT          being sent or answered                            the answer is read and dropped; a request that will never be complete is
                                                                    half-closed. Only then is the place free: the model is still at work
    OVER          answered, or given up

Each request ends with exactly one answer, or with a connection that is visibly cut: a truncated answer is never made to look whole.
"""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import TYPE_CHECKING, Final, cast

from kindler.activator.endpoint.requests import Backend, Cause, ColdStart, Outcome, Purpose, Rejection, Style
from kindler.activator.wire import localreply
from kindler.activator.wire.backend import connect, take
from kindler.activator.wire.body import Body
from kindler.activator.wire.chunked import BadChunk
from kindler.activator.wire.context import ListenerContext
from kindler.activator.wire.head import CHUNKED, Head, backend_head
from kindler.activator.wire.response import UNTIL_CLOSE, BadResponse, ResponseHead, client_head
from kindler.activator.wire.roles import Lookup, RouteMiss, Throttler

if TYPE_CHECKING:
    from kindler.activator.wire.backend import BackendConnection
    from kindler.activator.wire.client import ClientConnection

LOOKING: Final = 0
HELD: Final = 1
CONNECTING: Final = 2
SENT: Final = 3
OVER: Final = 4

CONNECT_RETRIES: Final = 3  # each may take the settings' time to connect
CLIENT_LEFT: Final = 499  # the status that is counted for a request whose client was gone before any other


class RequestStream:
    """A `Call`. `client` is None once it left or was answered; `place` is set from placement until the desk was told of the end, `connection` while SENT."""

    __slots__ = (
        "_begun",
        "_error",
        "_failed",
        "_head",
        "_lookup",
        "_raw",
        "_rest",
        "_sent",
        "_status",
        "_task",
        "_throttler",
        "arrived",
        "backend",
        "body",
        "client",
        "cold",
        "connection",
        "counted",
        "held_bytes",
        "purpose",
        "request_id",
        "shared",
        "state",
        "style",
        "to_head",
    )  # fmt: skip

    def __init__(self, client: ClientConnection, head: Head, arrived: float) -> None:
        self.client: ClientConnection | None = client
        self.shared: ListenerContext = client.shared
        self.purpose = Purpose.INVOCATION
        self.style = Style.PLAIN
        self.request_id: bytes = head.request_id or client.shared.request_id()
        self.arrived = arrived
        self.held_bytes = 0
        self.cold: ColdStart | None = None
        self.counted = False
        self.body = Body(head.framing, head.length)
        self.to_head = head.method == b"HEAD"
        self.backend: Backend | None = None
        self.state = LOOKING
        self._head = head
        self._raw = b""  # the head as it came, with what came of the body in the same read; empty once sent
        self._rest: bytearray | None = None  # what came of the body since, while there is no connection
        self._throttler: Throttler | None = None
        self._lookup: Lookup | None = None
        self._task: asyncio.Task[None] | None = None  # the connect
        self.connection: BackendConnection | None = None
        self._failed = 0  # connects
        self._begun = False  # bytes of the answer went to the client
        self._error: localreply.OriginalError | None = None  # a model's own error, to be told in SageMaker's form
        self._status = 0
        self._sent = 0

    # ---- admission

    def start(self, data: bytes) -> None:
        """Reads on behind the head, which `data` begins with, and asks who decides."""
        self.shared.streams += 1
        client, head = self.client, self._head
        assert client is not None
        found = self.shared.front.find(head)
        self.style = found.style
        try:
            end = self.body.feed(data, head.end)
        except BadChunk as bad:
            self.give_up(_bad_body(bad))
            return
        if end < len(data):
            client.keep(data[end:])
            data = data[:end]
        self._raw = data
        if isinstance(found, RouteMiss):
            self._answer(found.rejection)
            return
        self.purpose = found.purpose
        if hasattr(found.throttler, "offer"):
            self._ask(cast(Throttler, found.throttler))
        else:
            self._lookup = lookup = found.throttler
            if not self._too_large() and self._keep_first():
                lookup.then(self._looked_up)

    def _looked_up(self, throttler: Throttler | Rejection) -> None:
        if self.state == LOOKING and self._lookup is not None:
            self._lookup = None
            if isinstance(throttler, Rejection):
                self._answer(throttler)
            else:
                self._ask(throttler)

    def _ask(self, throttler: Throttler) -> None:
        self._throttler = throttler
        if not self._too_large():
            self._follow(throttler.offer(self))

    def _follow(self, verdict: Backend | Rejection | None) -> None:
        """Does what the desk decided."""
        if isinstance(verdict, Backend):
            self.dispatch(verdict)
        elif verdict is not None:
            self._answer(verdict)
        else:
            self.state = HELD
            if self.client is not None and self.client.half_closed:
                self.client.leave()
            elif self._keep_first():
                self._invite()

    def dispatch(self, backend: Backend) -> None:
        """Part of `Call`: this place is ours."""
        self.backend = backend
        now = monotonic()
        if self.purpose is not Purpose.INVOCATION:
            self._pong()
        elif (kept := take(backend, now)) is not None:
            self._send(kept, now)
        else:
            self.state = CONNECTING
            if self._keep_first():
                self._invite()
                self._task = self.shared.loop.create_task(connect(self.shared, backend, self))
                self.shared.tasks.add(self._task)
                self._task.add_done_callback(self.shared.tasks.discard)

    def reject(self, rejection: Rejection) -> None:
        """Part of `Call`: there will be no place."""
        self._answer(rejection)

    def connected(self, connection: BackendConnection) -> None:
        """The connect succeeded."""
        self._task = None
        self._send(connection, monotonic())

    def not_connected(self) -> None:
        """The connect failed: no byte was written, so another place is as good, within a bound."""
        self._task = None
        self._failed += 1
        if self._failed > CONNECT_RETRIES:
            self._break_off(
                Rejection(Cause.MODEL_UNREACHABLE, f"None of {self._failed} pods could be connected to."),
                Outcome.BROKE_OFF,
            )
        elif self._throttler is not None and self.backend is not None:
            backend, self.backend = self.backend, None
            self._follow(self._throttler.unreachable(self, backend))

    # ---- the request

    def _send(self, connection: BackendConnection, now: float) -> None:
        assert self._throttler is not None and self.client is not None
        forwarding = self._throttler.forwarding
        self.state = SENT
        self.connection = connection
        connection.stream = self
        connection.deadline = now + forwarding.invocation_timeout
        head = backend_head(self._raw, self._head, forwarding.invocations_path, self.request_id)
        connection.transport.write(head + self._raw[self._head.end :])
        if self._rest is not None:
            connection.transport.write(self._rest)
        if self._head.expects:
            self._invite()
        if self.held_bytes and connection.backed_up:
            self._raw, self._rest = b"", None  # counted until the pod has taken them
        else:
            self.let_go()
        if self.client.write_paused:
            connection.pause_reading()

    def more(self, data: bytes) -> None:
        """More of the body."""
        client = self.client
        assert client is not None
        try:
            end = self.body.feed(data)
        except BadChunk as bad:
            self.give_up(_bad_body(bad))
            return
        if end < len(data):
            client.keep(data[end:])
            data = data[:end]
        if self._too_large():
            return
        if self.connection is not None:
            self.connection.transport.write(data)
        elif self._hold(len(data)):
            if self._rest is None:
                self._rest = bytearray()
            self._rest += data

    def _too_large(self) -> bool:
        """Whether the body is, or will be, beyond the limit; answers if so."""
        limit = self.shared.settings.body_limit_bytes
        if self._head.length <= limit and self.body.received <= limit:
            return False
        self.give_up(Rejection(Cause.BODY_TOO_LARGE, f"The body is larger than {limit} bytes."))
        return True

    def _keep_first(self) -> bool:
        """Accounts for the head and what came with it, when they must be kept for a while. False if it was given up."""
        return bool(self.held_bytes) or self._hold(len(self._raw))

    def _hold(self, count: int) -> bool:
        if not self.shared.front.reserve_bytes(count):
            self.give_up(
                Rejection(Cause.TOO_MANY_HELD_BYTES, "Too many bytes of requests are waiting for pods to start.")
            )
            return False
        self.held_bytes += count
        return True

    def let_go(self) -> None:
        """Forgets the request's bytes: the pod has them, or never will."""
        self._raw = b""
        self._rest = None
        if self.held_bytes:
            self.shared.front.reserve_bytes(-self.held_bytes)
            self.held_bytes = 0

    def _invite(self) -> None:
        """Asks for the body, where the client waits to be asked."""
        if self._head.expects and self.client is not None and not self.body.complete and not self.body.received:
            self._head.expects = False
            self.client.write(localreply.CONTINUE)

    # ---- the model's answer, told by the upstream connection

    def interim(self, head: ResponseHead, data: bytes) -> None:
        """A 1xx head. 100 is not passed on: whether to send the body is settled between client and wire. Raises BadResponse."""
        if head.status == 101:
            raise BadResponse("a switch of protocols that nobody asked for")
        if self.client is not None and self._head.minor == b"1" and head.status != 100:
            self.client.write(client_head(data, head, b""))

    def answer_begins(self, head: ResponseHead, data: bytes) -> None:
        """The head of the answer, which `data` begins with, and what came of the body with it. Raises BadResponse."""
        self._status = head.status
        client = self.client
        if client is None:
            return
        if self.style is Style.SAGEMAKER and head.status >= 400:
            self._error = localreply.OriginalError(head.framing == CHUNKED)
            self._error.add(data[head.end :])
            return
        if head.framing == CHUNKED and self._head.minor == b"0":
            raise BadResponse("a chunked body to a client of HTTP/1.0")
        if head.framing == UNTIL_CLOSE:
            client.closing = True
        self._begun = True
        self._sent = len(data) - head.end
        client.write(client_head(data, head, self._extra(client)) + data[head.end :])

    def answer_goes_on(self, data: bytes) -> None:
        """More of the answer's body."""
        if self.client is None:
            return
        if self._error is None:
            self._sent += len(data)
            self.client.write(data)
        else:
            self._error.add(data)

    def answer_ends(self) -> None:
        """The answer was read to its end; the connection is kept or closed already."""
        client, self.client = self.client, None
        if client is not None and self._error is not None:
            client.write(
                localreply.model_error(
                    self._status, self._error.text(), self._extra(client), self._see(), not self.to_head
                )
            )
        self._over(Outcome.ANSWERED)
        if client is not None:
            client.finish(self.body.complete)

    def answer_fails(self, what: str) -> None:
        """The answer can never be read to its end: the connection is closed."""
        left = self.client is None and not self.body.complete
        self._break_off(
            Rejection(Cause.MODEL_BROKE_OFF, f"The model {what}."), Outcome.ABANDONED if left else Outcome.BROKE_OFF
        )

    def out_of_time(self) -> None:
        """The model's time is over: the connection is closed."""
        assert self._throttler is not None
        self._break_off(
            Rejection(
                Cause.MODEL_TIMEOUT,
                f"The model did not answer within {self._throttler.forwarding.invocation_timeout:g} s.",
            ),
            Outcome.TIMED_OUT,
        )

    # ---- answers of our own, and ends

    def client_left(self) -> None:
        """The client is gone (or was cut off by ourselves, and knows how its request ended)."""
        if self.client is not None:
            self.client = None
            self._withdraw(CLIENT_LEFT)

    def give_up(self, rejection: Rejection) -> None:
        """The client's request cannot be completed (malformed, too large, too slow): answers while that is possible, and lets go."""
        client = self.client
        assert client is not None
        if self._throttler is not None:
            self._throttler.rejected(self, rejection)
        self.client = None
        if not self._begun:
            client.write(self._rejection(client, rejection))
        self._withdraw(localreply.status_of(rejection.cause, self.style))
        if self._begun:
            client.cut()
        else:
            client.finish(self.body.complete)

    def _withdraw(self, status: int) -> None:
        """Takes the request back from where it is. What was sent stays with the model until it answers or closes."""
        state = self.state
        if state == SENT:
            assert self.connection is not None
            if self.body.complete:
                self.connection.resume_reading()
            else:
                self.connection.end_request()
            return
        self._status = status
        if self._lookup is not None:
            self._lookup.cancel()
        if self._task is not None:
            self._task.cancel()
        self._over(Outcome.ABANDONED)
        if state == HELD and self._throttler is not None:
            self._throttler.gone(self)

    def _answer(self, rejection: Rejection) -> None:
        """Answers instead of a model."""
        client, self.client = self.client, None
        assert client is not None
        self._reply(client, self._rejection(client, rejection), Outcome.ABANDONED)

    def _pong(self) -> None:
        """Answers a ping: there is a pod."""
        client, self.client = self.client, None
        assert client is not None
        self._status = 200
        self._reply(client, localreply.pong(self._extra(client)), Outcome.ANSWERED)

    def _break_off(self, rejection: Rejection, outcome: Outcome) -> None:
        """The model failed us: an answer of ours where none has begun, else the client's connection is cut."""
        client, self.client = self.client, None
        if client is None:
            self._over(outcome)
        elif self._begun:
            self._over(outcome)
            client.cut()
        else:
            self._status = localreply.status_of(rejection.cause, self.style)
            self._reply(client, self._rejection(client, rejection), outcome)

    def _reply(self, client: ClientConnection, answer: bytes, outcome: Outcome) -> None:
        client.write(answer)
        self._over(outcome)
        client.finish(self.body.complete)

    def _over(self, outcome: Outcome) -> None:
        """Lets go of everything, and of the place last: the desk may give it to the next request at once."""
        self.state = OVER
        if self._raw or self.held_bytes:
            self.let_go()
        self.connection = self._task = self._lookup = None
        self.shared.streams -= 1
        backend, self.backend = self.backend, None
        if backend is not None and self._throttler is not None:
            self._throttler.finished(self, backend, outcome, self._status, self.body.received, self._sent)
        if not self.shared.streams:
            self.shared.look_whether_quiet()

    def _rejection(self, client: ClientConnection, rejection: Rejection) -> bytes:
        return localreply.local_reply(
            rejection, self.style, self.request_id, self._extra(client), self._see(), not self.to_head
        )

    def _see(self) -> str:
        """Where to read more about a model's failure."""
        if self.backend is None or self._throttler is None:
            return ""
        return f"`kubectl logs --namespace {self._throttler.forwarding.namespace} {self.backend.pod}`"

    def _extra(self, client: ClientConnection) -> bytes:
        """The lines that we add to an answer's head."""
        variant = (
            self._throttler.forwarding.variant if self._throttler is not None and self.style is Style.SAGEMAKER else ""
        )
        return localreply.lines(
            self.request_id, variant, self.cold, client.last_answer(self._head.close or not self.body.complete)
        )


def _bad_body(bad: BadChunk) -> Rejection:
    return Rejection(Cause.BAD_REQUEST, f"The body is not chunked as it should be: {bad}.")
