"""Local replies, parsed as clients parse them."""

from __future__ import annotations

import json
from typing import Any

import h11
import pytest

from kindler.activator.endpoint.requests import Cause, ColdStart, Rejection, Style
from kindler.activator.wire import localreply


def parse(data: bytes) -> tuple[int, dict[str, str], dict[str, Any]]:
    parser = h11.Connection(h11.CLIENT)
    parser.send(h11.Request(method="POST", target="/", headers=[("host", "x")]))
    parser.send(h11.EndOfMessage())
    parser.receive_data(data)
    response, body = parser.next_event(), b""
    assert isinstance(response, h11.Response)
    while isinstance(event := parser.next_event(), h11.Data):
        body += event.data
    assert isinstance(event, h11.EndOfMessage)
    assert parser.trailing_data == (b"", False)
    return (
        response.status_code,
        {name.decode(): value.decode() for name, value in response.headers},
        json.loads(body) if body else {},
    )


def reject(
    cause: Cause, style: Style, retry_after: int | None = None, log_hint: str = ""
) -> tuple[int, dict[str, str], dict[str, Any]]:
    return parse(
        localreply.local_reply(
            Rejection(cause, "Because.", retry_after),
            style,
            b"r-1",
            localreply.added_fields(b"r-1", "", None, False),
            log_hint,
            True,
        )
    )


@pytest.mark.parametrize("cause", Cause)
@pytest.mark.parametrize("style", Style)
def test_every_cause_has_a_local_reply_with_a_reason(cause: Cause, style: Style) -> None:
    status, fields, body = reject(cause, style)
    assert status == localreply.status_of(cause, style)
    assert 400 <= status < 600
    assert fields["x-amzn-requestid"] == "r-1"
    assert ("x-amzn-errortype" in fields) is (style is Style.SAGEMAKER)
    assert body.get("message") or body["Message"]


@pytest.mark.parametrize(
    ("cause", "status", "error_type", "plain"),
    [
        (Cause.THROTTLED, 400, "ThrottlingException", 429),
        (Cause.UNKNOWN_ENDPOINT, 400, "ValidationError", 404),
        (Cause.BODY_TOO_LARGE, 400, "ValidationError", 413),
        (Cause.MODEL_TIMEOUT, 424, "ModelError", 504),
        (Cause.MODEL_BROKE_OFF, 424, "ModelError", 502),
        (Cause.TOO_MANY_HELD_BYTES, 503, "ServiceUnavailable", 503),
        (Cause.DELETED, 400, "ValidationError", 404),
    ],
)
def test_the_statuses_and_error_types_are_those_that_clients_know(
    cause: Cause, status: int, error_type: str, plain: int
) -> None:
    replied, fields, _ = reject(cause, Style.SAGEMAKER)
    assert (replied, fields["x-amzn-errortype"]) == (status, error_type)
    assert reject(cause, Style.PLAIN)[0] == plain


def test_retry_after_is_the_rejections_own_or_that_of_the_table() -> None:
    assert reject(Cause.THROTTLED, Style.PLAIN, 7)[1]["retry-after"] == "7"
    assert reject(Cause.THROTTLED, Style.PLAIN)[1]["retry-after"] == "1"
    assert "retry-after" not in reject(Cause.BAD_REQUEST, Style.PLAIN)[1]


def test_an_oversize_body_has_sagemakers_message() -> None:
    assert reject(Cause.BODY_TOO_LARGE, Style.SAGEMAKER)[2] == {"message": "Request r-1 has oversize body."}


def test_a_timeout_has_sagemakers_message() -> None:
    body = reject(Cause.MODEL_TIMEOUT, Style.SAGEMAKER, log_hint="the logs")[2]
    assert body["OriginalStatusCode"] == 0
    assert body["Message"].startswith(
        'Received server error (0) from primary with message "Your invocation timed out while waiting for a response'
    )
    assert body["Message"].endswith('and try again.". See the logs for more information.')


@pytest.mark.parametrize(("status", "side"), [(400, "client"), (499, "client"), (500, "server"), (503, "server")])
def test_a_models_own_error_is_wrapped(status: int, side: str) -> None:
    replied, fields, body = parse(localreply.model_error(status, 'no "x"\n', b"", "the logs", True))
    assert (replied, fields["x-amzn-errortype"], fields["content-type"]) == (424, "ModelError", "application/json")
    assert body == {
        "Message": f'Received {side} error ({status}) from primary with message "no "x"\n". '
        "See the logs for more information.",
        "OriginalStatusCode": status,
        "OriginalMessage": 'no "x"\n',
    }


def test_a_models_own_error_is_bounded() -> None:
    error = localreply.OriginalError(chunked=False)
    for _ in range(100):
        error.add(b"x" * 10_000)
    body = parse(localreply.model_error(500, error.text(), b"", "the logs", True))[2]
    assert len(body["OriginalMessage"]) == localreply.ORIGINAL_LIMIT
    assert len(body["Message"]) == localreply.MESSAGE_LIMIT
    assert body["Message"].endswith('x". See the logs for more information.')


def test_a_models_own_error_may_be_binary_or_chunked() -> None:
    binary, chunked = localreply.OriginalError(False), localreply.OriginalError(True)
    binary.add(b"\xff\xfe")
    chunked.add(b"3\r\nbad\r\n0\r\n\r\n")
    assert (binary.text(), chunked.text()) == ("\ufffd\ufffd", "bad")


def test_a_local_reply_to_head_has_no_body() -> None:
    assert localreply.local_reply(Rejection(Cause.THROTTLED, "x"), Style.PLAIN, b"r", b"", "", False).endswith(
        b"\r\n\r\n"
    )


def test_the_added_fields_of_a_response() -> None:
    cold = ColdStart(asked=1.0, created=1.01, ping=1.5)
    assert localreply.added_fields(b"r", "AllTraffic", cold, True) == (
        b"x-amzn-RequestId: r\r\nx-Amzn-Invoked-Production-Variant: AllTraffic\r\n"
        b"Server-Timing: created;dur=10, ping;dur=500\r\nX-Kindler-Cold-Start: 500\r\nConnection: close\r\n"
    )
    assert localreply.added_fields(b"r", "", ColdStart(asked=1.0), False) == b"x-amzn-RequestId: r\r\n"
