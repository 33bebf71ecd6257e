"""Random histories of scale-down. The simulated ReplicaSet deletes pods in the same order as the real controller.

A lower `replicas` never deletes a busy pod, and in the end the pool is scaled to zero.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from kindler.activator.endpoint import scaledown
from tests.unit.throttlers import Request, World, route

POOL = "iris-abc-demand"
IDLE = 3
MOVES = st.lists(
    st.tuples(st.sampled_from(["request", "request", "finish", "finish", "wait", "wait", "evict"]), st.integers(0, 9)),
    max_size=60,
)


@dataclass
class PodState:
    """A pod in the cluster. The kubelet sets Ready at `ready_at`, after the pod has responded to Kindler's ping."""

    ready_at: float
    ready: bool = False
    cost: int = 0


@dataclass
class Cluster:
    """One endpoint, its demand pool, and a ReplicaSet controller whose view of costs may lag by up to 1.5 s."""

    lag: float
    slow: int  # factor for the delay until the kubelet sets Ready
    world: World = field(default_factory=lambda: World(route(limit=6, idle=IDLE)))
    pods: dict[str, PodState] = field(default_factory=dict)
    created: int = 0
    replicas: int = 0
    running: list[Request] = field(default_factory=list)
    costs_written: list[tuple[float, str, int]] = field(default_factory=list)
    unmarked: set[str] = field(default_factory=set)

    def request(self, _: int) -> None:
        request = self.world.request()
        if request.rejection is None:
            self.running.append(request)

    def finish(self, which: int) -> None:
        placed = [request for request in self.running if request.got]
        if placed:
            request = placed[which % len(placed)]
            self.running.remove(request)
            self.world.finish(request)

    def evict(self, which: int) -> None:
        """Another client deletes a pod, for example because its node is drained."""
        if self.pods and which > 7:
            self._delete(sorted(self.pods)[which % len(self.pods)])

    def wait(self, which: int) -> None:
        for _ in range(which + 1):
            self.step()

    def step(self) -> None:
        """Advances the time by half a second, and lets every component of the cluster act once."""
        self.world.now += 0.5
        removing = {p.facts.name for p in self.world.throttler.pools.pods.values() if p.removing}
        scaledown.tick(self.world.throttler, self.world.actuator, self.world.now)
        self.unmarked |= removing - {p.facts.name for p in self.world.throttler.pools.pods.values() if p.removing}
        for name, cost in self.world.actuator.costs.items():
            self.costs_written.append((self.world.now, name, cost))
            if name in self.pods:
                self._show(name, deletion_cost=cost)
        self.world.actuator.costs.clear()
        size = self.world.throttler.pools.sizes[POOL]
        if size.requested is not None:
            self.replicas = size.requested
            size.on_written(size.requested, self.world.now)
        self._replica_set_controller()
        for name, state in self.pods.items():
            if not state.ready and self.world.now >= state.ready_at:
                state.ready = True
                self._show(name)

    def _replica_set_controller(self) -> None:
        for at, name, cost in self.costs_written:
            if name in self.pods and self.world.now - at >= self.lag:
                self.pods[name].cost = cost
        surplus = len(self.pods) - self.replicas
        for name in sorted(self.pods, key=lambda n: (self.pods[n].ready, self.pods[n].cost))[: max(0, surplus)]:
            busy = self.world.throttler.pools.pods[f"uid-{name}"].in_use
            assert not busy or name in self.unmarked, f"{name} was deleted while it worked"
            self._delete(name)
        for _ in range(max(0, -surplus)):
            self.created += 1
            name = f"pod{self.created:03}"
            self.pods[name] = PodState(self.world.now + 1.0 + self.created % 4 * self.slow)
            self.world.show(name, ready=False)
            self.world.answer(name)

    def _show(self, name: str, **changes: object) -> None:
        cost = self.world.throttler.pools.pods[f"uid-{name}"].written_cost
        self.world.show(name, **({"ready": self.pods[name].ready, "deletion_cost": cost} | changes))

    def _delete(self, name: str) -> None:
        del self.pods[name]
        self.unmarked |= {
            p.facts.name for p in self.world.throttler.pools.pods.values() if p.removing
        }  # after this deletion the throttler may unmark these pods
        self.world.gone(name)


@settings(max_examples=400, deadline=None, derandomize=True)
@given(lag=st.sampled_from([0.0, 0.5, 1.5]), slow=st.sampled_from([1, 3]), moves=MOVES)
def test_no_busy_pod_is_deleted_and_in_the_end_the_pool_is_at_zero(
    lag: float, slow: int, moves: list[tuple[str, int]]
) -> None:
    cluster = Cluster(lag, slow)
    for what, which in moves:
        getattr(cluster, what)(which)
        cluster.step()
    for _ in range(200):
        cluster.finish(0)
        cluster.step()

    assert not cluster.running
    assert (cluster.replicas, cluster.pods) == (0, {})
