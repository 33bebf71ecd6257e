"""The end of a chunked body, found without re-encoding it: what came is forwarded as it came, once it was judged. Pure.

chunk size     hexadecimal, at most 15 digits
size line      at most 4 KiB with its extensions
tiny chunks    a chunk costs its line and 16 bytes more, and earns its data: at most 1 MiB of debt, about 58,000 chunks of one byte
trailers       at most 16 KiB, well-formed fields, none of those that frame or route a message, speak for a proxy or for Kindler

Reading a chunk costs about as much as reading 1 KiB of data, whatever its size: without that bound one peer could take the whole loop.
"""

from __future__ import annotations

import re
from typing import Final

LINE_LIMIT: Final = 4 * 1024
CHUNK_COST: Final = 16
DEBT_LIMIT: Final = 1024 * 1024
TRAILER_LIMIT: Final = 16 * 1024

_SIZE: Final = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[\t\x20-\x7e\x80-\xff]*)?\r\n")
_FORBIDDEN: Final = (
    rb"content-length|transfer-encoding|host|connection|keep-alive|proxy-[^:]*|te|trailer|upgrade|expect|forwarded|x-forwarded-[^:]*"
    rb"|x-kindler-[^:]*|x-amzn-requestid|x-amzn-invoked-production-variant|[^:]*_[^:]*"
)
_TRAILER: Final = re.compile(rb"(?!(?i:" + _FORBIDDEN + rb"):)[!#$%&'*+.^`|~0-9A-Za-z-]+:[\t\x20-\x7e\x80-\xff]*\r\n")

# What is expected next.
_SIZE_LINE: Final = 0
_DATA: Final = 1
_DATA_END: Final = 2  # the CRLF behind a chunk's data
_TRAILERS: Final = 3
_OVER: Final = 4


class BadChunk(Exception):
    """The body is not chunked as RFC 9112 says, or beyond a limit; the text says what is wrong."""


class Chunks:
    """Reads one body, piece by piece."""

    __slots__ = ("_debt", "_expected", "_left", "_line", "_trailers")

    def __init__(self) -> None:
        self._expected = _SIZE_LINE
        self._left = 0  # bytes of the present chunk still to come
        self._line = b""  # a line that is not yet complete
        self._trailers = 0  # bytes of trailers so far
        self._debt = 0  # what chunks have cost beyond what they have earned

    def feed(self, data: bytes, position: int = 0) -> int:
        """Reads on at `position`. Answers the index just behind the body's end, or -1 when more must come. Raises BadChunk."""
        size = len(data)
        while position < size:
            if self._expected == _SIZE_LINE and not self._line:
                position = self._leap(data, position)
                if position == size:
                    return -1
            elif self._expected == _DATA:
                if size - position < self._left:
                    self._left -= size - position
                    return -1
                position += self._left
                self._expected = _DATA_END
                continue
            end = data.find(b"\n", position) + 1
            self._line += data[position : end or size]
            if len(self._line) > LINE_LIMIT:
                raise BadChunk(f"a line of more than {LINE_LIMIT} bytes")
            if not end:
                return -1
            position = end
            line, self._line = self._line, b""
            self._read_line(line)
            if self._expected == _OVER:
                return position
        return -1

    def _leap(self, data: bytes, position: int) -> int:
        """The fast way over chunks that lie whole in `data`: answers where the first begins that does not, or is the last, or is wrong."""
        match_at, debt = _SIZE.match, self._debt
        while (match := match_at(data, position)) is not None:
            behind = match.end()
            length = int(match[1], 16)
            end = behind + length + 2
            if not length or behind - position > LINE_LIMIT or data[end - 2 : end] != b"\r\n":
                break
            debt += behind - position + CHUNK_COST - length
            if debt < 0:
                debt = 0
            position = end
        self._owe(debt)
        return position

    def _owe(self, debt: int) -> None:
        if debt > DEBT_LIMIT:
            raise BadChunk("too many chunks that are too small")
        self._debt = max(0, debt)

    def _read_line(self, line: bytes) -> None:
        if self._expected == _DATA_END:
            if line != b"\r\n":
                raise BadChunk("data longer than its chunk")
            self._expected = _SIZE_LINE
        elif self._expected == _SIZE_LINE:
            match = _SIZE.fullmatch(line)
            if match is None:
                raise BadChunk("a malformed chunk size")
            self._left = int(match[1], 16)
            self._owe(self._debt + len(line) + CHUNK_COST - self._left)
            self._expected = _DATA if self._left else _TRAILERS
        elif line == b"\r\n":
            self._expected = _OVER
        else:
            self._trailers += len(line)
            if self._trailers > TRAILER_LIMIT:
                raise BadChunk(f"trailers of more than {TRAILER_LIMIT} bytes")
            if not _TRAILER.fullmatch(line):
                raise BadChunk("a malformed or forbidden trailer")


def payload(raw: bytes) -> bytes:
    """The data in a chunked body that was already judged; `raw` may be cut off anywhere."""
    pieces = []
    position = 0
    while match := _SIZE.match(raw, position):
        size = int(match[1], 16)
        position = match.end() + size + 2
        pieces.append(raw[match.end() : match.end() + size])
    return b"".join(pieces)
