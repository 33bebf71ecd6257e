"""What a person needs to understand a failed journey, kept before the namespace goes."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

from tests.e2e.support.kubectl import CommandError, Kubectl

KINDS = (
    "models.serving.kindler.dev,endpointconfigs.serving.kindler.dev,endpoints.serving.kindler.dev,controllerrevisions,replicasets,horizontalpodautoscalers,"
    "services,pods,resourcequotas"
)


def save(test: str, system: Kubectl, namespaces: list[Kubectl]) -> Path:
    """Writes logs of Kindler, and objects, events and pod logs of each namespace; returns the folder."""
    folder = Path(".kindler/failures", re.sub(r"[^A-Za-z0-9_.-]+", "-", test)).absolute()
    folder.mkdir(parents=True, exist_ok=True)

    def keep(name: str, kubectl: Kubectl, *words: str) -> None:
        try:
            text = kubectl(*words)
        except CommandError as error:
            text = str(error)
        folder.joinpath(name).write_text(text)

    keep("system.txt", system, "get", "pods,deployments,leases", "-o", "wide")
    keep("apiservices.yaml", system, "get", "apiservices", "-o", "yaml")
    for component in ("controller", "activator", "metrics"):
        keep(
            f"{component}.log",
            system,
            "logs",
            "-l",
            f"app.kubernetes.io/component={component}",
            "--tail=2000",
            "--prefix",
        )
        keep(
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
        keep(f"{kubectl.namespace}-objects.txt", kubectl, "get", KINDS, "-o", "wide")
        keep(f"{kubectl.namespace}-objects.yaml", kubectl, "get", KINDS, "-o", "yaml")
        keep(f"{kubectl.namespace}-events.txt", kubectl, "get", "events", "--sort-by=.lastTimestamp")
        with suppress(CommandError):
            for pod in kubectl("get", "pods", "-o", "name").split()[:20]:
                keep(f"{kubectl.namespace}-{pod.removeprefix('pod/')}.log", kubectl, "logs", pod, "--tail=200")
    return folder
