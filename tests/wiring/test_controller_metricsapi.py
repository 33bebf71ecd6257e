"""The reconciler of the APIService, while other servers register and remove their own APIServices."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from kindler.api.settings import controller_settings
from kindler.clients.cluster import Cluster, Object
from kindler.controller.apiservice import ApiServiceReconciler
from kindler.core.autoscaling.decision import MetricsApi
from tests.apiserver import ApiServer, matching

EXTERNAL, CUSTOM = "v1beta1.external.metrics.k8s.io", "v1beta2.custom.metrics.k8s.io"
WRITES = ("create", "patch", "update", "delete")


def pem(content: str) -> str:
    return f"-----BEGIN CERTIFICATE-----\n{base64.b64encode(content.encode()).decode()}\n-----END CERTIFICATE-----\n"


class Ground:
    """An installation without its controller.

    It has the ClusterRole that owns the APIService, and a ConfigMap with a foreign certificate. `publish` creates the
    ConfigMap in which metrics servers publish their certificates.
    """

    def __init__(self, server: ApiServer, kubeconfig: str) -> None:
        self.server, self.store, self.kubeconfig = server, server.store, kubeconfig
        self.services = self.store.kind("apiservices")
        self.changes = 0
        self.role = self.store.create(
            self.store.kind("clusterroles"), "", {"metadata": {"name": "kindler-metrics"}, "rules": []}
        )
        self.store.create(
            self.store.kind("configmaps"),
            "kindler-system",
            {"metadata": {"name": "another"}, "data": {"x": pem("not ours")}},
        )

    def publish(self, **certificates: str) -> None:
        maps = self.store.kind("configmaps")
        if self.store.find(maps, "kindler-system", "kindler-metrics") is None:
            self.store.create(maps, "kindler-system", {"metadata": {"name": "kindler-metrics"}})
        self.store.merge_patch(maps, "kindler-system", "kindler-metrics", {"data": certificates})

    def foreign(self, name: str) -> None:
        """Registers another server, as `kubectl apply` does. An existing APIService gets the other server's spec."""
        service: dict[str, Any] = {
            "service": {"namespace": "monitoring", "name": "adapter"},
            "insecureSkipTLSVerify": True,
            "caBundle": None,
        }
        if self.found(name):
            self.store.merge_patch(self.services, "", name, {"spec": service}, manager="kubectl")
            return
        version, _, group = name.partition(".")
        del service["caBundle"]
        spec = {"group": group, "version": version, "groupPriorityMinimum": 1, "versionPriority": 1} | service
        self.store.create(self.services, "", {"metadata": {"name": name}, "spec": spec}, "kubectl")

    def found(self, name: str) -> Object | None:
        return self.store.find(self.services, "", name)

    def server_of(self, name: str) -> str:
        found = self.found(name)
        return found["spec"]["service"]["name"] if found else ""

    def trusts(self, name: str) -> str:
        return base64.b64decode((self.found(name) or {"spec": {}})["spec"].get("caBundle", "")).decode()

    @property
    def writes(self) -> list[str]:
        return [f"{request.verb} {request.name}" for request in self.server.log if request.verb in WRITES]

    @asynccontextmanager
    async def reconciler(self, **environment: str) -> AsyncIterator[ApiServiceReconciler]:
        def changed() -> None:
            self.changes += 1

        cluster = Cluster()
        await cluster.connect(self.kubeconfig)
        reconciler = ApiServiceReconciler(cluster, controller_settings(environment), changed, resync_seconds=0.05)
        task = asyncio.create_task(reconciler.run())
        try:
            yield reconciler
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await cluster.close()

    async def until(self, condition: Callable[[], Any]) -> None:
        async with asyncio.timeout(20):
            await self.server.until(condition)  # checked after each request; the reconciler sends one every 0.05 s


@pytest.fixture
async def ground(tmp_path: Path) -> AsyncIterator[Ground]:
    async with ApiServer() as server:
        yield Ground(server, server.kubeconfig(tmp_path))


