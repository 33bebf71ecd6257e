"""The image of the cluster's nodes: kind's own, pinned, where it can be pulled; else built from Debian's packages, kind's files and our programs."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from hack import archive, debian, paths, shell
from hack.engine import Engine
from hack.steps import done, step
from hack.toolbox import TOOLS, ensure, module_folder

# The one that kind v0.33.0 was released with.
PINNED = "docker.io/kindest/node:v1.37.0@sha256:a1ed56cfb0e7b93589bdf97c8cd566405a265939e3620fc4f5de89adff580ae5"

PACKAGES = (
    *(
        "systemd",
        "systemd-sysv",
        "conntrack",
        "iptables",
        "nftables",
        "iproute2",
        "ethtool",
        "util-linux",
        "mount",
        "kmod",
        "libseccomp2",
    ),
    *("ebtables", "socat", "e2fsprogs", "bash", "ca-certificates", "curl", "jq", "procps", "runc"),
)
PROXY_PACKAGES = ("iptables", "conntrack", "nftables")
PARTS = ("kubernetes", "kubectl", "etcd", "containerd", "cni", "coredns", "pause")
# What kubeadm of this version asks for, whatever is inside.
ETCD_TAG, COREDNS_TAG, PAUSE_TAGS = "3.7.0-0", "v1.14.6", ("3.10", "3.10.2")
_REGISTRY = "registry.k8s.io"
_BUILDER = "kindler-node-build"


def ensure_image(engine: Engine) -> tuple[str, bool]:
    """The node image's name in the engine, and whether it was built here."""
    if not engine.own:
        if _has(engine, PINNED):
            done("node image: kind’s own, in the engine already")
            return PINNED, False
        if shell.succeeds(engine.command("pull", "--quiet", PINNED), env=engine.env, timeout=900):
            done(f"node image: kind’s own, pulled ({PINNED.partition('@')[0]})")
            return PINNED, False
    return _built(engine), True


def _has(engine: Engine, image: str) -> bool:
    return shell.succeeds(engine.command("image", "inspect", image), env=engine.env)


def _built(engine: Engine) -> str:
    key = paths.digest(
        paths.ROOT / "hack" / "node" / "Dockerfile",
        *PACKAGES,
        ETCD_TAG,
        COREDNS_TAG,
        *PAUSE_TAGS,
        *(TOOLS[part].home.name for part in PARTS),
        TOOLS["kind"].home.name,
    )
    name = f"localhost/kindler-node:{key}"
    if _has(engine, name):
        done("node image: built here, in the engine already")
        return name
    done("node image: kind’s own cannot be had here, so it is built")
    ensure(*PARTS)
    root = debian.base("nodes", PACKAGES)
    proxy = debian.base("kube-proxy", PROXY_PACKAGES, variant="extract")
    with step("node image", "20 s"), paths.scratch("node") as folder:
        _context(folder / "context")
        images = folder / "images.tar"
        archive.write(images, control_plane(proxy), folder)
        shell.run(engine.command("import", root, "localhost/kindler-node-base"), "node-image", env=engine.env)
        shell.run(
            engine.command("build", "--tag", "localhost/kindler-node-empty", folder / "context"),
            "node-image",
            env=engine.env,
        )
        _fill(engine, images, name)
    return name


def _context(folder: Path) -> None:
    """The folder that hack/node/Dockerfile is built in."""
    shutil.copytree(module_folder(TOOLS["kind"]) / "images" / "base" / "files", folder / "files")
    for file in folder.rglob("*"):  # Go keeps modules read-only
        file.chmod(file.stat().st_mode | 0o200)
    shutil.copy(paths.ROOT / "hack" / "node" / "Dockerfile", folder)
    (folder / "version").write_text(TOOLS["kubernetes"].version)
    for target, tool, programs in (
        ("local", "containerd", TOOLS["containerd"].programs),
        ("bin", "kubernetes", ("kubeadm", "kubelet")),
        ("bin", "kubectl", ("kubectl",)),
        ("cni", "cni", TOOLS["cni"].programs),
    ):
        (folder / target).mkdir(exist_ok=True)
        for program in programs:
            os.link(TOOLS[tool].path(program), folder / target / program)


def control_plane(proxy: Path) -> list[archive.Image]:
    """The images that kubeadm's manifests name, each with our program alone in it (kube-proxy also with the tar `proxy`: iptables)."""
    version = TOOLS["kubernetes"].version

    def kubernetes(program: str, base: Path | None = None, links: dict[str, str] | None = None) -> archive.Image:
        place = f"/usr/local/bin/{program}"
        return archive.Image(
            [f"{_REGISTRY}/{program}:{version}"], {place: TOOLS["kubernetes"].path(program)}, [place], links or {}, base
        )

    iptables = {
        f"/usr/sbin/{family}{what}": "xtables-nft-multi"
        for family in ("iptables", "ip6tables")
        for what in ("", "-save", "-restore")
    }
    coredns, pause = TOOLS["coredns"].path(), TOOLS["pause"].path()
    return [
        *(kubernetes(program) for program in ("kube-apiserver", "kube-controller-manager", "kube-scheduler")),
        kubernetes("kube-proxy", proxy, iptables),
        archive.Image([f"{_REGISTRY}/etcd:{ETCD_TAG}"], {"/usr/local/bin/etcd": TOOLS["etcd"].path()}),
        archive.Image([f"{_REGISTRY}/coredns/coredns:{COREDNS_TAG}"], {"/coredns": coredns}, ["/coredns"]),
        archive.Image([f"{_REGISTRY}/pause:{tag}" for tag in PAUSE_TAGS], {"/pause": pause}, ["/pause"]),
    ]


def _fill(engine: Engine, images: Path, name: str) -> None:
    """Puts the control plane's images into the node image's own containerd, and names the result."""
    script = """set -e
        containerd > /tmp/containerd.log 2>&1 & server=$!
        for _ in $(seq 100); do ctr version > /dev/null 2>&1 && break; sleep 0.1; done
        ctr --namespace k8s.io images import --label=io.cri-containerd.pinned=pinned --no-unpack --digests /images.tar
        kill $server; wait $server || true; rm -rf /tmp/containerd.log /run/containerd"""
    remove = engine.command("rm", "--force", "--volumes", _BUILDER)
    shell.succeeds(remove, env=engine.env)
    start = [
        "run",
        "--detach",
        "--name",
        _BUILDER,
        "--network",
        "none",
        "--privileged",
        "--entrypoint",
        "sleep",
        "--volume",
        f"{images}:/images.tar:ro",
    ]
    try:
        shell.run(engine.command(*start, "localhost/kindler-node-empty", "infinity"), "node-image", env=engine.env)
        shell.run(engine.command("exec", _BUILDER, "bash", "-c", script), "node-image", env=engine.env)
        entry = 'ENTRYPOINT ["/usr/local/bin/entrypoint", "/sbin/init"]'
        shell.run(engine.command("commit", "--change", entry, _BUILDER, name), "node-image", env=engine.env)
    finally:
        shell.succeeds(remove, env=engine.env)
