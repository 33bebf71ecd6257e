"""Limits how often an action may run and how often its failure is logged."""

from __future__ import annotations


class TokenBucket:
    """Adds `rate` tokens per second and holds at most `burst`. `now` is in monotonic seconds."""

    __slots__ = ("burst", "rate", "since", "tokens")

    def __init__(self, rate: float, burst: int) -> None:
        self.rate, self.burst = rate, burst
        self.tokens: float = burst
        self.since = 0.0

    def take(self, now: float) -> bool:
        """Takes a token. False if the bucket is empty."""
        self.tokens = min(self.burst, self.tokens + max(0.0, now - self.since) * self.rate)
        self.since = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


def backoff(first: float, failures: int, most: float) -> float:
    """Seconds to wait after `failures` failures in a row: first `first`, then twice as long each time, up to `most`."""
    return min(most, first * 2.0 ** min(max(failures - 1, 0), 32))


def is_power_of_two(count: int) -> bool:
    """Whether to log the `count`-th failure: only the 1st, 2nd, 4th, 8th and so on are logged."""
    return count & (count - 1) == 0
