"""During an upgrade two metrics servers run, and the new one takes over when it can serve."""

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


class Environment:
    """A cluster with the pod of a new metrics server, `kindler-metrics-new`. A test creates the other pods."""

    def __init__(self, server: ApiServer) -> None:
        self.server, self.pods = server, server.store.kind("pods")
        self.any_scaled, self.minute_complete, self.listed = True, False, asyncio.Event()

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
    async def started(self, folder: Path) -> AsyncIterator[Handover]:
        cluster = Cluster()
        await cluster.connect(self.server.kubeconfig(folder))
        common = metrics_settings({"KINDLER_POD_NAME": "kindler-metrics-new"}).common
        handover = Handover(cluster, common, lambda: self.any_scaled, lambda: self.minute_complete, seconds=0.02)
        running = asyncio.create_task(handover.run(self.listed))
        self.listed.set()
        try:
            yield handover
            assert not running.done(), "a part that ends would end the process"
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await cluster.close()

    async def checked(self, times: int = 2) -> None:
        """Waits until the new server has checked the other pods this many times."""
        requests = len(self.server.log) + times
        async with asyncio.timeout(20):
            await self.server.until(lambda: len(self.server.log) > requests)

    async def taken_over(self, handover: Handover) -> None:
        async with asyncio.timeout(20):
            await handover.taken_over.wait()


@pytest.fixture
async def environment() -> AsyncIterator[Environment]:
    async with ApiServer() as server:
        environment = Environment(server)
        environment.pod("kindler-metrics-new", ready=False)
        yield environment


async def test_it_waits_for_a_whole_minute_while_another_server_is_ready(
    environment: Environment, tmp_path: Path
) -> None:
    environment.pod("kindler-metrics-old")
    async with environment.started(tmp_path) as handover:
        await environment.checked()
        assert not handover.taken_over.is_set()
        environment.minute_complete = True
        await environment.taken_over(handover)


async def test_it_takes_over_when_the_other_server_ends(environment: Environment, tmp_path: Path) -> None:
    environment.pod("kindler-metrics-old")
    async with environment.started(tmp_path) as handover:
        await environment.checked()
        environment.ready("kindler-metrics-old", ready=False)
        await environment.taken_over(handover)


async def test_it_does_not_wait_for_another_installation_or_a_server_that_is_not_ready(
    environment: Environment, tmp_path: Path
) -> None:
    environment.pod("second-kindler-metrics-1")
    environment.pod("kindler-metrics-broken", ready=False)
    async with environment.started(tmp_path) as handover:
        await environment.taken_over(handover)


async def test_if_no_endpoint_scales_it_makes_no_request(environment: Environment, tmp_path: Path) -> None:
    environment.pod("kindler-metrics-old")
    environment.any_scaled = False
    async with environment.started(tmp_path) as handover:
        await environment.taken_over(handover)
        assert environment.server.log == []


async def test_it_does_not_wait_if_the_api_server_fails(environment: Environment, tmp_path: Path) -> None:
    environment.pod("kindler-metrics-old")
    environment.server.faults.fail(403, matching("list", "pods"))
    async with environment.started(tmp_path) as handover:
        await environment.taken_over(handover)
