"""The base of our images if python:3.13-slim cannot be pulled: Python from Debian packages."""

from __future__ import annotations

from hack import archive, paths
from hack.builder import BASE_PACKAGES, Builder
from hack.sandbox import debian


def name() -> str:
    return f"localhost/kindler-python:{debian.key('python', BASE_PACKAGES)}"


def make(builder: Builder) -> None:
    """Creates the image in the builder's store."""
    root = debian.base("python", BASE_PACKAGES)
    with paths.scratch("base") as folder:
        archive.write(folder / "image.tar", [archive.Image([name()], {}, base=root)], folder)
        builder.load(folder / "image.tar")
