"""Locks between commands of one user. The kernel releases a lock when its process ends or is killed.

Standard library only, because commands lock before the virtual environment exists. A lock file also stores which
command holds the lock and since when, so that another command can name the holder.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from hack import paths
from hack.steps import CommandError, duration, say


def message(holder: str, now: float) -> str:
    """Names the command that holds a lock. `holder`: the lock file's text, `PID START COMMAND`.

    START and `now` are seconds since the epoch. In the moment after the holder has locked the file and before it has
    written to it, the text is empty or still that of the previous holder.
    """
    pid, _, rest = holder.partition(" ")
    since, _, command = rest.partition(" ")
    if not (pid.isdigit() and since.replace(".", "").isdigit()):
        return "another command holds the lock (it started a moment ago)"
    return f"`{command}` (process {pid}) has held the lock for {duration(max(0.0, now - float(since)))}"


@contextmanager
def held(name: str, command: str, *, wait: bool = False) -> Iterator[None]:
    """Holds the lock `name` inside the block. `command` is what other processes print about the holder.

    While another process holds the lock: with `wait`, prints the holder and waits; otherwise raises CommandError.
    """
    folder = paths.cache() / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    # Never remove the file: two processes could then each lock a different file of the same name.
    fd = os.open(folder / f"{name}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            busy = message(os.read(fd, 4096).decode(errors="replace"), time.time())
            if not wait:
                raise CommandError(f"{busy}. Wait until it ends, or stop it; then run this command again") from None
            say(f"  … {busy}: waiting")
            fcntl.flock(fd, fcntl.LOCK_EX)
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()} {time.time():.0f} {command}".encode(), 0)
        yield
    finally:
        os.close(fd)
