"""The desk of one endpoint: who comes in, who waits, who goes where."""

from __future__ import annotations

import pytest

from kindler.activator.endpoint.requests import Backend, Cause, Outcome, Purpose
from kindler.api import names
from kindler.core.common.pods import PodFailure
from tests.unit.throttlers import World, route

PULL = PodFailure("ImagePullBackOff", "The image cannot be pulled.", final=True)
NO_NODE = PodFailure("Unschedulable", "No node has room for the pod.", final=False)


def test_a_request_at_zero_wakes_one_pod_and_goes_to_it_at_its_first_good_ping() -> None:
    world = World(route())
    request = world.request()
    assert (request.got, request.rejection) == (None, None)
    assert world.actuator.scaled == [("iris-abc-demand", 1)]

    world.now += 0.013
    world.show("a", ip=None, scheduled=None, started=None, ready=False)
    assert not world.actuator.probing, "no address, nothing to ping"
    world.now += 0.3
    world.show("a", ip="10.0.0.9", started=None, ready=False)
    world.now += 0.002
    world.answer("a")

    assert request.got is not None
    assert (request.got.host, request.got.port, request.got.in_use) == ("10.0.0.9", 8080, 1)
    assert request.cold is not None
    assert request.cold.phases() == {"created": 13, "scheduled": 313, "ip": 313, "ping": 315}
    assert [name for name, _ in world.observer.colds] == ["a"]


def test_the_limit_counts_running_and_waiting_and_the_next_is_throttled_at_once() -> None:
    world = World(route(limit=3))
    world.start("a")
    running, *waiting = (world.request() for _ in range(3))
    throttled = world.request()

    assert running.got is not None
    assert all(request.got is None and request.rejection is None for request in waiting)
    assert throttled.rejection is not None
    assert throttled.rejection.cause is Cause.THROTTLED
    assert throttled.rejection.retry_after == 1
    assert world.throttler.counters.throttled == 1
    world.finish(running)
    assert waiting[0].got is not None
    assert waiting[1].got is None
    assert world.request().rejection is None, "one left, so one may come in"


def test_one_write_per_raise_up_to_what_the_limit_fills() -> None:
    world = World(route(limit=4, per_instance=2))
    for _ in range(6):
        world.request()

    assert world.actuator.scaled == [("iris-abc-demand", 1), ("iris-abc-demand", 2)]


def test_a_client_that_left_while_held_gets_no_place() -> None:
    world = World(route())
    left, stayed = world.request(), world.request()
    world.throttler.gone(left)
    world.start("a")

    assert left.got is None
    assert stayed.got is not None


def test_warm_places_are_used_first_and_spill_over_is_counted() -> None:
    world = World(route(provisioned=1))
    world.start("w", names.WARM)
    world.start("d")
    requests = [world.request(), world.request()]

    assert [request.got.pool for request in requests if request.got] == [names.WARM, names.DEMAND]
    assert world.throttler.counters.spilled == 1
    stats = world.throttler.stats(owner=True)
    assert (stats.in_flight, stats.warm, stats.demand, stats.held) == (2, 1, 1, 0)


@pytest.mark.parametrize("starting", [0, 3])
def test_what_the_warm_pool_cannot_take_now_asks_for_demand_pods_at_once(starting: int) -> None:
    """Warm pods that are still starting are no places, however many there are: nobody waits for them while the limit allows."""
    world = World(route(limit=9, per_instance=2, scaled=True))
    world.start("w", names.WARM)
    for number in range(starting):
        world.show(f"starting{number}", names.WARM)
    requests = [world.request() for _ in range(5)]

    assert [request.got is not None for request in requests] == [True, True, False, False, False]
    assert world.actuator.scaled == [("iris-abc-demand", 1), ("iris-abc-demand", 2)]
    world.start("d")
    assert [request.got.pool for request in requests if request.got] == [names.WARM] * 2 + [names.DEMAND] * 2
    world.finish(requests[0])
    assert requests[4].got is not None
    assert requests[4].got.pool == names.WARM, "whichever is free first"


def test_with_a_warm_pool_of_zero_requests_wake_the_demand_pool() -> None:
    world = World(route(scaled=True))
    request = world.request()
    assert world.actuator.scaled == [("iris-abc-demand", 1)]
    world.start("d")

    assert request.got is not None


def test_final_trouble_answers_all_who_wait_at_once_and_who_comes_later_too() -> None:
    world = World(route())
    held = [world.request(), world.request()]
    world.show("a", ip=None, started=None, ready=False, failure=NO_NODE)
    assert all(request.rejection is None for request in held), "what may heal waits"
    world.show("a", ip=None, started=None, ready=False, failure=PULL)

    for request in [*held, world.request()]:
        assert request.rejection is not None
        assert request.rejection.cause is Cause.CANNOT_START
        assert PULL.message in request.rejection.reason