async def test_the_first_free_group_is_used_once_a_server_has_published_its_certificate(ground: Ground) -> None:
    async with ground.reconciler() as reconciler:
        await reconciler.known()
        assert reconciler.api is MetricsApi.NONE and ground.writes == []
        ground.publish(one=pem("one"))
        await ground.until(lambda: reconciler.api is MetricsApi.EXTERNAL)
        assert ground.changes == 1
        found = ground.found(EXTERNAL)
        assert found is not None and found["spec"]["service"] == {
            "namespace": "kindler-system",
            "name": "kindler-metrics",
            "port": 443,
        }
        assert [owner["uid"] for owner in found["metadata"]["ownerReferences"]] == [ground.role["metadata"]["uid"]]
        assert ground.trusts(EXTERNAL) == pem("one")
        ground.publish(two=pem("two"))
        await ground.until(lambda: ground.trusts(EXTERNAL) == pem("one") + pem("two"))
        ground.publish(one=None)  # type: ignore[arg-type]
        await ground.until(lambda: ground.trusts(EXTERNAL) == pem("two"))
    assert ground.writes == [f"patch {EXTERNAL}"] * 3, "one write for each change, and none if nothing differs"


async def test_the_apiservice_is_deleted_with_the_release(ground: Ground) -> None:
    ground.publish(one=pem("one"))
    async with ground.reconciler() as reconciler:
        await ground.until(lambda: reconciler.api is MetricsApi.EXTERNAL)
        ground.store.delete(ground.store.kind("clusterroles"), "", "kindler-metrics")
        await ground.until(lambda: ground.found(EXTERNAL) is None)
        await ground.until(lambda: reconciler.api is MetricsApi.NONE)
    assert ground.found(EXTERNAL) is None


async def test_the_next_leader_keeps_the_group_of_the_former_one(ground: Ground) -> None:
    ground.foreign(EXTERNAL)
    ground.publish(one=pem("one"))
    async with ground.reconciler() as reconciler:
        await ground.until(lambda: reconciler.api is MetricsApi.CUSTOM)
    ground.store.delete(ground.services, "", EXTERNAL)
    wrote = len(ground.writes)
    async with ground.reconciler() as next_one:
        await next_one.known()
        assert next_one.api is MetricsApi.CUSTOM, "the group in use is kept, although external is free now"
    assert len(ground.writes) == wrote


async def test_a_group_that_another_server_claims_is_given_up_and_a_free_one_is_used(
    ground: Ground,
) -> None:
    ground.publish(one=pem("one"))
    async with ground.reconciler() as reconciler:
        await ground.until(lambda: reconciler.api is MetricsApi.EXTERNAL)
        changes = ground.changes
        ground.foreign(EXTERNAL)
        await ground.until(lambda: reconciler.api is MetricsApi.CUSTOM)
        taken = ground.found(EXTERNAL)
        assert (
            taken is not None
            and taken["spec"]["service"]["name"] == "adapter"
            and "ownerReferences" not in taken["metadata"]
        )
        ground.foreign(CUSTOM)
        await ground.until(lambda: reconciler.api is MetricsApi.NONE)
        assert (ground.server_of(EXTERNAL), ground.server_of(CUSTOM)) == ("adapter", "adapter")
        ground.store.delete(ground.services, "", CUSTOM)
        await ground.until(lambda: reconciler.api is MetricsApi.CUSTOM)
        assert ground.changes == changes + 3


async def test_a_server_that_registers_first_is_not_overwritten(ground: Ground) -> None:
    ground.publish(one=pem("one"))
    held = ground.server.faults.hold(matching("patch", "apiservices", EXTERNAL))
    async with ground.reconciler() as reconciler:
        await asyncio.wait_for(held.arrived.wait(), 20)
        ground.foreign(EXTERNAL)
        held.released.set()
        await ground.until(lambda: reconciler.api is MetricsApi.CUSTOM)
    taken = ground.found(EXTERNAL)
    assert (
        taken is not None
        and taken["spec"]["service"]["name"] == "adapter"
        and "ownerReferences" not in taken["metadata"]
    )


