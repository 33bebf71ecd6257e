"""Installs Kindler once for all journeys of a run, by Helm, as a user does."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from hack import images
from hack.kubeapi import KubeApi
from tests.e2e.support.gateway import Gateway
from tests.e2e.support.kubectl import Kubectl, command

RELEASE = "kindler"
NAMESPACE = "kindler-system"
CHART = "charts/kindler"
VALUES = "hack/values.yaml"


def installed(api: KubeApi, gateway: Gateway) -> Iterator[Kubectl]:
    """Installs or upgrades Kindler, and waits until all processes are ready.

    With KINDLER_KEEP=1, Kindler stays installed after the run, for the next run during development.
    """
    image = ["--set", f"image.tag={images.tag('kindler')}"]
    command(
        "helm",
        "upgrade",
        "--install",
        RELEASE,
        CHART,
        "-n",
        NAMESPACE,
        "--create-namespace",
        "-f",
        VALUES,
        *image,
        "--wait",
        "--timeout",
        "120s",
    )
    yield Kubectl(NAMESPACE)
    if os.environ.get("KINDLER_KEEP") != "1":
        command("helm", "uninstall", RELEASE, "-n", NAMESPACE, "--wait", "--timeout", "120s")
        command("kubectl", "delete", "namespace", NAMESPACE, "--wait")


def running(api: KubeApi, component: str) -> list[dict[str, Any]]:
    """The running pods of one of Kindler's processes.

    Pods that are being deleted do not count: a rollout or an eviction can leave some for a while.
    """
    pods = api.items("pods", NAMESPACE, f"app.kubernetes.io/component={component}")
    return [pod for pod in pods if pod["status"]["phase"] == "Running" and not pod["metadata"].get("deletionTimestamp")]
