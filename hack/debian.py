"""Small root file systems out of Debian's packages, as tar files in the cache: the bases of images where none can be pulled."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from hack import lock, machine, paths, shell
from hack.steps import step

RELEASE = "bookworm"


def base(purpose: str, packages: Sequence[str], *, variant: str = "minbase") -> Path:
    """The tar of a file system with the packages in it; made once. `variant` as mmdebstrap has it: `extract` has the named packages alone."""
    target = paths.cache() / "bases" / f"{purpose}-{RELEASE}-{paths.digest(RELEASE, variant, *sorted(packages))}.tar"
    if target.exists():
        return target
    machine.need("mmdebstrap")
    with lock.held("bases", f"file system for {purpose}", wait=True):
        if not target.exists():
            with step(f"file system for {purpose}, from Debian’s packages", "30 s"), paths.scratch(purpose) as folder:
                draft = folder / target.name
                command = ["mmdebstrap", f"--variant={variant}", f"--include={','.join(packages)}", RELEASE, draft]
                # Reproducible: mmdebstrap takes every time stamp from here.
                shell.run(machine.isolated(command), "bases", env={"TMPDIR": str(folder), "SOURCE_DATE_EPOCH": "0"})
                target.parent.mkdir(parents=True, exist_ok=True)
                os.rename(draft, target)
    return target
