"""Admission of requests to one endpoint: `running + waiting <= limit`; held requests are served first in, first out.

A small state machine without I/O or clock. A request counts from its acceptance until the model's response is read to
its end. If the client of a waiting request leaves, the request does not count any more.
"""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

R = TypeVar("R")  # a request
B = TypeVar("B")  # a backend


class Admission(Generic[R, B]):
    """The admitted requests of one endpoint.

    `limit` may change at any time. Requests that are already admitted stay; the new limit applies to later requests.
    """

    __slots__ = ("limit", "running", "waiting")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.running: dict[R, tuple[B, float]] = {}  # request -> its backend and the start time (monotonic seconds)
        self.waiting: deque[R] = deque()

    @property
    def full(self) -> bool:
        return len(self.running) + len(self.waiting) >= self.limit

    def run(self, request: R, backend: B, now: float) -> None:
        """Admits `request`: it runs on `backend` from `now` on. Also moves a running request to another backend."""
        self.running[request] = (backend, now)

    def run_next(self, backend: B, now: float) -> R:
        """Removes the request that has waited longest from the queue: it runs on `backend` from `now` on."""
        request = self.waiting.popleft()
        self.running[request] = (backend, now)
        return request

    def wait(self, request: R) -> None:
        """Admits `request` to the end of the queue."""
        self.waiting.append(request)

    def wait_again(self, request: R) -> None:
        """Moves a running request back to the front of the queue. No byte of it may have been sent to a pod."""
        del self.running[request]
        self.waiting.appendleft(request)

    def done(self, request: R) -> tuple[B, float] | None:
        """Ends a running request. Returns its backend and start time.

        Returns None if the request does not run, so that no slot is freed twice.
        """
        return self.running.pop(request, None)

    def leave(self, request: R) -> bool:
        """Removes a request from the queue. False if it was not in the queue."""
        try:
            self.waiting.remove(request)
        except ValueError:
            return False
        return True

    def clear_queue(self) -> list[R]:
        """Empties the queue. Returns its requests in their order."""
        requests = list(self.waiting)
        self.waiting.clear()
        return requests
