"""Cold start, measured: how long the first request waits when nothing runs. Three ways to run the same pod, interleaved in one run.

    kindler   POST to the activator while the endpoint sleeps at zero: until its answer is read
    service   what a user has without Kindler: a Deployment scaled from 0 to 1 behind a ClusterIP Service, asked each 10 ms until it answers
    floor     what cannot be beaten: a ReplicaSet scaled from 0 to 1, its pod's IP taken from a watch and asked each 10 ms

Run by `make bench-coldstart` inside the cluster's network. Prints a table, writes JSON and a plot. The last line is the ratio of the first two medians.
"""

from __future__ import annotations

import argparse
import copy
import http.client
import json
import os
import platform
import statistics
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from hack.kubeapi import ApiError, KubeApi

Json = dict[str, Any]

NAMESPACE = "kindler-coldstart"
IMAGE = os.environ.get("KINDLER_COLD_IMAGE", "localhost:5000/coldserver:1")
API_VERSION = "serving.kindler.dev/v1alpha1"
ARMS = ("kindler", "service", "floor")
POLL = 0.010
WHAT = {
    "kindler": "first request at zero, through the activator",
    "service": "the same pod, behind a Deployment and a Service",
    "floor": "the same pod, asked directly",
}


@dataclass(frozen=True)
class Sample:
    """One cold start. `first` and the moments in milliseconds since the request (or the scale) was sent."""

    first: float
    moments: dict[str, float] = field(default_factory=dict)


