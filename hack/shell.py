"""Running other programs: they end when we end, however we end, and a failure shows the end of what they said."""

from __future__ import annotations

import ctypes
import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from hack import paths
from hack.steps import Trouble, clock, say

BEAT_SECONDS = 30.0
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None

Argv = Sequence[str | Path]


def follow_parent(how: int = signal.SIGKILL) -> None:
    """The calling process gets signal `how` when its parent ends: after a kill -9 of ours no child works on beside the next run."""
    if _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, how)


def environment(extra: Mapping[str, str] | None) -> dict[str, str]:
    """Our own environment with `extra` over it."""
    return {**os.environ, **(extra or {})}


def start(argv: Argv, **how: Any) -> subprocess.Popen[bytes]:
    """A child that ends with us; `how` as Popen has it."""
    return subprocess.Popen(list(argv), preexec_fn=follow_parent, **how)  # noqa: PLW1509 - no threads here


def run(
    argv: Argv,
    log: str,
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    progress: Callable[[], str] | None = None,
) -> None:
    """Runs to the end with its output in `.kindler/logs/{log}.log`; says every half minute that it still runs, with what `progress` answers.

    Raises Trouble with the last lines of the output.
    """
    file = paths.logs() / f"{log}.log"
    begin = time.monotonic()
    with file.open("ab") as out:
        offset = out.tell()
        out.write(f"$ {' '.join(map(str, argv))}\n".encode())
        out.flush()
        process = start(
            argv, env=environment(env), cwd=cwd, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT
        )
        while True:
            try:
                status = process.wait(BEAT_SECONDS)
                break
            except subprocess.TimeoutExpired:
                say(f"  … {clock(time.monotonic() - begin)}" + (f", {progress()}" if progress else ""))
            except BaseException:
                process.kill()
                process.wait()
                raise
    if status != 0:
        raise Trouble(f"{Path(argv[0]).name} failed (exit {status}); the end of {file}:\n{_tail(file, offset)}")


def _tail(file: Path, offset: int) -> str:
    with file.open("rb") as text:
        text.seek(offset)
        lines = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text.read().decode(errors="replace")).splitlines()
    return "\n".join("    " + line for line in lines[-25:])


def output(
    argv: Argv, *, env: Mapping[str, str] | None = None, feed: str | None = None, timeout: float | None = 120
) -> str:
    """Standard output without the last line end. Raises Trouble with what it said on standard error."""
    try:
        done = subprocess.run(
            list(argv),
            check=False,
            env=environment(env),
            input=feed,
            capture_output=True,
            text=True,
            timeout=timeout,
            preexec_fn=follow_parent,
        )
    except FileNotFoundError:
        raise Trouble(f"{argv[0]} is not there") from None
    except subprocess.TimeoutExpired:
        raise Trouble(f"{' '.join(map(str, argv))}: no end after {timeout:g} s") from None
    if done.returncode != 0:
        raise Trouble(
            f"{' '.join(map(str, argv))} failed (exit {done.returncode}): {(done.stderr or done.stdout).strip()}"
        )
    return done.stdout.rstrip("\n")


def gone(handle: int, seconds: float) -> bool:
    """Waits until the process behind a pidfd has ended, at most `seconds`; whether it has."""
    return bool(select.select([handle], [], [], seconds)[0])


def succeeds(argv: Argv, *, env: Mapping[str, str] | None = None, timeout: float = 60) -> bool:
    """Whether it ends well; False too when there is no such program or no end."""
    try:
        output(argv, env=env, timeout=timeout)
    except Trouble:
        return False
    return True