def test_a_pod_that_served_and_crashed_too_often_is_waited_for() -> None:
    world = World(route())
    world.start("a")
    world.finish(world.request())
    world.show("a", started=None, ready=False, failure=PodFailure("OOMKilled", "It needed more.", final=True))
    held = world.request()
    assert (held.got, held.rejection) == (None, None)
    world.show("a", started=2.0)
    world.answer("a")

    assert held.got is not None


def test_one_hopeless_pod_among_good_ones_refuses_nobody() -> None:
    world = World(route())
    world.start("good")
    world.show("bad", ip=None, started=None, ready=False, failure=PULL)
    running, held = world.request(), world.request()

    assert running.got is not None
    assert held.rejection is None
    world.finish(running)
    assert held.got is not None


def test_the_startup_time_ends_the_waiting_with_the_reason() -> None:
    world = World(route(startup=100))
    early = world.request()
    world.now += 50
    late = world.request()
    world.show("a", ip=None, started=None, ready=False, failure=NO_NODE)
    world.now += 49.9
    world.throttler.reject_overdue(world.now)
    assert early.rejection is None
    world.now += 0.1
    world.throttler.reject_overdue(world.now)

    assert early.rejection is not None
    assert early.rejection.cause is Cause.START_TIMEOUT
    assert "within 100 s" in early.rejection.reason
    assert NO_NODE.message in early.rejection.reason
    assert late.rejection is None


def test_who_waited_for_busy_pods_is_told_so() -> None:
    world = World(route(startup=100))
    world.start("a")
    _, held = world.request(), world.request()
    world.now += 100
    world.throttler.reject_overdue(world.now)

    assert held.rejection is not None
    assert "stayed busy" in held.rejection.reason


def test_without_a_route_it_is_being_created() -> None:
    world = World()
    rejection = world.request().rejection

    assert rejection is not None
    assert rejection.cause is Cause.CREATING
    assert "Iris" in rejection.reason


def test_deletion_tells_who_waits_and_leaves_what_runs() -> None:
    world = World(route())
    world.start("a")
    running, held = world.request(), world.request()
    world.throttler.close()

    assert held.rejection is not None
    assert held.rejection.cause is Cause.DELETED
    assert running.got is not None
    assert running.got.closing
    world.finish(running)
    rejected = world.request().rejection
    assert rejected is not None
    assert rejected.cause is Cause.DELETED


def test_the_route_moves_held_requests_to_the_new_revision_and_lets_the_old_ones_finish() -> None:
    world = World(route(limit=3))
    world.start("old")
    running, held = world.request(), world.request()
    world.pool("iris-new-demand", "new", 1)
    world.show("fresh", revision="new", ready=False)
    assert "fresh" not in world.actuator.probing, "its route is not known yet"
    world.throttler.reroute(route("new", limit=3))
    assert running.got is not None
    assert running.got.closing, "no connection to the old pod is kept any more"
    assert world.throttler.stats(True).older == {"abc": 1}
    world.answer("fresh")

    assert held.got is not None
    assert held.got.revision == "new"
    world.finish(running)
    assert world.throttler.stats(True).older == {}
    assert ("iris-abc-demand", 1) not in world.actuator.scaled[1:], "the old pool is not touched any more"


@pytest.mark.parametrize("before", [None, "old"])
def test_where_the_route_leads_to_pods_that_are_ready_no_request_waits_for_a_ping(before: str | None) -> None:
    """The controller fills a warm pool before it moves the route there, at a creation and at an update: the kubelet has pinged these pods."""
    world = World(route(before, limit=3)) if before else World()
    world.pool("iris-new-demand", "new", 0)
    world.show("fresh", names.WARM, "new")
    world.now += 1
    held = world.request()
    world.throttler.reroute(route("new", limit=3, provisioned=1))
    request = world.request() if held.rejection else held

    assert request.got is not None
    assert request.got.pod == "fresh"
    assert request.cold is None, "it did not wait for this pod to start"
    assert ("iris-new-demand", 1) not in world.actuator.scaled
    world.finish(request, Outcome.BROKE_OFF)
    assert "fresh" in world.actuator.probing, "from then on our own pings count"


def test_a_process_that_begins_pings_the_pods_that_it_finds() -> None:
    """Ready says that they answered once: of those that fell silent since, only its predecessor knew."""
    world = World()
    world.pool("iris-abc-demand", "abc", 1)
    world.show("found")
    world.throttler.reroute(route(), change_observed=False)
    request = world.request()
    assert request.got is None
    world.answer("found")

    assert request.got is not None


