"""Saves logs, events and objects of a failed journey before its namespace is deleted."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

from tests.e2e.support.kubectl import CommandError, Kubectl

KINDS = (
    "models.serving.kindler.dev,endpointconfigs.serving.kindler.dev,endpoints.serving.kindler.dev,"
    "controllerrevisions,replicasets,horizontalpodautoscalers,services,pods,resourcequotas"
)


def save(test: str, system: Kubectl, namespaces: list[Kubectl]) -> Path:
    """Writes logs of Kindler, and objects, events and pod logs of each namespace. Returns the folder."""
    folder = Path(".kindler/failures", re.sub(r"[^A-Za-z0-9_.-]+", "-", test)).absolute()
    folder.mkdir(parents=True, exist_ok=True)

    def write(name: str, kubectl: Kubectl, *words: str) -> None:
        try:
            text = kubectl(*words)
        except CommandError as error:
            text = str(error)
        folder.joinpath(name).write_text(text)

    write("system.txt", system, "get", "pods,deployments,leases", "-o", "wide")
    write("apiservices.yaml", system, "get", "apiservices", "-o", "yaml")
    for component in ("controller", "activator", "metrics"):
        write(
            f"{component}.log",
            system,
            "logs",
            "-l",
            f"app.kubernetes.io/component={component}",
            "--tail=2000",
            "--prefix",
        )
        write(
            f"{component}-previous.log",
            system,
            "logs",
            "-l",
            f"app.kubernetes.io/component={component}",
            "--tail=500",
            "--prefix",
            "--previous",
        )
    for kubectl in namespaces:
        write(f"{kubectl.namespace}-objects.txt", kubectl, "get", KINDS, "-o", "wide")
        write(f"{kubectl.namespace}-objects.yaml", kubectl, "get", KINDS, "-o", "yaml")
        write(f"{kubectl.namespace}-events.txt", kubectl, "get", "events", "--sort-by=.lastTimestamp")
        with suppress(CommandError):
            for pod in kubectl("get", "pods", "-o", "name").split()[:20]:
                write(f"{kubectl.namespace}-{pod.removeprefix('pod/')}.log", kubectl, "logs", pod, "--tail=200")
    return folder
