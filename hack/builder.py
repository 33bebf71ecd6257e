"""Builds images with Docker, from the same Dockerfiles that users build.

Here: `docker build`, and how pip's settings and certificates reach a build. Not here: which images there are
(images.py), and builds without Docker (sandbox/buildah.py, a subclass).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from hack import paths, shell
from hack.docker import Engine

BASE = "docker.io/library/python:3.13-slim"
# An image of these packages replaces BASE where BASE cannot be pulled; see sandbox/pythonbase.py. BASE and these names
# are part of the digests of our images.
BASE_PACKAGES = ("python3", "python3-venv", "ca-certificates")
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
# The settings of pip that are also valid inside a build, because they contain no path of this machine.
_PIP_SETTINGS = ("index-url", "extra-index-url", "proxy", "trusted-host", "timeout", "default-timeout", "retries")


def pip_settings(listing: str) -> str:
    """The pip.conf for builds, in one section. If several lines of `listing` have the same key, the last one counts.

    `listing`: the output of `pip config list`, with lines of the form `section.key='value'`.
    """
    values: dict[str, str] = {}
    for line in listing.splitlines():
        name, _, value = line.partition("=")
        key = name.rpartition(".")[2]
        if key in _PIP_SETTINGS:
            values[key] = value.strip("'")
    return "[global]\n" + "".join(f"{key} = {value}\n" for key, value in sorted(values.items()))


def certificates() -> Path | None:
    """The machine's file of trusted certificate authorities, if it has one."""
    named = [os.environ.get(name, "") for name in ("PIP_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")]
    return next((Path(name) for name in [*named, CERTIFICATES] if name and Path(name).is_file()), None)


@contextmanager
def secrets() -> Iterator[list[str]]:
    """Arguments that give pip's settings and certificates to a build as secrets: the image does not keep them."""
    pip = [sys.executable, "-m", "pip", "config", "list"]
    with paths.scratch("secrets") as folder:
        settings = pip_settings(shell.output(pip) if shell.succeeds(pip) else "")
        bundle = certificates()
        if bundle is not None:
            settings += f"cert = {CERTIFICATES}\n"
        (folder / "pip.conf").write_text(settings)
        arguments = [f"--secret=id=pip,src={folder / 'pip.conf'}"]
        yield arguments + ([f"--secret=id=certificates,src={bundle}"] if bundle else [])


@dataclass(frozen=True)
class Builder:
    """Builds with Docker. Names of images are `localhost/NAME:TAG`; `address` is HOST:PORT of the registry."""

    engine: Engine

    inspect: ClassVar[tuple[str, ...]] = ("image", "inspect")

    @property
    def env(self) -> dict[str, str]:
        return dict(self.engine.env)

    def command(self, *argv: str | Path) -> list[str | Path]:
        return self.engine.command(*argv)

    def run(self, *argv: str | Path) -> None:
        shell.run(self.command(*argv), "images", env=self.env)

    def has(self, image: str) -> bool:
        return shell.succeeds(self.command(*self.inspect, image), env=self.env)

    def pull(self, image: str) -> bool:
        """Pulls the image from its registry. Returns False if that fails."""
        return shell.succeeds(self.command("pull", "--quiet", image), env=self.env, timeout=600)

    def load(self, archive: Path) -> None:
        """Takes the images of a docker archive into the builder's store."""
        self.run("load", "--input", archive)

    def build(self, image: str, context: Path, dockerfile: Path, base: str) -> None:
        proxies = [f"--build-arg={name}" for name in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY") if name in os.environ]
        options = ["--build-arg", f"BASE={base}", *proxies]
        with secrets() as arguments:
            self.run("build", *options, *arguments, "--tag", image, "--file", dockerfile, context)

    def push(self, image: str, address: str, name: str) -> None:
        self.run("tag", image, f"{address}/{name}")
        self.run("push", f"{address}/{name}")
