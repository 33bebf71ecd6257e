"""The container engine: the machine's where one answers, else a dockerd of this checkout from Debian's packages, shut in namespaces of its own.

Our dockerd lives in its own network, mount and process namespace: it can reach nothing outside, and nothing of the machine's network is touched. The first
process of the process namespace is the engine's anchor: when it goes, the kernel ends all that was started inside and lets go of every mount and link.
It is found by looking for it, so that no file of ours can be wrong about it.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hack import lock, machine, paths, shell
from hack.steps import Trouble, done, step

# The engine; and what makes images for it, which reaches nothing outside itself.
PACKAGES = ("docker.io", "iptables", "conntrack", "runc", "iproute2", "mmdebstrap", "buildah")
START_SECONDS = REMOVE_SECONDS = 60


@dataclass(frozen=True)
class Engine:
    """`prefix`: put before a command, it runs in the engine's network. `env`: what docker and kind need. `restricted`: root lacks CAP_SYS_RESOURCE there."""

    own: bool
    docker: str
    prefix: tuple[str, ...]
    env: Mapping[str, str]
    cgroup_v1: bool
    restricted: bool

    def command(self, *argv: str | Path) -> list[str | Path]:
        """A docker command line."""
        return [self.docker, *argv]


def nodes_label(name: str = paths.NAME) -> str:
    """kind's label on the containers that are nodes of the checkout's cluster."""
    return f"io.x-k8s.kind.cluster={name}"


def _config(name: str) -> Path:
    return paths.runs() / name / "daemon.json"


def data(name: str) -> Path:
    """Where our engine keeps images and containers."""
    return paths.cache() / "engines" / name


def _outer(name: str) -> int | None:
    """The process that made the namespaces of the checkout's engine, and that takes them along when it is killed."""
    mark = str(_config(name)).encode()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if words[0] == b"unshare" and mark in words:
                return int(entry.name)
    return None


def _anchor(name: str) -> int | None:
    """The engine's first process, seen from outside."""
    outer = _outer(name)
    if outer is None:
        return None
    try:
        children = Path(f"/proc/{outer}/task/{outer}/children").read_text().split()
    except OSError:
        return None
    return int(children[0]) if children else None


def _ours(name: str, anchor: int) -> Engine:
    socket = f"unix://{paths.runs() / name}/docker.sock"
    folder = paths.runs() / name
    env = {"DOCKER_HOST": socket, "DOCKER_CONFIG": str(folder / "docker"), "DOCKER_BUILDKIT": "0", "DOCKER_CONTEXT": ""}
    return Engine(
        own=True,
        docker="/usr/bin/docker",
        prefix=("nsenter", "--target", str(anchor), "--net"),
        env=env,
        cgroup_v1=machine.cgroup_v1(),
        restricted=machine.lacks_sys_resource(),
    )


def containers(engine: Engine, label: str, *, also_ended: bool = False) -> list[str]:
    """Names of the containers that carry `label` (KEY=VALUE)."""
    every = ["--all"] if also_ended else []
    return shell.output(
        engine.command("ps", *every, "--filter", f"label={label}", "--format", "{{.Names}}"), env=engine.env
    ).split()


def remove(engine: Engine, label: str) -> None:
    """Removes the containers that carry `label` and waits until they are gone: a removal that a killed command began may still go on."""
    deadline = time.monotonic() + REMOVE_SECONDS
    while names := containers(engine, label, also_ended=True):
        if time.monotonic() > deadline:
            raise Trouble(f"containers are still there after {REMOVE_SECONDS} s: {' '.join(names)}")
        if not shell.succeeds(engine.command("rm", "--force", "--volumes", *names), env=engine.env):
            time.sleep(0.5)


def find(name: str = paths.NAME) -> Engine | None:
    """The engine that is up: ours if it runs, else the machine's if one answers (a bare client without an engine doesn't)."""
    anchor = _anchor(name)
    if anchor is not None:
        return _ours(name, anchor)
    docker = shutil.which("docker")
    if docker is None:
        return None
    try:
        version = shell.output([docker, "info", "--format", "{{.CgroupVersion}}"], timeout=20)
    except Trouble:
        return None
    env = {"DOCKER_BUILDKIT": "1"}
    return Engine(
        own=False, docker=docker, prefix=(), env=env, cgroup_v1=version == "1", restricted=machine.lacks_sys_resource()
    )


def up() -> Engine:
    """The engine that is to be used from now on; ours is started where none answers."""
    found = find()
    if found is not None and (not found.own or answers(found)):
        version = shell.output(found.command("version", "--format", "{{.Server.Version}}"), env=found.env)
        done(f"engine: {'this checkout’s own Docker' if found.own else 'this machine’s Docker'} {version} answers")
        return found
    if platform.system() != "Linux" or os.geteuid() != 0:
        raise Trouble(
            "no container engine answers (`docker info` fails): start Docker and try again (as root on Debian, one is set up for you)"
        )
    machine.need(*PACKAGES)
    with step(
        "engine: none answers on this machine, so Docker of Debian’s packages starts in namespaces of its own", "2 s"
    ):
        return _start()


