"""One request from its head to the end of its response: the wire's side of a `PendingRequest`.

The module `state` describes the states of a request. Each request ends with exactly one response, or with a reset of
the client's connection. The client sees the reset, so a truncated response never looks complete.

After a local reply, the client's connection stays open only if the request was read to its end.
"""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import Final

from kindler.activator.endpoint.requests import Backend, Cause, Outcome, Purpose, Rejection
from kindler.activator.wire import localreply
from kindler.activator.wire.backend import BackendConnection, connect, take_idle
from kindler.activator.wire.chunked import BadChunk
from kindler.activator.wire.clientresponse import ClientResponse
from kindler.activator.wire.context import ListenerContext
from kindler.activator.wire.head import Head, backend_head
from kindler.activator.wire.heldbody import HeldBody
from kindler.activator.wire.roles import ClientHandle, Lookup, RouteLookup, RouteMatch, Throttler
from kindler.activator.wire.state import (
    CONNECT,
    END,
    HELD,
    HOLD,
    LOOKING_UP,
    OVER,
    SEND,
    WITHDRAW,
    Event,
    State,
    transition,
)

CONNECT_RETRIES: Final = 3  # each may take the settings' `connect_seconds`
CLIENT_LEFT: Final = 499  # the status in the record of a request whose client left before it was sent


