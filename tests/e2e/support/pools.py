"""Warm pools that scale themselves, seen from outside: each size with who wrote it, and beside it the metric that the HPA reads."""

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
from tests.e2e.support.gateway import Answer
from tests.e2e.support.installation import NAMESPACE
from tests.e2e.support.journey import Journey

Json = dict[str, Any]

HPA = "kube-controller-manager"  # the field manager of the HPA controller
CREATOR, CONTROLLER = "kindler-create", "kindler-scale"  # Kindler's: when it makes a pool, and when it sizes one
ENDPOINT, POLICY = "serving.kindler.dev/endpoint", "serving.kindler.dev/policy"
EXTERNAL, CUSTOM = "/apis/external.metrics.k8s.io/v1beta1", "/apis/custom.metrics.k8s.io/v1beta2"
FIGURES = Path(".kindler/figures")


def name_of(endpoint: Json) -> str:
    """The ReplicaSet of the warm pool that serves."""
    return str(endpoint["status"]["route"]["pools"]["warm"])


def units(endpoint: Json | None) -> tuple[int, int]:
    """Provisioned concurrency as the status tells it: reached, and desired."""
    (variant,) = (endpoint or {})["status"]["productionVariants"]
    sides = (variant.get(f"{side}ServerlessConfig", {}) for side in ("current", "desired"))
    current, desired = (int(side.get("provisionedConcurrency", 0)) for side in sides)
    return current, desired


def sizer(pool: Json) -> str:
    """The field manager that holds `spec.replicas`: several, with a plus between, when they agree. "" for ever once a pool was scaled to 0: the API server's
    Scale drops a 0, and with it the owner.
    """
    holders = [
        m["manager"]
        for m in pool["metadata"].get("managedFields", [])
        if "f:replicas" in m.get("fieldsV1", {}).get("f:spec", {})
    ]
    return "+".join(sorted(holders))


def number(quantity: str) -> float:
    """A quantity of a metric, as 2800m, 3 or 3k."""
    scale = {"n": 1e-9, "u": 1e-6, "m": 1e-3, "k": 1e3}.get(quantity[-1])
    return float(quantity[:-1]) * scale if scale else float(quantity)


def load(api: KubeApi, namespace: str, endpoint: str, policy: str = "half-busy") -> float | None:
    """What an HPA reads of this endpoint now, by the API that Kindler has; None: no data."""
    selector = f"{ENDPOINT}={endpoint},{POLICY}={policy}"
    for path in (
        f"{EXTERNAL}/namespaces/{namespace}/concurrent-executions?{urlencode({'labelSelector': selector})}",
        f"{CUSTOM}/namespaces/{namespace}/endpoints.serving.kindler.dev/{endpoint}/concurrent-executions?{urlencode({'metricLabelSelector': selector})}",
    ):
        with suppress(ApiError):
            return number(api.call("GET", path)["items"][0]["value"])
    return None


def sized(journey: Journey, name: str, replicas: int, timeout: float = 120) -> None:
    """Waits until the endpoint's warm pool has this size, and every pod of it has answered its first ping."""

    def there(found: Json | None) -> bool:
        return found is not None and found["spec"]["replicas"] == replicas == found["status"].get("readyReplicas", 0)

    journey.api.until("replicasets", journey.namespace, name_of(journey.endpoint(name)), there, timeout)


def reached(journey: Journey, name: str, wanted: int, timeout: float = 150) -> Json:
    """Waits for what the user reads: so much provisioned concurrency is desired, and reached."""
    found = journey.api.until(
        "endpoints", journey.namespace, name, lambda found: units(found) == (wanted, wanted), timeout
    )
    assert found is not None
    return found


def not_fitting(answers: list[Answer]) -> list[str]:
    """Answers that failed, waited for a pod to start, or came from outside the warm pool: none where load fits the provisioned size."""
    return [
        str(a)
        for a in answers
        if a.status != 200 or "x-kindler-cold-start" in a.headers or "-warm-" not in a.headers["x-echo-hostname"]
    ]


@dataclass(frozen=True)
class Change:
    """A pool's size from `at` (monotonic seconds) on, written by the field manager `writer`."""

    at: float
    pool: str
    replicas: int
    writer: str


@dataclass
class Watched:
    """Every size that the pools of a namespace have while the block runs, however short."""

    api: KubeApi
    namespace: str
    changes: list[Change] = field(default_factory=list)

    def __enter__(self) -> Watched:
        threading.Thread(target=self._follow, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over = True

    _over = False

    def _follow(self) -> None:
        last: dict[str, int] = {}
        for _, found in self.api.watch("replicasets", self.namespace, timeout=900):
            if self._over:
                return
            name, replicas = found["metadata"]["name"], found["spec"]["replicas"]
            if last.get(name) != replicas:
                last[name] = replicas
                self.changes.append(Change(time.monotonic(), name, replicas, sizer(found)))

    def sizes(self, pool: str) -> list[int]:
        return [change.replicas for change in self.changes if change.pool == pool]

    def writers(self, pool: str) -> list[tuple[int, str]]:
        return [(change.replicas, change.writer) for change in self.changes if change.pool == pool]


@dataclass
class Sampled:
    """The metric of one endpoint, read once a second while the block runs: (monotonic seconds, value or None)."""

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
        """The most that the metric said up to a moment."""
        return max((value for at, value in self.points if at <= until and value is not None), default=0.0)


def counted(journey: Journey, endpoint: str) -> dict[str, float]:
    """The activator's metrics of an endpoint that have no more labels than its own, as Prometheus would scrape them."""
    selector = "app.kubernetes.io/component=activator"
    (pod,) = [p for p in journey.api.items("pods", NAMESPACE, selector) if not p["metadata"].get("deletionTimestamp")]
    text: str = journey.api.call(
        "GET", journey.api.path("pods", NAMESPACE, f"{pod['metadata']['name']}:8082", "proxy") + "/metrics"
    )
    labels = f'{{namespace="{journey.namespace}",endpoint="{endpoint}",variant="AllTraffic"}}'
    lines = (line.partition(labels) for line in text.splitlines())
    return {name: float(value) for name, found, value in lines if found}


def rescales(journey: Journey, name: str) -> set[int]:
    """The sizes that the endpoint's HPA says it has set, by its Events."""
    about = {"kind": "HorizontalPodAutoscaler", "name": f"{name}-warm"}
    events = journey.api.items("events", journey.namespace)
    told = [
        e["message"]
        for e in events
        if e["reason"] == "SuccessfulRescale" and about.items() <= e["involvedObject"].items()
    ]
    return {int(re.findall(r"New size: (\d+)", message)[0]) for message in told}


def keep_figures(name: str, begin: float, sampled: Sampled, watched: Watched, pool: str, facts: Json) -> None:
    """The metric beside the sizes, in seconds since `begin`: what hack/bench/scaling_plot.py draws."""
    series = {
        "load": [(round(at - begin, 1), value) for at, value in sampled.points],
        "sizes": [(round(change.at - begin, 1), change.replicas) for change in watched.changes if change.pool == pool],
    }
    keep(name, facts | series)


def keep(name: str, facts: Json) -> None:
    """Writes the figures of a journey, a line for each."""
    FIGURES.mkdir(parents=True, exist_ok=True)
    lines = ",\n".join(f" {json.dumps(key)}: {json.dumps(value)}" for key, value in facts.items())
    FIGURES.joinpath(f"{name}.json").write_text(f"{{\n{lines}\n}}\n")
