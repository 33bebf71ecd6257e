"""Small root file systems out of Debian's packages, as tar files in the cache: the bases of images where none can be pulled."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from hack import lock, machine, paths, shell
from hack.steps import step

RELEASE = "bookworm"


def key(purpose: str, packages: Sequence[str], variant: str = "minbase") -> str:
    """Changes when the file system would have other contents (but for newer versions of the packages)."""
    return paths.digest(RELEASE, purpose, variant, *sorted(packages))


def base(purpose: str, packages: Sequence[str], *, variant: str = "minbase") -> Path:
    """The tar of a file system with the packages in it; made once. `variant` as mmdebstrap has it: `extract` has the named packages alone."""
    target = paths.cache() / "bases" / f"{purpose}-{RELEASE}-{key(purpose, packages, variant)}.tar"
    if target.exists():
        return target
    machine.need("mmdebstrap")
    with lock.held("bases", f"file system for {purpose}", wait=True):
        if not target.exists():
            with step(f"file system for {purpose}, from Debian’s packages", "30 s"), paths.scratch(purpose) as folder:
                draft = folder / target.name
                # Without SOURCE_DATE_EPOCH: Python's bytecode knows its source by time stamp, and would be made anew at each start.
                command: list[str | Path] = [
                    "env",
                    "--unset=SOURCE_DATE_EPOCH",
                    "mmdebstrap",
                    f"--variant={variant}",
                    f"--include={','.join(packages)}",
                    RELEASE,
                    draft,
                ]
                shell.run(machine.isolated(command), "bases", env={"TMPDIR": str(folder)})
                target.parent.mkdir(parents=True, exist_ok=True)
                os.rename(draft, target)
    return target
