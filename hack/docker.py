"""One Docker engine: how to call it, and which containers and images it has.

Here: what the machine's own Docker and the Docker of the sandbox have in common, and how to find the machine's own.
Not here: the choice between these two (engine.py).
"""

from __future__ import annotations

import platform
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hack import paths, shell
from hack.steps import CommandError

REMOVE_SECONDS = 60
_CAP_SYS_RESOURCE = 24


@dataclass(frozen=True)
class Engine:
    """A Docker engine that is up, or was up a moment ago.

    `docker`: path of the client. `env`: environment variables of docker and kind. `sandboxed`: the engine is this
    checkout's own, in namespaces (hack/sandbox); `prefix` then runs a command in its network. `restricted`: root lacks
    CAP_SYS_RESOURCE on this machine.
    """

    docker: str
    env: Mapping[str, str]
    cgroup_v1: bool
    restricted: bool
    sandboxed: bool = False
    prefix: tuple[str, ...] = ()

    def command(self, *argv: str | Path) -> list[str | Path]:
        """The command line of a docker command."""
        return [self.docker, *argv]

    def in_network(self, *argv: str | Path) -> list[str | Path]:
        """The command line that runs a command in the network of the engine's containers."""
        return [*self.prefix, *argv]

    def run(self, *argv: str | Path, log: str) -> None:
        """Runs a docker command with its output in a log file. Raises CommandError."""
        shell.run(self.command(*argv), log, env=self.env)

    def output(self, *argv: str | Path, stdin: str | None = None) -> str:
        """The output of a docker command. Raises CommandError."""
        return shell.output(self.command(*argv), env=self.env, stdin=stdin)

    def succeeds(self, *argv: str | Path, timeout: float = 60) -> bool:
        return shell.succeeds(self.command(*argv), env=self.env, timeout=timeout)

    def responds(self) -> bool:
        return self.succeeds("info", timeout=20)

    def has_image(self, image: str) -> bool:
        return self.succeeds("image", "inspect", image)

    def containers(self, label: str, *, stopped_too: bool = False) -> list[str]:
        """Names of the running containers with `label` (KEY=VALUE); with `stopped_too`, also of the stopped ones."""
        every = ["--all"] if stopped_too else []
        return self.output("ps", *every, "--filter", f"label={label}", "--format", "{{.Names}}").split()

    def remove_containers(self, label: str) -> None:
        """Removes the containers with `label` and waits until none of them exists any more.

        A command that was killed may have left a removal in progress. Therefore this repeats the removal until no
        container is left.
        """
        deadline = time.monotonic() + REMOVE_SECONDS
        while names := self.containers(label, stopped_too=True):
            if time.monotonic() > deadline:
                raise CommandError(f"Docker has not removed these containers in {REMOVE_SECONDS} s: {' '.join(names)}")
            if not self.succeeds("rm", "--force", "--volumes", *names):
                time.sleep(0.5)


def find() -> Engine | None:
    """The machine's own Docker, if it responds. None if the machine has no Docker, or only a docker client."""
    docker = shutil.which("docker")
    if docker is None:
        return None
    try:
        version = shell.output([docker, "info", "--format", "{{.CgroupVersion}}"], timeout=20)
    except CommandError:
        return None
    return Engine(docker, {"DOCKER_BUILDKIT": "1"}, cgroup_v1=version == "1", restricted=lacks_sys_resource())


def nodes_label(name: str = paths.NAME) -> str:
    """The label that kind puts on the containers that are nodes of the checkout's cluster."""
    return f"io.x-k8s.kind.cluster={name}"


def lacks_sys_resource(status: str | None = None) -> bool:
    """Whether root lacks CAP_SYS_RESOURCE on this machine, as in some sandboxes.

    Without this capability, no process may raise its resource limits, and privileged containers need special settings.
    `status`: the text of /proc/self/status.
    """
    if status is None and platform.system() != "Linux":
        return False
    text = status if status is not None else Path("/proc/self/status").read_text()
    bounds = next(line.split()[1] for line in text.splitlines() if line.startswith("CapBnd:"))
    return not int(bounds, 16) >> _CAP_SYS_RESOURCE & 1
