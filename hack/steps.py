"""How a long step shows itself: what it does, how long that usually takes, how far it is, how long it took; and one line when nothing was to be done."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout


class Trouble(Exception):
    """Something a person must look at. The message is the whole output: it says what happened and what to do next."""


def say(line: str) -> None:
    """One line to the reader, at once (output may be a pipe)."""
    print(line, flush=True)


def done(line: str) -> None:
    """Something that was there already."""
    say(f"✓ {line}")


def clock(seconds: float) -> str:
    """`7 s`, `2 min 5 s`: a length of time as a person says it."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


@contextmanager
def step(what: str, usually: str) -> Iterator[None]:
    """Says what begins and how long it usually takes, then how long it took. A failure passes through."""
    say(f"→ {what} (usually {usually})")
    begin = time.monotonic()
    yield
    say(f"✓ {what}: {clock(time.monotonic() - begin)}")


@contextmanager
def silent_unless_it_fails() -> Iterator[None]:
    """Holds back what is said inside, and says it only when the inside fails."""
    held = io.StringIO()
    try:
        with redirect_stdout(held):
            yield
    except BaseException:
        say(held.getvalue())
        raise
