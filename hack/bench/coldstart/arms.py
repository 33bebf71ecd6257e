"""The three ways to run the same pod, on the cluster, and one cold start of each.

    kindler   POST to the activator while the endpoint has no pod, until the response is read
    service   without Kindler: a Deployment scaled from 0 to 1 behind a ClusterIP Service, polled every 10 ms
    floor     the lower bound: a ReplicaSet scaled from 0 to 1; a watch gives the pod's IP, polled every 10 ms

`service` and `floor` use the pod template that Kindler made for the endpoint.
"""

from __future__ import annotations

import copy
import http.client
import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from hack.kubeapi import ApiError, KubeApi

Json = dict[str, Any]

ARMS = ("kindler", "service", "floor")
NAMESPACE = "kindler-coldstart"
IMAGE = os.environ.get("KINDLER_COLD_IMAGE", "localhost:5000/coldserver:1")
API_VERSION = "serving.kindler.dev/v1alpha1"
POLL_SECONDS = 0.010


@dataclass(frozen=True)
class Sample:
    """One cold start, in milliseconds since the request, or the request to scale, was sent.

    `first`: until the first response. `phases`: until the pod was created, scheduled, had an IP address, and so on.
    """

    first: float
    phases: dict[str, float] = field(default_factory=dict)


class Bench:
    """The three ways (arms) to run the pod, in a namespace of their own. `gateway`: the URL of the activator."""

    def __init__(self, api: KubeApi, gateway: str) -> None:
        self.api = api
        self.gateway = urlsplit(gateway)
        self.service_ip = ""
        self._pod_ip = ""

    def set_up(self) -> None:
        """Creates the namespace, the endpoint, and the same pod under a Deployment and a ReplicaSet."""
        labels = {"pod-security.kubernetes.io/enforce": "restricted"}
        self._create("namespaces", None, {"metadata": {"name": NAMESPACE, "labels": labels}})
        template = self._create_endpoint()
        for arm, plural, kind in (("service", "deployments", "Deployment"), ("floor", "replicasets", "ReplicaSet")):
            self._create(plural, NAMESPACE, workload(arm, kind, template))
        spec = {"selector": {"app": "service"}, "ports": [{"port": 80, "targetPort": 8080}]}
        self._create("services", NAMESPACE, {"metadata": {"name": "cold-service"}, "spec": spec})
        service = self.api.get("services", NAMESPACE, "cold-service")
        assert service is not None
        self.service_ip = service["spec"]["clusterIP"]

    def _create_endpoint(self) -> Json:
        """Creates the three objects, and waits until the endpoint is in service. Returns Kindler's pod template."""
        serverless = {"memorySizeInMB": 1024, "maxConcurrency": 1, "idleTimeoutInSeconds": 1}
        variant = {"variantName": "AllTraffic", "modelName": "cold", "serverlessConfig": serverless}
        specs: dict[str, tuple[str, Json]] = {
            "models": ("Model", {"primaryContainer": {"image": IMAGE}}),
            "endpointconfigs": ("EndpointConfig", {"productionVariants": [variant]}),
            "endpoints": ("Endpoint", {"endpointConfigName": "cold"}),
        }
        for plural, (kind, spec) in specs.items():
            item = {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": "cold"}, "spec": spec}
            self._create(plural, NAMESPACE, item)
        found = self.api.until("endpoints", NAMESPACE, "cold", _is_decided, 180)
        assert found is not None
        if found["status"]["endpointStatus"] == "Failed":
            sys.exit(f"✗ the endpoint failed: {found['status']['failureReason']}")
        pool = self.api.get("replicasets", NAMESPACE, found["status"]["route"]["pools"]["demand"])
        assert pool is not None
        template: Json = pool["spec"]["template"]
        return template

    def tear_down(self) -> None:
        self.api.call("DELETE", self.api.path("namespaces", None, NAMESPACE))
        self.api.until("namespaces", None, NAMESPACE, lambda found: found is None, 120)

    def measure(self, arm: str) -> Sample:
        """Measures one cold start of one arm. No pod is in the namespace before and after it."""
        self.api.until_all("pods", NAMESPACE, lambda pods: not pods, timeout=120)
        sample: Sample = {"kindler": self._kindler, "service": self._service, "floor": self._floor}[arm]()
        if arm != "kindler":
            self._scale(arm, 0)
        return sample

    def _kindler(self) -> Sample:
        connection = http.client.HTTPConnection(self.gateway.hostname or "", self.gateway.port, timeout=240)
        path = f"/namespaces/{NAMESPACE}/endpoints/cold/invocations"
        begin = time.monotonic()
        connection.request("POST", path, b"{}", {"Content-Type": "application/json"})
        response = connection.getresponse()
        body = response.read()
        first = 1000 * (time.monotonic() - begin)
        connection.close()
        if response.status != 200:
            sys.exit(f"✗ a request failed: {response.status} {body.decode(errors='replace')}")
        return Sample(first, server_timing(response.getheader("Server-Timing") or ""))

    def _service(self) -> Sample:
        phases: dict[str, float] = {}
        begin, watching = self._scale_up("service", phases, until=is_ready)
        poll(self.service_ip, 80)
        first = 1000 * (time.monotonic() - begin)
        watching.join(60)
        return Sample(first, phases)

    def _floor(self) -> Sample:
        phases: dict[str, float] = {}
        begin, watching = self._scale_up("floor", phases, until=lambda pod: bool(pod["status"].get("podIP")))
        watching.join(60)
        poll(self._pod_ip, 8080)
        return Sample(1000 * (time.monotonic() - begin), phases)

    def _scale_up(
        self, arm: str, phases: dict[str, float], until: Callable[[Json], bool]
    ) -> tuple[float, threading.Thread]:
        """Scales from 0 to 1, while a watch records the pod's phases until `until(pod)` is true.

        Returns the time of the scaling (monotonic, in seconds) and the thread of the watch.
        """
        listed = self.api.call("GET", self.api.path("pods", NAMESPACE))
        version = listed["metadata"]["resourceVersion"]
        begin = time.monotonic()

        def watch() -> None:
            for _, pod in self.api.follow("pods", NAMESPACE, version, {"labelSelector": f"app={arm}"}, 60):
                self._record(pod, phases, 1000 * (time.monotonic() - begin))
                if until(pod):
                    return

        thread = threading.Thread(target=watch, daemon=True)
        thread.start()
        begin = time.monotonic()
        self._scale(arm, 1)
        return begin, thread

    def _record(self, pod: Json, phases: dict[str, float], now: float) -> None:
        phases.setdefault("created", now)
        if pod["spec"].get("nodeName"):
            phases.setdefault("scheduled", now)
        if pod["status"].get("podIP"):
            phases.setdefault("ip", now)
            self._pod_ip = pod["status"]["podIP"]
        if is_ready(pod):
            phases.setdefault("ready", now)

    def _scale(self, arm: str, count: int) -> None:
        plural = {"service": "deployments", "floor": "replicasets"}[arm]
        path = self.api.path(plural, NAMESPACE, f"cold-{arm}", "scale")
        self.api.call("PATCH", path, {"spec": {"replicas": count}})

    def _create(self, plural: str, namespace: str | None, item: Json) -> None:
        try:
            self.api.call("POST", self.api.path(plural, namespace), item)
        except ApiError as error:
            if error.code != 409:
                raise


def _is_decided(endpoint: Json | None) -> bool:
    return endpoint is not None and endpoint["status"].get("endpointStatus") in ("InService", "Failed")


def workload(arm: str, kind: str, template: Json) -> Json:
    """A Deployment or ReplicaSet of the endpoint's pod. In a Deployment the pod has a readinessProbe."""
    pod = copy.deepcopy(template)
    pod["metadata"] = {"labels": {"app": arm}}
    if arm == "service":
        (container,) = pod["spec"]["containers"]
        container["readinessProbe"] = container.pop("startupProbe") | {"periodSeconds": 1}
    spec = {"replicas": 0, "selector": {"matchLabels": {"app": arm}}, "template": pod}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": f"cold-{arm}"}, "spec": spec}


def is_ready(pod: Json) -> bool:
    return any(each["type"] == "Ready" and each["status"] == "True" for each in pod["status"].get("conditions", []))


def poll(host: str, port: int) -> None:
    """Requests /ping every 10 ms until the status is 200."""
    while True:
        connection = http.client.HTTPConnection(host, port, timeout=0.5)
        try:
            connection.request("GET", "/ping")
            if connection.getresponse().status == 200:
                return
        except (OSError, http.client.HTTPException):
            """The pod does not accept connections yet."""
        finally:
            connection.close()
        time.sleep(POLL_SECONDS)


def server_timing(header: str) -> dict[str, float]:
    """`created;dur=13, ip;dur=359` as a dictionary."""
    parts = [part.strip().split(";dur=") for part in header.split(",") if ";dur=" in part]
    return {name: float(value) for name, value in parts}
