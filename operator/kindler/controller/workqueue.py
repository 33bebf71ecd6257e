"""The work queue of keys: each key is in it at most once, and at most one worker processes it.

A key is retried until its reconcile succeeds.

    here                 client-go               effect
    ----                 ---------               ------
    add(key)             Add                     reconcile now; if the key is being processed, once more after that
    add_after(key, s)    AddAfter                reconcile in s seconds, unless the key is added before that
    get()                Get                     the next key; from then on it is being processed
    done(key, s)         Forget, Done, AddAfter  success: resets the back-off; reconcile again in s seconds
    retry(key)           AddRateLimited, Done    failure: reconcile again after a pause that doubles with each failure
    forget(key)          Forget, Done            the object does not exist any more: drops the state of the key

In the long run each key is reconciled at most `RATE` times a second; the first BURST reconciles are not limited. So an
object that changes all the time cannot delay the other objects.
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
RATE: Final = 5.0  # reconciles per second of one key in the long run
BURST: Final = 20


@dataclass(slots=True)
class _State:
    """One known key. `dirty`: the key was added while it was being processed.

    `timer`: the key's valid entry in the list of timers, as (time, ticket). None if it has no timer.
    """

    limiter: TokenBucket = field(default_factory=lambda: TokenBucket(RATE, BURST))
    queued_at: float | None = None
    processing: bool = False
    dirty: bool = False
    failures: int = 0
    timer: tuple[float, int] | None = None


class WorkQueue(Generic[K]):
    """The queue of one process. `clock` returns monotonic seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._states: dict[K, _State] = {}
        self._ready: deque[K] = deque()
        self._timers: list[tuple[float, int, K]] = []
        self._tickets = count()
        self._changed = asyncio.Event()

    # Adding

    def add(self, key: K) -> None:
        """Queues `key` now. If it is being processed, queues it again when that ends."""
        state = self._states.setdefault(key, _State())
        if state.processing:
            state.dirty = True
        else:
            self._enqueue(key, state)

    def add_after(self, key: K, seconds: float) -> None:
        """Queues `key` in `seconds`. If the key is already scheduled for an earlier time, that time stays."""
        if seconds <= 0:
            self.add(key)
            return
        state = self._states.setdefault(key, _State())
        if state.queued_at is None:
            self._schedule(key, state, self._clock() + seconds)

    # Ending the processing of a key

    def done(self, key: K, requeue_after: float | None = None) -> None:
        """The processing of `key` succeeded. `requeue_after`: seconds until it is queued even if nothing adds it."""
        state = self._states[key]
        state.failures = 0
        self._release(key, state, requeue_after)

    def retry(self, key: K, retry_after: float | None = None) -> float:
        """The processing of `key` failed: queues it again. Returns the pause in seconds.

        The pause is at least `retry_after`, the pause that the API server requested. If `key` was added in the
        meantime, the change may fix the failure. Then the pause is FIRST_PAUSE, even if `key` has failed
        often.
        """
        state = self._states[key]
        state.failures += 1
        pause = FIRST_PAUSE
        if not state.dirty:
            pause = backoff(FIRST_PAUSE, state.failures, LONGEST_PAUSE)
            pause = max(pause, min(retry_after or 0.0, LONGEST_PAUSE))
        self._release(key, state, pause)
        return pause

    def forget(self, key: K) -> None:
        """The processing of `key` ended, and its object does not exist any more: drops the state of the key.

        If the key was added in the meantime, its state is kept.
        """
        state = self._states[key]
        state.failures = 0
        self._release(key, state, None)
        if state.queued_at is None and state.timer is None:
            del self._states[key]

    # Processing

    async def get(self) -> K:
        """Waits for a key, and returns the key that has been queued longest.

        The caller must then call `done`, `retry` or `forget`.
        """
        while True:
            self._promote()
            if self._ready:
                key = self._ready.popleft()
                state = self._states[key]
                state.processing, state.queued_at = True, None
                return key
            await self._wait()

    async def _wait(self) -> None:
        """Waits until the queue changes or the first timer is due."""
        self._changed.clear()
        timeout = max(0.0, self._timers[0][0] - self._clock()) if self._timers else None
        try:
            async with asyncio.timeout(timeout):
                await self._changed.wait()
        except TimeoutError:
            pass

    # Reporting

    def failures(self, key: K) -> int:
        """How often in a row the processing of a known key has failed."""
        return self._states[key].failures

    @property
    def depth(self) -> int:
        """Keys that wait for a worker."""
        return len(self._ready)

    @property
    def age(self) -> float:
        """For how many seconds the first key has waited for a worker; 0 if no key waits."""
        return max(0.0, self._clock() - (self._states[self._ready[0]].queued_at or 0.0)) if self._ready else 0.0

    # Internals

    def _enqueue(self, key: K, state: _State) -> None:
        if state.queued_at is not None:
            return
        now = self._clock()
        if not state.limiter.take(now):
            self._schedule(key, state, now + 1 / RATE)
            return
        state.timer = None
        state.queued_at = now
        self._ready.append(key)
        self._changed.set()

    def _schedule(self, key: K, state: _State, at: float) -> None:
        if state.timer is not None and state.timer[0] <= at:
            return
        state.timer = (at, next(self._tickets))
        heapq.heappush(self._timers, (*state.timer, key))
        self._changed.set()

    def _promote(self) -> None:
        """Queues the keys whose timers are due. Drops timers that an earlier timer replaced."""
        now = self._clock()
        while self._timers and self._timers[0][0] <= now:
            at, ticket, key = heapq.heappop(self._timers)
            state = self._states.get(key)
            if state is None or state.timer != (at, ticket):
                continue
            state.timer = None
            if state.processing:
                state.dirty = True
            else:
                self._enqueue(key, state)

    def _release(self, key: K, state: _State, requeue_after: float | None) -> None:
        dirty, state.dirty, state.processing = state.dirty, False, False
        if dirty and not state.failures:
            self._enqueue(key, state)
        elif requeue_after is not None:
            self._schedule(key, state, self._clock() + requeue_after)
