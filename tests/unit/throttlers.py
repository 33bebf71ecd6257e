"""An EndpointThrottler in virtual time, with an actuator that only records the requested changes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from kindler.activator.endpoint.actuator import Probe
from kindler.activator.endpoint.pod import Pod
from kindler.activator.endpoint.records import FinishedRequest, Identity, RejectedRequest
from kindler.activator.endpoint.requests import Backend, ColdStart, Outcome, Purpose, Rejection, Style
from kindler.activator.endpoint.size import PoolFacts, PoolSize
from kindler.activator.endpoint.throttler import EndpointThrottler
from kindler.api import names
from kindler.api.route import Route
from kindler.core.common.pods import PodFacts, PodFailure

IDENTITY = Identity("uid-iris", "team", "iris", "Iris", "2026-01-01T00:00:00Z")


def route(
    revision: str = "abc",
    limit: int = 5,
    per_instance: int = 1,
    provisioned: int = 0,
    idle: int = 60,
    startup: int = 180,
    scaled: bool = False,
) -> Route:
    """A route. `scaled`: spec.autoscaling sizes the warm pool, and the EndpointConfig contains no size."""
    return Route(
        variant_name="AllTraffic",
        revision=revision,
        demand_pool=names.pool_name("iris", revision, names.DEMAND),
        warm_pool=names.pool_name("iris", revision, names.WARM) if provisioned or scaled else None,
        max_concurrency=limit,
        max_concurrency_per_instance=per_instance,
        provisioned_concurrency=provisioned,
        memory_size_in_mb=2048,
        idle_timeout_in_seconds=idle,
        invocation_timeout_in_seconds=60,
        startup_timeout_in_seconds=startup,
        port=8080,
        health_path="/ping",
        invocations_path="/invocations",
    )


@dataclass(eq=False)
class Request:
    """A PendingRequest. `got`: its backend. `rejection`: its rejection. If it gets two results, the test fails."""

    number: int
    arrived: float
    purpose: Purpose = Purpose.INVOCATION
    style: Style = Style.PLAIN
    request_id: bytes = b"id"
    cold: ColdStart | None = None
    counted: bool = False
    got: Backend | None = None
    rejection: Rejection | None = None
    on_dispatch: Callable[[Request], None] | None = None

    def dispatch(self, backend: Backend) -> None:
        assert self.got is None, f"request {self.number} was dispatched twice"
        assert self.rejection is None, f"request {self.number} was rejected and then dispatched"
        self.got = backend
        if self.on_dispatch:
            self.on_dispatch(self)

    def reject(self, rejection: Rejection) -> None:
        assert self.got is None, f"request {self.number} was dispatched and then rejected"
        assert self.rejection is None, f"request {self.number} was rejected twice"
        self.rejection = rejection


@dataclass
class RecordingActuator:
    """A PoolActuator that records the requested changes. `scaled`: (pool, replicas) in the order of the requests.

    `probing`: by name, the pods with a running probe. `probe_delays`, `costs`, `deleted` and `closed` are also by pod.
    """

    scaled: list[tuple[str, int]] = field(default_factory=list)
    probing: dict[str, tuple[Pod, Callable[[Pod], None]]] = field(default_factory=dict)
    probe_delays: dict[str, float] = field(default_factory=dict)
    costs: dict[str, int] = field(default_factory=dict)
    deleted: list[str] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)

    def scale(self, size: PoolSize, replicas: int) -> None:
        size.requested = replicas
        self.scaled.append((size.name, replicas))

    def probe(self, pod: Pod, probe: Probe, on_success: Callable[[Pod], None]) -> None:
        self.probing[pod.facts.name] = (pod, on_success)
        self.probe_delays[pod.facts.name] = probe.delay

    def stop_probing(self, pod: Pod) -> None:
        self.probing.pop(pod.facts.name, None)

    def set_deletion_cost(self, namespace: str, pod: Pod, value: int) -> None:
        pod.desired_cost = value
        self.costs[pod.facts.name] = value

    def delete_pod(self, namespace: str, pod: Pod, reason: str) -> None:
        self.deleted.append(pod.facts.name)

    def close_idle(self, backend: Backend) -> None:
        self.closed.append(backend.pod)


@dataclass
class RecordingObserver:
    """Collects what the throttler publishes. `cold_starts`: (pod, phases)."""

    cold_starts: list[tuple[str, ColdStart]] = field(default_factory=list)
    finished_requests: list[FinishedRequest] = field(default_factory=list)
    rejections: list[Rejection] = field(default_factory=list)

    def cold_start(self, identity: Identity, pod: str, cold: ColdStart) -> None:
        self.cold_starts.append((pod, cold))

    def finished(self, record: FinishedRequest) -> None:
        assert record.arrived <= record.placed <= record.ended
        self.finished_requests.append(record)

    def rejected(self, record: RejectedRequest) -> None:
        self.rejections.append(record.rejection)


class World:
    """A throttler, its clock, and the ReplicaSets and pods that a test shows to the throttler."""

    def __init__(self, first: Route | None = None) -> None:
        self.now = 1000.0
        self.actuator = RecordingActuator()
        self.observer = RecordingObserver()
        self.throttler = EndpointThrottler(IDENTITY, self.actuator, (self.observer,), lambda: self.now)
        self.pods: dict[str, PodFacts] = {}
        self._requests = 0
        if first is not None:
            self.pool(first.demand_pool, first.revision, 0)
            self.throttler.reroute(first)

    def pool(self, name: str, revision: str, replicas: int, failure: PodFailure | None = None) -> None:
        """Shows the throttler a new or changed ReplicaSet."""
        facts = PoolFacts(IDENTITY.namespace, f"uid-{name}", name, IDENTITY.uid, revision, replicas, failure)
        self.throttler.pools.update_size(facts)
        self.throttler.serve_held()

    def show(self, name: str, pool: str = names.DEMAND, revision: str = "abc", **changes: object) -> None:
        """Shows the throttler a new or changed pod."""
        values: dict[str, object] = {
            "name": name,
            "uid": f"uid-{name}",
            "endpoint": "iris",
            "pool": pool,
            "revision": revision,
            "ip": f"10.0.0.{len(self.pods) + 1}",
            "created": 1.0,
            "scheduled": 1.0,
            "started": 1.0,
            "ready": True,
            "deleting": False,
            "deletion_cost": 0,
            "failure": None,
            "image_id": "",
        }
        if name in self.pods:
            values["ip"] = self.pods[name].ip
        facts = self.pods[name] = PodFacts(**(values | changes))  # type: ignore[arg-type]
        self.throttler.pools.update_pod(facts)
        self.throttler.serve_held()

    def gone(self, name: str) -> None:
        """Removes a pod from the throttler, as after the pod's deletion."""
        self.throttler.pools.remove_pod(self.pods.pop(name).uid)
        self.throttler.serve_held()

    def answer(self, name: str) -> None:
        """Lets the pod respond to its ping."""
        pod, on_success = self.actuator.probing.pop(name)
        on_success(pod)

    def start(self, name: str, pool: str = names.DEMAND, revision: str = "abc") -> None:
        """Shows the throttler a new pod, and lets the pod respond to its ping."""
        self.show(name, pool, revision)
        self.answer(name)

    def request(self, purpose: Purpose = Purpose.INVOCATION) -> Request:
        """Offers a new request to the throttler. If it then has no backend and no rejection, it is held."""
        self._requests += 1
        request = Request(self._requests, self.now, purpose)
        result = self.throttler.offer(request)
        if isinstance(result, Backend):
            request.got = result
        else:
            request.rejection = result
        return request

    def finish(self, request: Request, outcome: Outcome = Outcome.ANSWERED, status: int = 200) -> None:
        assert request.got is not None
        self.throttler.finished(request, request.got, outcome, status, 10, 20)
