"""Where files are. Each checkout has its own name, which is part of the names of its cluster and folders.

Here: folders, the checkout's name, and digests of files. Not here: the contents of those folders.
"""

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
    """The name of a checkout's cluster, engine and folders, such as `kindler-1f3a9c`.

    It is derived from the checkout's path, so that several checkouts on one machine do not disturb each other.
    """
    return "kindler-" + hashlib.sha256(str(checkout).encode()).hexdigest()[:6]


NAME = name_of(ROOT)


def cache() -> Path:
    """The folder of things that take long to build (tools, bases of images). All checkouts of this user share it.

    The user may delete it while no cluster is up.
    """
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "kindler"


def run_root() -> Path:
    """The parent of all checkouts' run folders. Its path is short, because Linux limits the length of socket paths.

    A reboot clears the folder of root, because it is in /run.
    """
    return Path("/run/kindler") if os.geteuid() == 0 else cache() / "run"


def run_folder(name: str = NAME) -> Path:
    """A checkout's run folder: sockets, kubeconfig, and the state of the cluster that is up. `down` removes it."""
    return run_root() / name


def logs() -> Path:
    """The folder with the output of long steps. `down` keeps it, so that you can examine a failure later."""
    folder = ROOT / ".kindler" / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def scratch(purpose: str) -> Iterator[Path]:
    """A temporary folder on the cache's disk. `leftovers` removes it later if this process is killed."""
    (cache() / "tmp").mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-{purpose}-", dir=cache() / "tmp"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def digest(*parts: str | bytes | Path) -> str:
    """Twelve hex digits that change when a part changes.

    Of a file, the content and the executable bits count, and its name does not. Of a folder, the relative names,
    executable bits and contents of all files in it count, except Python's bytecode.
    """
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
