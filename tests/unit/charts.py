"""The chart as helm renders it, for tests."""

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
    """The program: HELM, else the one that `make` built, else that on PATH. Skips the test where there is none and HELM does not claim one."""
    built = TOOLS["helm"].path()
    found = os.environ.get("HELM") or (str(built) if built.exists() else shutil.which("helm"))
    if not found:
        pytest.skip("no helm: `make check` builds it, or set HELM")
    return found


@functools.cache
def run(*words: str) -> tuple[int, str, str]:
    """Exit status, standard output and standard error of `helm WORDS`."""
    done = subprocess.run([helm(), *words], capture_output=True, text=True, check=False, timeout=60)
    return done.returncode, done.stdout, done.stderr


def rendered(*settings: str, release: str = "kindler", namespace: str = "kindler-system") -> list[Json]:
    """All objects of an installation, without the CRDs. `settings` as for `helm --set`."""
    status, out, said = run(
        "template", release, str(CHART), "-n", namespace, *(word for setting in settings for word in ("--set", setting))
    )
    assert status == 0, said
    return [document for document in yaml.safe_load_all(out) if document]


def only(objects: list[Json], kind: str, name: str) -> Json:
    (found,) = [o for o in objects if (o["kind"], o["metadata"]["name"]) == (kind, name)]
    return found


def environment(deployment: Json) -> dict[str, str]:
    """The container's variables; one that comes from a field reads as `$path`."""
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    return {
        e["name"]: e["value"] if "value" in e else f"${e['valueFrom']['fieldRef']['fieldPath']}"
        for e in container["env"]
    }
