"""The decision runs in a loop with a simulated HPA, and with any sequence of loads, bounds and failures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kindler.api.autoscaling import ScalableTarget
from kindler.api.route import Route
from kindler.core.autoscaling.decide import decide
from kindler.core.autoscaling.decision import MetricsApi, ScalingDecision, ScalingState
from kindler.core.autoscaling.tracking import History, Rules, Tracked, replicas
from tests.unit.autoscaling import NOW, WARM, action, facts, hpa, policy, route, target

STEP = 5.0  # seconds between reconciles; the HPA syncs after every third one


@dataclass
class World:
    """A cluster with one Endpoint. Pods of the warm pool are Ready one reconcile after they are created."""

    target: ScalableTarget | None
    route: Route = field(default_factory=route)
    api: MetricsApi = MetricsApi.EXTERNAL
    zero: bool = True
    size: int | None = None
    ready: int = 0
    loads: Mapping[str, float | None] = field(default_factory=dict)
    now: float = NOW
    status: dict[str, Any] = field(default_factory=dict)
    hpa: dict[str, Any] | None = None
    history: History = ()
    wishes: History = ()
    slept: bool = False
    measured: bool = False
    handed_over: bool = False
    writers: list[str] = field(default_factory=list)

    def facts(self) -> ScalingState:
        reported = hpa(("ScaledToZero", str(self.slept), "", "")) | {"spec": self.hpa} if self.hpa else None
        found = facts(
            self.target,
            self.size,
            self.ready,
            self.api,
            self.zero,
            dict(self.loads) if self.measured else {},
            self.route,
            self.history,
            self.now,
        )
        return replace(found, hpa=reported, status=self.status)

    def decide(self) -> ScalingDecision:
        """One reconcile of the controller, with all of its writes."""
        before, decided = self.size, decide(self.facts())
        self.handed_over = self.hpa is None and decided.hpa is not None
        self.history, self.measured = decided.history, decided.measures_load
        if decided.hpa is None or self.hpa is None:
            self.slept, self.wishes = False, ()
        self.hpa = decided.hpa
        size = decided.floor if self.size is None else self.size
        self.size = size if decided.size is None else decided.size
        self.writers = ["controller"] if before is not None and self.size != before else []
        variant = {
            "desiredServerlessConfig": {"provisionedConcurrency": decided.desired},
            "currentServerlessConfig": {"provisionedConcurrency": decided.current},
        }
        self.status = {"productionVariants": [variant]} | ({"autoscaling": [decided.status]} if decided.status else {})
        return decided

    def scale(self) -> None:
        """One sync of the HPA, as in horizontal.go."""
        if self.hpa is None or self.size is None or self.hpa["scaleTargetRef"]["name"] != WARM:
            return
        low, high, size = self.hpa["minReplicas"], self.hpa["maxReplicas"], self.size
        readable = self.api is not MetricsApi.NONE
        if size == 0 and not self.slept:
            return
        down = self.hpa["behavior"]["scaleDown"]
        scales_in, scales_out = (
            self.hpa["behavior"][side]["selectPolicy"] != "Disabled" for side in ("scaleDown", "scaleUp")
        )
        rules = Rules(low, high, down["stabilizationWindowSeconds"], scales_in, scales_out)
        tracked = [Tracked(self._load(metric) if readable else None, _target(metric)) for metric in self.hpa["metrics"]]
        if size == 0 and all(t.load is None for t in tracked):
            return
        self.size, self.wishes = replicas(tracked, size, rules, self.wishes, self.now)
        if self.size != size:
            self.slept = self.size == 0
            self.writers.append("hpa")

    def _load(self, metric: dict[str, Any]) -> float | None:
        return self.loads.get(metric["external"]["metric"]["selector"]["matchLabels"]["serving.kindler.dev/policy"])

    def run(self, seconds: float) -> list[int]:
        """The sizes after each reconcile.

        Between two reconciles only one component may write the size, except after the controller has created an HPA.
        """
        sizes = []
        for n in range(round(seconds / STEP)):
            self.now += STEP
            self.ready = self.size or 0
            self.decide()
            if n % 3 == 0:
                self.scale()
            assert len(self.writers) <= 1 + self.handed_over
            sizes.append(self.size or 0)
        return sizes


def _target(metric: dict[str, Any]) -> float:
    text = metric["external"]["target"]["averageValue"]
    return float(text[:-1]) / 1000 if text.endswith("m") else float(text)


WAYS = [(MetricsApi.EXTERNAL, True), (MetricsApi.EXTERNAL, False), (MetricsApi.NONE, True), (MetricsApi.NONE, False)]
way = pytest.mark.parametrize(("api", "zero"), WAYS, ids=["hpa", "hpa-zero-refused", "no-api", "no-api-zero-refused"])


@way
def test_scales_out_with_the_load_and_in_after_the_cooldown_without_thrashing(api: MetricsApi, zero: bool) -> None:
    world = World(target(1, 8, policy(cooldown=60)), api=api, zero=zero, loads={"busy": 0.5})
    assert set(world.run(60)) == {1}
    world.loads = {"busy": 2.5}
    assert world.run(60)[-1] == 4
    assert set(world.run(300)) == {4}
    world.loads = {"busy": 0.0}
    sizes = world.run(180)
    assert sizes[:9] == [4] * 9
    assert sizes[-1] == 1
    assert sorted(sizes, reverse=True) == sizes


@way
def test_twenty_pods_of_which_five_are_busy(api: MetricsApi, zero: bool) -> None:
    world = World(target(1, 20, policy(cooldown=0)), api=api, zero=zero, loads={"busy": 5.0}, size=20)
    sizes = world.run(300)
    assert sizes[-1] == 8
    assert len(set(sizes)) <= 2  # the pool has 20 pods, then 8, and never another size


@way
def test_scales_to_zero_and_back(api: MetricsApi, zero: bool) -> None:
    world = World(target(0, 8, policy(cooldown=60)), api=api, zero=zero, loads={"busy": 2.0})
    assert world.run(60)[-1] == 3  # the controller scales from 0, because no HPA does that
    world.loads = {"busy": 0.0}
    assert world.run(240)[-1] == 0
    assert set(world.run(120)) == {0}
    world.loads = {"busy": 2.0}
    assert world.run(60)[-1] == 3


@way
def test_scales_by_schedule_for_a_day_and_a_night(api: MetricsApi, zero: bool) -> None:
    moments = (action("night", "at(2027-01-15T08:05:00)", 0, 0), action("morning", "at(2027-01-15T08:10:00)", 4, 8))
    world = World(target(1, 8, policy(cooldown=60), actions=moments), api=api, zero=zero, loads={"busy": 2.0})
    assert world.run(295)[-1] == 3
    assert set(world.run(300)) == {0}
    assert world.hpa is None
    assert set(world.run(60)) == {4}


def test_lost_metrics_hold_the_size_and_a_schedule_still_acts() -> None:
    world = World(
        target(1, 8, policy(cooldown=0), actions=(action("morning", "at(2027-01-15T08:05:00)", 6),)),
        loads={"busy": 2.0},
    )
    assert world.run(100)[-1] == 3
    world.loads = {"busy": None}
    assert set(world.run(180)) == {3}
    assert world.run(60)[-1] == 6


@way
def test_the_busiest_policy_counts_and_disable_scale_in_of_one_does_not_stop_the_others(
    api: MetricsApi, zero: bool
) -> None:
    world = World(
        target(1, 8, policy("a", cooldown=0), policy("b", at=1.0, keeps=True)),
        api=api,
        zero=zero,
        loads={"a": 1.0, "b": 4.0},
    )
    assert world.run(60)[-1] == 4
    world.loads = {"a": 1.0, "b": 3.0}
    assert world.run(60)[-1] == 3


def test_other_servers_take_the_metrics_apis_and_return_them() -> None:
    world = World(target(0, 8, policy(cooldown=30)), loads={"busy": 2.0})
    assert world.run(60)[-1] == 3
    world.api = MetricsApi.NONE
    assert set(world.run(60)) == {3}
    world.loads = {"busy": 0.0}
    assert world.run(120)[-1] == 0
    world.api = MetricsApi.EXTERNAL
    assert set(world.run(60)) == {0}
    world.loads = {"busy": 2.0}
    assert world.run(60)[-1] == 3


# --- Any sequence of events

POLICIES = st.lists(
    st.builds(policy, st.just("busy"), st.sampled_from([0.3, 0.7, 1.0]), st.sampled_from([0, 30]), st.booleans()),
    max_size=1,
)
MORE = st.lists(
    st.builds(policy, st.just("b"), st.sampled_from([0.5, 2.0]), st.sampled_from([0, 60]), st.booleans()), max_size=1
)
RESTS = st.sampled_from(["", "", "in", "out", "in out", "scheduled"])
LIMITS = st.tuples(st.integers(0, 12), st.integers(0, 12)).map(sorted)


@st.composite
def targets(draw: st.DrawFn) -> ScalableTarget:
    low, high = draw(LIMITS)
    return target(low, high, *draw(POLICIES), *draw(MORE), suspended=draw(RESTS))


LOADS = st.fixed_dictionaries(
    {"busy": st.one_of(st.none(), st.floats(0, 12)), "b": st.one_of(st.none(), st.floats(0, 12))}
)
WORLDS = st.builds(
    World,
    target=st.one_of(st.none(), targets()),
    route=st.builds(route, st.integers(4, 12), st.integers(1, 4), st.integers(0, 4)),
    api=st.sampled_from([MetricsApi.EXTERNAL, MetricsApi.NONE]),
    zero=st.booleans(),
    size=st.one_of(st.none(), st.integers(0, 14)),
    loads=LOADS,
)


def _within(world: World, decided: ScalingDecision) -> None:
    per, most = (
        world.route.max_concurrency_per_instance,
        -(-world.route.max_concurrency // world.route.max_concurrency_per_instance),
    )
    entry = decided.status
    low, high = (-(-entry[key] // per) for key in ("minCapacity", "maxCapacity")) if entry else (0, most)
    for size in (decided.size, decided.floor):
        assert size is None or low <= size <= high
    if decided.hpa:
        assert max(low, 1) <= decided.hpa["maxReplicas"] <= max(high, 1)
        assert low <= decided.hpa["minReplicas"] <= decided.hpa["maxReplicas"]
        assert decided.hpa["minReplicas"] > 0 or world.zero
        assert decided.hpa["metrics"]
    assert (decided.hpa is None) == (
        entry is None or world.target is None or not world.target.scaling_policies or high == 0
    )
    assert 0 <= decided.current <= max(decided.desired, decided.current)


def _stands(world: World) -> bool:
    return world.hpa is not None and bool(world.size)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(WORLDS)
def test_a_decision_is_unchanged_after_it_was_applied(world: World) -> None:
    """If no fact has changed, the controller writes nothing: the HPA, the size and the status stay the same."""
    world.decide()
    for _ in range(40):  # until the HPA has reached its final size
        world.scale()
        world.ready = world.size or 0
        world.decide()
    size, before, spec = world.size, world.status, world.hpa
    again = world.decide()
    assert (world.size, world.status, world.hpa, world.writers) == (size, before, spec, [])
    assert (again.cause, again.desired == again.current) == ("", True)
    world.scale()
    assert world.size == size


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    WORLDS,
    st.lists(
        st.tuples(LOADS, st.one_of(st.none(), targets()), st.sampled_from([(api, zero) for api, zero in WAYS])),
        max_size=5,
    ),
)
def test_sizes_stay_in_bounds_and_two_writers_never_fight(
    world: World, course: list[tuple[Any, ScalableTarget | None, tuple[MetricsApi, bool]]]
) -> None:
    for loads, asked, (api, zero) in [(world.loads, world.target, (world.api, world.zero)), *course]:
        world.loads, world.target, world.api, world.zero = loads, asked, api, zero
        for n in range(8):
            world.now, world.ready = world.now + STEP, world.size or 0
            sized_by_hpa, stood = _stands(world), world.size
            decided = world.decide()
            _within(world, decided)
            # While an HPA sets the size, the controller itself makes only one step: from 1 to 0.
            if sized_by_hpa and decided.hpa and decided.size is not None:
                assert (stood, decided.size) == (1, 0)
            if n % 3 == 2:
                world.scale()
            assert len(world.writers) <= 1 + world.handed_over


@settings(max_examples=200, deadline=None, derandomize=True)
@given(WORLDS, st.floats(0, 12))
def test_the_hpa_and_the_controller_compute_the_same_size(world: World, load: float) -> None:
    """With any load, an HPA that reads Kindler's metrics and an HPA with the controller's size reach the same size."""
    world.loads = {"busy": load, "b": load}
    sizes = []
    for api, zero in WAYS:
        one = replace(world, api=api, zero=zero)
        one.run(150)
        sizes.append(one.size)
    assert len(set(sizes)) == 1, sizes
