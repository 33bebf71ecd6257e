"""Request heads: the accepted heads and their meaning, the rejected heads, and the head that the model gets."""

from __future__ import annotations

import re

import h11
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kindler.activator.endpoint.requests import Cause
from kindler.activator.wire.grammar import CHUNKED, LENGTH, NO_BODY
from kindler.activator.wire.head import BadHead, Head, backend_head, scan

LINE = b"POST /invocations HTTP/1.1\r\n"
HOST = b"Host: iris.shop\r\n"


def read(data: bytes) -> Head:
    head = scan(data, 32 * 1024, 64)
    assert head is not None
    return head


def with_fields(fields: bytes) -> bytes:
    return LINE + HOST + fields + b"\r\n"


ACCEPTED = [
    # fields, expected attributes of the head
    (b"", {"framing": NO_BODY, "length": 0, "plain": True, "close": False, "host": b"iris.shop"}),
    (b"Content-Length: 0\r\n", {"framing": LENGTH, "length": 0, "plain": True}),
    (b"content-length:5\r\n", {"framing": LENGTH, "length": 5, "plain": True}),
    (b"Content-Length:  \t5\r\n", {"length": 5, "plain": True}),
    (b"Content-Length: 5 \r\n", {"length": 5, "plain": False}),
    (b"Content-Length: 0005\r\n", {"length": 5, "plain": False}),
    (b"Transfer-Encoding: chunked\r\n", {"framing": CHUNKED, "plain": True}),
    (b"Transfer-Encoding: Chunked\r\n", {"framing": CHUNKED, "plain": False}),
    (b"A: chunked\r\ntransfer-encoding: CHUNKED\r\n", {"framing": CHUNKED, "plain": False}),
    (b"A: chunked\r\ntransfer-encoding: chunked\r\n", {"framing": CHUNKED, "plain": True}),
    (b"Transfer-Encoding:chunked\r\n", {"framing": CHUNKED, "plain": False}),
    (b"Transfer-Encoding: chunked \r\n", {"framing": CHUNKED, "plain": False}),
    (b"Connection: close\r\n", {"close": True, "plain": False}),
    (b"Connection: Keep-Alive, CLOSE\r\n", {"close": True}),
    (b"Connection: keep-alive\r\n", {"close": False, "plain": False}),
    (b"Connection: closely\r\n", {"close": False}),
    (b"Expect: 100-continue\r\n", {"expects": True, "plain": False}),
    (b"X-Request-Id: Abc-1.2\r\n", {"request_id": b"Abc-1.2", "plain": True}),
    (b'X-Request-Id: say "hi"\r\n', {"request_id": None}),
    (b"X-Request-Id: " + b"a" * 129 + b"\r\n", {"request_id": None}),
    (b"X-Request-Id:\r\n", {"request_id": None}),
    (b"X-Kindler-Namespace: Team-A\r\n", {"namespace": b"team-a", "plain": False}),
    (b"X-Empty:\r\nX-Bytes: \x80\xff\t.\r\n", {"plain": True}),
    (b"Under_score: 1\r\n", {"plain": False}),
    (b"Value: under_score\r\n", {"plain": True}),
    (b"TE: trailers\r\n", {"plain": False}),
    (b"Test: 1\r\nHosts: 2\r\nX-Host: 3\r\n", {"plain": True}),
]


