"""Writes container images from files, without an engine or a pulled base image. The same input gives the same bytes.

The result is a docker archive, which `docker load` and `ctr images import` read. The registry's image is always made
this way. In a sandbox, the control plane's images and the base of our images are also made this way.
"""

from __future__ import annotations

import hashlib
import io
import json
import platform
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
_EPOCH = "1970-01-01T00:00:00Z"


@dataclass(frozen=True)
class Image:
    """What an image contains.

    `files`: path in the image → content, or a file on this machine. `links`: path → target of the symbolic link.
    `base`: the tar of a root file system, as the lowest layer.
    """

    tags: Sequence[str]
    files: Mapping[str, Path | bytes]
    entrypoint: Sequence[str] = ()
    links: Mapping[str, str] = field(default_factory=dict)
    base: Path | None = None


def write(target: Path, images: Sequence[Image], scratch: Path) -> None:
    """Writes the archive. `scratch`: a folder for the layers until the archive is complete."""
    entries, written = [], set()
    with tarfile.open(target, "w") as archive:
        for number, image in enumerate(images):
            layers = [image.base] if image.base else []
            if image.files or image.links:
                layers.append(_layer(scratch / f"{number}.tar", image))
            sums = [_sha256(layer) for layer in layers]
            for layer, checksum in zip(layers, sums, strict=True):
                if checksum not in written:
                    written.add(checksum)
                    _add(archive, f"{checksum}/layer.tar", layer, 0o644)
            config = json.dumps(_config(image, sums)).encode()
            name = f"{hashlib.sha256(config).hexdigest()}.json"
            _add(archive, name, config, 0o644)
            paths = [f"{checksum}/layer.tar" for checksum in sums]
            entries.append({"Config": name, "RepoTags": list(image.tags), "Layers": paths})
        _add(archive, "manifest.json", json.dumps(entries).encode(), 0o644)


def _config(image: Image, sums: Sequence[str]) -> dict[str, object]:
    return {
        "architecture": _ARCHITECTURES.get(platform.machine(), platform.machine()),
        "os": "linux",
        "created": _EPOCH,
        "history": [{"created": _EPOCH}] * len(sums),  # buildah rejects an image with fewer entries than layers
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{checksum}" for checksum in sums]},
        "config": {
            "Entrypoint": list(image.entrypoint) or None,
            "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
            "WorkingDir": "/",
        },
    }


def _layer(target: Path, image: Image) -> Path:
    names = sorted({*image.files, *image.links})
    folders = {str(parent) for name in names for parent in Path(name.strip("/")).parents if str(parent) != "."}
    with tarfile.open(target, "w") as layer:
        for folder in sorted(folders):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            layer.addfile(entry)
        for name in names:
            if name in image.links:
                entry = tarfile.TarInfo(name.strip("/"))
                entry.type, entry.linkname = tarfile.SYMTYPE, image.links[name]
                layer.addfile(entry)
            else:
                _add(layer, name.strip("/"), image.files[name], 0o755)
    return target


def _add(archive: tarfile.TarFile, name: str, content: Path | bytes, mode: int) -> None:
    entry = tarfile.TarInfo(name)
    entry.mode = mode
    if isinstance(content, bytes):
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    else:
        entry.size = content.stat().st_size
        with content.open("rb") as source:
            archive.addfile(entry, source)


def _sha256(file: Path) -> str:
    with file.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()
