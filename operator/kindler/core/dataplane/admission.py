"""Who may come in, and in which order those who wait leave: `running + waiting ≤ limit`, first in, first out.

A small state machine without I/O or clock. Counted from acceptance until the model's answer is fully read, or until a client that waits is gone.
"""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

C = TypeVar("C")
P = TypeVar("P")


class Admission(Generic[C, P]):
    """The calls of one endpoint. `limit` may change at any time: who is in stays in, who comes is measured by the new one."""

    __slots__ = ("limit", "running", "waiting")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.running: dict[C, tuple[P, float]] = {}  # call -> its place, and since when (monotonic seconds)
        self.waiting: deque[C] = deque()

    @property
    def full(self) -> bool:
        return len(self.running) + len(self.waiting) >= self.limit

    def run(self, request: C, backend: P, now: float) -> None:
        """`call` comes in and has a place since `now`."""
        self.running[request] = (backend, now)

    def run_next(self, backend: P, now: float) -> C:
        """The call that waits longest has a place since `now`."""
        request = self.waiting.popleft()
        self.running[request] = (backend, now)
        return request

    def wait(self, request: C) -> None:
        """`call` comes in and waits, behind all that wait already."""
        self.waiting.append(request)

    def wait_again(self, request: C) -> None:
        """`call` lost its place before anything was sent: it waits again, before all others."""
        del self.running[request]
        self.waiting.appendleft(request)

    def done(self, request: C) -> tuple[P, float] | None:
        """`call` has ended: where and since when it ran, or None when it did not run (nothing is freed twice)."""
        return self.running.pop(request, None)

    def leave(self, request: C) -> bool:
        """A call that waited is gone; False when it did not wait."""
        try:
            self.waiting.remove(request)
        except ValueError:
            return False
        return True

    def dismiss(self) -> list[C]:
        """Empties the queue; the calls in their order."""
        requests = list(self.waiting)
        self.waiting.clear()
        return requests