@pytest.mark.parametrize(("fields", "expected"), ACCEPTED)
def test_accepted_fields_are_read(fields: bytes, expected: dict[str, object]) -> None:
    head = read(with_fields(fields))
    assert {name: getattr(head, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("line", "method", "target", "minor"),
    [
        (b"GET / HTTP/1.1", b"GET", b"/", b"1"),
        (b"GET /ping?wake=true HTTP/1.0", b"GET", b"/ping?wake=true", b"0"),
        (b"POST /endpoints/a%20b/invocations HTTP/1.1", b"POST", b"/endpoints/a%20b/invocations", b"1"),
        (b"POST /a?b=//..%2F%00 HTTP/1.1", b"POST", b"/a?b=//..%2F%00", b"1"),
        (b"POST http://iris.shop/invocations HTTP/1.1", b"POST", b"/invocations", b"1"),
        (b"POST HTTP://IRIS.SHOP:80/invocations?x HTTP/1.1", b"POST", b"/invocations?x", b"1"),
        (b"POST http://iris.shop HTTP/1.1", b"POST", b"/", b"1"),
        (b"POST /a.b/...c/.d HTTP/1.1", b"POST", b"/a.b/...c/.d", b"1"),
    ],
)
def test_accepted_request_lines_are_read(line: bytes, method: bytes, target: bytes, minor: bytes) -> None:
    head = read(line + b"\r\n" + HOST + b"\r\n")
    assert (head.method, head.target, head.minor) == (method, target, minor)


@pytest.mark.parametrize(
    ("value", "host"),
    [
        (b"Iris.Shop", b"iris.shop"),
        (b"iris.shop:8080", b"iris.shop"),
        (b"iris.shop.", b"iris.shop"),
        (b"iris.shop.:80", b"iris.shop"),
        (b"10.0.0.1:80", b"10.0.0.1"),
        (b"[fd00::1]:80", b"[fd00::1]"),
        (b"", b""),
    ],
)
def test_the_host_is_lower_case_without_port_and_final_dot(value: bytes, host: bytes) -> None:
    assert read(LINE + b"Host: " + value + b"\r\n\r\n").host == host


def test_http_1_0_needs_no_host_and_closes() -> None:
    head = read(b"POST /invocations HTTP/1.0\r\nExpect: 100-continue\r\n\r\n")
    assert (head.host, head.close, head.expects) == (b"", True, False)


REJECTED = [
    # part of the reason, the head
    ("two Content-Length", with_fields(b"Content-Length: 5\r\nContent-Length: 5\r\n")),
    ("two Content-Length", with_fields(b"Content-Length: 5\r\nContent-length: 6\r\n")),
    ("both Content-Length and Transfer-Encoding", with_fields(b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n")),
    ("both Content-Length and Transfer-Encoding", with_fields(b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n")),
    ("two Transfer-Encoding", with_fields(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n")),
    ("only supported transfer coding is `chunked`", with_fields(b"Transfer-Encoding: gzip, chunked\r\n")),
    ("`chunked`", with_fields(b"Transfer-Encoding: chunked, identity\r\n")),
    ("`chunked`", with_fields(b"Transfer-Encoding: xchunked\r\n")),
    ("`chunked`", with_fields(b"Transfer-Encoding:\r\n")),
    ("`chunked`", with_fields(b'Transfer-Encoding: "chunked"\r\n')),
    ("`chunked`", b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"),
    ("malformed", with_fields(b"Transfer-Encoding:\x0bchunked\r\n")),
    ("malformed", with_fields(b"Transfer-Encoding : chunked\r\n")),
    ("malformed", with_fields(b"Transfer-Encoding\r\n")),
    ("malformed", with_fields(b" Transfer-Encoding: chunked\r\n")),
    ("malformed", with_fields(b"A: b\r\n folded\r\n")),
    ("malformed", with_fields(b"A: b\r\n\tfolded\r\n")),
    ("malformed", with_fields(b"A: b\rTransfer-Encoding: chunked\r\n")),
    ("malformed", with_fields(b"A: b\nTransfer-Encoding: chunked\r\n")),
    ("malformed", with_fields(b"A: b\x00\r\n")),
    ("malformed", with_fields(b"A: b\x1b\r\n")),
    ("malformed", with_fields(b"A: b\x7f\r\n")),
    ("malformed", with_fields(b": b\r\n")),
    ("malformed", with_fields(b"A b: c\r\n")),
    ("malformed", with_fields(b"A(b): c\r\n")),
    ("malformed", with_fields(b"\xc3\xa4: c\r\n")),
    ("not a number", with_fields(b"Content-Length: five\r\n")),
    ("not a number", with_fields(b"Content-Length: -5\r\n")),
    ("not a number", with_fields(b"Content-Length: +5\r\n")),
    ("not a number", with_fields(b"Content-Length: 5, 5\r\n")),
    ("not a number", with_fields(b"Content-Length: 0x5\r\n")),
    ("not a number", with_fields(b"Content-Length: 5.0\r\n")),
    ("not a number", with_fields(b"Content-Length: 1_0\r\n")),
    ("not a number", with_fields(b"Content-Length: \xb2\r\n")),
    ("not a number", with_fields(b"Content-Length:\r\n")),
    ("not a number", with_fields(b"Content-Length: " + b"9" * 19 + b"\r\n")),
    ("two Host", with_fields(b"Host: iris.shop\r\n")),
    ("no Host", LINE + b"\r\n"),
    ("not a host name", LINE + b"Host: a, b\r\n\r\n"),
    ("not a host name", LINE + b"Host: a/b\r\n\r\n"),
    ("not a host name", LINE + b"Host: user@a\r\n\r\n"),
    ("not a host name", LINE + b"Host: a:port\r\n\r\n"),
    ("only supported expectation", with_fields(b"Expect: 200-ok\r\n")),
    ("two X-Kindler-Namespace", with_fields(b"X-Kindler-Namespace: a\r\nX-Kindler-Namespace: b\r\n")),
    ("another host", b"POST http://other/invocations HTTP/1.1\r\n" + HOST + b"\r\n"),
    ("must be a path", b"POST https://iris.shop/ HTTP/1.1\r\n" + HOST + b"\r\n"),
    ("must be a path", b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n"),
    ("must be a path", b"POST invocations HTTP/1.1\r\n" + HOST + b"\r\n"),
    ("not supported", b"TRACE / HTTP/1.1\r\n" + HOST + b"\r\n"),
    ("not supported", b"CONNECT / HTTP/1.1\r\n" + HOST + b"\r\n"),
    ("not supported", b"post / HTTP/1.1\r\n" + HOST + b"\r\n"),
    ("begin with a line", b"GET /\r\n\r\n"),
    ("begin with a line", b"GET / HTTP/0.9\r\n\r\n"),
    ("begin with a line", b"GET / HTTP/2.0\r\n" + HOST + b"\r\n"),
    ("begin with a line", b"GET / HTTP/1.2\r\n" + HOST + b"\r\n"),
    ("begin with a line", b"GET  / HTTP/1.1\r\n" + HOST + b"\r\n"),
    ("begin with a line", b"GET / HTTP/1.1 \r\n" + HOST + b"\r\n"),
    ("begin with a line", b"GET /a b HTTP/1.1\r\n" + HOST + b"\r\n"),
    ("begin with a line", b"GET /\xc3\xa4 HTTP/1.1\r\n" + HOST + b"\r\n"),
    ("begin with a line", b"GET / HTTP/1.1\n"),
    ("begin with a line", b" GET / HTTP/1.1\r\n"),
    ("begin with a line", b"\r\nGET / HTTP/1.1\r\n" + HOST + b"\r\n"),
    ("begin with a line", b"\r\n\r\nGET / HTTP/1.1\r\n" + HOST + b"\r\n"),
    ("HTTP/1.0 and HTTP/1.1 without TLS are supported", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03abcdef"),
    *[
        ("The path holds", b"POST " + path + b" HTTP/1.1\r\n" + HOST + b"\r\n")
        for path in (
            b"/a/../b",
            b"/..",
            b"/./a",
            b"//a",
            b"/a//b",
            b"/%2e%2E/a",
            b"/a%2fb",
            b"/a%5Cb",
            b"/a%00",
            b"/a\\b",
            b"/a#b",
            b"/a?b#c",
        )
    ],
]


@pytest.mark.parametrize(("reason", "data"), REJECTED)
def test_malformed_heads_are_rejected(reason: str, data: bytes) -> None:
    with pytest.raises(BadHead, match=re.escape(reason)) as rejected:
        scan(data, 32 * 1024, 64)
    assert rejected.value.cause is Cause.BAD_REQUEST


@pytest.mark.parametrize(
    "data",
    [
        with_fields(b"A: b\r\n" * 64),  # with Host these are 65 fields, one more than the limit
        with_fields(b"A: " + b"b" * 40_000 + b"\r\n"),
        LINE + HOST + b"A: " + b"b" * 40_000,  # a head above the limit is rejected before it is complete
        b"GET /" + b"a" * 40_000,
    ],
)
def test_heads_that_are_too_large_are_rejected(data: bytes) -> None:
    with pytest.raises(BadHead) as rejected:
        scan(data, 32 * 1024, 64)
    assert rejected.value.cause is Cause.HEAD_TOO_LARGE


def test_a_head_is_incomplete_until_its_last_byte() -> None:
    data = with_fields(b"Content-Length: 5\r\nX-Request-Id: a\r\n")
    assert all(scan(data[:size], 32 * 1024, 64) is None for size in range(len(data)))
    assert scan(data, 32 * 1024, 64) is not None


def test_a_plain_head_is_forwarded_unchanged() -> None:
    data = with_fields(b"content-TYPE:  text/csv\r\nAuthorization: secret\r\nContent-Length: 5\r\n") + b"hello"
    assert backend_head(data, read(data), b"/v1/predict", b"r-1") == (
        b"POST /v1/predict HTTP/1.1\r\nx-amzn-RequestId: r-1\r\n"
        + HOST
        + b"content-TYPE:  text/csv\r\nAuthorization: secret\r\nContent-Length: 5\r\n\r\n"
    )


@pytest.mark.parametrize(
    "line",
    [
        b"Connection: close",
        b"Keep-Alive: timeout=5",
        b"Proxy-Connection: keep-alive",
        b"Proxy-Authorization: x",
        b"Proxy: http://evil",
        b"TE: trailers",
        b"Upgrade: websocket",
        b"HTTP2-Settings: x",
        b"Expect: 100-continue",
        b"Forwarded: for=1.2.3.4",
        b"x-forwarded-for: 1.2.3.4",
        b"X-Forwarded-Proto: https",
        b"X-Kindler-Namespace: a",
        b"X-KINDLER-hop: 1",
        b"X-Amzn-RequestId: x",
        b"Content_Length: 9",
        b"transfer_encoding: chunked",
    ],
)
def test_fields_that_must_not_reach_the_model_are_dropped(line: bytes) -> None:
    data = with_fields(b"A: 1\r\n" + line + b"\r\nB: 2\r\n")
    assert (
        backend_head(data, read(data), b"/i", b"r")
        == b"POST /i HTTP/1.1\r\nx-amzn-RequestId: r\r\n" + HOST + b"A: 1\r\nB: 2\r\n\r\n"
    )


@pytest.mark.parametrize("name", [b"X-A", b"content-length", b"Transfer-Encoding", b"host", b"close"])
def test_fields_that_connection_names_are_dropped_except_those_that_frame_or_route(name: bytes) -> None:
    data = with_fields(b"Connection: " + name + b"\r\nX-A: 1\r\nContent-Length: 0007\r\n")
    head = backend_head(data, read(data), b"/i", b"r")
    assert HOST in head
    assert head.count(b"Content-Length: 7\r\n") == 1
    assert (b"X-A: 1\r\n" in head) is (name != b"X-A")


# ---- against another parser

TEXT = st.binary(max_size=12)
NAMES = st.sampled_from(
    [b"Host", b"Content-Length", b"Transfer-Encoding", b"Connection", b"Expect", b"A", b"x-b", b"Bad Name", b"a_b", b""]
)
VALUES = st.one_of(
    st.sampled_from(
        [b"iris", b"5", b"05", b"chunked", b"close", b"100-continue", b" x ", b"a\r\n b", b"a\nb", b"", b"\x00"]
    ),
    TEXT,
)
SEPARATORS = st.sampled_from([b": ", b":", b" : ", b""])
ENDS = st.sampled_from([b"\r\n", b"\r\n", b"\r\n", b"\n", b"\r"])
LINES = st.one_of(
    st.sampled_from(
        [LINE, b"GET /a?b HTTP/1.0\r\n", b"GET /\r\n", b"PRI * HTTP/2.0\r\n", b"\r\n" + LINE, b"G@T / HTTP/1.1\r\n"]
    ),
    TEXT,
)


@st.composite
def heads(draw: st.DrawFn) -> bytes:
    fields = draw(st.lists(st.tuples(NAMES, SEPARATORS, VALUES, ENDS).map(b"".join), max_size=5))
    return draw(LINES) + b"".join([draw(st.sampled_from([HOST, HOST, b""])), *fields]) + b"\r\n"


@given(heads())
@example(with_fields(b"Content-Length: 5\r\n"))
def test_every_accepted_head_means_the_same_to_h11(data: bytes) -> None:
    try:
        head = scan(data, 32 * 1024, 64)
    except BadHead:
        return
    if head is None:
        return
    parser = h11.Connection(h11.SERVER)
    parser.receive_data(data)
    request = parser.next_event()  # raises if h11 rejects it
    assert isinstance(request, h11.Request)
    fields = dict(request.headers)
    assert (head.method, head.target, head.minor) == (request.method, request.target, request.http_version[2:])
    assert (head.framing == CHUNKED) is (b"transfer-encoding" in fields)
    assert head.framing != LENGTH or head.length == int(fields[b"content-length"])


@given(heads(), st.sampled_from([b"/invocations", b"/v1/predict"]))
def test_h11_reads_the_forwarded_head_as_the_same_request(data: bytes, path: bytes) -> None:
    try:
        head = scan(data, 32 * 1024, 64)
    except BadHead:
        return
    if head is None:
        return
    parser = h11.Connection(h11.SERVER)
    parser.receive_data(backend_head(data, head, path, b"r-1"))
    request = parser.next_event()
    assert isinstance(request, h11.Request)
    names = [name for name, _ in request.headers]
    fields = dict(request.headers)
    assert (request.method, request.target.partition(b"?")[0]) == (head.method, path)
    assert names.count(b"content-length") + names.count(b"transfer-encoding") == (head.framing != NO_BODY)
    assert head.framing != LENGTH or int(fields[b"content-length"]) == head.length
    assert fields[b"x-amzn-requestid"] == b"r-1"
    assert not {b"connection", b"expect", b"te", b"upgrade"} & fields.keys()
    assert not any(b"_" in name for name in names)
