"""The API server in memory behaves like a real one. tests/e2e/test_conformance.py runs the same cases on a real one."""

from __future__ import annotations

import re
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from kindler.clients.cluster import AUTOSCALERS, Cluster, Invalid
from tests.apiserver import ApiServer, autoscalers

pytest.register_assert_rewrite("tests.apiserver.conformance")

from tests.apiserver.bystander import NAME, bystander  # noqa: E402
from tests.apiserver.conformance import CASES, Case, World  # noqa: E402
from tests.apiserver.conformance.bodies import CONFIG_MAPS, THINGS_CRD, autoscaler, config_map  # noqa: E402


@pytest.mark.parametrize("with_bystander", [False, True], ids=["alone", "with-a-bystander"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
async def test_case_passes_on_the_server_in_memory(case: Case, with_bystander: bool, tmp_path: Path) -> None:
    """Each case runs twice: alone in its namespace, and together with a second writer of the same kinds."""
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(
            ApiServer(namespaces=("conformance",), crds=(THINGS_CRD,), history=100_000)
        )
        if with_bystander:
            await stack.enter_async_context(bystander(server.store, "conformance"))
        kubeconfig = server.kubeconfig(tmp_path)
        cluster = Cluster()
        await cluster.connect(kubeconfig)
        stack.push_async_callback(cluster.close)
        await case(World(cluster, kubeconfig, "conformance", has_collector=True, drop_history=server.compact))


async def test_a_bystander_writes_between_any_two_changes_of_a_case(tmp_path: Path) -> None:
    """If the bystander did not write between the changes of a case, the runs with it would prove nothing."""
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


async def test_an_older_server_rejects_a_minimum_of_zero_with_the_real_message(tmp_path: Path) -> None:
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
