"""Local replies: the responses that the activator itself sends. Pure.

One table maps cause and style to status, error type and Retry-After. A model's failure has SageMaker's wording.

    style        body
    ---------    ----------------------------------------------------------------------------------------------
    SageMaker    {"message": …}; for a ModelError {"Message": …, "OriginalStatusCode": …, "OriginalMessage": …}
    plain        {"message": …, "cause": …}
"""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any, Final, NamedTuple

from kindler.activator.endpoint.requests import Cause, ColdStart, Rejection, Style
from kindler.activator.wire.chunked import payload

CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"

MODEL_ERROR: Final = "ModelError"
MESSAGE_LIMIT: Final = 2048  # characters, the limit of SageMaker's ModelError
ORIGINAL_LIMIT: Final = 8 * 1024  # bytes of a model's own error in OriginalMessage


class _Row(NamedTuple):
    sagemaker: int
    error_type: str
    plain: int
    retry_after: int | None = None  # seconds; a rejection's own value takes precedence


# AWS clients retry ServiceUnavailable and ThrottlingException. They do not retry ModelError and ValidationError.
_TABLE: Final[dict[Cause, _Row]] = {
    Cause.UNKNOWN_ADDRESS: _Row(404, "UnknownOperationException", 404),
    Cause.UNKNOWN_ENDPOINT: _Row(400, "ValidationError", 404),
    Cause.CREATING: _Row(429, "ModelNotReadyException", 503, 5),
    Cause.THROTTLED: _Row(400, "ThrottlingException", 429, 1),
    Cause.BAD_REQUEST: _Row(400, "ValidationError", 400),
    Cause.HEAD_TOO_LARGE: _Row(431, "ValidationError", 431),
    Cause.BODY_TOO_LARGE: _Row(400, "ValidationError", 413),
    Cause.TOO_MANY_HELD_BYTES: _Row(503, "ServiceUnavailable", 503, 1),
    Cause.TOO_MANY_CONNECTIONS: _Row(503, "ServiceUnavailable", 503, 1),
    Cause.REQUEST_TIMEOUT: _Row(408, "RequestTimeoutException", 408),
    Cause.CANNOT_START: _Row(424, MODEL_ERROR, 503),
    Cause.START_TIMEOUT: _Row(429, "ModelNotReadyException", 504),
    Cause.DELETED: _Row(400, "ValidationError", 404),
    Cause.MODEL_UNREACHABLE: _Row(503, "ServiceUnavailable", 502, 1),
    Cause.MODEL_BROKE_OFF: _Row(424, MODEL_ERROR, 502),
    Cause.MODEL_TIMEOUT: _Row(424, MODEL_ERROR, 504),
    Cause.NOT_READY: _Row(503, "ServiceUnavailable", 503),
    Cause.SHUTTING_DOWN: _Row(503, "ServiceUnavailable", 503, 1),
}

_TIMED_OUT: Final = (
    "Your invocation timed out while waiting for a response from container primary. "
    "Review the latency metrics for each container in Amazon CloudWatch, resolve the issue, and try again."
)


def status_of(cause: Cause, style: Style) -> int:
    """The HTTP status of a rejection."""
    row = _TABLE[cause]
    return row.sagemaker if style is Style.SAGEMAKER else row.plain


def local_reply(
    rejection: Rejection, style: Style, request_id: bytes, fields: bytes, log_hint: str, with_body: bool
) -> bytes:
    """The complete response for a rejection.

    `fields`: more lines of the head, each with CRLF. `log_hint`: where the user finds more about a model's failure,
    or "".
    """
    row = _TABLE[rejection.cause]
    retry_after = rejection.retry_after if rejection.retry_after is not None else row.retry_after
    if retry_after is not None:
        fields = b"%bRetry-After: %d\r\n" % (fields, retry_after)
    if style is Style.PLAIN:
        return _response(row.plain, fields, {"message": rejection.reason, "cause": rejection.cause.value}, with_body)
    fields = b"%bx-amzn-errortype: %b\r\n" % (fields, row.error_type.encode())
    if row.error_type == MODEL_ERROR:
        reason = _TIMED_OUT if rejection.cause is Cause.MODEL_TIMEOUT else rejection.reason
        return _response(row.sagemaker, fields, _model_error(0, reason, log_hint), with_body)
    message = rejection.reason
    if rejection.cause is Cause.BODY_TOO_LARGE:
        message = f"Request {request_id.decode()} has oversize body."
    return _response(row.sagemaker, fields, {"message": message}, with_body)


class OriginalError:
    """The beginning of the body of an error response from the model."""

    __slots__ = ("_chunked", "_raw")

    def __init__(self, chunked: bool) -> None:
        self._chunked = chunked
        self._raw = bytearray()

    def add(self, data: bytes) -> None:
        if len(self._raw) < 2 * ORIGINAL_LIMIT:  # twice the limit, because chunk lines need room, too
            self._raw += data[: 2 * ORIGINAL_LIMIT]

    def text(self) -> str:
        raw = bytes(self._raw)
        return (payload(raw) if self._chunked else raw)[:ORIGINAL_LIMIT].decode(errors="replace")


def model_error(status: int, original: str, fields: bytes, log_hint: str, with_body: bool) -> bytes:
    """SageMaker's 424 for a model that itself responded with `status` >= 400 and the body `original`."""
    fields += b"x-amzn-errortype: ModelError\r\n"
    return _response(424, fields, _model_error(status, original, log_hint), with_body)


def added_fields(request_id: bytes, variant: str, cold: ColdStart | None, last: bool) -> bytes:
    """The fields that the activator adds to the head of a response, except of a 1xx response.

    `variant`: "" unless the request has SageMaker's form. `last`: the connection closes after this response.
    """
    added = b"x-amzn-RequestId: %b\r\n" % request_id
    if variant:
        added += b"x-Amzn-Invoked-Production-Variant: %b\r\n" % variant.encode()
    if cold is not None and (phases := cold.phases()):
        timing = ", ".join(f"{name};dur={milliseconds}" for name, milliseconds in phases.items())
        added += b"Server-Timing: %b\r\n" % timing.encode()
        if "ping" in phases:
            added += b"X-Kindler-Cold-Start: %d\r\n" % phases["ping"]
    return added + b"Connection: close\r\n" if last else added


def ping_reply(fields: bytes) -> bytes:
    """The response to a ping if a pod is ready."""
    return b"HTTP/1.1 200 OK\r\n%bContent-Length: 0\r\n\r\n" % fields


def _model_error(status: int, original: str, log_hint: str) -> dict[str, Any]:
    side = "client" if 400 <= status < 500 else "server"
    tail = f". See {log_hint} for more information." if log_hint else "."
    begin = f'Received {side} error ({status}) from primary with message "'
    room = MESSAGE_LIMIT - len(begin) - len(tail) - 1
    return {"Message": f'{begin}{original[:room]}"{tail}', "OriginalStatusCode": status, "OriginalMessage": original}


def _response(status: int, fields: bytes, body: dict[str, Any], with_body: bool) -> bytes:
    # The newline at the end is for people who call a model with curl: their next prompt begins on its own line.
    content = json.dumps(body, ensure_ascii=False).encode() + b"\n"
    head = b"HTTP/1.1 %d %b\r\n%bContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    return head % (status, HTTPStatus(status).phrase.encode(), fields, len(content)) + (content if with_body else b"")
