"""The API server in memory does what a real one does (tests/e2e/test_conformance.py runs the same cases against that)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from kindler.clients.cluster import AUTOSCALERS, Cluster, Invalid
from tests.apiserver import ApiServer, autoscalers

pytest.register_assert_rewrite("tests.apiserver.conformance", "tests.apiserver.conformance_scaling")

from tests.apiserver.conformance import THINGS_CRD, Case, World  # noqa: E402
from tests.apiserver.conformance_scaling import CASES, autoscaler  # noqa: E402


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


async def test_an_older_server_refuses_a_minimum_of_zero_in_its_own_words(tmp_path: Path) -> None:
    async with ApiServer(namespaces=("conformance",)) as server:
        cluster = Cluster()
        await cluster.connect(server.kubeconfig(tmp_path))
        server.store.admission.append(autoscalers.refuse_zero)
        with pytest.raises(
            Invalid, match=re.escape("spec.minReplicas: Invalid value: 0: must be greater than or equal to 1")
        ):
            await cluster.create(AUTOSCALERS, "conformance", autoscaler(minReplicas=0))
        await cluster.create(AUTOSCALERS, "conformance", autoscaler(minReplicas=1))
        await cluster.close()
