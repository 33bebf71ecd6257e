"""The response that the client of one request gets: the model's response, or a local reply.

Belongs here: how the response's head and body are forwarded to the client.
Does not belong here: when a request ends (`stream`).
"""

from __future__ import annotations

from kindler.activator.endpoint.requests import Backend, ColdStart, Rejection, Style
from kindler.activator.wire import localreply
from kindler.activator.wire.body import Body
from kindler.activator.wire.context import ListenerContext
from kindler.activator.wire.grammar import CHUNKED, UNTIL_CLOSE
from kindler.activator.wire.head import Head
from kindler.activator.wire.response import BadResponse, ResponseHead, client_head
from kindler.activator.wire.roles import ClientHandle, Throttler


class ClientResponse:
    """The response side of a `RequestStream`. `head` and `body` belong to the request.

    `client`: None once the client has left or has its response. `backend`: set from the placement until the throttler
    was notified of the end. `begun`: whether bytes of the model's response were written to the client. `status`:
    the model's status, or the status of our local reply. `sent`: body bytes written to the client. `error`: an
    error response from the model; it is not forwarded, but wrapped in SageMaker's form.
    """

    __slots__ = (
        "backend",
        "begun",
        "body",
        "client",
        "cold",
        "context",
        "error",
        "head",
        "request_id",
        "sent",
        "status",
        "style",
        "throttler",
    )

    def __init__(self, client: ClientHandle, context: ListenerContext, head: Head) -> None:
        self.client: ClientHandle | None = client
        self.context = context
        self.head = head
        self.body = Body(head.framing, head.length)
        self.style = Style.PLAIN
        self.request_id: bytes = head.request_id or context.request_id()
        self.cold: ColdStart | None = None
        self.throttler: Throttler | None = None
        self.backend: Backend | None = None
        self.begun = False
        self.status = 0
        self.sent = 0
        self.error: localreply.OriginalError | None = None

    def interim_response(self, head: ResponseHead, data: bytes) -> None:
        """Forwards a 1xx head except 100, because the wire itself handles Expect. Raises BadResponse for 101."""
        if head.status == 101:
            raise BadResponse("a protocol switch that was not requested")
        if self.client is not None and self.head.minor == b"1" and head.status != 100:
            self.client.write(client_head(data, head, b""))

    def response_begins(self, head: ResponseHead, data: bytes) -> None:
        """`data` begins with the response's head and may contain the beginning of its body. Raises BadResponse."""
        self.status = head.status
        client = self.client
        if client is None:
            return
        if self.style is Style.SAGEMAKER and head.status >= 400:
            self.error = localreply.OriginalError(head.framing == CHUNKED)
            self.error.add(data[head.end :])
            return
        if head.framing == CHUNKED and self.head.minor == b"0":
            raise BadResponse("a chunked body to a client of HTTP/1.0")
        if head.framing == UNTIL_CLOSE:
            client.closing = True
        self.begun = True
        self.sent = len(data) - head.end
        client.write(client_head(data, head, self.added_fields(client)) + data[head.end :])

    def response_continues(self, data: bytes) -> None:
        """Forwards more of the response's body, or keeps it for the reply that wraps the error."""
        if self.client is None:
            return
        if self.error is None:
            self.sent += len(data)
            self.client.write(data)
        else:
            self.error.add(data)

    def model_error_reply(self, client: ClientHandle, error: localreply.OriginalError) -> bytes:
        """The reply that wraps a model's own error in SageMaker's form."""
        fields, hint = self.added_fields(client), self._log_hint()
        return localreply.model_error(self.status, error.text(), fields, hint, self._with_body)

    def rejection_reply(self, client: ClientHandle, rejection: Rejection) -> bytes:
        """The reply for a rejection."""
        fields, hint = self.added_fields(client), self._log_hint()
        return localreply.local_reply(rejection, self.style, self.request_id, fields, hint, self._with_body)

    def added_fields(self, client: ClientHandle) -> bytes:
        """The fields that we add to the head of a response."""
        variant = ""
        if self.throttler is not None and self.style is Style.SAGEMAKER:
            variant = self.throttler.forwarding.variant
        last = client.is_last_response(self.head.close or not self.body.complete)
        return localreply.added_fields(self.request_id, variant, self.cold, last)

    @property
    def _with_body(self) -> bool:
        return self.head.method != b"HEAD"

    def _log_hint(self) -> str:
        """Where the user finds more about a model's failure."""
        if self.backend is None or self.throttler is None:
            return ""
        return f"`kubectl logs --namespace {self.throttler.forwarding.namespace} {self.backend.pod}`"
