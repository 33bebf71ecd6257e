"""The programs of the cluster, built from pinned Go modules into the user's cache: one folder per tool, named by all that goes into it.

`hack/tools/*/` hold go.mod and go.sum (and for `pause` the program itself). To move to another version: `go get MODULE@VERSION` in there.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hack import lock, paths, shell
from hack.steps import Trouble, done, say, step

GO_AT_LEAST = (1, 26)
K8S, CONTAINERD, CNI = (
    "k8s.io/kubernetes",
    "github.com/containerd/containerd/v2",
    "github.com/containernetworking/plugins",
)


@dataclass(frozen=True)
class Tool:
    """`programs`: file name → Go package. `usually`: build time from empty caches on two cores. `inside`: runs in a container, so it is built for Linux.
    `folder`: of go.mod, in hack/."""

    name: str
    module: str
    programs: Mapping[str, str]
    usually: str
    inside: bool = False
    tags: str = ""
    folder: str = ""

    @property
    def source(self) -> Path:
        return paths.ROOT / "hack" / (self.folder or f"tools/{self.name}")

    @property
    def version(self) -> str:
        found = re.search(
            rf"^\s*(?:require )?{re.escape(self.module)} (v\S+)", (self.source / "go.mod").read_text(), re.MULTILINE
        )
        return found.group(1) if found else "v0"

    def flags(self) -> list[str]:
        """Arguments of `go build`; Kubernetes' programs learn their version here (else they say v0.0.0, and clients misjudge them)."""
        stamp = ""
        if self.module == K8S:
            major, minor, _ = self.version.removeprefix("v").split(".")
            facts = {
                "gitVersion": self.version,
                "gitMajor": major,
                "gitMinor": minor,
                "gitTreeState": "clean",
                "buildDate": "1970-01-01T00:00:00Z",
            }
            packages = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
            stamp = "".join(f" -X {package}.{key}={value}" for package in packages for key, value in facts.items())
        return [
            "-mod=readonly",
            "-trimpath",
            "-buildvcs=false",
            *(["-tags", self.tags] if self.tags else []),
            "-ldflags",
            f"-s -w{stamp}",
        ]

    @property
    def home(self) -> Path:
        """The cache folder that holds the finished programs."""
        key = paths.digest(
            self.source, " ".join(self.flags()), *sorted(f"{name}={package}" for name, package in self.programs.items())
        )
        return paths.cache() / "tools" / f"{self.name}-{self.version}-{key}"

    def path(self, program: str = "") -> Path:
        """The finished program, by default the one named like the tool."""
        return self.home / (program or self.name)


def _all(root: str, *names: str) -> dict[str, str]:
    return {name.rpartition("/")[2]: f"{root}/{name}" for name in names}


TOOLS = {
    tool.name: tool
    for tool in (
        Tool("kind", "sigs.k8s.io/kind", {"kind": "sigs.k8s.io/kind"}, "10 s"),
        Tool(
            "kubectl",
            K8S,
            _all(f"{K8S}/cmd", "kubectl"),
            "2 min",
            tags="selinux,notest,grpcnotrace",
            folder="tools/kubernetes",
        ),
        Tool("helm", "helm.sh/helm/v4", _all("helm.sh/helm/v4/cmd", "helm"), "90 s"),
        Tool(
            "registry",
            "github.com/distribution/distribution/v3",
            _all("github.com/distribution/distribution/v3/cmd", "registry"),
            "60 s",
            inside=True,
        ),
        Tool(
            "kubernetes",
            K8S,
            _all(
                f"{K8S}/cmd",
                "kubeadm",
                "kubelet",
                "kube-apiserver",
                "kube-controller-manager",
                "kube-scheduler",
                "kube-proxy",
            ),
            "6 min",
            inside=True,
            tags="selinux,notest,grpcnotrace",
        ),
        Tool("etcd", "go.etcd.io/etcd/server/v3", {"etcd": "go.etcd.io/etcd/server/v3"}, "50 s", inside=True),
        Tool(
            "containerd",
            CONTAINERD,
            _all(f"{CONTAINERD}/cmd", "containerd", "containerd-shim-runc-v2", "ctr"),
            "80 s",
            inside=True,
            tags="no_btrfs,no_devmapper,no_zfs,no_aufs",
        ),
        Tool(
            "cni",
            CNI,
            _all(f"{CNI}/plugins", "main/ptp", "main/loopback", "ipam/host-local", "meta/portmap"),
            "10 s",
            inside=True,
        ),
        Tool("coredns", "github.com/coredns/coredns", {"coredns": "github.com/coredns/coredns"}, "2 min", inside=True),
        Tool("coldserver", "example.invalid/coldserver", {"coldserver": "."}, "5 s", inside=True, folder="coldserver"),
        Tool("bench-warm", "example.invalid/bench-warm", {"bench-warm": "."}, "5 s", folder="bench_warm"),
        Tool("pause", "example.invalid/tools/pause", {"pause": "."}, "1 s", inside=True),
    )
}
CLIENTS = ("kind", "kubectl", "helm")


def go() -> str:
    """The Go command; raises Trouble where it is missing or too old."""
    found = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")
    wanted = ".".join(map(str, GO_AT_LEAST))
    if not found:
        raise Trouble(
            f"Go is not installed: the cluster's tools are built with it. Install Go {wanted} or newer (https://go.dev/dl) and put it on PATH"
        )
    version = shell.output([found, "env", "GOVERSION"], env={"GOTOOLCHAIN": "local"})
    numbers = tuple(int(n) for n in re.findall(r"\d+", version)[:2])
    if numbers < GO_AT_LEAST:
        raise Trouble(f"{found} is {version}: Go {wanted} or newer is needed (https://go.dev/dl)")
    return found


def ensure(*names: str) -> None:
    """Builds those of the named tools that the cache lacks; one build at a time per user, whatever the checkout."""
    missing = [TOOLS[name] for name in names if not TOOLS[name].home.is_dir()]
    if not missing:
        done(f"tools: {', '.join(f'{name} {TOOLS[name].version}' for name in names)} (cached)")
        return
    with lock.held("tools", "build of tools", wait=True):
        missing = [tool for tool in missing if not tool.home.is_dir()]
        command = go()
        for number, tool in enumerate(missing, 1):
            with step(f"tool {number} of {len(missing)}: {tool.name} {tool.version}, from its Go module", tool.usually):
                _build(command, tool)


def _build(command: str, tool: Tool) -> None:
    env = {
        "CGO_ENABLED": "0",
        "GOTOOLCHAIN": "local",
        "GOFLAGS": "",
        "GOWORK": "off",
        **({"GOOS": "linux"} if tool.inside else {}),
    }
    with paths.scratch(tool.name) as folder:
        for number, (program, package) in enumerate(tool.programs.items(), 1):
            if len(tool.programs) > 1:
                say(f"  {number} of {len(tool.programs)}: {program}")
            shell.run(
                [command, "build", *tool.flags(), "-o", folder / program, package], "tools", env=env, cwd=tool.source
            )
        tool.home.parent.mkdir(parents=True, exist_ok=True)
        os.chmod(folder, 0o755)
        os.rename(folder, tool.home)  # whole or not at all


def module_folder(tool: Tool) -> Path:
    """Where Go keeps the source of the tool's module (read-only)."""
    env = {"GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly", "GOWORK": "off"}
    shell.run([go(), "mod", "download", tool.module], "tools", env=env | {"PWD": str(tool.source)}, cwd=tool.source)
    return Path(shell.output([go(), "-C", str(tool.source), "list", "-m", "-f", "{{.Dir}}", tool.module], env=env))
