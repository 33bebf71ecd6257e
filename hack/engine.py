"""Chooses what the cluster runs on: this machine's Docker, or a sandbox if the machine has no Docker.

On a machine with Docker and a reachable image registry the functions return or use only this:

    find, up         the machine's Docker, if it responds
    node_image       kind's own node image, pulled
    prepare_network  nothing: kind's node image has the pods' network, and Docker provides the machine's network
    builder          `docker build`
    base_image       python:3.13-slim, pulled
    in_network       the command, unchanged

If Docker or the registry is missing, the function calls hack.sandbox. The two cases are independent: a machine may
have Docker but no registry. Only this module imports hack.sandbox; import-linter checks that.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hack import builder as docker_builder
from hack import docker, kindconfig, paths
from hack.builder import Builder
from hack.docker import Engine
from hack.sandbox import buildah, dockerd, network, nodeimage, nodetools, pythonbase
from hack.steps import done
from hack.toolbox import Tool

PULL_SECONDS = 900


def find(name: str = paths.NAME) -> Engine | None:
    """The engine that is up: the checkout's sandbox if it runs, else the machine's Docker if it responds."""
    return dockerd.find(name) or docker.find()


def up() -> Engine:
    """The engine for the cluster. Starts the sandbox if no engine responds; raises CommandError if that fails."""
    found = find()
    if found is None or (found.sandboxed and not found.responds()):
        return dockerd.start()
    version = found.output("version", "--format", "{{.Server.Version}}")
    which = "this checkout’s own Docker" if found.sandboxed else "this machine’s Docker"
    done(f"engine: {which} {version} responds")
    return found


def down(name: str = paths.NAME) -> None:
    """Stops the sandbox of the checkout, if it runs, and removes the checkout's run folder."""
    dockerd.stop(name)


def delete_data(name: str) -> None:
    """Deletes the images and containers of the checkout's sandbox. The sandbox must be down."""
    shutil.rmtree(dockerd.data(name), ignore_errors=True)


@dataclass(frozen=True)
class NodeImage:
    """An image for the nodes of the cluster.

    `made_here`: hack.sandbox built the image on this machine, so the image has no network daemon for pods.
    """

    name: str
    made_here: bool


def node_image(engine: Engine) -> NodeImage:
    """The image of the cluster's nodes. If the engine does not have it, this function pulls or builds it."""
    image = kindconfig.NODE_IMAGE
    if not engine.sandboxed:  # a sandbox reaches no registry
        if engine.has_image(image):
            done("node image: kind’s own (present)")
            return NodeImage(image, made_here=False)
        if engine.succeeds("pull", "--quiet", image, timeout=PULL_SECONDS):
            done(f"node image: kind’s own, pulled ({image.partition('@')[0]})")
            return NodeImage(image, made_here=False)
    return NodeImage(nodeimage.ensure(engine), made_here=True)


def prepare_network(engine: Engine, image: NodeImage, kubectl: list[str], nodes: int) -> None:
    """Makes pods reachable from the nodes and from this machine, if Docker and kind do not do this already.

    `kubectl`: the words of a kubectl command line before the verb. Call this function after `kind create cluster` and
    before pods become ready.
    """
    if not (engine.sandboxed or image.made_here):
        return
    every = network.nodes(kubectl, nodes)
    if engine.sandboxed:
        network.close_dns(kubectl)
        network.add_routes(engine, every)
    if image.made_here:
        network.install_cni(engine, every)


def in_network(engine: Engine, command: Sequence[str], resolv_conf: Path) -> list[str]:
    """The command line that runs `command` where the cluster can be reached.

    `resolv_conf`: a file that names the DNS server of the cluster.
    """
    return network.enter(engine, command, resolv_conf) if engine.sandboxed else list(command)


def builder(engine: Engine) -> Builder:
    return buildah.Buildah(engine) if engine.sandboxed else Builder(engine)


def base_image(images: Builder) -> str:
    """The image that all our images are built on: Python's own, or one of Debian packages.

    Pulls it, or else makes it, if the builder does not have it.
    """
    made_here = pythonbase.name()
    for image in (docker_builder.BASE, made_here):
        if images.has(image):
            return image
    if images.pull(docker_builder.BASE):
        return docker_builder.BASE
    done(f"base image: {docker_builder.BASE} cannot be pulled, so it is made of Debian packages")
    pythonbase.make(images)
    return made_here


def sandbox_tools() -> tuple[Tool, ...]:
    """The programs that only a node image made on this machine contains."""
    return nodetools.TOOLS
