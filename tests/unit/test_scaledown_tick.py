"""Sleep as a desk lives it: chosen pods come back for load, wedged ones are given up, a restart takes nothing away."""

from __future__ import annotations

from kindler.activator.endpoint import scaledown
from kindler.activator.endpoint.requests import Backend, Outcome
from kindler.api import names
from kindler.core.common.pods import PodFailure
from kindler.core.dataplane.scaledown import LOW_COST
from tests.unit.throttlers import World, route


def rounds(world: World, seconds: float) -> None:
    """Time passes, in rounds of half a second; sizes are written at once, and the watch shows written costs."""
    for _ in range(int(seconds * 2)):
        world.now += 0.5
        scaledown.tick(world.throttler, world.actuator, world.now)
        for size in world.throttler.pools.sizes.values():
            if size.requested is not None:
                size.done(size.requested, world.now)
        for name, cost in world.actuator.costs.items():
            world.show(name, world.pods[name].pool, deletion_cost=cost)
        world.actuator.costs.clear()


def two_pods(idle: int = 10) -> World:
    """Two pods, of which one works for ever."""
    world = World(route(idle=idle, limit=4))
    requests = [world.request(), world.request()]
    world.start("busy")
    world.start("idle")
    world.finish(requests[1])
    return world


def test_a_chosen_pod_takes_nothing_and_comes_back_for_load() -> None:
    world = two_pods()
    rounds(world, 10)
    pod = world.throttler.pools.pods["uid-idle"]
    assert pod.marked
    assert pod.written_cost == LOW_COST
    assert world.throttler.pools.demand_size().replicas == 2  # type: ignore[union-attr]
    request = world.request()
    assert request.got is not None, "no cold start while a pod is there"
    assert request.got.pod == "idle"
    assert not pod.marked
    assert world.actuator.costs == {"idle": 0}, "its cost is raised again"
    assert world.actuator.scaled[-1] == ("iris-abc-demand", 2), "and the pool stays as it is"


def test_a_chosen_pod_that_answers_comes_back_when_the_only_other_one_cannot_be_reached() -> None:
    world = World(route(idle=10, limit=4))
    requests = [world.request(), world.request()]
    world.start("late")
    world.start("idle")
    world.finish(requests[1])
    rounds(world, 5)
    world.finish(requests[0])
    rounds(world, 6)
    assert world.throttler.pools.pods["uid-idle"].marked
    running = world.request()
    assert running.got is not None
    assert running.got.pod == "late"
    second = world.throttler.unreachable(running, running.got)

    assert isinstance(second, Backend)
    assert second.pod == "idle"
    assert world.throttler.held == 0


def test_two_seconds_after_its_cost_the_pool_is_made_smaller_and_load_raises_it_again() -> None:
    world = two_pods()
    rounds(world, 13)
    assert world.actuator.scaled[-1] == ("iris-abc-demand", 1)
    request = world.request()
    assert request.got is not None, "it is not being deleted yet"
    assert world.actuator.scaled[-1] == ("iris-abc-demand", 2)


def test_when_another_pod_was_deleted_the_choice_is_taken_back() -> None:
    world = two_pods()
    rounds(world, 13)
    world.show("busy", deleting=True)
    rounds(world, 0.5)
    pod = world.throttler.pools.pods["uid-idle"]

    assert not pod.marked
    assert world.request().got is not None


def test_straight_to_zero_without_costs_and_back_from_there_without_a_cold_start() -> None:
    world = World(route(idle=10))
    first = world.request()
    world.start("a")
    world.finish(first)
    rounds(world, 10)
    assert world.actuator.scaled[-1] == ("iris-abc-demand", 0)
    assert world.actuator.costs == {}
    request = world.request()
    assert request.got is not None
    assert request.cold is None
    assert world.actuator.scaled[-1] == ("iris-abc-demand", 1)


def test_a_restart_scales_nothing_in_before_one_idle_timeout() -> None:
    world = World(route(idle=10))
    world.pool("iris-abc-demand", "abc", 2)
    world.start("a")
    world.start("b")
    rounds(world, 9.5)
    assert world.actuator.scaled == []
    rounds(world, 0.5)
    assert world.actuator.scaled == [("iris-abc-demand", 0)]


def test_a_crash_loop_that_nobody_waits_for_goes_too() -> None:
    world = World(route(idle=10, startup=60))
    world.pool("iris-abc-demand", "abc", 1)
    crash = PodFailure("CrashLoopBackOff", "It crashes.", final=True)
    world.show("a", started=None, ready=False, failure=crash)
    rounds(world, 9.5)
    assert world.actuator.scaled == []
    rounds(world, 0.5)
    assert world.actuator.scaled == [("iris-abc-demand", 0)]
    assert world.actuator.deleted == [], "the kubelet's affair"


