"""The keyed work queue: each key waits in it at most once, is worked on by at most one worker, and comes again until its work has succeeded.

    ring(key)            look now; rung while it is being worked on: look once more after that
    ring(key, after=s)   look in s seconds, unless something rings before
    failed(key)          look again after a pause that doubles with each failure in a row
    done(key)            worked on without failure: the pauses begin anew

Each key is looked at most `rate` times a second in the long run (a burst is free), so that an object that somebody keeps changing starves no other.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Final, Generic, TypeVar

from kindler.core.common.ratelimit import TokenBucket, backoff

K = TypeVar("K")

FIRST_PAUSE: Final = 0.5  # seconds after the first failure
LONGEST_PAUSE: Final = 60.0
RATE: Final = 5.0  # looks a second at one key in the long run
BURST: Final = 20


@dataclass(slots=True)
class _State:
    """One known key. `due`: its live entry among the timers (moment, ticket), None when none."""

    bucket: TokenBucket = field(default_factory=lambda: TokenBucket(RATE, BURST))
    waiting_since: float | None = None
    working: bool = False
    again: bool = False
    failures: int = 0
    due: tuple[float, int] | None = None


class WorkQueue(Generic[K]):
    """The queue of one process. `clock` gives monotonic seconds; `next_due` and `wake` let a driver sleep until time alone makes a key ready."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._states: dict[K, _State] = {}
        self._ready: deque[K] = deque()
        self._timers: list[tuple[float, int, K]] = []
        self._tickets = count()
        self._bell = asyncio.Event()

    # Asking for a look

    def ring(self, key: K, after: float = 0.0) -> None:
        """Asks for a look at `key`, now or in `after` seconds; a request that is due sooner stands."""
        state = self._states.setdefault(key, _State())
        if after <= 0 and state.working:
            state.again = True
        elif after <= 0:
            self._enqueue(key, state)
        elif state.waiting_since is None:
            self._schedule(key, state, self._clock() + after)

    def failed(self, key: K, retry_after: float | None = None) -> float:
        """The work on `key` failed: it comes again. Returns the pause in seconds: at least `retry_after`, where the API server asked for that.

        What rang meanwhile may be what mends it: then it comes again after the first pause, however often it failed.
        """
        state = self._states[key]
        state.failures += 1
        pause = (
            FIRST_PAUSE
            if state.again
            else max(backoff(FIRST_PAUSE, state.failures, LONGEST_PAUSE), min(retry_after or 0.0, LONGEST_PAUSE))
        )
        self._release(key, state, pause)
        return pause

    def done(self, key: K, again: float | None = None) -> None:
        """The work on `key` succeeded; `again`: look in so many seconds even if nothing rings."""
        state = self._states[key]
        state.failures = 0
        self._release(key, state, again)

    def forget(self, key: K) -> None:
        """`key` is worked on, and its object is gone: nothing is kept of it, unless it rang meanwhile."""
        state = self._states[key]
        state.failures = 0
        self._release(key, state, None)
        if state.waiting_since is None and state.due is None:
            del self._states[key]

    # Working

    async def take(self) -> K:
        """The key that has waited longest, now being worked on; waits until there is one. Ends by `done`, `failed` or `forget`."""
        while True:
            self._promote()
            if self._ready:
                key = self._ready.popleft()
                state = self._states[key]
                state.working, state.waiting_since = True, None
                return key
            await self._rest()

    async def _rest(self) -> None:
        self._bell.clear()
        timeout = max(0.0, self._timers[0][0] - self._clock()) if self._timers else None
        try:
            async with asyncio.timeout(timeout):
                await self._bell.wait()
        except TimeoutError:
            pass

    # Telling

    def failures(self, key: K) -> int:
        """How often in a row the work on a key that is known has failed."""
        return self._states[key].failures

    @property
    def depth(self) -> int:
        """Keys that wait for a worker."""
        return len(self._ready)

    @property
    def age(self) -> float:
        """For how many seconds the first of them has waited; 0 when none waits."""
        return max(0.0, self._clock() - (self._states[self._ready[0]].waiting_since or 0.0)) if self._ready else 0.0

    # Inside

    def _enqueue(self, key: K, state: _State) -> None:
        if state.waiting_since is not None:
            return
        now = self._clock()
        if not state.bucket.take(now):
            self._schedule(key, state, now + 1 / RATE)
            return
        state.due = None
        state.waiting_since = now
        self._ready.append(key)
        self._bell.set()

    def _schedule(self, key: K, state: _State, moment: float) -> None:
        if state.due is not None and state.due[0] <= moment:
            return
        state.due = (moment, next(self._tickets))
        heapq.heappush(self._timers, (*state.due, key))
        self._bell.set()

    def _promote(self) -> None:
        """Timers that are due become ready keys; entries that were overtaken fall away."""
        now = self._clock()
        while self._timers and self._timers[0][0] <= now:
            moment, ticket, key = heapq.heappop(self._timers)
            state = self._states.get(key)
            if state is None or state.due != (moment, ticket):
                continue
            state.due = None
            if state.working:
                state.again = True
            else:
                self._enqueue(key, state)

    def _release(self, key: K, state: _State, again: float | None) -> None:
        rung, state.again, state.working = state.again, False, False
        if rung and not state.failures:
            self._enqueue(key, state)
        elif again is not None:
            self._schedule(key, state, self._clock() + again)
