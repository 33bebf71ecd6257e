"""The machine under an engine of our own: its packages, its limits, and what must be as it was when the last engine has gone."""

from __future__ import annotations

import json
import os
import platform
import shutil
from pathlib import Path

from hack import paths, shell
from hack.steps import Trouble, step

# Set for the whole machine by systemd and the kubelet in a privileged node container.
SYSCTLS = (
    *(
        "fs.file-max",
        "fs.nr_open",
        "fs.protected_fifos",
        "fs.protected_regular",
        "fs.protected_symlinks",
        "fs.protected_hardlinks",
    ),
    *(
        "fs.inotify.max_user_instances",
        "fs.inotify.max_user_watches",
        "kernel.panic",
        "kernel.panic_on_oops",
        "kernel.pid_max",
    ),
    *("kernel.keys.root_maxkeys", "kernel.keys.root_maxbytes", "vm.overcommit_memory", "vm.panic_on_oom"),
)
# Folders that Docker makes because kind mounts them.
FOLDERS = ("/lib/modules",)
PROC_SYS = Path("/proc/sys")
_CAP_SYS_RESOURCE = 24


def cgroup_v1() -> bool:
    return not Path("/sys/fs/cgroup/cgroup.controllers").exists()


def lacks_sys_resource(status: str | None = None) -> bool:
    """Whether this root may not exceed resource limits (some sandboxes): then privileged containers need settings of their own."""
    if status is None and platform.system() != "Linux":
        return False
    text = status if status is not None else Path("/proc/self/status").read_text()
    bounds = next(line.split()[1] for line in text.splitlines() if line.startswith("CapBnd:"))
    return not int(bounds, 16) >> _CAP_SYS_RESOURCE & 1


def need(*packages: str) -> None:
    """Installs the Debian packages that are missing when root; else raises Trouble with the line that installs them."""
    if not shutil.which("dpkg-query"):
        raise Trouble(
            f"needed: {', '.join(packages)}. This machine has no Debian packages: start a Docker engine here, then nothing of that is needed"
        )
    missing = [name for name in packages if not _installed(name)]
    if not missing:
        return
    line = f"apt-get install {' '.join(missing)}"
    if os.geteuid() != 0:
        raise Trouble(f"packages are missing: run `sudo {line}`, or start a Docker engine, and start again")
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    with step(f"Debian packages: {' '.join(missing)}", "30 s"):
        shell.run(["apt-get", "update"], "packages", env=quiet)
        shell.run([*line.split(), "--yes"], "packages", env=quiet)


def _installed(package: str) -> bool:
    try:
        return shell.output(["dpkg-query", "--show", "--showformat=${db:Status-Abbrev}", package]).startswith("ii")
    except Trouble:
        return False


def isolated(argv: shell.Argv) -> list[str | Path]:
    """The command in a mount and a process namespace of its own: whatever it leaves (mounts, processes) goes with it."""
    if os.geteuid() != 0 or platform.system() != "Linux":
        return list(argv)
    return ["unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "--mount-proc", *argv]


def _memory() -> Path:
    return paths.runs() / "machine.json"


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def remember() -> None:
    """Notes how the machine is, unless an engine that is up has already changed it. Call under the lock `machine`."""
    if _recalled() is not None:
        return
    values = {name: file.read_text().strip() for name in SYSCTLS if (file := _sysctl(name)).exists()}
    facts = {"boot": _boot(), "sysctls": values, "absent": [folder for folder in FOLDERS if not Path(folder).exists()]}
    _memory().parent.mkdir(parents=True, exist_ok=True)
    draft = _memory().with_suffix(".new")
    draft.write_text(json.dumps(facts, indent=1))
    draft.rename(_memory())


def restore() -> None:
    """Puts back what differs from what was remembered. Call under the lock `machine`, when no engine is up."""
    facts = _recalled()
    if facts is None:
        return
    for name, value in facts["sysctls"].items():
        if _sysctl(name).read_text().strip() != value:
            _sysctl(name).write_text(value)
    for folder in facts["absent"]:
        if Path(folder).is_dir() and not os.listdir(folder):
            os.rmdir(folder)
    _memory().unlink()


def _recalled() -> dict | None:  # type: ignore[type-arg]
    try:
        facts = json.loads(_memory().read_text())
    except FileNotFoundError:
        return None
    return facts if facts["boot"] == _boot() else None


def _sysctl(name: str) -> Path:
    return PROC_SYS / name.replace(".", "/")
