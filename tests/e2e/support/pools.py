"""Warm pools with autoscaling, as a user sees them: each size with its writer, and the metric that the HPA reads."""

from __future__ import annotations

import json
import re
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urlencode

from hack.kubeapi import ApiError, KubeApi
from tests.e2e.support import installation
from tests.e2e.support.gateway import Response
from tests.e2e.support.installation import NAMESPACE
from tests.e2e.support.journey import Journey

Json = dict[str, Any]

HPA = "kube-controller-manager"  # the field manager of the HPA controller
CREATOR, CONTROLLER = "kindler-create", "kindler-scale"  # Kindler's field managers: to create a pool, and to scale one
ENDPOINT, POLICY = "serving.kindler.dev/endpoint", "serving.kindler.dev/policy"
EXTERNAL, CUSTOM = "/apis/external.metrics.k8s.io/v1beta1", "/apis/custom.metrics.k8s.io/v1beta2"
FIGURES = Path(".kindler/figures")


def name_of(endpoint: Json) -> str:
    """The name of the ReplicaSet of the warm pool in service."""
    return str(endpoint["status"]["route"]["pools"]["warm"])


def units(endpoint: Json | None) -> tuple[int, int]:
    """Current and desired provisioned concurrency in status."""
    (variant,) = (endpoint or {})["status"]["productionVariants"]
    sides = (variant.get(f"{side}ServerlessConfig", {}) for side in ("current", "desired"))
    current, desired = (int(side.get("provisionedConcurrency", 0)) for side in sides)
    return current, desired


def size_owner(pool: Json) -> str:
    """The field manager that owns `spec.replicas`. If several own it, their names are joined with a plus.

    After a pool was scaled to 0 the result is "": in the API server's Scale the number 0 is a missing field, so
    nobody owns it.
    """
    holders = [
        m["manager"]
        for m in pool["metadata"].get("managedFields", [])
        if "f:replicas" in m.get("fieldsV1", {}).get("f:spec", {})
    ]
    return "+".join(sorted(holders))


def number(quantity: str) -> float:
    """The value of a metric's quantity, for example of 2800m, 3 or 3k."""
    scale = {"n": 1e-9, "u": 1e-6, "m": 1e-3, "k": 1e3}.get(quantity[-1])
    return float(quantity[:-1]) * scale if scale else float(quantity)


def load(api: KubeApi, namespace: str, endpoint: str, policy: str = "half-busy") -> float | None:
    """The load of this endpoint that an HPA would read now from the API that Kindler serves. None: no data."""
    selector = f"{ENDPOINT}={endpoint},{POLICY}={policy}"
    by_label, by_metric_label = urlencode({"labelSelector": selector}), urlencode({"metricLabelSelector": selector})
    object_path = f"namespaces/{namespace}/endpoints.serving.kindler.dev/{endpoint}"
    for path in (
        f"{EXTERNAL}/namespaces/{namespace}/concurrent-executions?{by_label}",
        f"{CUSTOM}/{object_path}/concurrent-executions?{by_metric_label}",
    ):
        with suppress(ApiError):
            return number(api.call("GET", path)["items"][0]["value"])
    return None


def until_sized(journey: Journey, name: str, replicas: int, timeout: float = 120) -> None:
    """Waits until the endpoint's warm pool has this size, and every pod of it has responded to its first ping."""

    def matches(obj: Json | None) -> bool:
        return obj is not None and obj["spec"]["replicas"] == replicas == obj["status"].get("readyReplicas", 0)

    journey.api.until("replicasets", journey.namespace, name_of(journey.endpoint(name)), matches, timeout)


def reached(journey: Journey, name: str, expected: int, timeout: float = 150) -> Json:
    """Waits until status shows this many units of provisioned concurrency, both current and desired."""
    obj = journey.api.until(
        "endpoints", journey.namespace, name, lambda obj: units(obj) == (expected, expected), timeout
    )
    assert obj is not None
    return obj


