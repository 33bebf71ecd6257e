"""Two ways to build the same Dockerfile: the machine's Docker, or buildah, whose builds reach the package index while our own engine reaches nothing."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from hack import archive, debian, machine, paths, shell
from hack.engine import Engine
from hack.steps import done

BASE = "docker.io/library/python:3.13-slim"
BASE_PACKAGES = ("python3", "python3-venv", "ca-certificates")
_CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
# Of pip's settings, those that still mean something in another file system.
_PIP_SETTINGS = ("index-url", "extra-index-url", "proxy", "trusted-host", "timeout", "default-timeout", "retries")


def pip_settings(listing: str) -> str:
    """The pip.conf for builds out of what `pip config list` says: `section.key='value'`, later sections win."""
    values: dict[str, str] = {}
    for line in listing.splitlines():
        name, _, value = line.partition("=")
        key = name.rpartition(".")[2]
        if key in _PIP_SETTINGS:
            values[key] = value.strip("'")
    return "[global]\n" + "".join(f"{key} = {value}\n" for key, value in sorted(values.items()))


def certificates() -> Path | None:
    """The machine's bundle of certificate authorities, where it has one."""
    named = [os.environ.get(name, "") for name in ("PIP_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")]
    return next((Path(name) for name in [*named, _CERTIFICATES] if name and Path(name).is_file()), None)


@contextmanager
def secrets() -> Iterator[list[str]]:
    """The arguments that hand pip's settings and certificates to a build without leaving them in the image."""
    pip = [sys.executable, "-m", "pip", "config", "list"]
    with paths.scratch("secrets") as folder:
        settings = pip_settings(shell.output(pip) if shell.succeeds(pip) else "")
        bundle = certificates()
        if bundle is not None:
            settings += f"cert = {_CERTIFICATES}\n"
        (folder / "pip.conf").write_text(settings)
        arguments = [f"--secret=id=pip,src={folder / 'pip.conf'}"]
        yield arguments + ([f"--secret=id=certificates,src={bundle}"] if bundle else [])


@dataclass(frozen=True)
class Builder:
    """Names of images are `localhost/NAME:TAG`; `push` takes the registry's address in the engine's network."""

    engine: Engine

    def run(self, *words: str | Path) -> None:
        shell.run(self.command(*words), "images", env=self.env)

    def has(self, image: str) -> bool:
        return shell.succeeds(self.command(*self.inspect, image), env=self.env)

    @property
    def env(self) -> dict[str, str]:
        return dict(self.engine.env)

    inspect: ClassVar[tuple[str, ...]] = ("image", "inspect")

    def command(self, *words: str | Path) -> list[str | Path]:
        return self.engine.command(*words)

    def build(self, image: str, context: Path, dockerfile: Path, base: str) -> None:
        proxies = [f"--build-arg={name}" for name in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY") if name in os.environ]
        with secrets() as given:
            self.run(
                "build", "--build-arg", f"BASE={base}", *proxies, *given, "--tag", image, "--file", dockerfile, context
            )

    def push(self, image: str, address: str, name: str) -> None:
        self.run("tag", image, f"{address}/{name}")
        self.run("push", f"{address}/{name}")

    def take(self, file: Path) -> None:
        self.run("load", "--input", file)

    def base(self) -> str:
        """The image that ours are built on: Python's own where it can be had, else made of Debian's packages."""
        made = f"localhost/kindler-python:{debian.key('python', BASE_PACKAGES)}"
        for image in (BASE, made):
            if self.has(image):
                return image
        if shell.succeeds(self.command("pull", "--quiet", BASE), env=self.env, timeout=600):
            return BASE
        done(f"base of images: {BASE} cannot be pulled here, so it is made of Debian’s packages")
        root = debian.base("python", BASE_PACKAGES)
        with paths.scratch("base") as folder:
            archive.write(folder / "image.tar", [archive.Image([made], {}, base=root)], folder)
            self.take(folder / "image.tar")
        return made


@dataclass(frozen=True)
class Buildah(Builder):
    """Builds in the machine's network and pushes in the engine's; its store is ours, its mounts live as long as a command."""

    inspect: ClassVar[tuple[str, ...]] = ("inspect", "--type", "image")

    @property
    def env(self) -> dict[str, str]:
        return {
            "BUILDAH_ISOLATION": "chroot",
            "DOCKER_CONFIG": str(paths.run() / "docker"),
            "TMPDIR": str(paths.cache() / "tmp"),
        }

    def command(self, *words: str | Path) -> list[str | Path]:
        (paths.cache() / "tmp").mkdir(parents=True, exist_ok=True)
        return machine.isolated(
            ["buildah", "--root", paths.cache() / "buildah", "--runroot", paths.run() / "buildah", *words]
        )

    def build(self, image: str, context: Path, dockerfile: Path, base: str) -> None:
        options = ["--layers", "--pull-never", "--network=host", "--timestamp=0", f"--build-arg=BASE={base}"]
        with secrets() as given:
            self.run("bud", *options, *given, "--tag", image, "--file", dockerfile, context)

    def push(self, image: str, address: str, name: str) -> None:
        push = self.command("push", "--tls-verify=false", "--disable-compression", image, f"docker://{address}/{name}")
        shell.run([*self.engine.prefix, *push], "images", env=self.env)

    def take(self, file: Path) -> None:
        self.run("pull", "--quiet", f"docker-archive:{file}")


def choose(engine: Engine) -> Builder:
    """Docker's builder where the engine is the machine's, else buildah."""
    return Buildah(engine) if engine.own else Builder(engine)
