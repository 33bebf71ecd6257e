"""Locks that are held by running commands only: the kernel lets go of them when the process ends, however it ends."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from hack import paths
from hack.steps import Trouble, clock, say


def message(holder: str, now: float) -> str:
    """What the second one hears; `holder` is what the first one wrote: pid, start in seconds since the epoch, command."""
    pid, _, rest = holder.partition(" ")
    since, _, command = rest.partition(" ")
    if not (pid.isdigit() and since.replace(".", "").isdigit()):
        return "another command holds the lock (it has just begun)"
    return f"`{command}` (process {pid}) holds the lock since {clock(max(0.0, now - float(since)))}"


@contextmanager
def held(what: str, command: str, *, wait: bool = False) -> Iterator[None]:
    """Holds the lock named `what`. While another process holds it: raises Trouble that names it, or with `wait` says so and waits."""
    folder = paths.cache() / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    # The file stays: removing it would let two processes each lock a file of that name.
    fd = os.open(folder / f"{what}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            busy = message(os.read(fd, 4096).decode(errors="replace"), time.time())
            if not wait:
                raise Trouble(f"{busy}: wait for it, or end it, then start again") from None
            say(f"  … {busy}: waiting for it")
            fcntl.flock(fd, fcntl.LOCK_EX)
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()} {time.time():.0f} {command}".encode(), 0)
        yield
    finally:
        os.close(fd)
