"""Whether a client takes the bytes that are written to it."""

from __future__ import annotations

from kindler.activator.wire.context import NEVER


class WriteProgress:
    """Measures progress. If the client took bytes since the last check, `deadline` (monotonic seconds) is set again."""

    __slots__ = ("_limit", "_unsent", "deadline")

    def __init__(self, limit: float) -> None:
        """`limit`: seconds without progress after which the client counts as stalled."""
        self.deadline = NEVER
        self._limit = limit
        self._unsent = 0

    def watch(self, now: float, unsent: int | None = None) -> None:
        """Starts to watch. `unsent`: bytes that wait for the client; by default the number at the last check."""
        self.deadline = now + self._limit
        if unsent is not None:
            self._unsent = unsent

    def stop(self) -> None:
        self.deadline = NEVER

    def stalled(self, unsent: int, now: float) -> bool:
        """Checks the progress. True if the client has taken no byte for the whole limit."""
        if unsent < self._unsent:
            self.deadline = now + self._limit
        self._unsent = unsent
        return now >= self.deadline
