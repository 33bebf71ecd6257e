"""The machine that the sandbox runs on: Debian packages, and settings to restore when the last sandbox has stopped."""

from __future__ import annotations

import json
import os
import platform
import shutil
from pathlib import Path

from hack import paths, shell
from hack.steps import CommandError, step

# systemd and the kubelet in a privileged node container set these kernel parameters for the whole machine.
SYSCTLS = (
    *("fs.file-max", "fs.nr_open", "fs.protected_fifos", "fs.protected_regular", "fs.protected_symlinks"),
    *("fs.protected_hardlinks", "fs.inotify.max_user_instances", "fs.inotify.max_user_watches", "kernel.panic"),
    *("kernel.panic_on_oops", "kernel.pid_max", "kernel.keys.root_maxkeys", "kernel.keys.root_maxbytes"),
    *("vm.overcommit_memory", "vm.panic_on_oom"),
)
# Docker creates these folders, because kind mounts them.
FOLDERS = ("/lib/modules",)
PROC_SYS = Path("/proc/sys")
# If another installation is running on the machine, apt-get waits this long for the lock before it fails.
APT_LOCK_SECONDS = 300


def cgroup_v1() -> bool:
    return not Path("/sys/fs/cgroup/cgroup.controllers").exists()


def require_packages(*packages: str) -> None:
    """Installs the Debian packages that are missing. A user who is not root gets a CommandError with the command."""
    if not shutil.which("dpkg-query"):
        raise CommandError(
            f"these Debian packages are needed: {', '.join(packages)}. This machine has no Debian packages: "
            "start a Docker engine, which replaces them, and run this command again"
        )
    missing = [name for name in packages if not _installed(name)]
    if not missing:
        return
    line = f"apt-get install {' '.join(missing)}"
    if os.geteuid() != 0:
        raise CommandError(
            f"Debian packages are missing. Run `sudo {line}`, or start a Docker engine; then run this command again"
        )
    options = ["--yes", "--option", f"DPkg::Lock::Timeout={APT_LOCK_SECONDS}"]
    env = {"DEBIAN_FRONTEND": "noninteractive"}
    with step(f"Debian packages: {' '.join(missing)}", "30 s"):
        shell.run(["apt-get", "update", *options], "packages", env=env)
        shell.run([*line.split(), *options], "packages", env=env)


def _installed(package: str) -> bool:
    try:
        status = shell.output(["dpkg-query", "--show", "--showformat=${db:Status-Abbrev}", package])
    except CommandError:
        return False
    return status.startswith("ii")


def isolated(argv: shell.Argv) -> list[str | Path]:
    """The command line that runs a command in its own mount and process namespaces, if this user is root on Linux.

    When the command ends, the kernel removes the mounts and ends the processes that the command has left.
    """
    if os.geteuid() != 0 or platform.system() != "Linux":
        return list(argv)
    namespaces = ["--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "--mount-proc"]
    return ["unshare", *namespaces, *argv]


def _saved_file() -> Path:
    return paths.run_root() / "machine.json"


def _boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def save_settings() -> None:
    """Saves the machine's settings, unless a running sandbox has already changed them. Hold the lock `machine`."""
    if _saved() is not None:
        return
    values = {name: file.read_text().strip() for name in SYSCTLS if (file := _sysctl(name)).exists()}
    absent = [folder for folder in FOLDERS if not Path(folder).exists()]
    settings = {"boot": _boot_id(), "sysctls": values, "absent": absent}
    _saved_file().parent.mkdir(parents=True, exist_ok=True)
    draft = _saved_file().with_suffix(".new")
    draft.write_text(json.dumps(settings, indent=1))
    draft.rename(_saved_file())


def restore_settings() -> None:
    """Restores the saved settings that have changed. Hold the lock `machine`, and stop all sandboxes before."""
    settings = _saved()
    if settings is None:
        return
    for name, value in settings["sysctls"].items():
        if _sysctl(name).read_text().strip() != value:
            _sysctl(name).write_text(value)
    for folder in settings["absent"]:
        if Path(folder).is_dir() and not os.listdir(folder):
            os.rmdir(folder)
    _saved_file().unlink()


def _saved() -> dict | None:  # type: ignore[type-arg]
    """The settings that were saved since the last boot; None if there are none."""
    try:
        settings = json.loads(_saved_file().read_text())
    except FileNotFoundError:
        return None
    return settings if settings["boot"] == _boot_id() else None


def _sysctl(name: str) -> Path:
    return PROC_SYS / name.replace(".", "/")
