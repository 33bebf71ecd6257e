"""How far a body has come, in either direction. Pure."""

from __future__ import annotations

from kindler.activator.wire.chunked import Chunks
from kindler.activator.wire.head import CHUNKED, LENGTH, NONE
from kindler.activator.wire.response import UNTIL_CLOSE


class Body:
    """One body being read. `received` counts its bytes as they came (chunk lines and trailers included); `complete` once its end was seen."""

    __slots__ = ("_chunks", "_left", "complete", "framing", "received")

    def __init__(self, framing: int, length: int) -> None:
        self.framing = framing
        self.received = 0
        self.complete = framing == NONE or (framing == LENGTH and not length)
        self._left = length
        self._chunks = Chunks() if framing == CHUNKED else None

    def feed(self, data: bytes, position: int = 0) -> int:
        """Reads on at `position`; answers the index just behind what belongs to this body. Raises BadChunk."""
        if self.complete:
            return position
        end = len(data)
        if self._chunks is not None:
            found = self._chunks.feed(data, position)
            if found >= 0:
                end = found
                self.complete = True
        elif self.framing != UNTIL_CLOSE:
            end = min(end, position + self._left)
            self._left -= end - position
            self.complete = not self._left
        self.received += end - position
        return end
