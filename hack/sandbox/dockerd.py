"""A Docker engine of this checkout, in its own network, mount and process namespaces, on a machine that has no Docker.

The engine reaches no other network, and it changes nothing in the machine's network. The first process of the process
namespace is docker-init: when it ends, the kernel ends all processes of the namespace and releases all mounts and
links. This module finds the engine by a search of /proc and not by a file, because a file could be stale.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import signal
import subprocess
import time
from pathlib import Path

from hack import docker, lock, paths, shell
from hack.docker import Engine
from hack.sandbox import machine
from hack.steps import CommandError, step

# The engine's own packages, and the packages that build images for it.
PACKAGES = ("docker.io", "iptables", "conntrack", "runc", "iproute2", "mmdebstrap", "buildah")
START_SECONDS = 60
STOP_SECONDS = 15
RESTRICTED_RUNC = paths.ROOT / "hack" / "sandbox" / "node" / "runc-restricted"


def find(name: str = paths.NAME) -> Engine | None:
    """The engine of the checkout `name`, if it runs."""
    init = _init(name)
    return _engine(name, init) if init is not None else None


def start() -> Engine:
    """Starts the engine of this checkout. Raises CommandError if the engine cannot run here or does not start."""
    if platform.system() != "Linux" or os.geteuid() != 0:
        raise CommandError(
            "no Docker engine responds (`docker info` fails). Start Docker and run this command again "
            "(for root on Debian, this command sets up an engine itself)"
        )
    machine.require_packages(*PACKAGES)
    with step(
        "engine: no Docker responds here, so dockerd from Debian's packages starts in namespaces of its own", "2 s"
    ):
        process = _launch_once()
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and not (process and process.poll() is not None):
            engine = find()
            if engine is not None and engine.responds():
                return engine
            time.sleep(0.2)
        _kill(paths.NAME)
        raise CommandError(f"dockerd did not start; see {paths.logs() / 'dockerd.log'}")


def stop(name: str = paths.NAME) -> None:
    """Stops the engine of the checkout and all that runs in it, and removes the checkout's run folder.

    If no other engine runs on the machine, this function also restores the machine's settings.
    """
    _kill(name)
    for group in cgroups(name):
        _remove_cgroup(group)
    shutil.rmtree(paths.run_folder(name), ignore_errors=True)
    root = paths.run_root()
    if root.exists():
        with lock.held("machine", "end of an engine", wait=True):
            if not any(_namespace_process(other.name) for other in root.iterdir() if other.is_dir()):
                machine.restore_settings()
                if not os.listdir(root):
                    root.rmdir()


def data(name: str) -> Path:
    """Where the engine of the checkout keeps images and containers."""
    return paths.cache() / "engines" / name


def daemon_config(name: str, restricted: bool) -> dict[str, object]:
    """dockerd's settings. `restricted`: root lacks CAP_SYS_RESOURCE; see node/runc-restricted."""
    folder = paths.run_folder(name)
    config: dict[str, object] = {
        "hosts": [f"unix://{folder}/docker.sock"],
        "data-root": str(data(name)),
        "exec-root": str(folder / "exec"),
        "pidfile": str(folder / "docker.pid"),
        "cgroup-parent": f"/{name}",
        "storage-driver": "overlay2",
        "shutdown-timeout": 5,
    }
    if restricted:
        config |= {"runtimes": {"restricted": {"path": str(RESTRICTED_RUNC)}}, "default-runtime": "restricted"}
    return config


def _config_file(name: str) -> Path:
    return paths.run_folder(name) / "daemon.json"


def _engine(name: str, init: int) -> Engine:
    folder = paths.run_folder(name)
    env = {
        "DOCKER_HOST": f"unix://{folder}/docker.sock",
        "DOCKER_CONFIG": str(folder / "docker"),
        "DOCKER_BUILDKIT": "0",
        "DOCKER_CONTEXT": "",
    }
    return Engine(
        "/usr/bin/docker",
        env,
        cgroup_v1=machine.cgroup_v1(),
        restricted=docker.lacks_sys_resource(),
        sandboxed=True,
        prefix=("nsenter", "--target", str(init), "--net"),
    )


def _namespace_process(name: str) -> int | None:
    """The `unshare` process that created the namespaces of the checkout's engine. Killing it ends the engine too."""
    if platform.system() != "Linux":
        return None
    mark = str(_config_file(name)).encode()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if words[0] == b"unshare" and mark in words:
                return int(entry.name)
    return None


def _init(name: str) -> int | None:
    """The process ID of the engine's first process, in the process namespace of the machine."""
    parent = _namespace_process(name)
    if parent is None:
        return None
    try:
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    except OSError:
        return None
    return int(children[0]) if children else None


def _launch_once() -> subprocess.Popen[bytes] | None:
    """Starts dockerd. Returns None if dockerd runs already, because a command that was then killed had started it.

    Holds the lock `machine` during the start, so that no other checkout restores the machine's settings.
    """
    home, folder = data(paths.NAME), paths.run_folder()
    home.mkdir(parents=True, exist_ok=True)
    if shell.output(["stat", "--file-system", "--format=%T", home]) == "tmpfs":
        raise CommandError(
            f"{home} is in memory (tmpfs), but containers need a disk: set XDG_CACHE_HOME to a folder on a disk"
        )
    with lock.held("machine", "start of an engine", wait=True):
        if _namespace_process(paths.NAME) is not None:
            return None
        machine.save_settings()
        # A killed engine leaves process IDs in these files. In the new process namespace these IDs belong to other
        # processes.
        shutil.rmtree(folder / "exec", ignore_errors=True)
        (folder / "docker.pid").unlink(missing_ok=True)
        (folder / "docker").mkdir(parents=True, exist_ok=True)
        (folder / "docker" / "config.json").write_text("{}")
        config = daemon_config(paths.NAME, docker.lacks_sys_resource())
        _config_file(paths.NAME).write_text(json.dumps(config, indent=1))
        return _launch()


def _launch() -> subprocess.Popen[bytes]:
    # In a new network namespace the loopback interface is down and nothing is forwarded. docker-init reaps
    # processes whose parent has ended.
    set_up = "ip link set lo up && echo 1 > /proc/sys/net/ipv4/ip_forward"
    script = f'{set_up} && exec docker-init -- dockerd --config-file "$0"'
    kinds = ["--net", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "--mount-proc"]
    with (paths.logs() / "dockerd.log").open("wb") as log:
        return subprocess.Popen(
            ["unshare", *kinds, "sh", "-c", script, str(_config_file(paths.NAME))],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # the engine outlives this command
            cwd="/",
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
        )


def _kill(name: str) -> None:
    init = _init(name)
    if init is not None:
        _end(init, signal.SIGTERM)  # dockerd stops its containers and cleans up its folders
    parent = _namespace_process(name)
    if parent is not None:
        _end(parent, signal.SIGKILL)


def _end(pid: int, how: int) -> None:
    """Sends the signal and waits until the process has ended, at most STOP_SECONDS."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        signal.pidfd_send_signal(handle, how)
        shell.wait_for_exit(handle, STOP_SECONDS)
    finally:
        os.close(handle)


def cgroups(name: str) -> list[Path]:
    """The engine's folders in all cgroup hierarchies."""
    root = Path("/sys/fs/cgroup")
    return [group for group in (*root.glob(name), *root.glob(f"*/{name}")) if group.is_dir()]


def _remove_cgroup(group: Path) -> None:
    for folder in sorted((path for path in group.rglob("*") if path.is_dir()), reverse=True):
        folder.rmdir()
    group.rmdir()
