"""Starts other programs. On Linux they end when this process ends or is killed.

If a program fails, the error contains its last lines. Not here: the choice of the program and its network (cluster.py,
engine.py).
"""

from __future__ import annotations

import ctypes
import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hack import paths
from hack.steps import CommandError, duration, say

HEARTBEAT_SECONDS = 30.0
TAIL_LINES = 25
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None

Argv = Sequence[str | Path]


def end_with_parent(how: int = signal.SIGKILL) -> None:
    """Makes the kernel send signal `how` to the calling process when its parent ends.

    Otherwise, children of a killed command would continue to work while the next command runs. Works on Linux only.
    """
    if _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, how)


def environment(extra: Mapping[str, str] | None) -> dict[str, str]:
    """This process's environment variables and `extra`, whose values replace those of the same name."""
    return {**os.environ, **(extra or {})}


def start(argv: Argv, **options: Any) -> subprocess.Popen[bytes]:
    """Starts a child that ends when this process ends. `options` go to Popen."""
    return subprocess.Popen(list(argv), preexec_fn=end_with_parent, **options)  # noqa: PLW1509 - no threads here


def run(argv: Argv, log: str, *, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> None:
    """Runs a program to its end with its output in `.kindler/logs/{log}.log`. Prints every 30 s that it still runs.

    Raises CommandError with the last lines of the output if the exit status is not 0.
    """
    file = paths.logs() / f"{log}.log"
    begin = time.monotonic()
    with file.open("ab") as out:
        offset = out.tell()
        out.write(f"$ {' '.join(map(str, argv))}\n".encode())
        out.flush()
        streams: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": out, "stderr": subprocess.STDOUT}
        process = start(argv, env=environment(env), cwd=cwd, **streams)
        while True:
            try:
                status = process.wait(HEARTBEAT_SECONDS)
                break
            except subprocess.TimeoutExpired:
                say(f"  … {duration(time.monotonic() - begin)}")
            except BaseException:
                process.kill()
                process.wait()
                raise
    if status != 0:
        last = _tail(file, offset)
        raise CommandError(f"{Path(argv[0]).name} failed (exit {status}). The last lines of {file}:\n{last}")


def _tail(file: Path, offset: int) -> str:
    with file.open("rb") as text:
        text.seek(offset)
        lines = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text.read().decode(errors="replace")).splitlines()
    return "\n".join("    " + line for line in lines[-TAIL_LINES:])


def output(
    argv: Argv, *, env: Mapping[str, str] | None = None, stdin: str | None = None, timeout: float | None = 120
) -> str:
    """What a program writes to standard output, without the last line end.

    Raises CommandError if the program is missing, fails, or runs longer than `timeout` seconds. After a failure, the
    message contains the program's standard error.
    """
    line = " ".join(map(str, argv))
    try:
        finished = subprocess.run(
            list(argv),
            check=False,
            env=environment(env),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout,
            preexec_fn=end_with_parent,
        )
    except FileNotFoundError:
        raise CommandError(f"{argv[0]}: command not found") from None
    except subprocess.TimeoutExpired:
        raise CommandError(f"{line}: not finished after {timeout:g} s") from None
    if finished.returncode != 0:
        errors = (finished.stderr or finished.stdout).strip()
        raise CommandError(f"{line} failed (exit {finished.returncode}): {errors}")
    return finished.stdout.rstrip("\n")


def succeeds(argv: Argv, *, env: Mapping[str, str] | None = None, timeout: float = 60) -> bool:
    """Whether the program exits with status 0 in time. False if there is no such program."""
    try:
        output(argv, env=env, timeout=timeout)
    except CommandError:
        return False
    return True


def wait_for_exit(pidfd: int, seconds: float) -> bool:
    """Waits at most `seconds` for the process of a pidfd to end. Returns whether it has ended."""
    return bool(select.select([pidfd], [], [], seconds)[0])
