"""Our images: the product's and every example's, built only when something that goes into them changed, and pushed to the registry beside the cluster.

Each has two tags there: one made from its content, which `helm` is told, so that a change rolls the pods; and a fixed one, which manifests name.
"""

from __future__ import annotations

import json
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from hack import builders, lock, paths, registry, shell, toolbox
from hack.builders import Builder
from hack.engine import Engine, containers, nodes_label
from hack.steps import done, step

_LIST = paths.run() / "images.json"
_KINDS = ", ".join(
    f"application/vnd.{kind}+json" for kind in ("oci.image.manifest.v1", "docker.distribution.manifest.v2")
)
_ASK = f"""
import sys, urllib.request
for url in sys.argv[1:]:
    try:
        request = urllib.request.Request(url, method="HEAD", headers={{"Accept": "{_KINDS}"}})
        print(urllib.request.urlopen(request, timeout=20).headers["Docker-Content-Digest"])
    except OSError:
        print()
"""


@dataclass(frozen=True)
class Source:
    """What an image is made of. `inputs`: all that its Dockerfile copies. `fixed`: the tag that manifests name."""

    name: str
    context: Path
    inputs: tuple[Path, ...]
    fixed: str = "1"
    dockerfile: Path = Path("Dockerfile")  # as seen from the context

    @cached_property  # once: a change while it is built counts next time
    def key(self) -> str:
        return paths.digest(builders.BASE, *builders.BASE_PACKAGES, *self.inputs)


def product() -> Source:
    version = tomllib.loads((paths.ROOT / "pyproject.toml").read_text())["project"]["version"]
    inputs = tuple(
        paths.ROOT / part for part in ("Dockerfile", ".dockerignore", "requirements.lock", "operator/kindler")
    )
    return Source("kindler", paths.ROOT, inputs, version)


def example(folder: Path) -> Source:
    return Source(folder.name, folder, (folder,))


def coldserver() -> Source:
    """The cold start benchmark's server, built by Go beforehand."""
    toolbox.ensure("coldserver")
    home, folder = toolbox.TOOLS["coldserver"].home, paths.ROOT / "hack" / "coldserver"
    return Source("coldserver", home, (home, folder / "Dockerfile"), dockerfile=folder / "Dockerfile")


def sources() -> list[Source]:
    """The product and every folder of examples/ that has a Dockerfile."""
    return [product(), *(example(file.parent) for file in sorted((paths.ROOT / "examples").glob("*/Dockerfile")))]


def ensure(engine: Engine, wanted: Sequence[Source] | None = None) -> dict[str, str]:
    """Builds and pushes what is missing; answers with each image's name → its content tag, as nodes call it."""
    chosen = sources() if wanted is None else list(wanted)
    address = registry.push_address(engine, registry.OPEN)
    with lock.held("images", "build of images", wait=True):
        tags = _present(engine, address, chosen)
        stale = [
            source for source in chosen if tags[source.name][0] == "" or tags[source.name][0] != tags[source.name][1]
        ]
        if not stale:
            done(f"images: {', '.join(source.name for source in chosen)} (unchanged)")
        else:
            builder = builders.choose(engine)
            base = builder.base()
            for source in stale:
                _refresh(engine, builder, base, source, address, moved=tags[source.name][1] != "")
    names = _known() | {source.name: f"{registry.OPEN.address}/{source.name}:{source.key}" for source in chosen}
    _LIST.write_text(json.dumps(names, indent=1))
    return names


def _present(engine: Engine, address: str, chosen: Sequence[Source]) -> dict[str, tuple[str, str]]:
    """Name → the digests under its content tag and its fixed tag; empty where there is none."""
    urls = [
        f"http://{address}/v2/{source.name}/manifests/{tag}" for source in chosen for tag in (source.key, source.fixed)
    ]
    rows = shell.output([*engine.prefix, sys.executable, "-c", _ASK, *urls]).split("\n") + [""] * len(urls)
    return {source.name: (rows[2 * number], rows[2 * number + 1]) for number, source in enumerate(chosen)}


def _refresh(engine: Engine, builder: Builder, base: str, source: Source, address: str, *, moved: bool) -> None:
    with step(f"image {source.name}:{source.key}", "5 s; 1 min when its dependencies are new"):
        local = f"localhost/{source.name}:{source.key}"
        if not builder.has(local):
            builder.build(local, source.context, source.context / source.dockerfile, base)
        for tag in (source.key, source.fixed):
            builder.push(local, address, f"{source.name}:{tag}")
        if moved:
            _forget(engine, f"{registry.OPEN.address}/{source.name}:{source.fixed}")


def _forget(engine: Engine, image: str) -> None:
    """Nodes pull the image anew, though they have one of that name."""
    for node in containers(engine, nodes_label()):
        shell.succeeds(
            engine.command("exec", node, "ctr", "--namespace", "k8s.io", "images", "rm", image), env=engine.env
        )


def load(engine: Engine, image: str) -> str:
    """Pushes an image of the builder's store (the machine's Docker, or buildah's own) to the registry; answers with its name for nodes."""
    name = image.rpartition("/")[2]
    with step(f"image {image} to the registry", "2 s"):
        builders.choose(engine).push(image, registry.push_address(engine, registry.OPEN), name)
    return f"{registry.OPEN.address}/{name}"


def _known() -> dict[str, str]:
    try:
        return json.loads(_LIST.read_text())  # type: ignore[no-any-return]
    except FileNotFoundError:
        return {}


def tag(name: str) -> str:
    """The content tag under which the image was last pushed; empty when it was not."""
    return _known().get(name, "").rpartition(":")[2]
