"""Root file systems from Debian packages, as tar files in the cache: bases of images where no image can be pulled."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from hack import lock, paths, shell
from hack.sandbox import machine
from hack.steps import step

RELEASE = "bookworm"


def key(purpose: str, packages: Sequence[str], variant: str = "minbase") -> str:
    """A key of a file system. It changes with the list of packages, but not with newer versions of the packages."""
    return paths.digest(RELEASE, purpose, variant, *sorted(packages))


def base(purpose: str, packages: Sequence[str], *, variant: str = "minbase") -> Path:
    """The tar of a file system with the packages. Creates it if the cache does not have it.

    `variant`: the variant of mmdebstrap. With `extract`, the file system contains only the named packages.
    """
    target = paths.cache() / "bases" / f"{purpose}-{RELEASE}-{key(purpose, packages, variant)}.tar"
    if target.exists():
        return target
    machine.require_packages("mmdebstrap")
    with lock.held("bases", f"file system for {purpose}", wait=True):
        if not target.exists():
            what = f"file system for {purpose}, from Debian packages"
            with step(what, "30 s"), paths.scratch(purpose) as folder:
                _create(folder / target.name, packages, variant)
                target.parent.mkdir(parents=True, exist_ok=True)
                os.rename(folder / target.name, target)
    return target


def _create(target: Path, packages: Sequence[str], variant: str) -> None:
    # With SOURCE_DATE_EPOCH, mmdebstrap would change the times of files. Python's bytecode contains the original time
    # of its source file. If that time does not match, Python compiles the source again at each start.
    include = f"--include={','.join(packages)}"
    mmdebstrap: list[str | Path] = ["mmdebstrap", f"--variant={variant}", include, RELEASE, target]
    command = ["env", "--unset=SOURCE_DATE_EPOCH", *mmdebstrap]
    shell.run(machine.isolated(command), "bases", env={"TMPDIR": str(target.parent)})