def answers(engine: Engine) -> bool:
    """Whether the engine takes orders."""
    return shell.succeeds(engine.command("info"), env=engine.env, timeout=20)


def _start() -> Engine:
    process = _launch_once()
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and not (process and process.poll() is not None):
        anchor = _anchor(paths.NAME)
        if anchor is not None and answers(engine := _ours(paths.NAME, anchor)):
            return engine
        time.sleep(0.2)
    _kill(paths.NAME)
    raise Trouble(f"dockerd did not start; see {paths.logs() / 'dockerd.log'}")


def _launch_once() -> subprocess.Popen[bytes] | None:
    """Starts dockerd, unless a killed command has just done so. Under the lock, so that no other checkout puts the machine back meanwhile."""
    home, folder = data(paths.NAME), paths.run()
    home.mkdir(parents=True, exist_ok=True)
    if shell.output(["stat", "--file-system", "--format=%T", home]) == "tmpfs":
        raise Trouble(
            f"{home} lies in memory (tmpfs), where containers cannot lie: set XDG_CACHE_HOME to a folder on a disk"
        )
    with lock.held("machine", "start of an engine", wait=True):
        if _outer(paths.NAME) is not None:
            return None
        machine.remember()
        # An engine that was killed leaves process numbers behind, which mean others in the new process namespace.
        shutil.rmtree(folder / "exec", ignore_errors=True)
        (folder / "docker.pid").unlink(missing_ok=True)
        (folder / "docker").mkdir(parents=True, exist_ok=True)
        (folder / "docker" / "config.json").write_text("{}")
        _config(paths.NAME).write_text(json.dumps(daemon_config(paths.NAME, machine.lacks_sys_resource()), indent=1))
        return _launch()


def _launch() -> subprocess.Popen[bytes]:
    # The new network's loopback is down and its packets are not forwarded until somebody says so. docker-init reaps orphans.
    script = (
        'ip link set lo up && echo 1 > /proc/sys/net/ipv4/ip_forward && exec docker-init -- dockerd --config-file "$0"'
    )
    spaces = [
        "unshare",
        "--net",
        "--mount",
        "--propagation",
        "private",
        "--pid",
        "--fork",
        "--kill-child",
        "--mount-proc",
    ]
    with (paths.logs() / "dockerd.log").open("wb") as log:
        return subprocess.Popen(
            [*spaces, "sh", "-c", script, str(_config(paths.NAME))],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # it outlives this command
            cwd="/",
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
        )


def daemon_config(name: str, restricted: bool) -> dict[str, object]:
    """dockerd's own settings. `restricted`: see hack/node/runc-restricted."""
    folder = paths.runs() / name
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
        config |= {
            "runtimes": {"restricted": {"path": str(paths.ROOT / "hack" / "node" / "runc-restricted")}},
            "default-runtime": "restricted",
        }
    return config


def down(name: str = paths.NAME) -> None:
    """Ends the checkout's own engine with all that runs in it, and puts the machine back when it was the last."""
    _kill(name)
    for group in cgroups(name):
        _remove_cgroup(group)
    shutil.rmtree(paths.runs() / name, ignore_errors=True)
    if paths.runs().exists():
        with lock.held("machine", "end of an engine", wait=True):
            if not any(_outer(other.name) for other in paths.runs().iterdir() if other.is_dir()):
                machine.restore()
                if not os.listdir(paths.runs()):
                    paths.runs().rmdir()


def _kill(name: str) -> None:
    anchor = _anchor(name)
    if anchor is not None:
        _end(anchor, signal.SIGTERM, 15)  # dockerd stops its containers and tidies its folders
    outer = _outer(name)
    if outer is not None:
        _end(outer, signal.SIGKILL, 15)


def _end(pid: int, how: int, seconds: float) -> None:
    """Sends the signal and waits until the process is gone, at most `seconds`."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        signal.pidfd_send_signal(handle, how)
        shell.gone(handle, seconds)
    finally:
        os.close(handle)


def cgroups(name: str) -> list[Path]:
    """The engine's folders in every cgroup hierarchy."""
    return [
        group
        for group in (*Path("/sys/fs/cgroup").glob(name), *Path("/sys/fs/cgroup").glob(f"*/{name}"))
        if group.is_dir()
    ]


def _remove_cgroup(group: Path) -> None:
    for folder in sorted((path for path in group.rglob("*") if path.is_dir()), reverse=True):
        folder.rmdir()
    group.rmdir()
