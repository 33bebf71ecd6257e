"""Finds the end of a chunked body. The body is not encoded again: the checked bytes are forwarded unchanged. Pure.

    chunk size     hexadecimal, at most 15 digits
    size line      at most 4 KiB with its extensions
    tiny chunks    a chunk adds the length of its line and 16 bytes to a debt, and its data reduces the debt;
                   the limit is 1 MiB of debt, about 58,000 chunks of one byte
    trailers       at most 16 KiB of well-formed fields; no fields that frame or route a message, or that only a
                   proxy or Kindler may set

To read a chunk of any size costs about as much CPU as to read 1 KiB of data. Without the limit on tiny chunks, one peer
could block the whole event loop.
"""

from __future__ import annotations

import re
from typing import Final

LINE_LIMIT: Final = 4 * 1024  # in bytes, like the following limits
CHUNK_COST: Final = 16
DEBT_LIMIT: Final = 1024 * 1024
TRAILER_LIMIT: Final = 16 * 1024

_SIZE: Final = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[\t\x20-\x7e\x80-\xff]*)?\r\n")
_FORBIDDEN: Final = (
    rb"content-length|transfer-encoding|host|connection|keep-alive|proxy-[^:]*|te|trailer|upgrade|expect|forwarded"
    rb"|x-forwarded-[^:]*|x-kindler-[^:]*|x-amzn-requestid|x-amzn-invoked-production-variant|[^:]*_[^:]*"
)
_TRAILER: Final = re.compile(rb"(?!(?i:" + _FORBIDDEN + rb"):)[!#$%&'*+.^`|~0-9A-Za-z-]+:[\t\x20-\x7e\x80-\xff]*\r\n")

# The values of Chunks._expected: what the next byte belongs to.
_SIZE_LINE: Final = 0
_DATA: Final = 1
_DATA_END: Final = 2  # the CRLF after a chunk's data
_TRAILERS: Final = 3
_OVER: Final = 4


class BadChunk(Exception):
    """The body violates RFC 9112 or a limit. The error's text names the violation."""


class Chunks:
    """Reads one chunked body, as its bytes are received."""

    __slots__ = ("_debt", "_expected", "_line", "_remaining", "_trailers")

    def __init__(self) -> None:
        self._expected = _SIZE_LINE
        self._remaining = 0  # bytes of the current chunk that were not received yet
        self._line = b""  # an incomplete line
        self._trailers = 0  # bytes
        self._debt = 0  # bytes by which the cost of chunks exceeds their data

    def feed(self, data: bytes, position: int = 0) -> int:
        """Reads from `position`. Returns the index after the body, or -1 if the body is incomplete. Raises BadChunk."""
        size = len(data)
        while position < size:
            if self._expected == _SIZE_LINE and not self._line:
                position = self._skip_whole_chunks(data, position)
                if position == size:
                    return -1
            elif self._expected == _DATA:
                if size - position < self._remaining:
                    self._remaining -= size - position
                    return -1
                position += self._remaining
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

    def _skip_whole_chunks(self, data: bytes, position: int) -> int:
        """The fast path: skips the chunks that are completely in `data`.

        Returns the index of the first chunk that is incomplete, malformed, or the last chunk of the body.
        """
        match_at, debt = _SIZE.match, self._debt
        while (match := match_at(data, position)) is not None:
            line_end = match.end()
            length = int(match[1], 16)
            end = line_end + length + 2
            if not length or line_end - position > LINE_LIMIT or data[end - 2 : end] != b"\r\n":
                break
            debt += line_end - position + CHUNK_COST - length
            if debt < 0:
                debt = 0
            position = end
        self._set_debt(debt)
        return position

    def _set_debt(self, debt: int) -> None:
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
            self._remaining = int(match[1], 16)
            self._set_debt(self._debt + len(line) + CHUNK_COST - self._remaining)
            self._expected = _DATA if self._remaining else _TRAILERS
        elif line == b"\r\n":
            self._expected = _OVER
        else:
            self._trailers += len(line)
            if self._trailers > TRAILER_LIMIT:
                raise BadChunk(f"trailers of more than {TRAILER_LIMIT} bytes")
            if not _TRAILER.fullmatch(line):
                raise BadChunk("a malformed or forbidden trailer")


def payload(raw: bytes) -> bytes:
    """The data in a chunked body that was already checked. `raw` may be cut off at any byte."""
    pieces = []
    position = 0
    while match := _SIZE.match(raw, position):
        size = int(match[1], 16)
        position = match.end() + size + 2
        pieces.append(raw[match.end() : match.end() + size])
    return b"".join(pieces)
