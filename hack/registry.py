"""Two image registries next to the cluster, so that pulls, digests and private images are real.

The setup is the one that kind's documentation describes. Nodes use the open one as `localhost:5000` and the
private one as `localhost:5001`. We push images to a port on the engine's loopback interface. Both registries are
containers of the engine in which the cluster runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hack import archive, paths
from hack.docker import Engine
from hack.steps import done, step
from hack.toolbox import TOOLS, ensure

NETWORK = "kind"
SETTINGS = paths.ROOT / "hack" / "registries"
USER = PASSWORD = "kindler"


@dataclass(frozen=True)
class Registry:
    """One registry. `settings`: its file in hack/registries, without `.yaml`. `address`: HOST:PORT that nodes use."""

    settings: str
    address: str

    @property
    def container(self) -> str:
        return f"{paths.NAME}-registry-{self.settings}"


OPEN, PRIVATE = Registry("open", "localhost:5000"), Registry("private", "localhost:5001")
ALL = (OPEN, PRIVATE)


def label(name: str = paths.NAME) -> str:
    """The label of a checkout's registries."""
    return f"kindler={name}"


def up(engine: Engine) -> None:
    """Starts the registries unless they run. The cluster's Docker network must exist."""
    what = "registries: localhost:5000 and, with credentials, localhost:5001 (as nodes address them)"
    if len(engine.containers(label())) == len(ALL):
        done(what)
        return
    ensure(TOOLS["registry"])
    with step(what, "3 s"):
        engine.remove_containers(label())
        image = _image(engine)
        for registry in ALL:
            options = ["--detach", "--name", registry.container, "--label", label()]
            network = ["--network", NETWORK, "--publish", "127.0.0.1::5000"]
            serve = ["serve", f"/etc/registry/{registry.settings}.yaml"]
            engine.run("run", *options, *network, image, *serve, log="registry")


def image_name() -> str:
    """The name of the registries' image. It changes when the program or a file of settings changes."""
    return f"localhost/kindler-registry:{paths.digest(SETTINGS, TOOLS['registry'].home.name)}"


def _image(engine: Engine) -> str:
    """The registry's image: our build of the program and its settings. So it comes from no other registry."""
    name = image_name()
    if not engine.has_image(name):
        settings: dict[str, Path | bytes] = {f"/etc/registry/{file.name}": file for file in SETTINGS.iterdir()}
        files = {"/registry": TOOLS["registry"].path(), **settings}
        with paths.scratch("registry") as folder:
            archive.write(folder / "image.tar", [archive.Image([name], files, ["/registry"])], folder)
            engine.run("load", "--input", folder / "image.tar", log="registry")
    return name


def push_address(engine: Engine, registry: Registry) -> str:
    """Where to push: `127.0.0.1:PORT`, in the engine's network."""
    return engine.output("port", registry.container, "5000/tcp").splitlines()[0]


def configure_node(engine: Engine, node: str) -> None:
    """Configures the node's containerd: which containers localhost:5000 and localhost:5001 are."""
    for registry in ALL:
        folder = f"/etc/containerd/certs.d/{registry.address}"
        hosts = f'[host."http://{registry.container}:5000"]\n'
        script = f"mkdir -p {folder} && cat > {folder}/hosts.toml"
        engine.output("exec", "--interactive", node, "sh", "-c", script, stdin=hosts)
