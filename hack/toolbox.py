"""Programs that are built from pinned Go modules: kind, kubectl, helm and the image registry.

Each build is kept in the user's cache, in a folder named after everything that the build depends on. So all checkouts
share the build, and a change of version or flags causes a new build. hack/tools/NAME/ holds go.mod and go.sum of a
tool; to update a tool, run `go get MODULE@VERSION` there.

Not here: the programs of a node image that is made on this machine (sandbox/nodetools.py), and the benchmarks' own
programs (bench/tools.py). They use `Tool` and `ensure` too.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hack import lock, paths, shell
from hack.steps import CommandError, done, say, step

GO_AT_LEAST = (1, 26)
KUBERNETES = "k8s.io/kubernetes"
KUBERNETES_TAGS = "selinux,notest,grpcnotrace"


@dataclass(frozen=True)
class Tool:
    """One or more programs of one Go module.

    `programs`: file name → Go package. `usually`: the build time with empty caches on two cores. `for_linux`: it runs
    in a container, so it is built for Linux on every machine. `folder`: the folder of go.mod, below hack/.
    """

    name: str
    module: str
    programs: Mapping[str, str]
    usually: str
    for_linux: bool = False
    tags: str = ""
    folder: str = ""

    @property
    def source(self) -> Path:
        return paths.ROOT / "hack" / (self.folder or f"tools/{self.name}")

    @property
    def version(self) -> str:
        """The module's version in go.mod; `v0` for a program whose source is in this repository."""
        requirement = rf"^\s*(?:require )?{re.escape(self.module)} (v\S+)"
        found = re.search(requirement, (self.source / "go.mod").read_text(), re.MULTILINE)
        return found.group(1) if found else "v0"

    def flags(self) -> list[str]:
        """Arguments of `go build`.

        The linker writes the version into Kubernetes' programs. Otherwise they report v0.0.0, which clients reject.
        """
        stamp = ""
        if self.module == KUBERNETES:
            major, minor, _ = self.version.removeprefix("v").split(".")
            values = {
                "gitVersion": self.version,
                "gitMajor": major,
                "gitMinor": minor,
                "gitTreeState": "clean",
                "buildDate": "1970-01-01T00:00:00Z",
            }
            packages = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
            stamp = "".join(f" -X {package}.{key}={value}" for package in packages for key, value in values.items())
        tags = ["-tags", self.tags] if self.tags else []
        return ["-mod=readonly", "-trimpath", "-buildvcs=false", *tags, "-ldflags", f"-s -w{stamp}"]

    @property
    def home(self) -> Path:
        """The cache folder of the finished programs. Its name changes when source, flags or programs change."""
        programs = sorted(f"{name}={package}" for name, package in self.programs.items())
        key = paths.digest(self.source, " ".join(self.flags()), *programs)
        return paths.cache() / "tools" / f"{self.name}-{self.version}-{key}"

    def path(self, program: str = "") -> Path:
        """The path of a finished program. `program`: its file name; by default the name of the tool."""
        return self.home / (program or self.name)


def packages(root: str, *names: str) -> dict[str, str]:
    """File name → Go package, for packages below `root`."""
    return {name.rpartition("/")[2]: f"{root}/{name}" for name in names}


_DISTRIBUTION = "github.com/distribution/distribution/v3"
TOOLS = {
    tool.name: tool
    for tool in (
        Tool("kind", "sigs.k8s.io/kind", {"kind": "sigs.k8s.io/kind"}, "10 s"),
        Tool(
            "kubectl",
            KUBERNETES,
            packages(f"{KUBERNETES}/cmd", "kubectl"),
            "2 min",
            tags=KUBERNETES_TAGS,
            folder="tools/kubernetes",
        ),
        Tool("helm", "helm.sh/helm/v4", packages("helm.sh/helm/v4/cmd", "helm"), "90 s"),
        Tool("registry", _DISTRIBUTION, packages(f"{_DISTRIBUTION}/cmd", "registry"), "60 s", for_linux=True),
    )
}
CLIENTS = (TOOLS["kind"], TOOLS["kubectl"], TOOLS["helm"])


def go_command() -> str:
    """The path of the Go command. Raises CommandError if it is missing or too old."""
    found = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")
    least = ".".join(map(str, GO_AT_LEAST))
    if not found:
        raise CommandError(
            "Go is not installed, but the tools of the cluster are built with it. "
            f"Install Go {least} or newer (https://go.dev/dl) and put it on PATH"
        )
    version = shell.output([found, "env", "GOVERSION"], env={"GOTOOLCHAIN": "local"})
    numbers = tuple(int(n) for n in re.findall(r"\d+", version)[:2])
    if numbers < GO_AT_LEAST:
        raise CommandError(f"{found} is {version}, but Go {least} or newer is needed (https://go.dev/dl)")
    return found


def ensure(*tools: Tool) -> None:
    """Builds the tools that are not in the cache. All checkouts of a user share one lock for builds."""
    if all(tool.home.is_dir() for tool in tools):
        done(f"tools: {', '.join(f'{tool.name} {tool.version}' for tool in tools)} (cached)")
        return
    with lock.held("tools", "build of tools", wait=True):
        missing = [tool for tool in tools if not tool.home.is_dir()]
        go = go_command()
        for number, tool in enumerate(missing, 1):
            what = f"tool {number} of {len(missing)}: {tool.name} {tool.version}, built from its Go module"
            with step(what, tool.usually):
                _build(go, tool)


def _build(go: str, tool: Tool) -> None:
    env = {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": "", "GOWORK": "off"}
    if tool.for_linux:
        env["GOOS"] = "linux"
    with paths.scratch(tool.name) as folder:
        for number, (program, package) in enumerate(tool.programs.items(), 1):
            if len(tool.programs) > 1:
                say(f"  {number} of {len(tool.programs)}: {program}")
            shell.run([go, "build", *tool.flags(), "-o", folder / program, package], "tools", env=env, cwd=tool.source)
        tool.home.parent.mkdir(parents=True, exist_ok=True)
        os.chmod(folder, 0o755)
        os.rename(folder, tool.home)  # atomic: a folder in the cache is always complete


def module_folder(tool: Tool) -> Path:
    """Where Go keeps the source of the tool's module (read-only)."""
    env = {"GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly", "GOWORK": "off"}
    go = go_command()
    shell.run([go, "mod", "download", tool.module], "tools", env=env | {"PWD": str(tool.source)}, cwd=tool.source)
    listed = [go, "-C", str(tool.source), "list", "-m", "-f", "{{.Dir}}", tool.module]
    return Path(shell.output(listed, env=env))