async def test_an_apiservice_of_another_server_is_not_deleted(ground: Ground) -> None:
    ground.publish(one=pem("one"))
    async with ground.reconciler() as reconciler:
        await ground.until(lambda: reconciler.api is MetricsApi.EXTERNAL)
    held = ground.server.faults.hold(matching("delete", "apiservices", EXTERNAL))
    async with ground.reconciler(KINDLER_METRICS_API="custom") as reconciler:
        await asyncio.wait_for(held.arrived.wait(), 20)
        ground.foreign(EXTERNAL)
        held.released.set()
        await ground.until(lambda: reconciler.api is MetricsApi.CUSTOM)
        assert ground.server_of(EXTERNAL) == "adapter"


async def test_without_a_metrics_api_nothing_is_read(ground: Ground) -> None:
    async with ground.reconciler(KINDLER_METRICS_API="none") as reconciler:
        await reconciler.known()
        assert reconciler.api is MetricsApi.NONE and ground.server.log == []


async def test_an_unexpected_object_delays_nothing(ground: Ground) -> None:
    ground.publish(one=pem("one"))
    ground.foreign(EXTERNAL)
    ground.found(EXTERNAL)["spec"]["service"] = "a text"  # type: ignore[index]
    async with ground.reconciler() as reconciler:
        async with asyncio.timeout(5):
            await reconciler.known()
        assert reconciler.api is MetricsApi.NONE
        ground.store.delete(ground.services, "", EXTERNAL)
        await ground.until(lambda: reconciler.api is MetricsApi.EXTERNAL)


async def test_a_changed_setting_changes_the_group(ground: Ground) -> None:
    ground.publish(one=pem("one"))
    async with ground.reconciler() as reconciler:
        await ground.until(lambda: reconciler.api is MetricsApi.EXTERNAL)
    async with ground.reconciler(KINDLER_METRICS_API="custom") as reconciler:
        await ground.until(lambda: reconciler.api is MetricsApi.CUSTOM)
    assert (ground.server_of(EXTERNAL), ground.server_of(CUSTOM)) == ("", "kindler-metrics")


async def test_cert_manager_may_inject_the_bundle(ground: Ground) -> None:
    async with ground.reconciler(KINDLER_METRICS_CERTIFICATE="metrics") as reconciler:
        await reconciler.known()
        assert reconciler.api is MetricsApi.NONE, "cert-manager may never issue it: no server would respond"
        ground.publish(one=pem("issued"))
        await ground.until(lambda: reconciler.api is MetricsApi.EXTERNAL)
    found = ground.found(EXTERNAL)
    assert found is not None and "caBundle" not in found["spec"]
    assert found["metadata"]["annotations"] == {"cert-manager.io/inject-ca-from": "kindler-system/metrics"}


async def test_without_rights_the_controller_computes_sizes_without_delay(ground: Ground) -> None:
    ground.server.faults.fail(403, matching("get", "apiservices"), times=float("inf"))
    async with ground.reconciler() as reconciler:
        async with asyncio.timeout(20):
            await reconciler.known()
        assert reconciler.api is MetricsApi.NONE


async def test_errors_do_not_change_the_api_in_use(ground: Ground) -> None:
    ground.publish(one=pem("one"))
    async with ground.reconciler() as reconciler:
        await ground.until(lambda: reconciler.api is MetricsApi.EXTERNAL)
        changes = ground.changes
        failure = ground.server.faults.fail(503, matching("get", "apiservices"), times=5)
        await ground.until(lambda: failure.met == 5)
        assert reconciler.api is MetricsApi.EXTERNAL and ground.changes == changes
