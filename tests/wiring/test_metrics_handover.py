"""Which of two metrics servers serves during an upgrade."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from kindler.api.settings import metrics_settings
from kindler.clients.cluster import Cluster
from kindler.metrics.handover import Handover
from tests.apiserver import ApiServer, matching

SYSTEM = "kindler-system"


class Ground:
    """A new server, `kindler-metrics-new`, beside the pods that a test creates."""

    def __init__(self, server: ApiServer) -> None:
        self.server, self.pods = server, server.store.kind("pods")
        self.scales, self.whole, self.known = True, False, asyncio.Event()

    def pod(self, name: str, ready: bool = True) -> None:
        body = {
            "metadata": {"name": name, "labels": {"app.kubernetes.io/component": "metrics"}},
            "spec": {"containers": [{"name": "a", "image": "a:1"}]},
        }
        self.server.store.create(self.pods, SYSTEM, body)
        self.ready(name, ready)

    def ready(self, name: str, ready: bool) -> None:
        status = {"status": {"conditions": [{"type": "Ready", "status": str(ready)}]}}
        self.server.store.merge_patch(self.pods, SYSTEM, name, status, "status")

    @asynccontextmanager
    async def begins(self, folder: Path) -> AsyncIterator[Handover]:
        cluster = Cluster()
        await cluster.connect(self.server.kubeconfig(folder))
        common = metrics_settings({"KINDLER_POD_NAME": "kindler-metrics-new"}).common
        handover = Handover(cluster, common, lambda: self.scales, lambda: self.whole, seconds=0.02)
        running = asyncio.create_task(handover.run(self.known))
        self.known.set()
        try:
            yield handover
            assert not running.done(), "a part that ends would end the process"
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await cluster.close()

    async def looked(self, times: int = 2) -> None:
        """Returns after so many more checks."""
        seen = len(self.server.log) + times
        async with asyncio.timeout(20):
            await self.server.until(lambda: len(self.server.log) > seen)

    async def over(self, handover: Handover) -> None:
        async with asyncio.timeout(20):
            await handover.taken_over.wait()


@pytest.fixture
async def ground() -> AsyncIterator[Ground]:
    async with ApiServer() as server:
        made = Ground(server)
        made.pod("kindler-metrics-new", ready=False)
        yield made


async def test_it_waits_for_a_whole_minute_while_another_server_is_ready(ground: Ground, tmp_path: Path) -> None:
    ground.pod("kindler-metrics-old")
    async with ground.begins(tmp_path) as handover:
        await ground.looked()
        assert not handover.taken_over.is_set()
        ground.whole = True
        await ground.over(handover)


async def test_it_takes_over_when_the_other_server_ends(ground: Ground, tmp_path: Path) -> None:
    ground.pod("kindler-metrics-old")
    async with ground.begins(tmp_path) as handover:
        await ground.looked()
        ground.ready("kindler-metrics-old", ready=False)
        await ground.over(handover)


async def test_it_does_not_wait_for_another_installation_or_a_server_that_is_not_ready(
    ground: Ground, tmp_path: Path
) -> None:
    ground.pod("second-kindler-metrics-1")
    ground.pod("kindler-metrics-broken", ready=False)
    async with ground.begins(tmp_path) as handover:
        await ground.over(handover)


async def test_if_no_endpoint_scales_it_makes_no_request(ground: Ground, tmp_path: Path) -> None:
    ground.pod("kindler-metrics-old")
    ground.scales = False
    async with ground.begins(tmp_path) as handover:
        await ground.over(handover)
        assert ground.server.log == []


async def test_it_does_not_wait_if_the_api_server_fails(ground: Ground, tmp_path: Path) -> None:
    ground.pod("kindler-metrics-old")
    ground.server.faults.fail(403, matching("list", "pods"))
    async with ground.begins(tmp_path) as handover:
        await ground.over(handover)
