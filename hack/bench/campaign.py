"""Measurements that take too long for a test (`make campaign`). Prints the results and writes them as JSON.

    memory     resident memory of controller and activator with 0 and with 200 endpoints
    storm      20 endpoints without pods, with 10 clients each, which send 1,000 requests together; the limits are so
               high that no request is throttled
    rollouts   one endpoint switches between two memory sizes many times while clients send requests without a pause
    hpa        about forty series of loads through real HPAs, for the page that compares HPAs with AWS's rule
               (bench/hpa)

Runs in the cluster's network, with Kindler installed.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import re
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from hack.bench.hpa import cases, product
from hack.bench.hpa import cluster as autoscalers
from hack.kubeapi import KubeApi

Json = dict[str, Any]

SYSTEM = "kindler-system"
COMPONENTS = ("controller", "activator")
IMAGE = os.environ.get("KINDLER_ECHO_IMAGE", "localhost:5000/echo:1")
API_VERSION = "serving.kindler.dev/v1alpha1"
BATCH = 50  # endpoints that are created together
STORM_ENDPOINTS, STORM_CLIENTS, STORM_REQUESTS = 20, 200, 5
PARTS = ("memory", "storm", "rollouts", "hpa")


def kubectl(*words: str, stdin: str | None = None) -> str:
    return subprocess.run(["kubectl", *words], input=stdin, check=True, capture_output=True, text=True).stdout


def invoke(namespace: str, name: str, body: Json) -> tuple[int, float]:
    """Sends one request. Returns its status (0: the connection broke) and its duration in milliseconds."""
    at = urlsplit(os.environ["KINDLER_GATEWAY"])
    path = f"/namespaces/{namespace}/endpoints/{name}/invocations"
    begin = time.monotonic()
    connection = http.client.HTTPConnection(at.hostname or "", at.port, timeout=240)
    try:
        connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        response = connection.getresponse()
        response.read()
        return response.status, 1000 * (time.monotonic() - begin)
    except (OSError, http.client.HTTPException):
        return 0, 1000 * (time.monotonic() - begin)
    finally:
        connection.close()


class Namespace:
    """A namespace of the campaign, in which the campaign creates endpoints."""

    def __init__(self, api: KubeApi, name: str) -> None:
        self.api = api
        self.name = name

    def object(self, kind: str, name: str, spec: Json) -> Json:
        metadata = {"name": name, "namespace": self.name}
        return {"apiVersion": API_VERSION, "kind": kind, "metadata": metadata, "spec": spec}

    def create(self, names: list[str], **serverless: Any) -> None:
        """Creates one model, one config, and an endpoint for each name. Returns when all endpoints are in service."""
        model = self.object("Model", "echo", {"primaryContainer": {"image": IMAGE}})
        endpoints = [self.object("Endpoint", name, {"endpointConfigName": "echo"}) for name in names]
        objects = [model, self.config("echo", **serverless), *endpoints]
        kubectl("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))
        kubectl("-n", self.name, "wait", "kep", "--all", "--for=condition=Ready", "--timeout=900s")

    def config(self, name: str, memory: int = 1024, **serverless: Any) -> Json:
        settings = {"memorySizeInMB": memory, **serverless}
        variant = {"variantName": "AllTraffic", "modelName": "echo", "serverlessConfig": settings}
        return self.object("EndpointConfig", name, {"productionVariants": [variant]})

    def switch(self, config: str) -> None:
        """Updates the endpoint `echo` to another config. Returns when the update is complete."""
        change = json.dumps({"spec": {"endpointConfigName": config}})
        kubectl("-n", self.name, "patch", "kep", "echo", "--type=merge", "-p", change)
        for condition in (f"jsonpath={{.status.endpointConfigName}}={config}", "condition=Ready"):
            kubectl("-n", self.name, "wait", "kep/echo", f"--for={condition}", "--timeout=180s")

    def await_no_pods(self) -> None:
        self.api.until_all("pods", self.name, lambda pods: not pods, timeout=600)


@contextmanager
def namespace(api: KubeApi, name: str) -> Iterator[Namespace]:
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    api.call("POST", api.path("namespaces"), {"metadata": {"name": name, "labels": labels}})
    try:
        yield Namespace(api, name)
    finally:
        api.call("DELETE", api.path("namespaces", None, name))
        api.until("namespaces", None, name, lambda found: found is None, 300)


def resident_memory(component: str) -> Json:
    """The MiB of memory that the process of a component holds now, and the most that it has held so far."""
    status = kubectl("-n", SYSTEM, "exec", f"deployment/kindler-{component}", "--", "cat", "/proc/1/status")
    found = dict(re.findall(r"(VmRSS|VmHWM):\s+(\d+) kB", status))
    return {"now": round(int(found["VmRSS"]) / 1024, 1), "peak": round(int(found["VmHWM"]) / 1024, 1)}


def memory(api: KubeApi, count: int) -> Json:
    before = {component: resident_memory(component) for component in COMPONENTS}
    begin = time.monotonic()
    with namespace(api, "campaign-memory") as there:
        for first in range(0, count, BATCH):  # in batches, because one small node cannot start all pods at once
            last = min(first + BATCH, count)
            names = [f"echo-{number}" for number in range(first, last)]
            there.create(names, maxConcurrency=5, idleTimeoutInSeconds=2)
            there.await_no_pods()
            seconds = time.monotonic() - begin
            print(f"  {last} of {count} endpoints in service and scaled to zero after {seconds:.0f} s", flush=True)
        after = {component: resident_memory(component) for component in COMPONENTS}
    seconds = round(time.monotonic() - begin)
    return {"unit": "MiB", "endpoints": count, "before": before, "with": after, "seconds": seconds}


def storm(api: KubeApi) -> Json:
    with namespace(api, "campaign-storm") as there:
        names = [f"echo-{number}" for number in range(STORM_ENDPOINTS)]
        there.create(names, maxConcurrency=20, maxConcurrencyPerInstance=10, idleTimeoutInSeconds=5)
        there.await_no_pods()
        start = threading.Barrier(STORM_CLIENTS)

        def client(number: int) -> list[tuple[int, float]]:
            start.wait()
            return [invoke(there.name, names[number % STORM_ENDPOINTS], {}) for _ in range(STORM_REQUESTS)]

        begin = time.monotonic()
        with ThreadPoolExecutor(STORM_CLIENTS) as pool:
            results = list(pool.map(client, range(STORM_CLIENTS)))
        seconds = time.monotonic() - begin
    firsts = [responses[0][1] for responses in results]
    statuses = Counter(status for responses in results for status, _ in responses)
    return {
        "requests": statuses.total(),
        "statuses": {str(status): count for status, count in sorted(statuses.items())},
        "firstMedianMs": round(statistics.median(firsts)),
        "firstMaxMs": round(max(firsts)),
        "seconds": round(seconds, 1),
    }


def rollouts(api: KubeApi, count: int) -> Json:
    statuses: Counter[int] = Counter()
    stop = threading.Event()
    with namespace(api, "campaign-rollouts") as there:
        there.create(["echo"], maxConcurrency=8, idleTimeoutInSeconds=60)
        other = there.config("other", memory=2048, maxConcurrency=8, idleTimeoutInSeconds=60)
        kubectl("apply", "-f", "-", stdin=json.dumps(other))

        def client(_: int) -> None:
            while not stop.is_set():
                statuses[invoke(there.name, "echo", {"sleep": 0.05})[0]] += 1

        with ThreadPoolExecutor(4) as pool:
            running = pool.map(client, range(4))
            try:
                for number in range(count):
                    there.switch(("other", "echo")[number % 2])
            finally:
                stop.set()
            list(running)
    by_status = {str(status): n for status, n in sorted(statuses.items())}
    return {"rollouts": count, "requests": statuses.total(), "statuses": by_status}


def hpa(api: KubeApi) -> Json:
    """The figures of hack/bench/hpa/page.py.

    Kindler's own copy of the HPA's rule must compute the same sizes. Cases with their own tolerance are excluded,
    because the copy does not support it.
    """
    version = api.call("GET", "/version")["gitVersion"]
    sizes = autoscalers.run(api, cases.CASES)
    computed = {case.key: product.sizes(case) for case in cases.CASES if not case.tolerance}
    other = [key for key, found in computed.items() if found not in (None, sizes[key])]
    return {"kubernetes": version, "sizes": sizes} | ({"otherThanTracking": other} if other else {})


def options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="make campaign", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", default=PARTS, help=f"{', '.join(PARTS)} (default: all)")
    parser.add_argument("--endpoints", type=int, default=200, help="of memory (default: 200)")
    parser.add_argument("--rollouts", type=int, default=20, help="of rollouts (default: 20)")
    folder = Path(".kindler/campaign")
    parser.add_argument("--out", type=Path, default=folder, help=f"folder for JSON files, one per part ({folder})")
    return parser


def main() -> None:
    chosen = options().parse_args()
    api = KubeApi()
    work: dict[str, Callable[[], Json]] = {
        "memory": lambda: memory(api, chosen.endpoints),
        "storm": lambda: storm(api),
        "rollouts": lambda: rollouts(api, chosen.rollouts),
        "hpa": lambda: hpa(api),
    }
    chosen.out.mkdir(parents=True, exist_ok=True)
    failed = []
    for part in chosen.parts:
        print(f"→ {part}", flush=True)
        result = work[part]()
        chosen.out.joinpath(f"{part}.json").write_text(json.dumps(result, indent=1) + "\n")
        print(json.dumps(result, indent=1), flush=True)
        if set(result.get("statuses", {"200": 0})) != {"200"} or "otherThanTracking" in result:
            failed.append(part)
    if failed:
        causes = "requests failed or were throttled, or HPAs had other sizes than computed"
        sys.exit(f"✗ {causes}, in: {', '.join(failed)}")


if __name__ == "__main__":
    main()
