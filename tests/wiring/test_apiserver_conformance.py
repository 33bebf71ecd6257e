"""The API server in memory does what a real one does (tests/e2e/test_conformance.py runs the same cases against that)."""

from __future__ import annotations

import re
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from kindler.clients.cluster import AUTOSCALERS, Cluster, Invalid
from tests.apiserver import ApiServer, autoscalers

pytest.register_assert_rewrite("tests.apiserver.conformance", "tests.apiserver.conformance_scaling")

from tests.apiserver.bystander import NAME, bystander  # noqa: E402
from tests.apiserver.conformance import CONFIG_MAPS, THINGS_CRD, Case, World, config_map  # noqa: E402
from tests.apiserver.conformance_scaling import CASES, autoscaler  # noqa: E402


@pytest.mark.parametrize("beside", [False, True], ids=["alone", "beside-a-bystander"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
async def test_in_memory(case: Case, beside: bool, tmp_path: Path) -> None:
    """Each case twice: alone in its namespace, and while somebody else creates, changes and deletes objects of the same kinds there."""
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(
            ApiServer(namespaces=("conformance",), crds=(THINGS_CRD,), history=100_000)
        )
        if beside:
            await stack.enter_async_context(bystander(server.store, "conformance"))
        kubeconfig = server.kubeconfig(tmp_path)
        cluster = Cluster()
        await cluster.connect(kubeconfig)
        stack.push_async_callback(cluster.close)
        await case(World(cluster, kubeconfig, "conformance", collects=True, forget=server.compact))


async def test_a_bystander_writes_between_any_two_changes_of_a_case(tmp_path: Path) -> None:
    """Otherwise the cases that run beside it would prove nothing."""
    async with (
        ApiServer(namespaces=("conformance",), crds=(THINGS_CRD,)) as server,
        bystander(server.store, "conformance"),
    ):
        cluster = Cluster()
        await cluster.connect(server.kubeconfig(tmp_path))
        _, version = await cluster.list(CONFIG_MAPS, "conformance")
        await cluster.create(CONFIG_MAPS, "conformance", config_map("c"))
        await cluster.merge_patch(CONFIG_MAPS, "conformance", "c", {"data": {"a": "1"}})
        await cluster.delete(CONFIG_MAPS, "conformance", "c")
        await cluster.close()
        names = [
            change.new["metadata"]["name"]
            for change in server.store.since(server.store.kind("configmaps"), int(version))
        ]
        own = [index for index, name in enumerate(names) if name == "c"]
        assert len(own) == 3 and all(NAME in names[index + 1] for index in own)


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
