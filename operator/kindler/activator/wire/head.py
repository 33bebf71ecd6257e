"""A request head: scanned strictly, checked once, then forwarded with minimal edits. Pure: bytes in, values out.

One anchored regular expression checks the grammar of the whole head. One `findall` finds the few fields that matter.
The model gets exactly the bytes that were checked here, so that two parsers can never see two different requests.
Therefore a change that accepts more kinds of heads affects security.

    rejected (400)                                            reason
    ------------------------------------------------------    ------------------------------------------------------
    Content-Length with Transfer-Encoding, either twice       request smuggling
    a coding other than `chunked`, any coding in HTTP/1.0     model servers disagree about its meaning
    two Hosts, a malformed Host, no Host in HTTP/1.1          we may route by one name, and the model by another
    bare CR or LF, NUL, other control characters, obs-fold    another parser ends the line at another place
    blanks around a field name, empty names                   another parser reads another field name
    HTTP/0.9, HTTP/2, methods outside METHODS                 not supported
    anything before the request line, even an empty line      no current client sends it
    //  .  ..  %2e  %2f  %5c  %00  \\  #  in the path           another parser resolves the path differently

Not forwarded to the model:
- hop-by-hop fields, the fields that Connection names, and Expect, which the activator handles,
- fields with which a client could impersonate a proxy: X-Forwarded-*, Forwarded, X-Kindler-*, x-amzn-RequestId,
- names with `_`, because CGI-like servers treat `Content_Length` like Content-Length.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from kindler.activator.endpoint.requests import Cause
from kindler.activator.wire.grammar import CHUNKED, FIELDS, LENGTH, NO_BODY, TOKEN
from kindler.activator.wire.roles import RequestHead

METHODS: Final = frozenset((b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS"))

_HEAD: Final = re.compile(rb"(" + TOKEN + rb"++) ([\x21-\x7e]++) HTTP/1\.([01])\r\n" + FIELDS)
_FIRST_LINE: Final = re.compile(rb"(" + TOKEN + rb"+) ([\x21-\x7e]+) HTTP/1\.[01]\r\n")
_FIELD: Final = re.compile(TOKEN + rb"+:[\t\x20-\x7e\x80-\xff]*")

_DROPPED: Final = (
    rb"connection|keep-alive|proxy|proxy-[^:]*|te|upgrade|http2-settings|expect|forwarded|x-forwarded-[^:]*"
    rb"|x-kindler-[^:]*|x-amzn-requestid"
)
_SPECIAL: Final = re.compile(
    rb"\r\n(host|content-length|transfer-encoding|x-request-id|" + _DROPPED + rb"):[ \t]*+([^\r]*)"
)
_DROP: Final = re.compile(
    rb"\r\n(?:content-length|transfer-encoding|" + _DROPPED + rb"|[^:\r]*_[^:\r]*):[^\r]*", re.IGNORECASE
)
_UNDERSCORE: Final = re.compile(rb"\r\n[^:\r_]*_[^:\r]*:")
_REQUEST_ID: Final = re.compile(rb"[0-9A-Za-z._~:/+=@-]{1,128}")

_HOST: Final = re.compile(rb"([a-z0-9](?:[a-z0-9._-]*)|\[[0-9a-f:.]+\]|)(?::[0-9]{0,5})?")
_DANGEROUS_PATH: Final = re.compile(rb"//|/\.\.?(?:/|\Z)|%(?:2[ef]|5c|00)|[\\#]", re.IGNORECASE)


class BadHead(Exception):
    """A rejected head. Nothing after it can be read from the connection.

    `cause`: BAD_REQUEST or HEAD_TOO_LARGE. `reason`: a sentence for the client's developer.
    """

    def __init__(self, reason: str, cause: Cause = Cause.BAD_REQUEST) -> None:
        super().__init__(reason)
        self.cause = cause
        self.reason = reason


@dataclass(slots=True)
class Head(RequestHead):
    """An accepted head. `target`: origin form with query. `host`: lower case, without port and final dot.

    `fields`, `end`: the indexes at which the fields and the body begin. `length`: 0 unless `framing` is LENGTH.
    `plain`: the fields can be forwarded unchanged. `named`: the names that Connection lists, lower case.
    `expects`: the client waits for `100 Continue`.
    """

    minor: bytes
    fields: int
    end: int
    close: bool
    framing: int = NO_BODY
    length: int = 0
    request_id: bytes | None = None
    expects: bool = False
    plain: bool = True
    named: frozenset[bytes] = frozenset()


def scan(data: bytes, size_limit: int, count_limit: int) -> Head | None:
    """Reads the head at the beginning of `data`. None: the head is incomplete. Raises BadHead.

    `size_limit` is in bytes, `count_limit` in fields.
    """
    match = _HEAD.match(data)
    if match is None:
        return _without_match(data, size_limit, count_limit)
    end = match.end()
    if end > size_limit or data.count(b"\n", 0, end) - 2 > count_limit:
        raise _too_large(size_limit, count_limit)
    method, target, minor = match.groups()
    if method not in METHODS:
        raise BadHead(f"The method {method[:40].decode()} is not supported.")
    head = Head(method, target, b"", None, minor, match.end(3) + 2, end, minor == b"0")
    _read_fields(head, data)
    head.target = (
        origin_form(target, head.host) if len(target) <= _CACHED_LENGTH else origin_form.__wrapped__(target, head.host)
    )
    return head


_CACHED_LENGTH: Final = 256  # bytes; longer values are not cached, so that each cache of 1,024 values stays small


def _read_fields(head: Head, data: bytes) -> None:
    """Reads the fields into `head`."""
    block = data[head.fields - 2 : head.end].lower()
    host = length = coding = None
    for name, value in _SPECIAL.findall(block):
        if name == b"host":
            if host is not None:
                raise BadHead("The request has two Host fields.")
            host = value
        elif name == b"content-length":
            if length is not None:
                raise BadHead("The request has two Content-Length fields.")
            length = value
        elif name == b"transfer-encoding":
            if coding is not None:
                raise BadHead("The request has two Transfer-Encoding fields.")
            coding = value
        elif name == b"x-request-id":
            head.request_id = _request_id(data, head.fields + block.index(b"\r\nx-request-id:") + 13)
        else:
            _read_dropped(head, name, value.rstrip(b" \t"))
    if length is not None or coding is not None:
        canonical = coding is not None and data.startswith(
            b" chunked\r\n", head.fields + block.index(b"\r\ntransfer-encoding:") + 18
        )
        _read_framing(head, length, coding, canonical)
    if host is not None:
        head.host = host_name(host) if len(host) <= _CACHED_LENGTH else host_name.__wrapped__(host)
    elif head.minor == b"1":
        raise BadHead("The request has no Host field.")
    if b"_" in block and _UNDERSCORE.search(block):
        head.plain = False


def _read_framing(head: Head, length: bytes | None, coding: bytes | None, canonical: bool) -> None:
    """Sets the framing. `canonical`: the coding has the usual spelling, so the field can be forwarded unchanged."""
    if coding is not None:
        if length is not None:
            raise BadHead("The request has both Content-Length and Transfer-Encoding.")
        if head.minor == b"0" or coding.rstrip(b" \t") != b"chunked":
            raise BadHead("The only supported transfer coding is `chunked`, in HTTP/1.1.")
        head.framing = CHUNKED
        head.plain = head.plain and canonical
    elif length is not None:
        digits = length.rstrip(b" \t")
        if not digits.isdigit() or len(digits) > 18:
            raise BadHead("Content-Length is not a number.")
        head.framing, head.length = LENGTH, int(digits)
        head.plain = head.plain and digits == length and (length[:1] != b"0" or length == b"0")


def _read_dropped(head: Head, name: bytes, value: bytes) -> None:
    """Reads one of the fields that are not forwarded to the model."""
    head.plain = False
    if name == b"connection":
        tokens = frozenset(token.strip(b" \t") for token in value.split(b","))
        head.named = head.named | tokens
        head.close = head.close or b"close" in tokens
    elif name == b"expect":
        if value != b"100-continue":
            raise BadHead("The only supported expectation is `100-continue`.")
        head.expects = head.minor == b"1"
    elif name == b"x-kindler-namespace":
        if head.namespace is not None:
            raise BadHead("The request has two X-Kindler-Namespace fields.")
        head.namespace = value


def _request_id(data: bytes, begin: int) -> bytes | None:
    """The client's own request ID, if logs and responses can contain it without quoting.

    `begin`: the index after the colon.
    """
    value = data[begin : data.index(b"\r", begin)].strip(b" \t")
    return value if _REQUEST_ID.fullmatch(value) else None


@lru_cache(1024)
def host_name(value: bytes) -> bytes:
    """The host name of a lower-case Host field, without port and final dot. Raises BadHead."""
    match = _HOST.fullmatch(value.rstrip(b" \t"))
    if match is None:
        raise BadHead("The Host field is not a host name with an optional port.")
    return match[1].removesuffix(b".")


@lru_cache(1024)
def origin_form(target: bytes, host: bytes) -> bytes:
    """The target as path and query. A target in absolute form must have the host of the Host field. Raises BadHead."""
    if target[:1] != b"/":
        if target[:7].lower() != b"http://":
            raise BadHead("The request target must be a path, as in `POST /invocations HTTP/1.1`.")
        authority, slash, rest = target[7:].partition(b"/")
        if host_name(authority.lower()) != host:
            raise BadHead("The request target names another host than the Host field.")
        target = slash + rest or b"/"
    path = target.partition(b"?")[0]
    if b"#" in target or _DANGEROUS_PATH.search(path):
        raise BadHead(
            "The path holds `//`, a dot segment, a backslash, `#`, or an encoded slash, dot, backslash or NUL."
        )
    return target


def _too_large(size_limit: int, count_limit: int) -> BadHead:
    return BadHead(f"The request head is larger than {size_limit} bytes or {count_limit} fields.", Cause.HEAD_TOO_LARGE)


def _without_match(data: bytes, size_limit: int, count_limit: int) -> Head | None:
    """`data` does not match the grammar of a head. None: the head is incomplete. Raises BadHead if it is wrong."""
    blank = data.find(b"\r\n\r\n")
    if (blank if blank >= 0 else len(data)) > size_limit:
        raise _too_large(size_limit, count_limit)
    line_end = data.find(b"\n")
    if (line_end >= 0 or len(data) >= 16) and not _can_be_request_line(data, line_end):
        raise BadHead(
            "The request does not begin with a line like `POST /invocations HTTP/1.1`. "
            "Only HTTP/1.0 and HTTP/1.1 without TLS are supported."
        )
    if blank < 0:
        return None
    for number, line in enumerate(data[line_end + 1 : blank].split(b"\r\n"), 1):
        if not _FIELD.fullmatch(line):
            raise BadHead(
                f"Field {number} of the head is malformed: it must be `Name: value` "
                "without control characters, blanks in the name or folded lines."
            )
    raise BadHead("The request head is malformed.")


def _can_be_request_line(data: bytes, line_end: int) -> bool:
    """Whether the first line, or its part that was received, can begin a request.

    So a wrong first line is rejected at once, and not only when the deadline of the head is over.
    """
    if line_end >= 0:
        return _FIRST_LINE.fullmatch(data[: line_end + 1]) is not None
    return data[:16].partition(b" ")[0].isalpha()


def backend_head(data: bytes, head: Head, path: bytes, request_id: bytes) -> bytes:
    """The head for the model: `path` (its invocations path) with the client's query.

    `data` begins with the head as it was received.
    """
    query = head.target.find(b"?")
    if query >= 0:
        path += head.target[query:]
    fields = data[head.fields : head.end] if head.plain else _edited(data, head)
    return b"%b %b HTTP/1.%b\r\nx-amzn-RequestId: %b\r\n%b" % (head.method, path, head.minor, request_id, fields)


def _edited(data: bytes, head: Head) -> bytes:
    """The fields that are forwarded to the model, with a new field for the framing."""
    fields = _DROP.sub(b"", data[head.fields - 2 : head.end - 4])
    lines = fields.split(b"\r\n")[1:]
    named = head.named - {b"close", b"keep-alive", b"host"}
    if named:
        lines = [line for line in lines if line.partition(b":")[0].lower() not in named]
    if head.framing == LENGTH:
        lines.append(b"Content-Length: %d" % head.length)
    elif head.framing == CHUNKED:
        lines.append(b"Transfer-Encoding: chunked")
    return b"\r\n".join([*lines, b"", b""])
