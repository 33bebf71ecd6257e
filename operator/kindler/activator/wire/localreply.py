"""Answers of our own: the one table cause x style -> status, error type, Retry-After; and the words of SageMaker for a model's failure. Pure.

style        body
---------    -------------------------------------------------------------------------------------------------
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
MESSAGE_LIMIT: Final = 2048  # characters, as SageMaker's ModelError has it
ORIGINAL_LIMIT: Final = 8 * 1024  # bytes of a model's error that are kept for OriginalMessage


class _Row(NamedTuple):
    sagemaker: int
    error_type: str
    plain: int
    retry_after: int | None = None  # seconds, unless the refusal says otherwise


# ServiceUnavailable and ThrottlingException are repeated by AWS clients, ModelError and ValidationError are not.
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
    """The HTTP status of a refusal."""
    row = _TABLE[cause]
    return row.sagemaker if style is Style.SAGEMAKER else row.plain


def local_reply(rejected: Rejection, style: Style, request_id: bytes, extra: bytes, see: str, with_body: bool) -> bytes:
    """A whole answer. `extra`: further lines, each ending in CRLF; `see`: where to read more about a model's failure, or empty."""
    row = _TABLE[rejected.cause]
    retry_after = rejected.retry_after if rejected.retry_after is not None else row.retry_after
    if retry_after is not None:
        extra = b"%bRetry-After: %d\r\n" % (extra, retry_after)
    if style is Style.PLAIN:
        return _whole(row.plain, extra, {"message": rejected.reason, "cause": rejected.cause.value}, with_body)
    extra = b"%bx-amzn-errortype: %b\r\n" % (extra, row.error_type.encode())
    if row.error_type == MODEL_ERROR:
        reason = _TIMED_OUT if rejected.cause is Cause.MODEL_TIMEOUT else rejected.reason
        return _whole(row.sagemaker, extra, _model_error(0, reason, see), with_body)
    message = (
        f"Request {request_id.decode()} has oversize body."
        if rejected.cause is Cause.BODY_TOO_LARGE
        else rejected.reason
    )
    return _whole(row.sagemaker, extra, {"message": message}, with_body)


class OriginalError:
    """The beginning of the body with which a model answered an error."""

    __slots__ = ("_chunked", "_raw")

    def __init__(self, chunked: bool) -> None:
        self._chunked = chunked
        self._raw = bytearray()

    def add(self, data: bytes) -> None:
        if len(self._raw) < 2 * ORIGINAL_LIMIT:  # twice, for chunk lines
            self._raw += data[: 2 * ORIGINAL_LIMIT]

    def text(self) -> str:
        raw = bytes(self._raw)
        return (payload(raw) if self._chunked else raw)[:ORIGINAL_LIMIT].decode(errors="replace")


def model_error(status: int, original: str, extra: bytes, see: str, with_body: bool) -> bytes:
    """SageMaker's 424 for a model that answered `status` >= 400 by itself, with `original` as its body."""
    extra += b"x-amzn-errortype: ModelError\r\n"
    return _whole(424, extra, _model_error(status, original, see), with_body)


def lines(request_id: bytes, variant: str, cold: ColdStart | None, last: bool) -> bytes:
    """What is added to the head of every answer. `variant`: empty unless asked in SageMaker's form; `last`: the connection closes after it."""
    added = b"x-amzn-RequestId: %b\r\n" % request_id
    if variant:
        added += b"x-Amzn-Invoked-Production-Variant: %b\r\n" % variant.encode()
    if cold is not None and (phases := cold.phases()):
        added += (
            b"Server-Timing: %b\r\n"
            % ", ".join(f"{name};dur={milliseconds}" for name, milliseconds in phases.items()).encode()
        )
        if "ping" in phases:
            added += b"X-Kindler-Cold-Start: %d\r\n" % phases["ping"]
    return added + b"Connection: close\r\n" if last else added


def pong(extra: bytes) -> bytes:
    """The answer to a ping: a pod is there."""
    return b"HTTP/1.1 200 OK\r\n%bContent-Length: 0\r\n\r\n" % extra


def _model_error(status: int, original: str, see: str) -> dict[str, Any]:
    whose = "client" if 400 <= status < 500 else "server"
    tail = f". See {see} for more information." if see else "."
    begin = f'Received {whose} error ({status}) from primary with message "'
    room = MESSAGE_LIMIT - len(begin) - len(tail) - 1
    return {"Message": f'{begin}{original[:room]}"{tail}', "OriginalStatusCode": status, "OriginalMessage": original}


def _whole(status: int, extra: bytes, body: dict[str, Any], with_body: bool) -> bytes:
    content = json.dumps(body, ensure_ascii=False).encode() + b"\n"  # for people at a shell
    head = b"HTTP/1.1 %d %b\r\n%bContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    return head % (status, HTTPStatus(status).phrase.encode(), extra, len(content)) + (content if with_body else b"")
