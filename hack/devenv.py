"""The virtual environment of development, `.venv`: exactly what requirements-dev.lock says, and the package itself from where it lies."""

from __future__ import annotations

import platform
import shutil
import sys
from pathlib import Path

from hack import paths, shell
from hack.steps import Trouble, step

HOME = paths.ROOT / ".venv"
PYTHON = HOME / "bin" / "python"
_LOCKFILE = paths.ROOT / "requirements-dev.lock"
_MARK = HOME / "kindler-lock"  # written last: what the environment was made from


def ensure() -> None:
    """Makes it, or brings it up to date; costs nothing when it is."""
    key = paths.digest(_LOCKFILE, platform.python_version(), str(paths.ROOT))
    if _MARK.exists() and _MARK.read_text() == key:
        return
    with step(f"Python packages of development into {HOME.name}", "15 s"):
        if not PYTHON.exists() or _version() != platform.python_version():
            _make()
        if uv := shutil.which("uv"):
            shell.run([uv, "pip", "sync", "--quiet", "--python", PYTHON, "--require-hashes", _LOCKFILE], "venv")
        else:
            shell.run(
                [PYTHON, "-m", "pip", "install", "--quiet", "--require-hashes", "--requirement", _LOCKFILE], "venv"
            )
        _add_package()
        _MARK.write_text(key)


def _version() -> str:
    try:
        return shell.output([PYTHON, "-c", "import platform; print(platform.python_version())"])
    except Trouble:
        return ""


def _make() -> None:
    shutil.rmtree(HOME, ignore_errors=True)
    if uv := shutil.which("uv"):
        shell.run([uv, "venv", "--quiet", "--python", sys.executable, HOME], "venv")
    elif shell.succeeds([sys.executable, "-c", "import ensurepip"]):
        shell.run([sys.executable, "-m", "venv", HOME], "venv")
    else:
        raise Trouble(
            "Python cannot make virtual environments here: run `apt-get install python3-venv` as root, or install uv, and start again"
        )


def _add_package() -> None:
    """Puts operator/ on the path, as an editable install would: without a build, and without a build tool from outside the lock file."""
    packages = Path(shell.output([PYTHON, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]))
    (packages / "kindler-here.pth").write_text(f"{paths.ROOT / 'operator'}\n")