def test_a_pod_that_never_answers_is_within_its_startup_time_and_then_given_up() -> None:
    world = World(route(idle=10, startup=60))
    world.request()
    world.show("a", ready=False)
    rounds(world, 69.5)
    assert world.actuator.deleted == []
    rounds(world, 1)
    assert "a" in world.actuator.deleted


def test_a_pod_that_fell_silent_is_given_up_and_one_that_works_is_not() -> None:
    world = World(route(idle=600, startup=60, per_instance=2, limit=4))
    requests = [world.request(), world.request()]
    world.start("a")
    world.finish(requests[0], Outcome.TIMED_OUT)
    rounds(world, 100)
    assert world.actuator.deleted == [], "something still runs in it"
    world.finish(requests[1], Outcome.TIMED_OUT)
    rounds(world, 0.5)
    assert world.actuator.deleted == ["a"]


def test_a_silent_pod_may_still_work_for_a_process_that_is_gone() -> None:
    world = World(route(idle=600, startup=5))
    world.request()
    world.show("a")
    rounds(world, 60)
    assert world.actuator.deleted == [], "an invocation may take 60 s"
    rounds(world, 11)
    assert "a" in world.actuator.deleted


def test_idle_warm_pods_carry_a_low_cost_and_are_never_scaled() -> None:
    world = World(route(provisioned=1, idle=5))
    world.start("w", names.WARM)
    rounds(world, 60)

    assert world.throttler.pools.pods["uid-w"].written_cost == LOW_COST
    assert world.actuator.scaled == []
    assert world.request().got is not None


def test_of_twenty_warm_pods_the_five_busy_ones_are_not_the_ones_that_an_hpa_takes() -> None:
    """Requests of 2 s, five at a time, one after the other: they stay in the same pods, and before 6 s are over all others carry the lower cost."""
    world = World(route(limit=20, scaled=True))
    for number in range(20):
        world.start(f"w{number}", names.WARM)
    requests = [world.request() for _ in range(20)]
    rounds(world, 10)
    for request in requests:
        world.finish(request)
    for _ in range(3):
        requests = [world.request() for _ in range(5)]
        rounds(world, 2)
        busy = {request.got.pod for request in requests if request.got}
        for request in requests:
            world.finish(request)
    costs = {pod.facts.name: pod.written_cost for pod in world.throttler.pools.pods.values()}

    assert {name for name, cost in costs.items() if cost != LOW_COST} == busy
    assert len(busy) == 5


def test_short_requests_now_and_then_cost_no_writes() -> None:
    world = World(route(scaled=True))
    world.start("w", names.WARM)
    rounds(world, 6)
    for _ in range(10):
        request = world.request()
        world.now += 0.01
        world.finish(request)
        world.now += 4.99
        scaledown.tick(world.throttler, world.actuator, world.now)
        world.now += 1
        scaledown.tick(world.throttler, world.actuator, world.now)

    assert set(world.actuator.costs.values()) <= {LOW_COST}, "never raised in between"


def test_a_process_that_is_going_puts_nothing_to_sleep_but_tells_who_waited_too_long() -> None:
    world = World(route(idle=10, startup=30))
    world.pool("iris-abc-demand", "abc", 1)
    world.start("a")
    running, held = world.request(), world.request()
    world.now += 40
    scaledown.tick(world.throttler, world.actuator, world.now, going=True)
    assert held.rejection is not None
    world.finish(running)
    scaled = list(world.actuator.scaled)
    world.now += 40
    scaledown.tick(world.throttler, world.actuator, world.now, going=True)
    assert world.actuator.scaled == scaled
    scaledown.tick(world.throttler, world.actuator, world.now)
    assert world.actuator.scaled == [*scaled, ("iris-abc-demand", 0)]


def test_a_pool_made_smaller_within_the_echo_of_our_own_write_is_raised_again_while_somebody_waits() -> None:
    world = World(route())
    world.request()
    world.throttler.pools.sizes["iris-abc-demand"].done(1, world.now)
    world.now += 1
    world.pool("iris-abc-demand", "abc", 0)
    assert world.actuator.scaled == [("iris-abc-demand", 1)], "it may be what the pool was before our write"
    rounds(world, 4)

    assert world.actuator.scaled == [("iris-abc-demand", 1)] * 2