def summary(samples: list[Sample]) -> Json:
    """Median, 90th percentile (nearest rank) and range of `first`, and the median of each moment that every sample has."""
    firsts = sorted(sample.first for sample in samples)
    names = [name for name in samples[0].moments if all(name in sample.moments for sample in samples)]
    return {
        "n": len(firsts),
        "median": round(statistics.median(firsts), 1),
        "p90": round(firsts[-(-len(firsts) * 9 // 10) - 1], 1),
        "min": round(firsts[0], 1),
        "max": round(firsts[-1], 1),
        "moments": {name: round(statistics.median(sample.moments[name] for sample in samples), 1) for name in names},
    }


class Bench:
    """The three arms on the cluster."""

    def __init__(self, api: KubeApi, gateway: str) -> None:
        self.api = api
        self.gateway = urlsplit(gateway)
        self.service_ip = ""

    def set_up(self) -> None:
        """The namespace, the endpoint, and its pod's template under two other owners."""
        self._create(
            "namespaces",
            None,
            {"metadata": {"name": NAMESPACE, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}}},
        )
        template = self._endpoint()
        for arm, plural, kind in (("service", "deployments", "Deployment"), ("floor", "replicasets", "ReplicaSet")):
            self._create(plural, NAMESPACE, workload(arm, kind, template))
        spec = {"selector": {"app": "service"}, "ports": [{"port": 80, "targetPort": 8080}]}
        self._create("services", NAMESPACE, {"metadata": {"name": "cold-service"}, "spec": spec})
        service = self.api.get("services", NAMESPACE, "cold-service")
        assert service is not None
        self.service_ip = service["spec"]["clusterIP"]

    def _endpoint(self) -> Json:
        """Applies the three objects, waits until they serve, and returns the pod template that Kindler made of them."""
        serverless = {"memorySizeInMB": 1024, "maxConcurrency": 1, "idleTimeoutInSeconds": 1}
        variant = {"variantName": "AllTraffic", "modelName": "cold", "serverlessConfig": serverless}
        specs: dict[str, tuple[str, Json]] = {
            "models": ("Model", {"primaryContainer": {"image": IMAGE}}),
            "endpointconfigs": ("EndpointConfig", {"productionVariants": [variant]}),
            "endpoints": ("Endpoint", {"endpointConfigName": "cold"}),
        }
        for plural, (kind, spec) in specs.items():
            self._create(
                plural, NAMESPACE, {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": "cold"}, "spec": spec}
            )
        found = self.api.until(
            "endpoints",
            NAMESPACE,
            "cold",
            lambda kep: kep is not None and kep["status"].get("endpointStatus") in ("InService", "Failed"),
            180,
        )
        assert found is not None
        if found["status"]["endpointStatus"] == "Failed":
            sys.exit(f"the endpoint failed: {found['status']['failureReason']}")
        pool = self.api.get("replicasets", NAMESPACE, found["status"]["route"]["pools"]["demand"])
        assert pool is not None
        template: Json = pool["spec"]["template"]
        return template

    def tear_down(self) -> None:
        self.api.call("DELETE", self.api.path("namespaces", None, NAMESPACE))
        self.api.until("namespaces", None, NAMESPACE, lambda found: found is None, 120)

    def measure(self, arm: str) -> Sample:
        """One cold start of one arm, from no pod at all to no pod at all."""
        self.api.until_all("pods", NAMESPACE, lambda pods: not pods, timeout=120)
        sample: Sample = {"kindler": self._kindler, "service": self._service, "floor": self._floor}[arm]()
        if arm != "kindler":
            self._scale(arm, 0)
        return sample

    def _kindler(self) -> Sample:
        connection = http.client.HTTPConnection(self.gateway.hostname or "", self.gateway.port, timeout=240)
        begin = time.monotonic()
        connection.request(
            "POST", f"/namespaces/{NAMESPACE}/endpoints/cold/invocations", b"{}", {"Content-Type": "application/json"}
        )
        answer = connection.getresponse()
        body = answer.read()
        first = 1000 * (time.monotonic() - begin)
        connection.close()
        if answer.status != 200:
            sys.exit(f"a request failed: {answer.status} {body.decode(errors='replace')}")
        return Sample(first, server_timing(answer.getheader("Server-Timing") or ""))

    def _service(self) -> Sample:
        moments: dict[str, float] = {}
        begin, watching = self._scaled("service", moments, until=is_ready)
        poll(self.service_ip, 80)
        first = 1000 * (time.monotonic() - begin)
        watching.join(60)
        return Sample(first, moments)

    def _floor(self) -> Sample:
        moments: dict[str, float] = {}
        begin, watching = self._scaled("floor", moments, until=lambda pod: bool(pod["status"].get("podIP")))
        watching.join(60)
        poll(self._pod_ip, 8080)
        return Sample(1000 * (time.monotonic() - begin), moments)

    def _scaled(
        self, arm: str, moments: dict[str, float], until: Callable[[Json], bool]
    ) -> tuple[float, threading.Thread]:
        """Scales to one with a watch already running; it notes the moments of the pod until `until`."""
        listed = self.api.call("GET", self.api.path("pods", NAMESPACE))
        version = listed["metadata"]["resourceVersion"]
        begin = time.monotonic()

        def watch() -> None:
            for _, pod in self.api.follow("pods", NAMESPACE, version, {"labelSelector": f"app={arm}"}, 60):
                now = 1000 * (time.monotonic() - begin)
                moments.setdefault("created", now)
                if pod["spec"].get("nodeName"):
                    moments.setdefault("scheduled", now)
                if pod["status"].get("podIP"):
                    moments.setdefault("ip", now)
                    self._pod_ip = pod["status"]["podIP"]
                if is_ready(pod):
                    moments.setdefault("ready", now)
                if until(pod):
                    return

        thread = threading.Thread(target=watch, daemon=True)
        thread.start()
        begin = time.monotonic()
        self._scale(arm, 1)
        return begin, thread

    def _scale(self, arm: str, count: int) -> None:
        plural = {"service": "deployments", "floor": "replicasets"}[arm]
        self.api.call("PATCH", self.api.path(plural, NAMESPACE, f"cold-{arm}", "scale"), {"spec": {"replicas": count}})

    def _create(self, plural: str, namespace: str | None, item: Json) -> None:
        try:
            self.api.call("POST", self.api.path(plural, namespace), item)
        except ApiError as error:
            if error.code != 409:
                raise


def workload(arm: str, kind: str, template: Json) -> Json:
    """The endpoint's pod under another owner; as a user's Deployment it has a readinessProbe instead of the startupProbe."""
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
    """Asks /ping each 10 ms until the answer is 200."""
    while True:
        connection = http.client.HTTPConnection(host, port, timeout=0.5)
        try:
            connection.request("GET", "/ping")
            if connection.getresponse().status == 200:
                return
        except (OSError, http.client.HTTPException):
            """Nobody listens yet."""
        finally:
            connection.close()
        time.sleep(POLL)


def server_timing(header: str) -> dict[str, float]:
    """`created;dur=13, ip;dur=359` as a dictionary."""
    parts = [part.strip().split(";dur=") for part in header.split(",") if ";dur=" in part]
    return {name: float(value) for name, value in parts}


def table(results: dict[str, Json]) -> str:
    lines = [f"{'':56}{'n':>4}{'median':>9}{'p90':>9}{'min':>9}{'max':>9}   ms"]
    for arm in ARMS:
        r = results[arm]
        moments = " · ".join(f"{name} {value:g}" for name, value in r["moments"].items())
        lines += [
            f"{arm:8}{WHAT[arm]:48}{r['n']:4}{r['median']:9.0f}{r['p90']:9.0f}{r['min']:9.0f}{r['max']:9.0f}",
            f"        {moments}",
        ]
    return "\n".join(lines)


def main() -> None:
    options = argparse.ArgumentParser(
        prog="make bench-coldstart", description="Measures cold starts on the running cluster."
    )
    options.add_argument("--runs", type=int, default=20, help="cold starts of each arm (default 20)")
    options.add_argument(
        "--out", type=Path, default=Path(".kindler/coldstart"), help="folder for coldstart.json and coldstart.svg"
    )
    chosen = options.parse_args()
    bench = Bench(KubeApi(), os.environ["KINDLER_GATEWAY"])
    bench.set_up()
    samples: dict[str, list[Sample]] = {arm: [] for arm in ARMS}
    try:
        for number in range(chosen.runs + 1):
            for arm in ARMS[number % 3 :] + ARMS[: number % 3]:
                sample = bench.measure(arm)
                if number:  # the first round only warms up: image, caches, connections
                    samples[arm].append(sample)
            print(
                f"  round {number} of {chosen.runs}: "
                + ", ".join(f"{arm} {samples[arm][-1].first:.0f}" for arm in ARMS if samples[arm]),
                flush=True,
            )
    finally:
        bench.tear_down()
    report(samples, chosen.out)


def report(samples: dict[str, list[Sample]], folder: Path) -> None:
    """Table, files, and the two ratios as the last lines."""
    results = {arm: summary(samples[arm]) for arm in ARMS}
    to_floor = results["kindler"]["median"] / results["floor"]["median"]
    to_service = results["kindler"]["median"] / results["service"]["median"]
    folder.mkdir(parents=True, exist_ok=True)
    facts = {
        "unit": "ms",
        "machine": f"{os.cpu_count()} cores, {platform.system()} {platform.release().partition('-')[0]}",
        "results": results,
        "ratioToService": round(to_service, 3),
        "ratioToFloor": round(to_floor, 3),
        "samples": {arm: [round(sample.first, 1) for sample in samples[arm]] for arm in ARMS},
    }
    folder.joinpath("coldstart.json").write_text(json.dumps(facts, indent=1) + "\n")
    print(table(results))
    from hack.bench.coldstart import plot as coldstart_plot

    coldstart_plot.draw(facts, folder / "coldstart.svg")
    print(f"written: {folder}/coldstart.json, {folder}/coldstart.svg")
    print(f"ratio to floor: {to_floor:.2f}")
    print(f"ratio to Deployment+Service: {to_service:.2f}")


if __name__ == "__main__":
    main()
