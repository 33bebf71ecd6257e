"""Random histories of one throttler.

In any order of events the throttler never exceeds the limit and never places too many requests in a pod. It serves
requests first in first out, and it neither loses a slot nor counts it twice.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kindler.activator.endpoint import scaledown
from kindler.activator.endpoint.requests import Backend, Cause, Outcome
from kindler.api import names
from tests.unit.throttlers import Request, World, route

REVISIONS = ("abc", "new")
FREQUENT = ("request", "finish", "create", "ping", "tick")
RARE = ("fail", "unreachable", "leave", "delete", "gone", "stop", "route", "limit", "written")
MOVES = st.lists(st.tuples(st.sampled_from(FREQUENT * 3 + RARE), st.integers(0, 11)), max_size=50)


@dataclass
class History:
    """One run of a throttler, checked after each move."""

    limit: int
    per_instance: int
    revision: str = "abc"
    pods: int = 0
    running: list[Request] = field(default_factory=list)
    waiting: list[Request] = field(default_factory=list)
    load: float = 0.0  # the integral of running and waiting over time

    def __post_init__(self) -> None:
        self.world = World(self.route())
        self.world.pool("iris-new-demand", "new", 0)

    def route(self):  # type: ignore[no-untyped-def]
        return route(self.revision, self.limit, self.per_instance, idle=3, startup=20, scaled=True)

    def move(self, what: str, which: int) -> None:
        admitted, began = len(self.running) + len(self.waiting), self.world.now
        self.world.now += 0.4
        getattr(self, f"_{what}")(which)
        self._update_lists()
        self.load += admitted * (self.world.now - began)
        self.check()

    def _request(self, _: int) -> None:
        before = len(self.running) + len(self.waiting)
        request = self.world.request()
        if request.rejection is not None:
            assert request.rejection.cause is Cause.THROTTLED
            assert before >= self.limit, "no request is throttled below the limit"
            return
        assert before < self.limit, "no request is admitted above the limit"
        (self.running if request.got else self.waiting).append(request)
        if request.got is not None:
            assert not self.waiting, "no request overtakes held ones"

    def _end(self, which: int, outcome: Outcome) -> None:
        if self.running:
            self.world.finish(self.running.pop(which % len(self.running)), outcome)

    def _finish(self, which: int) -> None:
        self._end(which, Outcome.ANSWERED)

    def _fail(self, which: int) -> None:
        self._end(which, (Outcome.BROKE_OFF, Outcome.TIMED_OUT, Outcome.ABANDONED)[which % 3])

    def _unreachable(self, which: int) -> None:
        if not self.running:
            return
        request = self.running.pop(which % len(self.running))
        backend, request.got = request.got, None
        assert backend is not None
        result = self.world.throttler.unreachable(request, backend)
        if isinstance(result, Backend):
            request.got = result
            self.running.append(request)
        else:
            assert result is None
            self.waiting.insert(0, request)

    def _leave(self, which: int) -> None:
        if self.waiting:
            self.world.throttler.gone(self.waiting.pop(which % len(self.waiting)))

    def _create(self, which: int) -> None:
        self.pods += 1
        pool = names.WARM if which % 4 == 0 else names.DEMAND
        self.world.show(f"pod{self.pods}", pool, self.revision if which % 3 else REVISIONS[which % 2])

    def _ping(self, which: int) -> None:
        probing = sorted(self.world.actuator.probing)
        if probing:
            self.world.answer(probing[which % len(probing)])

    def _pick(self, which: int) -> str | None:
        pods = sorted(self.world.pods)
        return pods[which % len(pods)] if pods else None

    def _delete(self, which: int) -> None:
        if name := self._pick(which):
            facts = self.world.pods[name]
            self.world.show(name, facts.pool, facts.revision, deleting=True)

    def _gone(self, which: int) -> None:
        if name := self._pick(which):
            self.world.gone(name)

    def _stop(self, which: int) -> None:
        if name := self._pick(which):
            facts = self.world.pods[name]
            self.world.show(
                name, facts.pool, facts.revision, deleting=facts.deleting, started=None if which % 2 else 5.0 + which
            )

    def _route(self, which: int) -> None:
        self.revision = REVISIONS[which % 2]
        self.world.throttler.reroute(self.route())

    def _limit(self, which: int) -> None:
        self.limit, self.per_instance = 1 + which % 6, 1 + which % 3
        self.world.throttler.reroute(self.route())

    def _tick(self, which: int) -> None:
        self.world.now += which % 4
        scaledown.tick(self.world.throttler, self.world.actuator, self.world.now)
        for request in [r for r in self.waiting if r.rejection is not None]:
            assert request.rejection is not None
            assert request.rejection.cause is Cause.START_TIMEOUT
            self.waiting.remove(request)

    def _written(self, _: int) -> None:
        for size in self.world.throttler.pools.sizes.values():
            if size.requested is not None:
                size.on_written(size.requested, self.world.now)

    def _update_lists(self) -> None:
        served = [request for request in self.waiting if request.got is not None]
        assert served == self.waiting[: len(served)], "first in, first out"
        self.waiting = self.waiting[len(served) :]
        self.running += served

    def check(self) -> None:
        throttler, pools = self.world.throttler, self.world.throttler.pools
        assert (throttler.in_flight, throttler.held) == (len(self.running), len(self.waiting)), (
            "no request is lost or counted twice"
        )
        totals = throttler.stats(owner=True).totals
        assert totals is not None
        assert abs(totals.load_seconds - self.load) < 1e-6, "no second of load is lost or counted twice"
        per_pod: dict[str, int] = {}
        for request in self.running:
            assert request.got is not None
            per_pod[request.got.uid] = per_pod.get(request.got.uid, 0) + 1
        for pod in pools.pods.values():
            if pod.backend is not None and pod.facts.ip == pod.backend.host:
                assert pod.backend.in_use == per_pod.get(pod.facts.uid, 0), "no slot is lost or counted twice"
        free = [*pools.placement.free_warm, *pools.placement.free_demand]
        assert not (free and self.waiting), "no request is held while a slot is free"
        marked = [p.facts.name for p in pools.demand_pods() if p.marked and p.usable and p.in_use < self.per_instance]
        assert not (marked and self.waiting), "nor while a usable pod is marked for removal"
        for backend in free:
            pod = pools.pods[backend.uid]
            assert backend.in_use < self.per_instance
            assert pod.usable and pod.active and not pod.marked
            assert backend.revision == self.revision
        size = pools.demand_size()
        assert size is not None
        if self.waiting and not any(p.usable for p in pools.serving_pods()):
            assert size.replicas >= 1, "held requests have scaled the pool up"


@settings(max_examples=10_000, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(limit=st.integers(1, 6), per_instance=st.integers(1, 3), moves=MOVES)
def test_every_history_keeps_the_invariants(limit: int, per_instance: int, moves: list[tuple[str, int]]) -> None:
    history = History(limit, per_instance)
    for what, which in moves:
        history.move(what, which)
