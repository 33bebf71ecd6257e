"""Removes what killed commands and deleted checkouts left on the machine.

Each exclusive command calls `remove` first. Here: clusters, engines and scratch folders without an owner.
Not here: what this checkout's own `down` and `clean` remove.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from hack import docker, engine, paths, registry
from hack.steps import say


def record_owner() -> None:
    """Records which checkout owns the run folder and the engine's data.

    If the checkout is deleted later, a command of another checkout can then remove both folders.
    """
    paths.run_folder().mkdir(parents=True, exist_ok=True)
    (paths.run_folder() / "owner").write_text(str(paths.ROOT))
    home = paths.cache() / "engines" / paths.NAME
    home.mkdir(parents=True, exist_ok=True)
    (home.parent / f"{paths.NAME}.owner").write_text(str(paths.ROOT))


def orphans() -> list[str]:
    """Names of checkouts that do not exist any more, but still have a run folder or an engine's data here."""
    marks = [*paths.run_root().glob("*/owner"), *(paths.cache() / "engines").glob("*.owner")]
    return sorted(
        {
            mark.parent.name if mark.name == "owner" else mark.stem
            for mark in marks
            if not Path(mark.read_text()).is_dir()
        }
    )


def remove() -> None:
    """Removes what belongs to orphans, and the scratch folders of processes that have ended."""
    for name in orphans():
        say(f"✓ removal of {name}: its checkout does not exist any more")
        found = engine.find(name)
        if found is not None and not found.sandboxed:
            found.remove_containers(docker.nodes_label(name))
            found.remove_containers(registry.label(name))
        engine.down(name)
        engine.delete_data(name)
        (paths.cache() / "engines" / f"{name}.owner").unlink(missing_ok=True)
    for folder in (paths.cache() / "tmp").glob("*-*"):
        pid = folder.name.partition("-")[0]
        if pid.isdigit() and not _is_running(int(pid)):
            shutil.rmtree(folder, ignore_errors=True)


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
