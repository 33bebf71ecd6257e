"""What killed runs and vanished checkouts left behind: found by looking, removed when nobody can still want it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from hack import engine, paths, registry
from hack.steps import say


def note_owner() -> None:
    """Writes down whose run folder this is, so that it can be told one day that the checkout is gone."""
    paths.run().mkdir(parents=True, exist_ok=True)
    (paths.run() / "owner").write_text(str(paths.ROOT))
    home = paths.cache() / "engines" / paths.NAME
    home.mkdir(parents=True, exist_ok=True)
    (home.parent / f"{paths.NAME}.owner").write_text(str(paths.ROOT))


def orphans() -> list[str]:
    """Names of checkouts that have a run folder or an engine's data here, but no longer exist themselves."""
    marks = [*paths.runs().glob("*/owner"), *(paths.cache() / "engines").glob("*.owner")]
    gone = {
        mark.parent.name if mark.name == "owner" else mark.stem for mark in marks if not Path(mark.read_text()).is_dir()
    }
    return sorted(gone)


def remove() -> None:
    """Removes what orphans left, and scratch folders of processes that have ended."""
    for name in orphans():
        say(f"✓ leftover {name}: its checkout is gone, so it is removed")
        found = engine.find(name)
        if found is not None and not found.own:
            engine.remove(found, engine.nodes_label(name))
            engine.remove(found, registry.label(name))
        engine.down(name)
        shutil.rmtree(engine.data(name), ignore_errors=True)
        (paths.cache() / "engines" / f"{name}.owner").unlink(missing_ok=True)
    for folder in (paths.cache() / "tmp").glob("*-*"):
        pid = folder.name.partition("-")[0]
        if pid.isdigit() and not _alive(int(pid)):
            shutil.rmtree(folder, ignore_errors=True)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
