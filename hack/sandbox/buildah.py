"""Builds images without Docker, on a machine whose engine is the sandbox's.

That engine cannot reach a package index. buildah runs outside of the sandbox, so it can reach one.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from hack import paths, shell
from hack.builder import Builder, secrets
from hack.sandbox import machine


@dataclass(frozen=True)
class Buildah(Builder):
    """Builds in the machine's network, and pushes in the engine's network. Images are in buildah's own store.

    Commands run in their own mount namespace, so the kernel removes the mounts of a command when the command ends.
    """

    inspect: ClassVar[tuple[str, ...]] = ("inspect", "--type", "image")

    @property
    def env(self) -> dict[str, str]:
        return {
            "BUILDAH_ISOLATION": "chroot",
            "DOCKER_CONFIG": str(paths.run_folder() / "docker"),
            "TMPDIR": str(paths.cache() / "tmp"),
        }

    def command(self, *argv: str | Path) -> list[str | Path]:
        (paths.cache() / "tmp").mkdir(parents=True, exist_ok=True)
        stores: list[str | Path] = ["--root", paths.cache() / "buildah", "--runroot", paths.run_folder() / "buildah"]
        return machine.isolated(["buildah", *stores, *argv])

    def load(self, archive: Path) -> None:
        self.run("pull", "--quiet", f"docker-archive:{archive}")

    def build(self, image: str, context: Path, dockerfile: Path, base: str) -> None:
        options = ["--layers", "--pull-never", "--network=host", "--timestamp=0", f"--build-arg=BASE={base}"]
        with secrets() as arguments:
            self.run("bud", *options, *arguments, "--tag", image, "--file", dockerfile, context)

    def push(self, image: str, address: str, name: str) -> None:
        push = self.command("push", "--tls-verify=false", "--disable-compression", image, f"docker://{address}/{name}")
        shell.run(self.engine.in_network(*push), "images", env=self.env)
