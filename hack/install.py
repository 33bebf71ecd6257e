"""Kindler on the cluster: what `make demo`, the benchmarks and the campaign need before they start."""

from __future__ import annotations

from collections.abc import Sequence

from hack import cluster, engine, images, lock, paths, shell
from hack.images import Source
from hack.steps import CommandError, step

RELEASE, NAMESPACE = "kindler", "kindler-system"
VALUES = paths.ROOT / "hack" / "values.yaml"
CHART = paths.ROOT / "charts" / "kindler"


def prepare(command: str, more_images: Sequence[Source] = ()) -> None:
    """Creates the cluster, the images and Kindler. Skips each one that exists and matches the current files.

    `command`: the name that other commands print while this one holds the cluster's lock.
    """
    with lock.held(paths.NAME, f"hack {command}"):
        cluster.up()
        found = engine.find()
        if found is None:
            raise CommandError("the Docker engine has stopped: run `make up`")
        images.ensure(found, [*images.sources(), *more_images])
        install()


def install() -> None:
    """Installs or upgrades Kindler with helm from the chart of this checkout, and waits until it is ready."""
    release = ["upgrade", "--install", RELEASE, str(CHART), "--namespace", NAMESPACE, "--create-namespace"]
    values = ["--values", str(VALUES), "--set", f"image.tag={images.tag('kindler')}"]
    with step(f"helm installs Kindler into the namespace {NAMESPACE}", "10 s"):
        helm = cluster.in_network(["helm", *release, *values, "--wait", "--timeout", "180s"])
        shell.run(helm, "helm", env=cluster.environment())
