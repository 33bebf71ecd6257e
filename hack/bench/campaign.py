"""What takes longer than a test may (`make campaign`): many endpoints, storms at zero, many rollouts under load. Prints a table and writes JSON.

    memory     what controller and activator hold with 0 and with 200 endpoints
    storm      20 endpoints asleep, 10 clients each, 1,000 requests, limits wide enough that none may be throttled
    rollouts   one endpoint moves between two tiers again and again while clients ask without a pause
    hpa        some forty series through real HPAs, for the table beside AWS's rule (docs/reference/hpa-and-aws.md)

Runs inside the cluster's network, with Kindler installed.
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
IMAGE = os.environ.get("KINDLER_ECHO_IMAGE", "localhost:5000/echo:1")
API_VERSION = "serving.kindler.dev/v1alpha1"


def kubectl(*words: str, stdin: str | None = None) -> str:
    return subprocess.run(["kubectl", *words], input=stdin, check=True, capture_output=True, text=True).stdout


def invoke(namespace: str, name: str, body: Json) -> tuple[int, float]:
    """One request: its status (0: the connection broke) and its milliseconds."""
    at = urlsplit(os.environ["KINDLER_GATEWAY"])
    begin = time.monotonic()
    connection = http.client.HTTPConnection(at.hostname or "", at.port, timeout=240)
    try:
        connection.request(
            "POST",
            f"/namespaces/{namespace}/endpoints/{name}/invocations",
            json.dumps(body),
            {"Content-Type": "application/json"},
        )
        answer = connection.getresponse()
        answer.read()
        return answer.status, 1000 * (time.monotonic() - begin)
    except (OSError, http.client.HTTPException):
        return 0, 1000 * (time.monotonic() - begin)
    finally:
        connection.close()


class Place:
    """A namespace of the campaign."""

    def __init__(self, api: KubeApi, name: str) -> None:
        self.api = api
        self.name = name

    def object(self, kind: str, name: str, spec: Json) -> Json:
        return {
            "apiVersion": API_VERSION,
            "kind": kind,
            "metadata": {"name": name, "namespace": self.name},
            "spec": spec,
        }

    def create(self, names: list[str], **serverless: Any) -> None:
        """One model, one config, and an endpoint of each name; returns when all are in service and asleep."""
        objects = [
            self.object("Model", "echo", {"primaryContainer": {"image": IMAGE}}),
            self.config("echo", **serverless),
        ]
        objects += [self.object("Endpoint", name, {"endpointConfigName": "echo"}) for name in names]
        kubectl("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))
        kubectl("-n", self.name, "wait", "kep", "--all", "--for=condition=Ready", "--timeout=900s")

    def config(self, name: str, memory: int = 1024, **serverless: Any) -> Json:
        variant = {
            "variantName": "AllTraffic",
            "modelName": "echo",
            "serverlessConfig": {"memorySizeInMB": memory, **serverless},
        }
        return self.object("EndpointConfig", name, {"productionVariants": [variant]})

    def asleep(self) -> None:
        self.api.until_all("pods", self.name, lambda pods: not pods, timeout=600)


@contextmanager
def place(api: KubeApi, name: str) -> Iterator[Place]:
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    api.call("POST", api.path("namespaces"), {"metadata": {"name": name, "labels": labels}})
    try:
        yield Place(api, name)
    finally:
        api.call("DELETE", api.path("namespaces", None, name))
        api.until("namespaces", None, name, lambda found: found is None, 300)


def resident(component: str) -> Json:
    """MiB that the process holds now, and at most so far."""
    status = kubectl("-n", SYSTEM, "exec", f"deployment/kindler-{component}", "--", "cat", "/proc/1/status")
    found = dict(re.findall(r"(VmRSS|VmHWM):\s+(\d+) kB", status))
    return {"now": round(int(found["VmRSS"]) / 1024, 1), "peak": round(int(found["VmHWM"]) / 1024, 1)}


def memory(api: KubeApi, count: int) -> Json:
    before = {component: resident(component) for component in ("controller", "activator")}
    begin = time.monotonic()
    with place(api, "campaign-memory") as there:
        for first in range(0, count, 50):  # in steps, so that one small node starts them one after the other
            there.create(
                [f"echo-{number}" for number in range(first, min(first + 50, count))],
                maxConcurrency=5,
                idleTimeoutInSeconds=2,
            )
            there.asleep()
            print(
                f"  {min(first + 50, count)} of {count} endpoints in service and asleep after {time.monotonic() - begin:.0f} s",
                flush=True,
            )
        after = {component: resident(component) for component in ("controller", "activator")}
    return {
        "unit": "MiB",
        "endpoints": count,
        "before": before,
        "with": after,
        "seconds": round(time.monotonic() - begin),
    }


def storm(api: KubeApi) -> Json:
    with place(api, "campaign-storm") as there:
        names = [f"echo-{number}" for number in range(20)]
        there.create(names, maxConcurrency=20, maxConcurrencyPerInstance=10, idleTimeoutInSeconds=5)
        there.asleep()
        start = threading.Barrier(200)

        def client(number: int) -> list[tuple[int, float]]:
            start.wait()
            return [invoke(there.name, names[number % 20], {}) for _ in range(5)]

        begin = time.monotonic()
        with ThreadPoolExecutor(200) as pool:
            results = list(pool.map(client, range(200)))
        seconds = time.monotonic() - begin
    firsts = [answers[0][1] for answers in results]
    every = [answer for answers in results for answer in answers]
    return {
        "requests": len(every),
        "statuses": {str(status): count for status, count in sorted(Counter(status for status, _ in every).items())},
        "firstMedianMs": round(statistics.median(firsts)),
        "firstMaxMs": round(max(firsts)),
        "seconds": round(seconds, 1),
    }


def rollouts(api: KubeApi, count: int) -> Json:
    statuses: Counter[int] = Counter()
    stop = threading.Event()
    with place(api, "campaign-rollouts") as there:
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
                    name = ("other", "echo")[number % 2]
                    kubectl(
                        "-n",
                        there.name,
                        "patch",
                        "kep",
                        "echo",
                        "--type=merge",
                        "-p",
                        json.dumps({"spec": {"endpointConfigName": name}}),
                    )
                    kubectl(
                        "-n",
                        there.name,
                        "wait",
                        "kep/echo",
                        f"--for=jsonpath={{.status.endpointConfigName}}={name}",
                        "--timeout=180s",
                    )
                    kubectl("-n", there.name, "wait", "kep/echo", "--for=condition=Ready", "--timeout=180s")
            finally:
                stop.set()
            list(running)
    return {
        "rollouts": count,
        "requests": statuses.total(),
        "statuses": {str(status): n for status, n in sorted(statuses.items())},
    }


def hpa(api: KubeApi) -> Json:
    """What hack/bench/hpa/page.py makes the table of; the product's own copy of the rule must have said the same (but it knows no other tolerance)."""
    version = api.call("GET", "/version")["gitVersion"]
    sizes = autoscalers.run(api, cases.CASES)
    other = [
        case.key for case in cases.CASES if not case.tolerance and product.sizes(case) not in (None, sizes[case.key])
    ]
    return {"kubernetes": version, "sizes": sizes} | ({"otherThanTracking": other} if other else {})


