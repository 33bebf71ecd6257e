"""The image of the nodes if kind's own image cannot be pulled: Debian packages, kind's files and our programs."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from hack import archive, paths, toolbox
from hack.docker import Engine
from hack.sandbox import debian
from hack.sandbox.nodetools import CNI, CONTAINERD, COREDNS, ETCD, KUBERNETES, PAUSE
from hack.steps import done, step

PACKAGES = (
    *("systemd", "systemd-sysv", "conntrack", "iptables", "nftables", "iproute2", "ethtool", "util-linux", "mount"),
    *("kmod", "libseccomp2", "ebtables", "socat", "e2fsprogs", "bash", "ca-certificates", "curl", "jq", "procps"),
    "runc",
)
PROXY_PACKAGES = ("iptables", "conntrack", "nftables")
KIND, KUBECTL = toolbox.TOOLS["kind"], toolbox.TOOLS["kubectl"]
PARTS = (KUBERNETES, KUBECTL, ETCD, CONTAINERD, CNI, COREDNS, PAUSE)
# kubeadm of KUBERNETES.version expects these tags. The images with these tags contain our own builds.
ETCD_TAG, COREDNS_TAG, PAUSE_TAGS = "3.7.0-0", "v1.14.6", ("3.10", "3.10.2")
DOCKERFILE = paths.ROOT / "hack" / "sandbox" / "node" / "Dockerfile"
_REGISTRY = "registry.k8s.io"
_BUILDER = "kindler-node-build"

# Imports the control plane's images into the containerd of the node image.
_IMPORT = """set -e
    containerd > /tmp/containerd.log 2>&1 & server=$!
    for _ in $(seq 100); do ctr version > /dev/null 2>&1 && break; sleep 0.1; done
    ctr --namespace k8s.io images import --label=io.cri-containerd.pinned=pinned --no-unpack --digests /images.tar
    kill $server; wait $server || true; rm -rf /tmp/containerd.log /run/containerd"""


def key() -> str:
    """A key of the image. It changes when any part of the image changes."""
    tags = (ETCD_TAG, COREDNS_TAG, *PAUSE_TAGS)
    return paths.digest(DOCKERFILE, *PACKAGES, *tags, *(tool.home.name for tool in PARTS), KIND.home.name)


def ensure(engine: Engine) -> str:
    """Returns the image's name. Builds the image if the engine does not have it."""
    name = f"localhost/kindler-node:{key()}"
    if engine.has_image(name):
        done("node image: already built")
        return name
    done("node image: kind’s own image cannot be pulled here, so one is built")
    toolbox.ensure(*PARTS)
    root = debian.base("nodes", PACKAGES)
    proxy = debian.base("kube-proxy", PROXY_PACKAGES, variant="extract")
    with step("node image", "20 s"), paths.scratch("node") as folder:
        _write_context(folder / "context")
        images = folder / "images.tar"
        archive.write(images, control_plane(proxy), folder)
        engine.run("import", root, "localhost/kindler-node-base", log="node-image")
        engine.run("build", "--tag", "localhost/kindler-node-empty", folder / "context", log="node-image")
        _import_images(engine, images, name)
    return name


def _write_context(folder: Path) -> None:
    """Writes the build context of node/Dockerfile into the folder."""
    shutil.copytree(toolbox.module_folder(KIND) / "images" / "base" / "files", folder / "files")
    for file in folder.rglob("*"):  # Go makes the files of modules read-only
        file.chmod(file.stat().st_mode | 0o200)
    shutil.copy(DOCKERFILE, folder)
    (folder / "version").write_text(KUBERNETES.version)
    for target, tool, programs in (
        ("local", CONTAINERD, CONTAINERD.programs),
        ("bin", KUBERNETES, ("kubeadm", "kubelet")),
        ("bin", KUBECTL, ("kubectl",)),
        ("cni", CNI, CNI.programs),
    ):
        (folder / target).mkdir(exist_ok=True)
        for program in programs:
            os.link(tool.path(program), folder / target / program)


def control_plane(proxy: Path) -> list[archive.Image]:
    """The images that kubeadm's manifests name. Each contains one program that we built.

    kube-proxy also needs iptables: `proxy` is the tar of a file system with iptables.
    """

    def kubernetes(program: str, base: Path | None = None, links: dict[str, str] | None = None) -> archive.Image:
        path = f"/usr/local/bin/{program}"
        tags = [f"{_REGISTRY}/{program}:{KUBERNETES.version}"]
        return archive.Image(tags, {path: KUBERNETES.path(program)}, [path], links or {}, base)

    families, forms = ("iptables", "ip6tables"), ("", "-save", "-restore")
    iptables = {f"/usr/sbin/{family}{form}": "xtables-nft-multi" for family in families for form in forms}
    pause_tags = [f"{_REGISTRY}/pause:{tag}" for tag in PAUSE_TAGS]
    return [
        *(kubernetes(program) for program in ("kube-apiserver", "kube-controller-manager", "kube-scheduler")),
        kubernetes("kube-proxy", proxy, iptables),
        archive.Image([f"{_REGISTRY}/etcd:{ETCD_TAG}"], {"/usr/local/bin/etcd": ETCD.path()}),
        archive.Image([f"{_REGISTRY}/coredns/coredns:{COREDNS_TAG}"], {"/coredns": COREDNS.path()}, ["/coredns"]),
        archive.Image(pause_tags, {"/pause": PAUSE.path()}, ["/pause"]),
    ]


def _import_images(engine: Engine, images: Path, name: str) -> None:
    """Imports the control plane's images into the node image, and tags the result as `name`."""
    remove = ("rm", "--force", "--volumes", _BUILDER)
    engine.succeeds(*remove)
    options = ["--detach", "--name", _BUILDER, "--network", "none", "--privileged", "--entrypoint", "sleep"]
    mount = ["--volume", f"{images}:/images.tar:ro"]
    try:
        engine.run("run", *options, *mount, "localhost/kindler-node-empty", "infinity", log="node-image")
        engine.run("exec", _BUILDER, "bash", "-c", _IMPORT, log="node-image")
        entry = 'ENTRYPOINT ["/usr/local/bin/entrypoint", "/sbin/init"]'
        engine.run("commit", "--change", entry, _BUILDER, name, log="node-image")
    finally:
        engine.succeeds(*remove)