def test_a_route_that_comes_back_finds_its_pods_with_what_still_runs_in_them() -> None:
    world = World(route())
    world.start("old")
    running = world.request()
    world.throttler.reroute(route("new"))
    world.throttler.reroute(route())
    world.answer("old")
    held = world.request()

    assert held.got is None, "one request at a time, also across two switches"
    world.finish(running)
    assert held.got is running.got


def test_a_connection_that_fails_takes_the_place_away_until_a_good_ping() -> None:
    world = World(route())
    world.start("a")
    broken = world.request()
    world.finish(broken, Outcome.BROKE_OFF)
    assert world.actuator.rests["a"] == 0, "the first failure is asked about at once"
    held = world.request()
    assert held.got is None
    world.answer("a")
    assert held.got is not None
    world.finish(held, Outcome.TIMED_OUT)
    assert world.actuator.rests["a"] > 0, "the second in a row lets it rest"
    world.answer("a")
    world.finish(world.request())
    world.finish(world.request(), Outcome.BROKE_OFF)
    assert world.actuator.rests["a"] == 0, "a good answer in between forgives"


@pytest.mark.parametrize("outcome", [Outcome.ABANDONED, Outcome.ANSWERED])
def test_a_client_that_broke_off_and_an_error_of_the_model_leave_the_pod_its_place(outcome: Outcome) -> None:
    world = World(route())
    world.start("a")
    world.finish(world.request(), outcome, 500)

    assert world.request().got is not None


def test_an_unreachable_pod_is_passed_over() -> None:
    world = World(route())
    world.start("a")
    world.start("b")
    request = world.request()
    assert request.got is not None
    second = world.throttler.unreachable(request, request.got)
    assert isinstance(second, Backend)
    assert second is not request.got
    assert world.throttler.unreachable(request, second) is None, "no other place: held again"
    later = world.request()
    request.got = None
    world.answer("b")

    assert request.got is not None, "before all others"
    assert later.got is None


def test_a_pod_that_is_deleted_or_stops_takes_nothing_and_the_kubelets_ready_does_not_matter() -> None:
    world = World(route())
    world.start("a")
    world.show("a", ready=False)
    first = world.request()
    assert first.got is not None, "Ready=False takes no place away"
    world.finish(first)
    world.show("a", started=None)
    assert world.request().got is None, "its container stopped"
    world.show("a", started=2.0)
    world.answer("a")
    world.show("a", started=2.0, deleting=True)
    assert world.request().got is None
    assert world.actuator.closed.count("a") >= 2, "kept connections are closed, so that it can go"


def test_a_pod_with_another_address_is_another_place() -> None:
    world = World(route())
    world.start("a")
    world.show("a", ip="10.9.9.9")
    request = world.request()
    assert request.got is None
    world.answer("a")

    assert request.got is not None
    assert request.got.host == "10.9.9.9"


def test_ping_is_answered_from_what_is_known_and_wakes_nothing() -> None:
    world = World(route(limit=1))
    asleep = world.request(Purpose.PING)
    assert asleep.rejection is not None
    assert asleep.rejection.cause is Cause.NOT_READY
    assert "asleep" in asleep.rejection.reason
    assert world.actuator.scaled == []
    waking = world.request(Purpose.WAKE)
    assert world.actuator.scaled == [("iris-abc-demand", 1)]
    world.start("a")
    assert waking.got is not None
    ping = world.request(Purpose.PING)
    assert ping.got is not None, "also at the limit"
    world.finish(ping)
    assert world.throttler.in_flight == 1, "a ping takes no place and frees none"


def test_many_wakes_that_finish_within_their_dispatch_do_not_pile_up() -> None:
    world = World(route(limit=200))
    requests = [world.request(Purpose.WAKE) for _ in range(200)]
    for request in requests:
        request.on_dispatch = world.finish
    world.start("a")

    assert all(request.got is not None for request in requests)
    assert world.throttler.in_flight == world.throttler.held == 0


def test_a_pool_that_was_made_smaller_by_somebody_else_is_raised_again_while_somebody_waits() -> None:
    world = World(route())
    world.request()
    size = world.throttler.pools.sizes["iris-abc-demand"]
    size.done(1, world.now)
    world.now += 6
    world.pool("iris-abc-demand", "abc", 0)

    assert world.actuator.scaled[-1] == ("iris-abc-demand", 1)
    assert len(world.actuator.scaled) == 2


def test_nothing_is_asked_of_a_pool_that_was_not_seen_yet() -> None:
    world = World()
    world.throttler.reroute(route())
    world.request()
    assert world.actuator.scaled == []
    world.pool("iris-abc-demand", "abc", 0)

    assert world.actuator.scaled == [("iris-abc-demand", 1)]
