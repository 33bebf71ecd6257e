"""Response heads: the accepted heads and their meaning, the rejected heads, and the head that the client gets."""

from __future__ import annotations

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kindler.activator.wire.grammar import CHUNKED, LENGTH, NO_BODY, UNTIL_CLOSE
from kindler.activator.wire.response import HEAD_LIMIT, BadResponse, ResponseHead, client_head, scan

OK = b"HTTP/1.1 200 OK\r\n"


def read(data: bytes, to_head: bool = False) -> ResponseHead:
    response = scan(data, to_head)
    assert response is not None
    return response


@pytest.mark.parametrize(
    ("head", "framing", "keep"),
    [
        (OK + b"Content-Length: 5\r\n", LENGTH, True),
        (OK + b"content-length:0\r\n", LENGTH, True),
        (OK + b"Transfer-Encoding: chunked\r\n", CHUNKED, True),
        (OK + b"Transfer-Encoding: CHUNKED \r\n", CHUNKED, True),
        (OK, UNTIL_CLOSE, False),
        (OK + b"Content-Length: 5\r\nConnection: close\r\n", LENGTH, False),
        (OK + b"Content-Length: 5\r\nConnection: Keep-Alive, Close\r\n", LENGTH, False),
        (OK + b"Content-Length: 5\r\nConnection: keep-alive\r\n", LENGTH, True),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n", LENGTH, False),
        (b"HTTP/1.1 200\r\nContent-Length: 5\r\n", LENGTH, True),
        (b"HTTP/1.1 200 \r\nContent-Length: 5\r\n", LENGTH, True),
        (b"HTTP/1.1 204 No Content\r\n", NO_BODY, True),
        (b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n", NO_BODY, True),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n", NO_BODY, True),
        (b"HTTP/1.1 103 Early Hints\r\n", NO_BODY, True),
    ],
)
def test_how_the_body_ends_and_whether_the_connection_can_be_kept(head: bytes, framing: int, keep: bool) -> None:
    response = read(head + b"\r\n")
    assert (response.framing, response.reusable) == (framing, keep)


@pytest.mark.parametrize("fields", [b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b""])
def test_no_response_to_head_has_a_body(fields: bytes) -> None:
    response = read(OK + fields + b"\r\n", to_head=True)
    assert (response.framing, response.reusable) == (NO_BODY, True)
    assert fields in client_head(OK + fields + b"\r\n", response, b"")


@pytest.mark.parametrize(
    "head",
    [
        OK + b"Content-Length: 5\r\nContent-Length: 5\r\n",
        OK + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        OK + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        OK + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        OK + b"Transfer-Encoding: gzip\r\n",
        OK + b"Transfer-Encoding:\x0bchunked\r\n",
        OK + b"Transfer-Encoding : chunked\r\n",
        b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n",
        OK + b"Content-Length: -5\r\n",
        OK + b"Content-Length: 5, 5\r\n",
        OK + b"Content-Length: " + b"9" * 19 + b"\r\n",
        OK + b"A: b\r\n folded\r\n",
        OK + b"A: b\nC: d\r\n",
        OK + b"A: \x00\r\n",
        OK + b"no colon\r\n",
        b"HTTP/1.1 99 Low\r\n",
        b"HTTP/1.1 1000 High\r\n",
        b"HTTP/1.1 abc\r\n",
        b"HTTP/2 200\r\n",
        b"http/1.1 200 OK\r\n",
        b"200 OK\r\n",
    ],
)
def test_malformed_response_heads_are_rejected(head: bytes) -> None:
    with pytest.raises(BadResponse):
        scan(head + b"\r\n", False)


def test_a_head_is_incomplete_until_its_last_byte() -> None:
    data = OK + b"Content-Length: 5\r\nA: b\r\n\r\n"
    assert all(scan(data[:size], False) is None for size in range(len(data)))


@pytest.mark.parametrize("data", [b"SSH-2.0-OpenSSH", b"hello", OK + b"A: " + b"b" * HEAD_LIMIT])
def test_an_incomplete_head_that_cannot_become_valid_is_rejected(data: bytes) -> None:
    with pytest.raises(BadResponse):
        scan(data, False)


@pytest.mark.parametrize(
    ("head", "forwarded"),
    [
        (OK + b"A: 1\r\nContent-Length: 5\r\n", OK + b"X: y\r\nA: 1\r\nContent-Length: 5\r\n"),
        (b"HTTP/1.0 200 Fine\r\nA: 1\r\n", b"HTTP/1.1 200 Fine\r\nX: y\r\nA: 1\r\n"),
        (OK + b"Connection: close, B\r\nB: 1\r\nKeep-Alive: 5\r\nA: 1\r\n", OK + b"X: y\r\nA: 1\r\n"),
        (
            OK + b"X-Kindler-Cold-Start: 1\r\nx-amzn-requestid: 2\r\nX-AMZN-Invoked-Production-Variant: 3\r\nA: 1\r\n",
            OK + b"X: y\r\nA: 1\r\n",
        ),
        (OK + b"Connection: content-length\r\nContent-Length: 5\r\n", OK + b"X: y\r\nContent-Length: 5\r\n"),
        (b"HTTP/1.1 204 None\r\nContent-Length: 5\r\nA: 1\r\n", b"HTTP/1.1 204 None\r\nX: y\r\nA: 1\r\n"),
        (b"HTTP/1.1 304 Same\r\nContent-Length: 5\r\n", b"HTTP/1.1 304 Same\r\nX: y\r\nContent-Length: 5\r\n"),
    ],
)
def test_the_head_that_is_forwarded_to_the_client(head: bytes, forwarded: bytes) -> None:
    data = head + b"\r\n"
    assert client_head(data, read(data), b"X: y\r\n") == forwarded + b"\r\n"


NAMES = st.sampled_from([b"Content-Length", b"Transfer-Encoding", b"Connection", b"A", b"Bad Name"])
VALUES = st.sampled_from([b"5", b"6", b"chunked", b"gzip", b"close", b"x", b"", b"a\r\n b", b"\x00"])
HEADS = st.lists(st.tuples(NAMES, VALUES).map(b": ".join), max_size=4).map(
    lambda lines: b"\r\n".join([OK[:-2], *lines, b"", b""])
)


@given(HEADS)
def test_every_accepted_response_head_means_the_same_to_h11(data: bytes) -> None:
    try:
        response = scan(data, False)
    except BadResponse:
        return
    assert response is not None
    parser = h11.Connection(h11.CLIENT)
    parser.send(h11.Request(method="GET", target="/", headers=[("host", "x")]))
    parser.send(h11.EndOfMessage())
    parser.receive_data(client_head(data, response, b""))
    parsed = parser.next_event()
    assert isinstance(parsed, h11.Response)
    names = [name for name, _ in parsed.headers]
    assert names.count(b"content-length") == (response.framing == LENGTH)
    assert names.count(b"transfer-encoding") == (response.framing == CHUNKED)
