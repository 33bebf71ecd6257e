"""The virtual environment for development, `.venv`: what requirements-dev.lock pins, and `kindler` from operator/.

Here: creating and updating that environment. Code that runs before `ensure()` can use the standard library only.
"""

from __future__ import annotations

import platform
import shutil
import sys
from pathlib import Path

from hack import paths, shell
from hack.steps import CommandError, step

HOME = paths.ROOT / ".venv"
PYTHON = HOME / "bin" / "python"
_LOCKFILE = paths.ROOT / "requirements-dev.lock"
_MARK = HOME / "kindler-lock"  # the digest of what the environment was made from; written last


def ensure() -> None:
    """Creates the environment, or updates it. Returns at once if it is up to date."""
    key = paths.digest(_LOCKFILE, platform.python_version(), str(paths.ROOT))
    if _MARK.exists() and _MARK.read_text() == key:
        return
    with step(f"Python packages for development in {HOME.name}", "15 s with uv, minutes with pip"):
        if not PYTHON.exists() or _python_version() != platform.python_version():
            _create()
        if uv := shutil.which("uv"):
            command: shell.Argv = [uv, "pip", "sync", "--quiet", "--python", PYTHON, "--require-hashes", _LOCKFILE]
        else:
            command = [PYTHON, "-m", "pip", "install", "--quiet", "--require-hashes", "--requirement", _LOCKFILE]
        shell.run(command, "venv")
        _add_kindler()
        _MARK.write_text(key)


def _python_version() -> str:
    try:
        return shell.output([PYTHON, "-c", "import platform; print(platform.python_version())"])
    except CommandError:
        return ""


def _create() -> None:
    shutil.rmtree(HOME, ignore_errors=True)
    if uv := shutil.which("uv"):
        shell.run([uv, "venv", "--quiet", "--python", sys.executable, HOME], "venv")
    elif shell.succeeds([sys.executable, "-c", "import ensurepip"]):
        shell.run([sys.executable, "-m", "venv", HOME], "venv")
    else:
        raise CommandError(
            "this Python cannot create virtual environments. Run `apt-get install python3-venv` as root, or install uv;"
            " then run this command again"
        )


def _add_kindler() -> None:
    """Puts operator/ on the environment's import path, as an editable install does.

    So neither a build nor an unpinned build tool is needed.
    """
    packages = Path(shell.output([PYTHON, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]))
    (packages / "kindler-here.pth").write_text(f"{paths.ROOT / 'operator'}\n")