class RequestStream(ClientResponse):
    """A `PendingRequest`: its admission, sending and end. `connection` is set while the state is SENT."""

    __slots__ = (
        "_awaited",
        "_failed_connects",
        "_first",
        "_held",
        "arrived",
        "connection",
        "counted",
        "purpose",
        "state",
    )

    def __init__(self, client: ClientHandle, context: ListenerContext, head: Head, arrived: float) -> None:
        ClientResponse.__init__(self, client, context, head)
        self.purpose = Purpose.INVOCATION
        self.arrived = arrived
        self.counted = False
        self.connection: BackendConnection | None = None
        self.state: State = LOOKING_UP
        self._first = b""  # the received head, with the body bytes of the same read; moves to _held
        self._held: HeldBody | None = None
        self._awaited: Lookup | asyncio.Task[None] | None = None  # the look-up or the connect that is running
        self._failed_connects = 0

    # ---- admission

    def start(self, data: bytes) -> None:
        """Offers the request to the endpoint's throttler. `data`: the head, and the bytes that follow it."""
        self.context.streams += 1
        client, head = self.client, self.head
        assert client is not None
        route = self.context.router.find(head)
        self.style = route.style
        try:
            end = self.body.feed(data, head.end)
        except BadChunk as bad:
            self.abort(_bad_body(bad))
            return
        if end < len(data):
            client.keep_pipelined(data[end:])
            data = data[:end]
        self._first = data
        if isinstance(route, RouteMatch):
            self.purpose = route.purpose
            self._offer(route.throttler)
        elif isinstance(route, RouteLookup):
            self.purpose = route.purpose
            self._awaited = route.lookup
            if not self._body_too_large() and self._hold():
                route.lookup.then(self._looked_up)
        else:
            self.reject(route.rejection)

    def _looked_up(self, result: Throttler | Rejection) -> None:
        if self.state is LOOKING_UP and self._awaited is not None:
            self._awaited = None
            if isinstance(result, Rejection):
                self.reject(result)
            else:
                self._offer(result)

    def _offer(self, throttler: Throttler) -> None:
        self.throttler = throttler
        if not self._body_too_large():
            self._apply(throttler.offer(self))

    def _apply(self, decision: Backend | Rejection | None) -> None:
        """Carries out the throttler's decision."""
        if isinstance(decision, Backend):
            self.dispatch(decision)
        elif decision is not None:
            self.reject(decision)
        else:
            self.state = transition(self.state, HOLD)
            if self.client is not None and self.client.half_closed:
                self.client.abandon()
            elif self._hold():
                self._send_continue()

    def dispatch(self, backend: Backend) -> None:
        """Part of `PendingRequest`: sends the request to this backend, or replies to a ping."""
        self.backend = backend
        now = monotonic()
        if self.purpose is not Purpose.INVOCATION:
            self._reply_to_ping()
        elif (connection := take_idle(backend, now)) is not None:
            self._send(connection, now)
        else:
            self.state = transition(self.state, CONNECT)
            if self._hold():
                self._send_continue()
                self._awaited = task = self.context.loop.create_task(self._connect(backend))
                self.context.connects.add(task)
                task.add_done_callback(self.context.connects.discard)

    def reject(self, rejection: Rejection) -> None:
        """Part of `PendingRequest`: responds with a rejection that the throttler or the router decided."""
        client, self.client = self.client, None
        assert client is not None
        self._reply(client, self.rejection_reply(client, rejection), Outcome.ABANDONED)

    async def _connect(self, backend: Backend) -> None:
        connection = await connect(self.context, backend)
        self._awaited = None
        if connection is not None:
            self._send(connection, monotonic())
        else:
            self._connect_failed()

    def _connect_failed(self) -> None:
        """Asks for another backend, because no byte was written. Rejects the request after CONNECT_RETRIES retries."""
        self._failed_connects += 1
        if self._failed_connects > CONNECT_RETRIES:
            reason = f"None of {self._failed_connects} pods could be connected to."
            self._backend_failed(Rejection(Cause.MODEL_UNREACHABLE, reason), Outcome.BROKE_OFF)
        elif self.throttler is not None and self.backend is not None:
            backend, self.backend = self.backend, None
            self._apply(self.throttler.unreachable(self, backend))

    # ---- the request

    def _send(self, connection: BackendConnection, now: float) -> None:
        assert self.throttler is not None and self.client is not None
        forwarding = self.throttler.forwarding
        self.state = transition(self.state, SEND)
        self.connection = connection
        connection.stream = self
        connection.deadline = now + forwarding.invocation_timeout
        held, head = self._held, self.head
        first = self._first if held is None else held.first
        transport = connection.transport
        transport.write(backend_head(first, head, forwarding.invocations_path, self.request_id) + first[head.end :])
        self._first = b""
        if head.expects:
            self._send_continue()
        if held is not None:
            if held.rest:
                transport.write(held.rest)
            if connection.backed_up:
                held.written()  # the bytes stay reserved until the pod has taken them
            else:
                self.release_held()
        if self.client.write_paused:
            connection.pause_reading()

    def body_received(self, data: bytes) -> None:
        """Sends or keeps more of the request's body."""
        client = self.client
        assert client is not None
        try:
            end = self.body.feed(data)
        except BadChunk as bad:
            self.abort(_bad_body(bad))
            return
        if end < len(data):
            client.keep_pipelined(data[end:])
            data = data[:end]
        if self._body_too_large():
            return
        if self.connection is not None:
            self.connection.transport.write(data)
        elif self._held is not None and not self._held.add(data):
            self._abort_for_memory()

    def _body_too_large(self) -> bool:
        """True if the body is, or will be, larger than the limit. Then the request is aborted."""
        limit = self.context.settings.body_limit_bytes
        if self.head.length <= limit and self.body.received <= limit:
            return False
        self.abort(Rejection(Cause.BODY_TOO_LARGE, f"The body is larger than {limit} bytes."))
        return True

    def _hold(self) -> bool:
        """Reserves memory for a request that must wait. False: the limit is reached, and the request was aborted."""
        if self._held is not None:
            return True
        self._held = HeldBody(self.context.router, self._first)
        self._first = b""
        if self._held.reserve_first():
            return True
        self._abort_for_memory()
        return False

    def _abort_for_memory(self) -> None:
        self.abort(Rejection(Cause.TOO_MANY_HELD_BYTES, "Too many bytes of requests are waiting for pods to start."))

    def release_held(self) -> None:
        """Frees the reserved memory of the held bytes, which the pod has taken or will never take."""
        if self._held is not None:
            self._held.release()
            self._held = None

    def _send_continue(self) -> None:
        """Sends `100 Continue` if the client waits for it before it sends the body."""
        if self.head.expects and self.client is not None and not self.body.complete and not self.body.received:
            self.head.expects = False
            self.client.write(localreply.CONTINUE)

    # ---- the end of the model's response: methods that the backend connection calls

    def response_ends(self) -> None:
        """The response was read to its end. The connection is already idle or closed."""
        client, self.client = self.client, None
        if client is not None and self.error is not None:
            client.write(self.model_error_reply(client, self.error))
        self._end(Outcome.ANSWERED)
        if client is not None:
            client.response_finished(self.body.complete)

    def response_fails(self, what: str) -> None:
        """The response can never be read to its end. The connection is closed."""
        client_left_early = self.client is None and not self.body.complete
        outcome = Outcome.ABANDONED if client_left_early else Outcome.BROKE_OFF
        self._backend_failed(Rejection(Cause.MODEL_BROKE_OFF, f"The model {what}."), outcome)

    def timed_out(self) -> None:
        """The invocation timeout is over. The connection is closed."""
        assert self.throttler is not None
        reason = f"The model did not answer within {self.throttler.forwarding.invocation_timeout:g} s."
        self._backend_failed(Rejection(Cause.MODEL_TIMEOUT, reason), Outcome.TIMED_OUT)

    # ---- ends

    def client_left(self) -> None:
        """The client closed its connection, or we closed it after the request ended."""
        if self.client is not None:
            self.client = None
            self._withdraw(CLIENT_LEFT)

    def abort(self, rejection: Rejection) -> None:
        """Rejects a request that the client cannot complete: malformed, too large, or too slow.

        The wire decides this rejection, so it also publishes it. `reject` publishes nothing, because the throttler or
        the router decided its rejection.
        """
        client = self.client
        assert client is not None
        if self.throttler is not None:
            self.throttler.rejected(self, rejection)
        self.client = None
        if not self.begun:
            client.write(self.rejection_reply(client, rejection))
        self._withdraw(localreply.status_of(rejection.cause, self.style))
        if self.begun:
            client.reset()
        else:
            client.response_finished(self.body.complete)

    def _withdraw(self, status: int) -> None:
        """Ends a request without a client. If it was sent, it ends later, when the model responds or closes."""
        state = self.state
        if transition(state, WITHDRAW) is not OVER:
            assert self.connection is not None
            if self.body.complete:
                self.connection.resume_reading()
            else:
                self.connection.end_request()
            return
        self.status = status
        if self._awaited is not None:
            self._awaited.cancel()
        self._end(Outcome.ABANDONED, WITHDRAW)
        if state is HELD and self.throttler is not None:
            self.throttler.gone(self)

    def _backend_failed(self, rejection: Rejection, outcome: Outcome) -> None:
        """Sends a local reply, or resets the client's connection if the model's response has begun."""
        client, self.client = self.client, None
        if client is None:
            self._end(outcome)
        elif self.begun:
            self._end(outcome)
            client.reset()
        else:
            self.status = localreply.status_of(rejection.cause, self.style)
            self._reply(client, self.rejection_reply(client, rejection), outcome)

    def _end(self, outcome: Outcome, event: Event = END) -> None:
        """Releases everything, and the backend last, because the throttler may give it to the next request at once."""
        self.state = transition(self.state, event)
        self._first = b""
        if self._held is not None:
            self.release_held()
        self.connection = self._awaited = None
        context = self.context
        context.streams -= 1
        backend, self.backend = self.backend, None
        if backend is not None and self.throttler is not None:
            self.throttler.finished(self, backend, outcome, self.status, self.body.received, self.sent)
        if not context.streams:
            context.check_idle()

    # ---- local replies

    def _reply(self, client: ClientHandle, reply: bytes, outcome: Outcome) -> None:
        client.write(reply)
        self._end(outcome)
        client.response_finished(self.body.complete)

    def _reply_to_ping(self) -> None:
        """Replies to a PING or a WAKE with 200, because a pod is usable. No request is sent to the pod."""
        client, self.client = self.client, None
        assert client is not None
        self.status = 200
        self._reply(client, localreply.ping_reply(self.added_fields(client)), Outcome.ANSWERED)


def _bad_body(bad: BadChunk) -> Rejection:
    return Rejection(Cause.BAD_REQUEST, f"The chunked body is invalid: {bad}.")
