"""The API server in memory does what a real one does (tests/e2e/test_conformance.py runs the same cases against that)."""

from __future__ import annotations

from pathlib import Path

import pytest

from kindler.clients.cluster import Cluster
from tests.apiserver import ApiServer

pytest.register_assert_rewrite("tests.apiserver.conformance")

from tests.apiserver.conformance import CASES, THINGS_CRD, Case, World  # noqa: E402


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
async def test_in_memory(case: Case, tmp_path: Path) -> None:
    async with ApiServer(namespaces=("conformance",), crds=(THINGS_CRD,)) as server:
        kubeconfig = server.kubeconfig(tmp_path)
        cluster = Cluster()
        await cluster.connect(kubeconfig)
        try:
            await case(World(cluster, kubeconfig, "conformance", collects=True, forget=server.compact))
        finally:
            await cluster.close()
