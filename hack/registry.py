"""Image registries beside the cluster, in kind's documented pattern, so that digests, pulls, missing and private images are real.

Nodes know the open one as `localhost:5000` and the private one as `localhost:5001`; pushing goes to a port of the engine's loopback.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hack import archive, paths, shell
from hack.engine import Engine, containers, remove
from hack.steps import done, step
from hack.toolbox import TOOLS, ensure

NETWORK = "kind"
SETTINGS = paths.ROOT / "hack" / "registries"
USER = PASSWORD = "kindler"


@dataclass(frozen=True)
class Registry:
    """`settings`: its file in hack/registries. `address`: what nodes call it."""

    settings: str
    address: str

    @property
    def container(self) -> str:
        return f"{paths.NAME}-registry-{self.settings}"


OPEN, PRIVATE = Registry("open", "localhost:5000"), Registry("private", "localhost:5001")
ALL = (OPEN, PRIVATE)


def label(name: str = paths.NAME) -> str:
    """On the registries of the checkout."""
    return f"kindler={name}"


def up(engine: Engine) -> None:
    """Starts the registries, unless they run. The cluster's network must exist."""
    what = "registries: localhost:5000 and, with credentials, localhost:5001 (as nodes see them)"
    if len(containers(engine, label())) == len(ALL):
        done(what)
        return
    ensure("registry")
    with step(what, "3 s"):
        remove(engine, label())
        image = _image(engine)
        for registry in ALL:
            options = [
                "--detach",
                "--name",
                registry.container,
                "--label",
                label(),
                "--network",
                NETWORK,
                "--publish",
                "127.0.0.1::5000",
            ]
            shell.run(
                engine.command("run", *options, image, "serve", f"/etc/registry/{registry.settings}.yaml"),
                "registry",
                env=engine.env,
            )


def _image(engine: Engine) -> str:
    """The registry's image: made of the program alone, so it is had wherever Go modules are."""
    tool = TOOLS["registry"]
    name = f"localhost/kindler-registry:{paths.digest(SETTINGS, tool.home.name)}"
    if not shell.succeeds(engine.command("image", "inspect", name), env=engine.env):
        files: dict[str, Path | bytes] = {f"/etc/registry/{file.name}": file for file in SETTINGS.iterdir()}
        with paths.scratch("registry") as folder:
            archive.write(
                folder / "image.tar",
                [archive.Image([name], {"/registry": tool.path(), **files}, ["/registry"])],
                folder,
            )
            shell.run(engine.command("load", "--input", folder / "image.tar"), "registry", env=engine.env)
    return name


def push_address(engine: Engine, registry: Registry) -> str:
    """`127.0.0.1:PORT`, in the engine's network."""
    return shell.output(engine.command("port", registry.container, "5000/tcp"), env=engine.env).splitlines()[0]


def introduce(engine: Engine, node: str) -> None:
    """Tells the node's containerd where localhost:5000 and localhost:5001 are."""
    for registry in ALL:
        folder = f"/etc/containerd/certs.d/{registry.address}"
        content = f'[host."http://{registry.container}:5000"]\n'
        shell.output(
            engine.command(
                "exec", "--interactive", node, "sh", "-c", f"mkdir -p {folder} && cat > {folder}/hosts.toml"
            ),
            env=engine.env,
            feed=content,
        )
