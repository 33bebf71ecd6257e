"""How often something may be done: a bucket of tokens, and pauses that grow."""

from __future__ import annotations


class TokenBucket:
    """`rate` tokens a second flow in, at most `burst` are kept. `now` in monotonic seconds."""

    __slots__ = ("burst", "rate", "since", "tokens")

    def __init__(self, rate: float, burst: int) -> None:
        self.rate, self.burst = rate, burst
        self.tokens: float = burst
        self.since = 0.0

    def take(self, now: float) -> bool:
        """Takes a token, if there is one."""
        self.tokens = min(self.burst, self.tokens + max(0.0, now - self.since) * self.rate)
        self.since = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


def backoff(first: float, failures: int, most: float) -> float:
    """The pause after `failures` in a row: `first`, doubled with each further one, at most `most`. Seconds."""
    return min(most, first * 2.0 ** min(max(failures - 1, 0), 32))
