"""Every import law of pyproject.toml can fail: a bad import in a copy of the code breaks exactly that law.

To add a law: write the contract into pyproject.toml, and a bad import into PROOFS that breaks it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
CONTRACTS: list[dict[str, Any]] = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"][
    "contracts"
]

PROCESSES = "Processes above runtime, clients, core and api"
IN_CORE = "Inside core: endpoint above autoscaling and dataplane, above common"
IN_ACTIVATOR = "Inside the activator: the process above cluster and wire, above endpoint"
NO_CIRCLE = "No package imports itself in a circle"
PURE = "Decisions know no I/O, no clock, no random numbers"
KUBERNETES = "Only clients import the Kubernetes library"
KOPF = "Only the watcher imports kopf"
NO_HACK = "The product never imports hack"
HACK_LAYERS = "Layers of hack: commands, what they do, the cluster, the engine, shared tools"
SANDBOX = "Only hack.engine chooses the sandbox"
BARE_PYTHON = "Commands start before the virtual environment exists: standard library only"

# (the law, the file, the bad import)
PROOFS = [
    (PROCESSES, "operator/kindler/inventory/__init__.py", "import kindler.api"),
    (KUBERNETES, "operator/kindler/inventory/__init__.py", "import kubernetes"),
    (PROCESSES, "operator/kindler/api/route.py", "import kindler.core.common.pods"),
    (PROCESSES, "operator/kindler/core/common/pods.py", "import kindler.clients.errors"),
    (PROCESSES, "operator/kindler/clients/errors.py", "import kindler.runtime.logs"),
    (PROCESSES, "operator/kindler/runtime/logs.py", "import kindler.metrics.tls"),
    (PROCESSES, "operator/kindler/controller/report.py", "import kindler.activator.ownership"),
    (PROCESSES, "operator/kindler/activator/ownership.py", "import kindler.metrics.tls"),
    (PROCESSES, "operator/kindler/metrics/tls.py", "import kindler.controller.report"),
    (IN_CORE, "operator/kindler/core/common/pods.py", "import kindler.core.autoscaling.tracking"),
    (IN_CORE, "operator/kindler/core/autoscaling/tracking.py", "import kindler.core.dataplane.scaling"),
    (IN_CORE, "operator/kindler/core/dataplane/scaling.py", "import kindler.core.endpoint.actions"),
    (IN_CORE, "operator/kindler/core/autoscaling/tracking.py", "import kindler.core.endpoint.actions"),
    (IN_ACTIVATOR, "operator/kindler/activator/endpoint/size.py", "import kindler.activator.wire.sockets"),
    (IN_ACTIVATOR, "operator/kindler/activator/wire/sockets.py", "import kindler.activator.cluster.writer"),
    (IN_ACTIVATOR, "operator/kindler/activator/cluster/writer.py", "import kindler.activator.admin"),
    (IN_ACTIVATOR, "operator/kindler/activator/admin.py", "import kindler.activator.process"),
    (
        NO_CIRCLE,
        "operator/kindler/core/common/pods.py",
        "import kindler.core.common.pools",
    ),
    (PURE, "operator/kindler/core/endpoint/plan.py", "import time"),
    (PURE, "operator/kindler/core/dataplane/admission.py", "import asyncio"),
    (PURE, "operator/kindler/api/route.py", "import random"),
    (KUBERNETES, "operator/kindler/controller/report.py", "import kubernetes"),
    (KUBERNETES, "operator/kindler/runtime/process.py", "import kubernetes"),
    (KOPF, "operator/kindler/controller/report.py", "import kopf"),
    (NO_HACK, "operator/kindler/api/route.py", "import hack.paths"),
    (HACK_LAYERS, "hack/engine.py", "import hack.bench.campaign"),
    (HACK_LAYERS, "hack/sandbox/machine.py", "import hack.bench.campaign"),
    (SANDBOX, "hack/suite.py", "import hack.sandbox.machine"),
    (SANDBOX, "hack/bench/campaign.py", "import hack.sandbox.machine"),
    (BARE_PYTHON, "hack/paths.py", "import aiohttp"),
]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("laws")
    leave_out = shutil.ignore_patterns("__pycache__", ".venv")
    for name in ("operator", "hack"):
        shutil.copytree(ROOT / name, folder / name, ignore=leave_out)
    shutil.copy(ROOT / "pyproject.toml", folder)
    yield folder
    shutil.rmtree(folder)


def broken_laws(folder: Path) -> set[str]:
    """The names of the contracts that import-linter reports as broken in the code of this folder."""
    environ = os.environ | {"PYTHONPATH": os.pathsep.join((str(folder / "operator"), str(folder)))}
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache", "--no-logo"]
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=False)
    broken = set(re.findall(r"^(.+) BROKEN", done.stdout, re.MULTILINE))
    assert done.returncode == bool(broken), done.stdout + done.stderr
    return broken


def test_the_code_keeps_every_law(copy: Path) -> None:
    assert broken_laws(copy) == set()


def test_every_law_has_a_proof() -> None:
    assert {contract["name"] for contract in CONTRACTS} == {law for law, _, _ in PROOFS}


@pytest.mark.parametrize(("law", "file", "bad_import"), PROOFS, ids=[f"{file}: {line}" for _, file, line in PROOFS])
def test_a_bad_import_breaks_the_law(copy: Path, law: str, file: str, bad_import: str) -> None:
    path = copy / file
    code = path.read_text() if path.exists() else None  # None: a new package that no law names yet
    try:
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"{code or ''}\n{bad_import}\n")
        assert law in broken_laws(copy)
    finally:
        if code is None:
            shutil.rmtree(path.parent)
        else:
            path.write_text(code)
