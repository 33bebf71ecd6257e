"""The activator's request path as in the product (router, throttler, wire), without a cluster.

This program puts one endpoint with warm pods into the directory once. In the product, watches keep the directory up to
date.

    python -m hack.bench.warm.serve PORT POD_PORT POD_IP…
"""

from __future__ import annotations

import asyncio
import gc
import sys
import time
from collections.abc import Callable
from typing import Any

import uvloop

from kindler.activator.accesslog import AccessLog
from kindler.activator.cluster.directory import Directory
from kindler.activator.cluster.trim import trim_endpoint, trim_pod, trim_pool
from kindler.activator.endpoint.actuator import Probe
from kindler.activator.endpoint.pod import Pod
from kindler.activator.endpoint.requests import Backend
from kindler.activator.endpoint.size import PoolSize
from kindler.activator.endpoint.throttler import EndpointThrottler
from kindler.activator.ownership import Ownership
from kindler.activator.router import Router
from kindler.activator.wire import Listener, close_idle, start
from kindler.api import names
from kindler.api.route import Route
from kindler.api.settings import activator_settings
from kindler.clients.cluster import Cluster

REVISION = "abc"
WARM = names.pool_name("iris", REVISION, names.WARM)


class InstantActuator:
    """A PoolActuator without a cluster: it reports at once that every pod has responded to its first ping."""

    def scale(self, size: PoolSize, replicas: int) -> None: ...

    def probe(self, pod: Pod, probe: Probe, on_success: Callable[[Pod], None]) -> None:
        asyncio.get_running_loop().call_soon(on_success, pod)

    def stop_probing(self, pod: Pod) -> None: ...

    def set_deletion_cost(self, namespace: str, pod: Pod, value: int) -> None: ...

    def delete_pod(self, namespace: str, pod: Pod, reason: str) -> None: ...

    def close_idle(self, backend: Backend) -> None:
        close_idle(backend)


def objects(port: int, pods: list[str]) -> tuple[dict[str, Any], dict[str, Any], list[dict[str, Any]]]:
    """An Endpoint in service, its warm ReplicaSet and the pods of the ReplicaSet, as the API server returns them."""
    demand = names.pool_name("iris", REVISION, names.DEMAND)
    route = Route(
        "AllTraffic", REVISION, demand, WARM, 200, 200, 200, 1024, 300, 60, 180, port, "/ping", "/invocations"
    )
    labels = {names.LABEL_ENDPOINT: "iris", names.LABEL_REVISION: REVISION, names.LABEL_POOL: names.WARM}

    def meta(name: str, kind: str = "", uid: str = "") -> dict[str, Any]:
        owners = [{"kind": kind, "uid": uid, "controller": True}] if kind else []
        return {
            "namespace": "default",
            "name": name,
            "uid": f"uid-{name}",
            "labels": labels,
            "ownerReferences": owners,
            "resourceVersion": "1",
        }

    endpoint = {"metadata": meta("iris"), "spec": {}, "status": {"route": route.to_json()}}
    pool = {"metadata": meta(WARM, "Endpoint", "uid-iris"), "spec": {"replicas": len(pods)}}
    ready = [{"type": "Ready", "status": "True"}]
    its_pods = [
        {"metadata": meta(f"pod-{ip}", "ReplicaSet", f"uid-{WARM}"), "status": {"podIP": ip, "conditions": ready}}
        for ip in pods
    ]
    return endpoint, pool, its_pods


async def serve(port: int, pod_port: int, pods: list[str]) -> Listener:
    """Serves the endpoint `iris` of the namespace `default` on `port` of the loopback interface."""
    settings = activator_settings({})
    access_log, actuator = AccessLog(access_log=False), InstantActuator()
    directory = Directory(lambda identity: EndpointThrottler(identity, actuator, (access_log,), time.monotonic))
    router = Router(settings, Cluster(), directory, Ownership(), lambda: True)
    endpoint, pool, its_pods = objects(pod_port, pods)
    directory.on_endpoint(None, trim_endpoint(endpoint))
    directory.on_pool(None, trim_pool(pool))
    for pod in its_pods:
        directory.on_pod(None, trim_pod(pod))
    return await start(settings, router, "127.0.0.1", port)


async def main() -> None:
    await serve(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
    gc.collect()
    gc.freeze()
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main())
