"""Programs that talk to the installed product (demo, benchmarks, campaign): what they need is prepared out here, then they run inside."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from hack import cluster, devenv, engine, images, lock, paths, shell
from hack.images import Source
from hack.steps import Trouble, step

RELEASE, NAMESPACE = "kindler", "kindler-system"
VALUES = paths.ROOT / "hack" / "values.yaml"


def install() -> None:
    """helm installs Kindler as the files are now, or brings it up to date, and waits until it is ready."""
    chart = paths.ROOT / "charts" / "kindler"
    place = ["--namespace", NAMESPACE, "--create-namespace"]
    options = ["--values", str(VALUES), "--set", f"image.tag={images.tag('kindler')}", "--wait", "--timeout", "180s"]
    with step(f"helm installs Kindler into {NAMESPACE}", "10 s"):
        shell.run(
            cluster.inside(["helm", "upgrade", "--install", RELEASE, str(chart), *place, *options]),
            "helm",
            env=cluster.environment(),
        )


def prepare(command: str, more: Sequence[Source] = ()) -> None:
    """Cluster, images and product, each only if it is not there as the files are now."""
    with lock.held(paths.NAME, f"hack {command}"):
        cluster.up()
        found = engine.find()
        if found is None:
            raise Trouble("the engine has gone: run `make up`")
        images.ensure(found, [*images.sources(), *more])
        install()


def demo() -> int:
    prepare("demo")
    cluster.become([sys.executable, "-m", "hack.demo_story"])
    return 0


def bench_coldstart(words: Sequence[str]) -> int:
    devenv.ensure()
    prepare("bench-coldstart", [images.coldserver()])
    cluster.become([str(devenv.PYTHON), "-m", "hack.coldstart", *words])
    return 0


def bench_warm(words: Sequence[str]) -> int:
    devenv.ensure()
    return shell.start([devenv.PYTHON, "-m", "hack.bench_warm", *words], cwd=paths.ROOT).wait()


def campaign(words: Sequence[str]) -> int:
    devenv.ensure()
    prepare("campaign", [images.coldserver()])
    cluster.become([str(devenv.PYTHON), "-m", "hack.campaign", *words])
    return 0


def simulate(words: Sequence[str]) -> int:
    devenv.ensure()
    return shell.start([devenv.PYTHON, "-m", "hack.simulate", *words], cwd=paths.ROOT).wait()


def generate(words: Sequence[str]) -> int:
    devenv.ensure()
    return shell.start([devenv.PYTHON, "-m", "hack.generate", *words], cwd=paths.ROOT).wait()
