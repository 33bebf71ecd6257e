"""The tick of one endpoint: load unmarks marked pods, stuck pods are deleted, a restart scales nothing down."""

from __future__ import annotations

from kindler.activator.endpoint import scaledown
from kindler.activator.endpoint.requests import Backend, Outcome
from kindler.api import names
from kindler.core.common.pods import PodFailure
from kindler.core.dataplane.scaledown import LOW_COST
from tests.unit.throttlers import World, route


def ticks(world: World, seconds: float) -> None:
    """Advances the time with a tick every half second. Sizes are written at once, and the watch shows written costs."""
    for _ in range(int(seconds * 2)):
        world.now += 0.5
        scaledown.tick(world.throttler, world.actuator, world.now)
        for size in world.throttler.pools.sizes.values():
            if size.requested is not None:
                size.on_written(size.requested, world.now)
        for name, cost in world.actuator.costs.items():
            world.show(name, world.pods[name].pool, deletion_cost=cost)
        world.actuator.costs.clear()


def two_pods(idle: int = 10) -> World:
    """Two pods, one of which never finishes its request."""
    world = World(route(idle=idle, limit=4))
    requests = [world.request(), world.request()]
    world.start("busy")
    world.start("idle")
    world.finish(requests[1])
    return world


def test_a_marked_pod_is_unmarked_when_load_needs_it() -> None:
    world = two_pods()
    ticks(world, 10)
    pod = world.throttler.pools.pods["uid-idle"]
    assert pod.marked
    assert pod.written_cost == LOW_COST
    assert world.throttler.pools.demand_size().replicas == 2  # type: ignore[union-attr]
    request = world.request()
    assert request.got is not None, "no cold start while there is a usable pod"
    assert request.got.pod == "idle"
    assert not pod.marked
    assert world.actuator.costs == {"idle": 0}, "its cost is reset"
    assert world.actuator.scaled[-1] == ("iris-abc-demand", 2), "and the pool keeps its size"


def test_a_marked_pod_is_unmarked_when_the_only_other_one_is_unreachable() -> None:
    world = World(route(idle=10, limit=4))
    requests = [world.request(), world.request()]
    world.start("late")
    world.start("idle")
    world.finish(requests[1])
    ticks(world, 5)
    world.finish(requests[0])
    ticks(world, 6)
    assert world.throttler.pools.pods["uid-idle"].marked
    running = world.request()
    assert running.got is not None
    assert running.got.pod == "late"
    second = world.throttler.unreachable(running, running.got)

    assert isinstance(second, Backend)
    assert second.pod == "idle"
    assert world.throttler.held == 0


def test_replicas_is_lowered_two_seconds_after_the_cost_and_load_raises_it_again() -> None:
    world = two_pods()
    ticks(world, 13)
    assert world.actuator.scaled[-1] == ("iris-abc-demand", 1)
    request = world.request()
    assert request.got is not None, "it is not being deleted yet"
    assert world.actuator.scaled[-1] == ("iris-abc-demand", 2)


def test_a_pod_is_unmarked_when_another_one_was_deleted_instead() -> None:
    world = two_pods()
    ticks(world, 13)
    world.show("busy", deleting=True)
    ticks(world, 0.5)
    pod = world.throttler.pools.pods["uid-idle"]

    assert not pod.marked
    assert world.request().got is not None


def test_to_zero_without_costs_and_back_without_a_cold_start_while_the_pod_still_exists() -> None:
    world = World(route(idle=10))
    first = world.request()
    world.start("a")
    world.finish(first)
    ticks(world, 10)
    assert world.actuator.scaled[-1] == ("iris-abc-demand", 0)
    assert world.actuator.costs == {}
    request = world.request()
    assert request.got is not None
    assert request.cold is None
    assert world.actuator.scaled[-1] == ("iris-abc-demand", 1)


def test_after_a_restart_nothing_is_scaled_down_before_one_idle_timeout() -> None:
    world = World(route(idle=10))
    world.pool("iris-abc-demand", "abc", 2)
    world.start("a")
    world.start("b")
    ticks(world, 9.5)
    assert world.actuator.scaled == []
    ticks(world, 0.5)
    assert world.actuator.scaled == [("iris-abc-demand", 0)]


def test_a_crash_loop_is_scaled_down_when_no_request_is_held() -> None:
    world = World(route(idle=10, startup=60))
    world.pool("iris-abc-demand", "abc", 1)
    crash = PodFailure("CrashLoopBackOff", "It crashes.", final=True)
    world.show("a", started=None, ready=False, failure=crash)
    ticks(world, 9.5)
    assert world.actuator.scaled == []
    ticks(world, 0.5)
    assert world.actuator.scaled == [("iris-abc-demand", 0)]
    assert world.actuator.deleted == [], "the kubelet is responsible for it"


