"""The head of a model's response: scanned strictly, because the container is not trusted. Pure.

Rejected: two lengths, a length with a transfer coding, a coding other than `chunked`, a coding in HTTP/1.0, malformed
lines. Otherwise a client could read two responses where we saw only one.
Not forwarded to the client: hop-by-hop fields, and the fields that Kindler itself sets (x-amzn-RequestId,
x-Amzn-Invoked-Production-Variant, X-Kindler-*).

    response                    its body ends
    ------------------------    --------------------------------------------------------
    to HEAD, 1xx, 204, 304      there is no body
    chunked                     after the last chunk and the trailers
    Content-Length              after that many bytes
    neither                     when the connection closes; it cannot be reused
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from kindler.activator.wire.grammar import CHUNKED, FIELDS, LENGTH, NO_BODY, UNTIL_CLOSE

HEAD_LIMIT: Final = 64 * 1024  # bytes

_HEAD: Final = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9][0-9])(?: [\t\x20-\x7e\x80-\xff]*+)?+\r\n" + FIELDS)
_DROPPED: Final = (
    rb"connection|keep-alive|proxy-connection|te|upgrade"
    rb"|x-amzn-requestid|x-amzn-invoked-production-variant|x-kindler-[^:]*"
)
_SPECIAL: Final = re.compile(rb"\r\n(content-length|transfer-encoding|" + _DROPPED + rb"):[ \t]*+([^\r]*)")
_DROP: Final = re.compile(rb"\r\n(?:" + _DROPPED + rb"):[^\r]*", re.IGNORECASE)
_DROP_FRAMING: Final = re.compile(rb"\r\n(?:content-length|transfer-encoding):[^\r]*", re.IGNORECASE)


class BadResponse(Exception):
    """A response that is not forwarded. The error's text completes the sentence "The model answered with ..."."""


@dataclass(slots=True)
class ResponseHead:
    """The head of a response. `line_end`, `end`: the indexes after the status line and after the head.

    `reusable`: the connection can carry another request. `plain`: the fields can be forwarded unchanged.
    `named`: the names that Connection lists, lower case.
    """

    status: int
    framing: int
    length: int
    reusable: bool
    plain: bool
    named: frozenset[bytes]
    line_end: int
    end: int


def scan(data: bytes, to_head: bool) -> ResponseHead | None:
    """Reads the head at the beginning of `data`. None: the head is incomplete. Raises BadResponse.

    `to_head`: the request's method was HEAD.
    """
    match = _HEAD.match(data)
    if match is None:
        if len(data) > HEAD_LIMIT:
            raise BadResponse(f"a head of more than {HEAD_LIMIT} bytes")
        if b"\r\n\r\n" in data or not b"HTTP/1.".startswith(data[:7]):
            raise BadResponse("a malformed head")
        return None
    line_end = data.find(b"\r\n") + 2
    head = ResponseHead(int(match[2]), UNTIL_CLOSE, 0, match[1] == b"1", True, _NO_NAMES, line_end, match.end())
    _read_fields(head, data, match[1] == b"0")
    if to_head or head.status < 200 or head.status in (204, 304):
        head.framing = NO_BODY
        head.plain = head.plain and (to_head or head.status == 304)
    elif head.framing == UNTIL_CLOSE:
        head.reusable = False
    return head


_NO_NAMES: Final[frozenset[bytes]] = frozenset()


def _read_fields(head: ResponseHead, data: bytes, old: bool) -> None:
    """Reads the fields into `head`. `old`: the response is HTTP/1.0."""
    for name, value in _SPECIAL.findall(data[head.line_end - 2 : head.end].lower()):
        value = value.rstrip(b" \t")
        if name == b"content-length":
            if head.framing != UNTIL_CLOSE:
                raise BadResponse("more than one length")
            if not value.isdigit() or len(value) > 18:
                raise BadResponse("a malformed Content-Length")
            head.framing, head.length = LENGTH, int(value)
        elif name == b"transfer-encoding":
            if head.framing != UNTIL_CLOSE:
                raise BadResponse("more than one length")
            if value != b"chunked" or old:
                raise BadResponse("a transfer coding other than `chunked` in HTTP/1.1")
            head.framing = CHUNKED
        else:
            head.plain = False
            if name == b"connection":
                tokens = frozenset(token.strip(b" \t") for token in value.split(b","))
                head.named |= tokens
                head.reusable = head.reusable and b"close" not in tokens


def client_head(data: bytes, head: ResponseHead, added: bytes) -> bytes:
    """The head for the client. `added`: lines, each with CRLF, that follow the status line.

    `data` begins with the head as it was received.
    """
    if head.plain:
        return b"HTTP/1.1%b%b%b" % (data[8 : head.line_end], added, data[head.line_end : head.end])
    fields = _DROP.sub(b"", data[head.line_end - 2 : head.end - 4])
    if head.status < 200 or head.status == 204:  # such a response must not contain a length (RFC 9110 section 8.6)
        fields = _DROP_FRAMING.sub(b"", fields)
    lines = fields.split(b"\r\n")[1:]
    named = head.named - {b"close", b"keep-alive", b"content-length", b"transfer-encoding"}
    if named:
        lines = [line for line in lines if line.partition(b":")[0].lower() not in named]
    return b"HTTP/1.1%b%b%b" % (data[8 : head.line_end], added, b"\r\n".join([*lines, b"", b""]))
