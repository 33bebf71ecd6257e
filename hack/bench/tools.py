"""The benchmarks' own programs in Go. Standard library only, because it runs before `.venv` exists."""

from __future__ import annotations

from hack import paths, toolbox
from hack.images import Source
from hack.toolbox import Tool

COLDSERVER = Tool(
    "coldserver",
    "example.invalid/coldserver",
    {"coldserver": "."},
    "5 s",
    for_linux=True,
    folder="bench/coldstart/server",
)
WARM = Tool("bench-warm", "example.invalid/bench-warm", {"bench-warm": "."}, "5 s", folder="bench/warm/go")

TOOLS = (COLDSERVER, WARM)


def coldserver_image() -> Source:
    """The image of the cold start benchmark's model server. Builds the program first, because the image contains it."""
    toolbox.ensure(COLDSERVER)
    dockerfile = paths.ROOT / "hack" / COLDSERVER.folder / "Dockerfile"
    return Source("coldserver", COLDSERVER.home, (COLDSERVER.home, dockerfile), dockerfile=dockerfile)
