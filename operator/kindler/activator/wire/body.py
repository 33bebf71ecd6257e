"""How much of a request's or response's body was read. Pure."""

from __future__ import annotations

from kindler.activator.wire.chunked import Chunks
from kindler.activator.wire.grammar import CHUNKED, LENGTH, NO_BODY, UNTIL_CLOSE


class Body:
    """One body while it is read.

    `received`: bytes read so far, including chunk lines and trailers. `complete`: the end of the body was read.
    """

    __slots__ = ("_chunks", "_remaining", "complete", "framing", "received")

    def __init__(self, framing: int, length: int) -> None:
        self.framing = framing
        self.received = 0
        self.complete = framing == NO_BODY or (framing == LENGTH and not length)
        self._remaining = length
        self._chunks = Chunks() if framing == CHUNKED else None

    def feed(self, data: bytes, position: int = 0) -> int:
        """Reads from `position`. Returns the index after the last byte of this body. Raises BadChunk."""
        if self.complete:
            return position
        end = len(data)
        if self._chunks is not None:
            body_end = self._chunks.feed(data, position)
            if body_end >= 0:
                end = body_end
                self.complete = True
        elif self.framing != UNTIL_CLOSE:
            end = min(end, position + self._remaining)
            self._remaining -= end - position
            self.complete = not self._remaining
        self.received += end - position
        return end