def main() -> None:
    options = argparse.ArgumentParser(
        prog="make campaign", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument(
        "parts",
        nargs="*",
        default=["memory", "storm", "rollouts", "hpa"],
        help="memory, storm, rollouts, hpa (default: all)",
    )
    options.add_argument("--endpoints", type=int, default=200)
    options.add_argument("--rollouts", type=int, default=20)
    options.add_argument(
        "--out", type=Path, default=Path(".kindler/campaign"), help="folder for one JSON file per part"
    )
    chosen = options.parse_args()
    api = KubeApi()
    work: dict[str, Callable[[], Json]] = {
        "memory": lambda: memory(api, chosen.endpoints),
        "storm": lambda: storm(api),
        "rollouts": lambda: rollouts(api, chosen.rollouts),
        "hpa": lambda: hpa(api),
    }
    chosen.out.mkdir(parents=True, exist_ok=True)
    bad = []
    for part in chosen.parts:
        print(f"→ {part}", flush=True)
        result = work[part]()
        chosen.out.joinpath(f"{part}.json").write_text(json.dumps(result, indent=1) + "\n")
        print(json.dumps(result, indent=1), flush=True)
        if set(result.get("statuses", {"200": 0})) != {"200"} or "otherThanTracking" in result:
            bad.append(part)
    if bad:
        sys.exit(f"✗ requests failed or were throttled, or sizes were not as computed, in: {', '.join(bad)}")


if __name__ == "__main__":
    main()
