"""The environment of the controller's wiring tests: a strict API server, a kubelet, an activator's /stats."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from kindler.api.settings import ControllerSettings, controller_settings
from kindler.api.stats import EndpointStats, Stats, Totals
from kindler.clients.cluster import Cluster
from kindler.controller.process import Controller
from tests.apiserver import ApiServer, Kubelet

Json = dict[str, Any]
NS = "team"
API = "serving.kindler.dev/v1alpha1"
IMAGE = "localhost:5000/echo:1"


def model(
    name: str = "echo", image: str = IMAGE, namespace: str = NS, environment: Json | None = None, **spec: Any
) -> Json:
    container = {"image": image} | ({"environment": environment} if environment else {})
    return _object("Model", name, namespace, {"primaryContainer": container} | spec)


def config(
    name: str = "echo", of: str = "echo", namespace: str = NS, memory: int = 1024, limit: int = 2, **serverless: Any
) -> Json:
    spec = {"memorySizeInMB": memory, "maxConcurrency": limit} | serverless
    return _object(
        "EndpointConfig",
        name,
        namespace,
        {"productionVariants": [{"variantName": "AllTraffic", "modelName": of, "serverlessConfig": spec}]},
    )


def endpoint(name: str = "echo", of: str = "echo", namespace: str = NS, **spec: Any) -> Json:
    return _object("Endpoint", name, namespace, {"endpointConfigName": of} | spec)


def _object(kind: str, name: str, namespace: str, spec: Json) -> Json:
    return {"apiVersion": API, "kind": kind, "metadata": {"name": name, "namespace": namespace}, "spec": spec}


@dataclass
class World:
    """The cluster of a test. `reported`: the activator's response at /stats, by "namespace/name"; None: an error.

    `loads`: (concurrent executions, since when), by "namespace/name".
    """

    server: ApiServer
    kubelet: Kubelet
    settings: ControllerSettings
    reported: dict[str, EndpointStats] | None = field(default_factory=dict)
    loads: dict[str, tuple[int, float]] = field(default_factory=dict)
    controllers: list[tuple[Controller, asyncio.Event, asyncio.Task[int], Cluster]] = field(default_factory=list)

    # The user

    def apply(self, *objects: Json) -> None:
        for value in objects:
            kind = self.server.store.kind(value["kind"].lower() + "s", "serving.kindler.dev")
            self.server.store.create(kind, value["metadata"]["namespace"], value, "kubectl")

    async def younger(self, *objects: Json) -> None:
        """Applies objects that must be younger than all others.

        creationTimestamps are whole seconds. For objects of the same second the uid would decide which one is older.
        """
        await asyncio.sleep(1.01 - time.time() % 1)
        self.apply(*objects)

    def rename(self, name: str, config_name: str, namespace: str = NS) -> None:
        """Sets another endpointConfigName, as UpdateEndpoint does."""
        self.patch("endpoints", name, {"spec": {"endpointConfigName": config_name}}, namespace)

    def patch(
        self,
        plural: str,
        name: str,
        patch: Json,
        namespace: str = NS,
        group: str = "serving.kindler.dev",
        sub: str = "",
    ) -> None:
        self.server.store.merge_patch(self.server.store.kind(plural, group), namespace, name, patch, sub, "kubectl")

    def autoscale(self, *entries: Json, name: str = "echo") -> None:
        """Edits spec.autoscaling."""
        self.patch("endpoints", name, {"spec": {"autoscaling": list(entries) or None}})

    def delete(
        self, plural: str, name: str, namespace: str = NS, group: str = "serving.kindler.dev", **options: Any
    ) -> None:
        self.server.store.delete(self.server.store.kind(plural, group), namespace, name, options or None)

    # Objects of the cluster

    def all(self, plural: str, group: str = "", namespace: str = NS) -> list[Json]:
        return list(self.server.store.all(self.server.store.kind(plural, group), namespace))

    def find(self, plural: str, name: str, namespace: str = NS, group: str = "serving.kindler.dev") -> Json | None:
        return next((x for x in self.all(plural, group, namespace) if x["metadata"]["name"] == name), None)

    def pools(self, namespace: str = NS) -> dict[str, int]:
        return {x["metadata"]["name"]: x["spec"]["replicas"] for x in self.all("replicasets", "apps", namespace)}

    def hpa(self, name: str = "echo") -> Json:
        """The HPA's spec; empty without an HPA."""
        found = self.find("horizontalpodautoscalers", f"{name}-warm", group="autoscaling")
        return found["spec"] if found else {}

    def bounds(self, name: str = "echo") -> tuple[int, ...]:
        """minReplicas and maxReplicas of the HPA."""
        return tuple(self.hpa(name)[key] for key in ("minReplicas", "maxReplicas")) if self.hpa(name) else ()

    def warm(self, name: str = "echo") -> int | None:
        """The size of the warm pool in status.route; None if the route has no warm pool."""
        return self.pools().get(self.status(name).get("route", {}).get("pools", {}).get("warm", ""))

    def status(self, name: str = "echo", namespace: str = NS) -> Json:
        found = self.find("endpoints", name, namespace)
        return (found or {}).get("status", {})

    def row(self, name: str = "echo", namespace: str = NS) -> tuple[str, ...]:
        """endpointStatus, Ready, Available, other conditions; empty while the status describes an older generation."""
        found = self.find("endpoints", name, namespace)
        if not found or found["status"].get("observedGeneration") != found["metadata"]["generation"]:
            return ()
        conditions = {c["type"]: c for c in found["status"].get("conditions", [])}
        assert all(c["observedGeneration"] == found["metadata"]["generation"] for c in conditions.values())
        marks = sorted(k for k in conditions if k not in ("Ready", "Available", "ScalingActive"))
        return (
            found["status"].get("endpointStatus", ""),
            conditions["Ready"]["status"],
            conditions["Available"]["status"],
            *marks,
        )

    def reason(self, name: str = "echo", kind: str = "Ready", plural: str = "endpoints") -> str:
        found = self.find(plural, name) or {}
        return str(next((c["reason"] for c in found.get("status", {}).get("conditions", []) if c["type"] == kind), ""))

    async def until(self, condition: Callable[[], Any], seconds: float = 40) -> Any:
        async with asyncio.timeout(seconds):
            return await self.server.until(condition)

    async def reaches(self, name: str, *row: str, seconds: float = 40) -> Json:
        try:
            await self.until(lambda: self.row(name) == row, seconds)
        except TimeoutError:
            raise AssertionError(f"{name}: expected {row}, found {self.row(name)}: {self.status(name)}") from None
        return self.status(name)

    def writes(self) -> list[str]:
        """Every write of a controller so far, without Leases and Events."""
        return [
            f"{r.verb} {r.resource}/{r.name}/{r.subresource}"
            for r in self.server.log
            if r.write and r.resource not in ("leases", "events")
        ]

    # The activator

    def serve(
        self,
        name: str = "echo",
        in_flight: int = 0,
        older: dict[str, int] | None = None,
        revision: str | None = None,
        warm: int = 0,
    ) -> None:
        """Makes the activator report that it serves `revision`, or by default the revision in status.route."""
        found = self.find("endpoints", name)
        assert found is not None
        assert self.reported is not None
        now = revision or found["status"]["route"]["revision"]
        self.reported[f"{NS}/{name}"] = EndpointStats(
            found["metadata"]["uid"], True, now, in_flight, 0, warm, in_flight - warm, older or {}
        )

    def load(self, executions: int, name: str = "echo") -> None:
        """Makes the activator report from now on `executions` concurrent executions in the demand pool."""
        self.serve(name, in_flight=executions)
        self.loads[f"{NS}/{name}"] = (executions, time.monotonic())

    async def stats(self, _: web.Request) -> web.Response:
        if self.reported is None:
            return web.Response(status=500)
        counted = {
            key: replace(
                self.reported[key], totals=Totals(load_seconds=level * (time.monotonic() - since), invocations=level)
            )
            for key, (level, since) in self.loads.items()
        }
        return web.json_response(Stats("boot", self.reported | counted).to_json())

    # The HPA controller

    def metrics_api(self) -> None:
        """Creates what a metrics process publishes: after that, the controller expects that HPAs can read metrics."""
        store = self.server.store
        store.create(store.kind("clusterroles"), "", {"metadata": {"name": "kindler-metrics"}, "rules": []})
        text = "-----BEGIN CERTIFICATE-----\nYQ==\n-----END CERTIFICATE-----\n"
        store.create(
            store.kind("configmaps"),
            "kindler-system",
            {"metadata": {"name": "kindler-metrics"}, "data": {"metrics-0": text}},
        )

    def scales(self, size: int, name: str = "echo") -> None:
        """Scales the pool that the HPA targets, as the HPA controller does."""
        store, pool = self.server.store, self.hpa(name)["scaleTargetRef"]["name"]
        store.scale(
            store.kind("replicasets", "apps"), NS, pool, {"spec": {"replicas": size}}, "kube-controller-manager"
        )

    def hpa_says(
        self, able: str = "True", active: str = "True", why: str = "it was able to calculate", name: str = "echo"
    ) -> None:
        """Writes these conditions into the status of the HPA, as the HPA controller does."""
        conditions = [
            {"type": kind, "status": status, "reason": "Because", "message": why}
            for kind, status in (("AbleToScale", able), ("ScalingActive", active))
        ]
        self.patch(
            "horizontalpodautoscalers",
            f"{name}-warm",
            {"status": {"conditions": conditions}},
            group="autoscaling",
            sub="status",
        )

    # Controllers

    async def start(self) -> Controller:
        cluster = Cluster()
        await cluster.connect()
        controller = Controller(self.settings, cluster)
        stop = asyncio.Event()
        self.controllers.append((controller, stop, asyncio.create_task(controller.run(stop)), cluster))
        return controller

    async def stop(self, controller: Controller) -> int:
        """Stops the controller as SIGTERM does. Returns the exit status."""
        entry = next(e for e in self.controllers if e[0] is controller)
        self.controllers.remove(entry)
        entry[1].set()
        async with asyncio.timeout(20):
            status = await entry[2]
        await entry[3].close()
        return status

    async def kill(self, controller: Controller) -> None:
        """Ends the controller as SIGKILL does: it does not release its Lease."""
        entry = next(e for e in self.controllers if e[0] is controller)
        self.controllers.remove(entry)
        await entry[3].close()  # after this, no request of the controller reaches the API server
        entry[2].cancel()
        await asyncio.gather(entry[2], return_exceptions=True)


