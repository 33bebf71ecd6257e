"""Where things lie. Each checkout has a name of its own, and everything it makes carries that name."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def name_of(checkout: Path) -> str:
    """The name of a checkout's cluster, engine and folders, such as `kindler-1f3a9c`: from its path, so that several live side by side."""
    return "kindler-" + hashlib.sha256(str(checkout).encode()).hexdigest()[:6]


NAME = name_of(ROOT)


def cache() -> Path:
    """The folder of this user where everything lies that took long to make, shared by all checkouts. Safe to delete while nothing is up."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "kindler"


def runs() -> Path:
    """Where the run folders of all checkouts lie: what must not outlive the machine's uptime. A short path, for sockets live in there."""
    return Path("/run/kindler") if os.geteuid() == 0 else cache() / "run"


def run() -> Path:
    """This checkout's run folder: sockets, kubeconfig, what `up` found. Removed by `down`."""
    return runs() / NAME


def logs() -> Path:
    """Where the output of long steps goes; stays after `down`, so that a failure can be read."""
    folder = ROOT / ".kindler" / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def scratch(purpose: str) -> Iterator[Path]:
    """A folder on the cache's disk that is gone afterwards; what a killed run left there is removed by `leftovers`."""
    (cache() / "tmp").mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-{purpose}-", dir=cache() / "tmp"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def digest(*parts: str | bytes | Path) -> str:
    """Twelve hex digits that change when a part changes; a Path counts with its content (a folder: with names, modes and contents of all files in it)."""
    whole = hashlib.sha256()
    for part in parts:
        if isinstance(part, Path):
            for file in sorted(part.rglob("*")) if part.is_dir() else [part]:
                if file.is_file() and "__pycache__" not in file.parts:
                    whole.update(f"{file.relative_to(part)}\0{file.stat().st_mode & 0o111}\0".encode())
                    whole.update(hashlib.sha256(file.read_bytes()).digest())
        else:
            whole.update(part.encode() if isinstance(part, str) else part)
        whole.update(b"\0")
    return whole.hexdigest()[:12]
