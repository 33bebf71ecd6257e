"""Our images: the product's and those of the examples. Builds what has changed and pushes it to the open registry.

Each image has two tags there. The content tag changes when the image's files change: helm uses it, so that a change
replaces the pods. The fixed tag does not change with the files: manifests use it.
"""

from __future__ import annotations

import json
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from hack import builder as builders
from hack import engine as engines
from hack import lock, paths, registry, shell
from hack.builder import Builder
from hack.docker import Engine, nodes_label
from hack.steps import done, step

_PUSHED = paths.run_folder() / "images.json"
_MANIFESTS = ("oci.image.manifest.v1", "docker.distribution.manifest.v2")
_ACCEPT = ", ".join(f"application/vnd.{kind}+json" for kind in _MANIFESTS)
# A program that prints the digest of each manifest, or an empty line if there is no manifest. It is a separate program,
# because it runs in the engine's network.
_DIGESTS = f"""
import sys, urllib.request
for url in sys.argv[1:]:
    try:
        request = urllib.request.Request(url, method="HEAD", headers={{"Accept": "{_ACCEPT}"}})
        print(urllib.request.urlopen(request, timeout=20).headers["Docker-Content-Digest"])
    except OSError:
        print()
"""


@dataclass(frozen=True)
class Source:
    """What an image is built from.

    `inputs`: a change of one of these files or folders changes the content tag. They include the Dockerfile and all
    that it copies. `fixed`: the tag that manifests name.
    """

    name: str
    context: Path
    inputs: tuple[Path, ...]
    fixed: str = "1"
    dockerfile: Path = Path("Dockerfile")  # relative to the context

    @cached_property  # computed once: a change of a file during the build changes the tag of the next build
    def key(self) -> str:
        """The content tag."""
        return paths.digest(builders.BASE, *builders.BASE_PACKAGES, *self.inputs)


def product() -> Source:
    version = tomllib.loads((paths.ROOT / "pyproject.toml").read_text())["project"]["version"]
    names = ("Dockerfile", ".dockerignore", "requirements.lock", "operator/kindler")
    return Source("kindler", paths.ROOT, tuple(paths.ROOT / name for name in names), version)


def example(folder: Path) -> Source:
    return Source(folder.name, folder, (folder,))


def sources() -> list[Source]:
    """The product, and every folder of examples/ that has a Dockerfile."""
    return [product(), *(example(file.parent) for file in sorted((paths.ROOT / "examples").glob("*/Dockerfile")))]


def ensure(engine: Engine, required: Sequence[Source] | None = None) -> dict[str, str]:
    """Builds and pushes the images that have changed. Returns name → `localhost:5000/NAME:TAG`, also of unchanged ones.

    `required`: the images to examine; None: all `sources()`.
    """
    chosen = sources() if required is None else list(required)
    address = registry.push_address(engine, registry.OPEN)
    with lock.held("images", "build of images", wait=True):
        digests = _pushed_digests(engine, address, chosen)
        stale = [source for source in chosen if not _is_current(*digests[source.name])]
        if stale:
            builder = engines.builder(engine)
            base = engines.base_image(builder)
            for source in stale:
                replaces = digests[source.name][1] != ""
                _build_and_push(engine, builder, base, source, address, replaces=replaces)
        else:
            done(f"images: {', '.join(source.name for source in chosen)} (unchanged)")
    names = _pushed() | {source.name: f"{registry.OPEN.address}/{source.name}:{source.key}" for source in chosen}
    _PUSHED.write_text(json.dumps(names, indent=1))
    return names


def _pushed_digests(engine: Engine, address: str, chosen: Sequence[Source]) -> dict[str, tuple[str, str]]:
    """Image name → the digests under its content tag and its fixed tag; an empty text for a missing tag."""
    urls = [
        f"http://{address}/v2/{source.name}/manifests/{tag}" for source in chosen for tag in (source.key, source.fixed)
    ]
    printed = shell.output(engine.in_network(sys.executable, "-c", _DIGESTS, *urls))
    rows = printed.split("\n") + [""] * len(urls)
    return {source.name: (rows[2 * number], rows[2 * number + 1]) for number, source in enumerate(chosen)}


def _is_current(by_content: str, by_fixed_tag: str) -> bool:
    return by_content != "" and by_content == by_fixed_tag


def _build_and_push(
    engine: Engine, builder: Builder, base: str, source: Source, address: str, *, replaces: bool
) -> None:
    """Builds the image unless the builder has it, and pushes it under both tags.

    `replaces`: the fixed tag named another image before, which the nodes must remove.
    """
    with step(f"image {source.name}:{source.key}", "5 s; 1 min with new dependencies"):
        local = f"localhost/{source.name}:{source.key}"
        if not builder.has(local):
            builder.build(local, source.context, source.context / source.dockerfile, base)
        for tag in (source.key, source.fixed):
            builder.push(local, address, f"{source.name}:{tag}")
        if replaces:
            _remove_from_nodes(engine, f"{registry.OPEN.address}/{source.name}:{source.fixed}")


def _remove_from_nodes(engine: Engine, image: str) -> None:
    """Removes the old image from the nodes. Otherwise a node would continue to use it under this name."""
    for node in engine.containers(nodes_label()):
        engine.succeeds("exec", node, "ctr", "--namespace", "k8s.io", "images", "rm", image)


def load(engine: Engine, image: str) -> str:
    """Pushes an image of the builder's store to the open registry. Returns the name with which nodes pull it.

    The store belongs to the machine's Docker, or in a sandbox to buildah.
    """
    name = image.rpartition("/")[2]
    with step(f"push of image {image} to the registry", "2 s"):
        engines.builder(engine).push(image, registry.push_address(engine, registry.OPEN), name)
    return f"{registry.OPEN.address}/{name}"


def _pushed() -> dict[str, str]:
    try:
        return json.loads(_PUSHED.read_text())  # type: ignore[no-any-return]
    except FileNotFoundError:
        return {}


def tag(name: str) -> str:
    """The content tag under which the image was last pushed; an empty text if it was never pushed."""
    return _pushed().get(name, "").rpartition(":")[2]