@contextlib.asynccontextmanager
async def world(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    namespaces: tuple[str, ...] = (NS,),
    automatic: bool = True,
    **changed: Any,
) -> AsyncIterator[World]:
    """One API server with a kubelet and one activator. No controller runs until the test starts one.

    `changed`: fields of the settings with other values. `automatic`: as for Kubelet.
    """
    async with ApiServer(namespaces=namespaces) as server:
        monkeypatch.setenv("KUBECONFIG", server.kubeconfig(folder))
        token = folder / "token"
        token.write_text("peer")
        local: Json = {"lease_retry_seconds": 0.3, "metrics_port": 0, "peer_token_path": str(token)}
        settings = replace(controller_settings({}), **local)
        made = World(server, Kubelet(server, automatic), settings)
        async with _activator(made) as port:
            made.settings = replace(settings, peer_port=port, **changed)
            yield made
            for controller, *_ in list(made.controllers):
                await made.stop(controller)


@contextlib.asynccontextmanager
async def _activator(made: World) -> AsyncIterator[int]:
    app = web.Application()
    app.router.add_get("/stats", made.stats)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    labels = {"app.kubernetes.io/component": "activator"}
    pod = {
        "metadata": {"name": "activator-0", "labels": labels},
        "spec": {"nodeName": "node-1", "containers": [{"name": "activator", "image": "x"}]},
    }
    store = made.server.store
    kind = store.kind("pods")
    created = store.create(kind, "kindler-system", pod, "test")
    running = {"name": "activator", "state": {"running": {}}, "started": True, "ready": True}
    status = {"phase": "Running", "podIP": "127.0.0.1", "containerStatuses": [running]}
    store.update(kind, "kindler-system", "activator-0", created | {"status": status}, "status", "kubelet")
    try:
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()
