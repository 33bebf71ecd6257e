"""Helpers for chart tests: the objects that Helm renders."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from hack.toolbox import TOOLS

Json = dict[str, Any]

CHART = Path(__file__).parents[2] / "charts" / "kindler"


def helm() -> str:
    """The path of helm: $HELM; if it is not set, the program that `make` built; if there is none, the one on PATH.

    Skips the test if there is no helm.
    """
    built = TOOLS["helm"].path()
    match = os.environ.get("HELM") or (str(built) if built.exists() else shutil.which("helm"))
    if not match:
        pytest.skip("no helm: `make check` builds it, or set HELM")
    return match


@functools.cache
def run(*arguments: str) -> tuple[int, str, str]:
    """Exit status, standard output and standard error of `helm ARGUMENTS`."""
    result = subprocess.run([helm(), *arguments], capture_output=True, text=True, check=False, timeout=60)
    return result.returncode, result.stdout, result.stderr


def rendered(*settings: str, release: str = "kindler", namespace: str = "kindler-system") -> list[Json]:
    """All objects of an installation, without the CRDs. `settings` have the form of `helm --set`."""
    status, out, errors = run(
        "template",
        release,
        str(CHART),
        "-n",
        namespace,
        *(argument for setting in settings for argument in ("--set", setting)),
    )
    assert status == 0, errors
    return [document for document in yaml.safe_load_all(out) if document]


def only(objects: list[Json], kind: str, name: str) -> Json:
    (match,) = [o for o in objects if (o["kind"], o["metadata"]["name"]) == (kind, name)]
    return match


def environment(deployment: Json) -> dict[str, str]:
    """The container's environment variables. The value of a variable that is set from a field is `$` and its path."""
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    return {
        e["name"]: e["value"] if "value" in e else f"${e['valueFrom']['fieldRef']['fieldPath']}"
        for e in container["env"]
    }
