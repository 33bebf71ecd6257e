"""The head of a model's answer: scanned strictly, for the container is the side that is not trusted. Pure.

Refused, so that no client reads two answers where we saw one: two lengths, a length with a transfer coding, a coding other than `chunked` or in HTTP/1.0,
malformed lines. Dropped on the way to the client: hop-by-hop fields, and those in which Kindler itself speaks (x-amzn-RequestId,
x-Amzn-Invoked-Production-Variant, X-Kindler-*).

    body                        ends
    ------------------------    ---------------------------------------------
    to HEAD, 1xx, 204, 304      at once
    chunked                     where the chunks say
    Content-Length              after as many bytes
    neither                     when the connection closes: it cannot be kept
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from kindler.activator.wire.head import CHUNKED, FIELDS, LENGTH, NONE

UNTIL_CLOSE: Final = 3  # a fourth way beside NONE, LENGTH and CHUNKED: only answers may end so

HEAD_LIMIT: Final = 64 * 1024

_HEAD: Final = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9][0-9])(?: [\t\x20-\x7e\x80-\xff]*+)?+\r\n" + FIELDS)
_DROPPED: Final = rb"connection|keep-alive|proxy-connection|te|upgrade|x-amzn-requestid|x-amzn-invoked-production-variant|x-kindler-[^:]*"
_SPECIAL: Final = re.compile(rb"\r\n(content-length|transfer-encoding|" + _DROPPED + rb"):[ \t]*+([^\r]*)")
_DROP: Final = re.compile(rb"\r\n(?:" + _DROPPED + rb"):[^\r]*", re.IGNORECASE)
_DROP_FRAMING: Final = re.compile(rb"\r\n(?:content-length|transfer-encoding):[^\r]*", re.IGNORECASE)


class BadResponse(Exception):
    """An answer that is not passed on; the text says what is wrong with it."""


@dataclass(slots=True)
class ResponseHead:
    """The head of an answer. `keep`: the connection may serve another request after it; `line_end`: index just behind the status line, `end`: of the body."""

    status: int
    framing: int
    length: int
    keep: bool
    plain: bool
    named: frozenset[bytes]
    line_end: int
    end: int


def scan(data: bytes, to_head: bool) -> ResponseHead | None:
    """Reads the head at the beginning of `data`; None while it is incomplete. Raises BadResponse. `to_head`: the request's method was HEAD."""
    match = _HEAD.match(data)
    if match is None:
        if len(data) > HEAD_LIMIT:
            raise BadResponse(f"a head of more than {HEAD_LIMIT} bytes")
        if b"\r\n\r\n" in data or not b"HTTP/1.".startswith(data[:7]):
            raise BadResponse("a malformed head")
        return None
    line_end = data.find(b"\r\n") + 2
    answer = ResponseHead(int(match[2]), UNTIL_CLOSE, 0, match[1] == b"1", True, _NOTHING, line_end, match.end())
    _read_fields(answer, data, match[1] == b"0")
    if to_head or answer.status < 200 or answer.status in (204, 304):
        answer.framing = NONE
        answer.plain = answer.plain and (to_head or answer.status == 304)
    elif answer.framing == UNTIL_CLOSE:
        answer.keep = False
    return answer


_NOTHING: Final[frozenset[bytes]] = frozenset()


def _read_fields(answer: ResponseHead, data: bytes, old: bool) -> None:
    """Fills in what the fields say; `old` for HTTP/1.0."""
    for name, value in _SPECIAL.findall(data[answer.line_end - 2 : answer.end].lower()):
        value = value.rstrip(b" \t")
        if name == b"content-length":
            if answer.framing != UNTIL_CLOSE:
                raise BadResponse("more than one length")
            if not value.isdigit() or len(value) > 18:
                raise BadResponse("a malformed Content-Length")
            answer.framing, answer.length = LENGTH, int(value)
        elif name == b"transfer-encoding":
            if answer.framing != UNTIL_CLOSE:
                raise BadResponse("more than one length")
            if value != b"chunked" or old:
                raise BadResponse("a transfer coding other than `chunked` in HTTP/1.1")
            answer.framing = CHUNKED
        else:
            answer.plain = False
            if name == b"connection":
                tokens = frozenset(token.strip(b" \t") for token in value.split(b","))
                answer.named |= tokens
                answer.keep = answer.keep and b"close" not in tokens


def client_head(data: bytes, answer: ResponseHead, extra: bytes) -> bytes:
    """The head for the client, with `extra` lines (each ending in CRLF) behind the status line. `data` begins with the head as it came."""
    if answer.plain:
        return b"HTTP/1.1%b%b%b" % (data[8 : answer.line_end], extra, data[answer.line_end : answer.end])
    fields = _DROP.sub(b"", data[answer.line_end - 2 : answer.end - 4])
    if answer.status < 200 or answer.status == 204:  # must not carry a length (RFC 9110 section 8.6)
        fields = _DROP_FRAMING.sub(b"", fields)
    lines = fields.split(b"\r\n")[1:]
    named = answer.named - {b"close", b"keep-alive", b"content-length", b"transfer-encoding"}
    if named:
        lines = [line for line in lines if line.partition(b":")[0].lower() not in named]
    return b"HTTP/1.1%b%b%b" % (data[8 : answer.line_end], extra, b"\r\n".join([*lines, b"", b""]))
