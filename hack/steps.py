"""Progress lines of a command: what it does now, how long that usually takes, and how long it took.

Here: printing, durations and the one exception that ends a command. Not here: starting other programs (shell.py).
"""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout


class CommandError(Exception):
    """The command cannot continue. `hack.__main__` prints the message and exits with status 1.

    The user sees only this message, so it names what failed and what to do next.
    """


def say(line: str) -> None:
    """Prints one line without buffering, because the output may be a pipe."""
    print(line, flush=True)


def done(line: str) -> None:
    """Prints a result that needs no duration, for example that a step was already complete."""
    say(f"✓ {line}")


def duration(seconds: float) -> str:
    """A duration for people, rounded to seconds: `7 s`, `2 min 5 s`."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


@contextmanager
def step(what: str, usually: str) -> Iterator[None]:
    """Prints `what` and how long it usually takes, then how long it took. An exception passes through unchanged."""
    say(f"→ {what} (usually {usually})")
    begin = time.monotonic()
    yield
    say(f"✓ {what}: {duration(time.monotonic() - begin)}")


@contextmanager
def silent_unless_it_fails() -> Iterator[None]:
    """Collects the lines that the block prints, and prints them only if the block raises an exception."""
    held = io.StringIO()
    try:
        with redirect_stdout(held):
            yield
    except BaseException:
        say(held.getvalue())
        raise