def test_a_pod_that_never_answers_is_deleted_after_its_startup_time() -> None:
    world = World(route(idle=10, startup=60))
    world.request()
    world.show("a", ready=False)
    ticks(world, 69.5)
    assert world.actuator.deleted == []
    ticks(world, 1)
    assert "a" in world.actuator.deleted


def test_a_pod_that_stops_answering_is_deleted_once_no_request_runs_in_it() -> None:
    world = World(route(idle=600, startup=60, per_instance=2, limit=4))
    requests = [world.request(), world.request()]
    world.start("a")
    world.finish(requests[0], Outcome.TIMED_OUT)
    ticks(world, 100)
    assert world.actuator.deleted == [], "something still runs in it"
    world.finish(requests[1], Outcome.TIMED_OUT)
    ticks(world, 0.5)
    assert world.actuator.deleted == ["a"]


def test_a_pod_that_does_not_answer_may_still_work_for_a_process_that_has_ended() -> None:
    world = World(route(idle=600, startup=5))
    world.request()
    world.show("a")
    ticks(world, 60)
    assert world.actuator.deleted == [], "an invocation may take 60 s"
    ticks(world, 11)
    assert "a" in world.actuator.deleted


def test_idle_warm_pods_carry_a_low_cost_and_are_never_scaled() -> None:
    world = World(route(provisioned=1, idle=5))
    world.start("w", names.WARM)
    ticks(world, 60)

    assert world.throttler.pools.pods["uid-w"].written_cost == LOW_COST
    assert world.actuator.scaled == []
    assert world.request().got is not None


def test_of_twenty_warm_pods_the_five_busy_ones_are_not_those_that_an_hpa_removes() -> None:
    """Five requests of 2 s at a time stay in five pods. Within 6 s all other pods have the low deletion cost."""
    world = World(route(limit=20, scaled=True))
    for number in range(20):
        world.start(f"w{number}", names.WARM)
    requests = [world.request() for _ in range(20)]
    ticks(world, 10)
    for request in requests:
        world.finish(request)
    for _ in range(3):
        requests = [world.request() for _ in range(5)]
        ticks(world, 2)
        busy = {request.got.pod for request in requests if request.got}
        for request in requests:
            world.finish(request)
    costs = {pod.facts.name: pod.written_cost for pod in world.throttler.pools.pods.values()}

    assert {name for name, cost in costs.items() if cost != LOW_COST} == busy
    assert len(busy) == 5


def test_occasional_short_requests_cause_no_writes() -> None:
    world = World(route(scaled=True))
    world.start("w", names.WARM)
    ticks(world, 6)
    for _ in range(10):
        request = world.request()
        world.now += 0.01
        world.finish(request)
        world.now += 4.99
        scaledown.tick(world.throttler, world.actuator, world.now)
        world.now += 1
        scaledown.tick(world.throttler, world.actuator, world.now)

    assert set(world.actuator.costs.values()) <= {LOW_COST}, "never reset in between"


def test_a_draining_process_scales_nothing_down_but_rejects_overdue_requests() -> None:
    world = World(route(idle=10, startup=30))
    world.pool("iris-abc-demand", "abc", 1)
    world.start("a")
    running, held = world.request(), world.request()
    world.now += 40
    scaledown.tick(world.throttler, world.actuator, world.now, draining=True)
    assert held.rejection is not None
    world.finish(running)
    scaled = list(world.actuator.scaled)
    world.now += 40
    scaledown.tick(world.throttler, world.actuator, world.now, draining=True)
    assert world.actuator.scaled == scaled
    scaledown.tick(world.throttler, world.actuator, world.now)
    assert world.actuator.scaled == [*scaled, ("iris-abc-demand", 0)]


def test_a_pool_made_smaller_within_the_echo_of_our_own_write_is_raised_again_while_a_request_is_held() -> None:
    world = World(route())
    world.request()
    world.throttler.pools.sizes["iris-abc-demand"].on_written(1, world.now)
    world.now += 1
    world.pool("iris-abc-demand", "abc", 0)
    assert world.actuator.scaled == [("iris-abc-demand", 1)], "it may be the size from before our write"
    ticks(world, 4)

    assert world.actuator.scaled == [("iris-abc-demand", 1)] * 2