def not_served_warm(responses: list[Response]) -> list[str]:
    """Responses that failed, waited for a pod to start, or came from a pod outside the warm pool.

    The list is empty if the load never exceeds the provisioned concurrency.
    """
    return [
        str(a)
        for a in responses
        if a.status != 200 or "x-kindler-cold-start" in a.headers or "-warm-" not in a.headers["x-echo-hostname"]
    ]


@dataclass(frozen=True)
class Change:
    """A pool's new size at the time `at` (monotonic seconds). The field manager `writer` wrote it."""

    at: float
    pool: str
    replicas: int
    writer: str


@dataclass
class Watched:
    """Records every size of the pools of a namespace while the block runs, even a size that lasts only a moment."""

    api: KubeApi
    namespace: str
    changes: list[Change] = field(default_factory=list)

    def __enter__(self) -> Watched:
        threading.Thread(target=self._follow, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended = True

    _ended = False

    def _follow(self) -> None:
        last: dict[str, int] = {}
        for _, obj in self.api.watch("replicasets", self.namespace, timeout=900):
            if self._ended:
                return
            name, replicas = obj["metadata"]["name"], obj["spec"]["replicas"]
            if last.get(name) != replicas:
                last[name] = replicas
                self.changes.append(Change(time.monotonic(), name, replicas, size_owner(obj)))

    def sizes(self, pool: str) -> list[int]:
        return [change.replicas for change in self.changes if change.pool == pool]

    def writers(self, pool: str) -> list[tuple[int, str]]:
        return [(change.replicas, change.writer) for change in self.changes if change.pool == pool]


@dataclass
class Sampled:
    """Reads the load of one endpoint each second while the block runs: (monotonic seconds, value or None)."""

    api: KubeApi
    namespace: str
    endpoint: str
    points: list[tuple[float, float | None]] = field(default_factory=list)

    def __enter__(self) -> Sampled:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(30)

    def _run(self) -> None:
        while not self._stop.wait(1):
            value = load(self.api, self.namespace, self.endpoint)
            self.points.append((time.monotonic(), value))

    def highest(self, until: float) -> float:
        """The highest load until the time `until`."""
        return max((value for at, value in self.points if at <= until and value is not None), default=0.0)


def endpoint_metrics(journey: Journey, endpoint: str) -> dict[str, float]:
    """The activator's metrics of an endpoint, as Prometheus scrapes them, without the metrics that have more labels."""
    (pod,) = installation.running(journey.api, "activator")
    text: str = journey.api.call(
        "GET", journey.api.path("pods", NAMESPACE, f"{pod['metadata']['name']}:8082", "proxy") + "/metrics"
    )
    labels = f'{{namespace="{journey.namespace}",endpoint="{endpoint}",variant="AllTraffic"}}'
    lines = (line.partition(labels) for line in text.splitlines())
    return {name: float(value) for name, matched, value in lines if matched}


def rescales(journey: Journey, name: str) -> set[int]:
    """The sizes that the endpoint's HPA has set, according to its Events."""
    about = {"kind": "HorizontalPodAutoscaler", "name": f"{name}-warm"}
    events = journey.api.items("events", journey.namespace)
    messages = [
        e["message"]
        for e in events
        if e["reason"] == "SuccessfulRescale" and about.items() <= e["involvedObject"].items()
    ]
    return {int(re.findall(r"New size: (\d+)", message)[0]) for message in messages}


def save_figures(name: str, begin: float, sampled: Sampled, watched: Watched, pool: str, facts: Json) -> None:
    """Saves the load and the sizes, with times in seconds since `begin`. hack/bench/scaling_plot.py draws them."""
    series = {
        "load": [(round(at - begin, 1), value) for at, value in sampled.points],
        "sizes": [(round(change.at - begin, 1), change.replicas) for change in watched.changes if change.pool == pool],
    }
    save(name, facts | series)


def save(name: str, facts: Json) -> None:
    """Writes the figures of a journey to a file, one per line."""
    FIGURES.mkdir(parents=True, exist_ok=True)
    lines = ",\n".join(f" {json.dumps(key)}: {json.dumps(value)}" for key, value in facts.items())
    FIGURES.joinpath(f"{name}.json").write_text(f"{{\n{lines}\n}}\n")
