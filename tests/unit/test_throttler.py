"""EndpointThrottler: which requests it admits, holds and rejects, and which backend they get."""

from __future__ import annotations

import pytest

from kindler.activator.endpoint.requests import Backend, Cause, Outcome, Purpose
from kindler.api import names
from kindler.core.common.pods import PodFailure
from tests.unit.throttlers import IDENTITY, World, route

PULL = PodFailure("ImagePullBackOff", "The image cannot be pulled.", final=True)
NO_NODE = PodFailure("Unschedulable", "No node has room for the pod.", final=False)


def test_a_request_at_zero_starts_one_pod_and_is_sent_to_it_after_its_first_good_ping() -> None:
    world = World(route())
    request = world.request()
    assert (request.got, request.rejection) == (None, None)
    assert world.actuator.scaled == [("iris-abc-demand", 1)]

    world.now += 0.013
    world.show("a", ip=None, scheduled=None, started=None, ready=False)
    assert not world.actuator.probing, "no address yet, so nothing to ping"
    world.now += 0.3
    world.show("a", ip="10.0.0.9", started=None, ready=False)
    world.now += 0.002
    world.answer("a")

    assert request.got is not None
    assert (request.got.host, request.got.port, request.got.in_use) == ("10.0.0.9", 8080, 1)
    assert request.cold is not None
    assert request.cold.phases() == {"created": 13, "scheduled": 313, "ip": 313, "ping": 315}
    assert [name for name, _ in world.observer.cold_starts] == ["a"]


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
    assert world.request().rejection is None, "one request ended, so one more is admitted"


def test_each_scale_up_is_one_write_up_to_the_size_that_the_limit_fills() -> None:
    world = World(route(limit=4, per_instance=2))
    for _ in range(6):
        world.request()

    assert world.actuator.scaled == [("iris-abc-demand", 1), ("iris-abc-demand", 2)]


def test_a_held_request_whose_client_left_gets_no_backend() -> None:
    world = World(route())
    gone, stayed = world.request(), world.request()
    world.throttler.gone(gone)
    world.start("a")

    assert gone.got is None
    assert stayed.got is not None


def test_warm_backends_are_used_first_and_spillover_is_counted() -> None:
    world = World(route(provisioned=1))
    world.start("w", names.WARM)
    world.start("d")
    requests = [world.request(), world.request()]

    assert [request.got.pool for request in requests if request.got] == [names.WARM, names.DEMAND]
    assert world.throttler.counters.spilled == 1
    stats = world.throttler.stats(owner=True)
    assert (stats.in_flight, stats.warm, stats.demand, stats.held) == (2, 1, 1, 0)


@pytest.mark.parametrize("starting", [0, 3])
def test_requests_that_the_warm_pool_cannot_take_now_start_demand_pods_at_once(starting: int) -> None:
    """Warm pods that are still starting have no slots. If the limit allows a demand pod, no request waits for them."""
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
    assert requests[4].got.pool == names.WARM, "the pool that has a free slot first"


def test_with_a_warm_pool_of_size_zero_requests_scale_up_the_demand_pool() -> None:
    world = World(route(scaled=True))
    request = world.request()
    assert world.actuator.scaled == [("iris-abc-demand", 1)]
    world.start("d")

    assert request.got is not None


def test_a_final_failure_rejects_all_held_requests_at_once_and_later_ones_too() -> None:
    world = World(route())
    held = [world.request(), world.request()]
    world.show("a", ip=None, started=None, ready=False, failure=NO_NODE)
    assert all(request.rejection is None for request in held), "they wait while the failure is not final"
    world.show("a", ip=None, started=None, ready=False, failure=PULL)

    for request in [*held, world.request()]:
        assert request.rejection is not None
        assert request.rejection.cause is Cause.CANNOT_START
        assert PULL.message in request.rejection.reason


def test_requests_wait_for_a_pod_that_served_before_and_crashes_repeatedly() -> None:
    world = World(route())
    world.start("a")
    world.finish(world.request())
    world.show("a", started=None, ready=False, failure=PodFailure("OOMKilled", "It needed more.", final=True))
    held = world.request()
    assert (held.got, held.rejection) == (None, None)
    world.show("a", started=2.0)
    world.answer("a")

    assert held.got is not None


def test_one_pod_that_cannot_start_beside_a_usable_one_causes_no_rejection() -> None:
    world = World(route())
    world.start("good")
    world.show("bad", ip=None, started=None, ready=False, failure=PULL)
    running, held = world.request(), world.request()

    assert running.got is not None
    assert held.rejection is None
    world.finish(running)
    assert held.got is not None


def test_a_request_held_for_the_whole_startup_time_is_rejected_with_the_reason() -> None:
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


def test_a_request_that_waited_for_busy_pods_is_rejected_with_that_reason() -> None:
    world = World(route(startup=100))
    world.start("a")
    _, held = world.request(), world.request()
    world.now += 100
    world.throttler.reject_overdue(world.now)

    assert held.rejection is not None
    assert "stayed busy" in held.rejection.reason


def test_without_a_route_requests_are_rejected_as_creating() -> None:
    world = World()
    rejection = world.request().rejection

    assert rejection is not None
    assert rejection.cause is Cause.CREATING
    assert "Iris" in rejection.reason


def test_deletion_rejects_held_requests_and_lets_running_ones_finish() -> None:
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


def test_a_new_route_sends_held_requests_to_the_new_revision_and_lets_running_ones_finish() -> None:
    world = World(route(limit=3))
    world.start("old")
    running, held = world.request(), world.request()
    world.pool("iris-new-demand", "new", 1)
    world.show("fresh", revision="new", ready=False)
    assert "fresh" not in world.actuator.probing, "the route does not name its revision yet"
    world.throttler.reroute(route("new", limit=3))
    assert running.got is not None
    assert running.got.closing, "no connection to the old pod is kept"
    assert world.throttler.stats(True).older == {"abc": 1}
    world.answer("fresh")

    assert held.got is not None
    assert held.got.revision == "new"
    world.finish(running)
    assert world.throttler.stats(True).older == {}
    assert ("iris-abc-demand", 1) not in world.actuator.scaled[1:], "the old pool is not scaled any more"


@pytest.mark.parametrize("before", [None, "old"])
def test_after_a_route_change_pods_that_are_ready_serve_without_a_ping(before: str | None) -> None:
    """The controller changes the route after the pods of the warm pool are Ready, so the kubelet has pinged them."""
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
    assert "fresh" in world.actuator.probing, "after a failure our own pings count"


def test_a_process_that_starts_pings_the_pods_that_exist_already() -> None:
    """Ready shows only that a pod responded once. The new process does not know which pods stopped responding later."""
    world = World()
    world.pool("iris-abc-demand", "abc", 1)
    world.show("existing")
    world.throttler.reroute(route(), change_observed=False)
    request = world.request()
    assert request.got is None
    world.answer("existing")

    assert request.got is not None


def test_after_a_rollback_requests_still_running_in_the_pods_are_counted() -> None:
    world = World(route())
    world.start("old")
    running = world.request()
    world.throttler.reroute(route("new"))
    world.throttler.reroute(route())
    world.answer("old")
    held = world.request()

    assert held.got is None, "one request per pod, also after two route changes"
    world.finish(running)
    assert held.got is running.got


def test_a_failed_connection_ejects_the_pod_until_a_good_ping() -> None:
    world = World(route())
    world.start("a")
    broken = world.request()
    world.finish(broken, Outcome.BROKE_OFF)
    assert world.actuator.probe_delays["a"] == 0, "after the first failure the pod is pinged at once"
    held = world.request()
    assert held.got is None
    world.answer("a")
    assert held.got is not None
    world.finish(held, Outcome.TIMED_OUT)
    assert world.actuator.probe_delays["a"] > 0, "after the second in a row the ping is delayed"
    world.answer("a")
    world.finish(world.request())
    world.finish(world.request(), Outcome.BROKE_OFF)
    assert world.actuator.probe_delays["a"] == 0, "a good response in between resets the count"


@pytest.mark.parametrize("outcome", [Outcome.ABANDONED, Outcome.ANSWERED])
def test_neither_a_client_that_leaves_nor_an_error_response_ejects_the_pod(outcome: Outcome) -> None:
    world = World(route())
    world.start("a")
    world.finish(world.request(), outcome, 500)

    assert world.request().got is not None


def test_a_request_whose_pod_is_unreachable_gets_another_one_or_is_held_first_in_the_queue() -> None:
    world = World(route())
    world.start("a")
    world.start("b")
    request = world.request()
    assert request.got is not None
    second = world.throttler.unreachable(request, request.got)
    assert isinstance(second, Backend)
    assert second is not request.got
    assert world.throttler.unreachable(request, second) is None, "no other backend: held again"
    later = world.request()
    request.got = None
    world.answer("b")

    assert request.got is not None, "before all other held requests"
    assert later.got is None


def test_a_deleted_or_stopped_pod_takes_no_request_but_one_that_is_not_ready_does() -> None:
    world = World(route())
    world.start("a")
    world.show("a", ready=False)
    first = world.request()
    assert first.got is not None, "Ready=False does not make it unusable"
    world.finish(first)
    world.show("a", started=None)
    assert world.request().got is None, "its container stopped"
    world.show("a", started=2.0)
    world.answer("a")
    world.show("a", started=2.0, deleting=True)
    assert world.request().got is None
    assert world.actuator.closed.count("a") >= 2, "idle connections are closed, so that its drain hook can end"


def test_a_pod_with_a_new_address_is_a_new_backend() -> None:
    world = World(route())
    world.start("a")
    world.show("a", ip="10.9.9.9")
    request = world.request()
    assert request.got is None
    world.answer("a")

    assert request.got is not None
    assert request.got.host == "10.9.9.9"


def test_a_ping_gets_a_local_reply_and_scales_nothing_up() -> None:
    world = World(route(limit=1))
    ping = world.request(Purpose.PING)
    assert ping.rejection is not None
    assert ping.rejection.cause is Cause.NOT_READY
    assert "scaled to zero" in ping.rejection.reason
    assert world.actuator.scaled == []
    wake = world.request(Purpose.WAKE)
    assert world.actuator.scaled == [("iris-abc-demand", 1)]
    world.start("a")
    assert wake.got is not None
    ping = world.request(Purpose.PING)
    assert ping.got is not None, "also at the limit"
    world.finish(ping)
    assert world.throttler.in_flight == 1, "a ping takes no slot and frees none"


def test_many_wake_requests_that_finish_within_their_dispatch_do_not_recurse() -> None:
    world = World(route(limit=200))
    requests = [world.request(Purpose.WAKE) for _ in range(200)]
    for request in requests:
        request.on_dispatch = world.finish
    world.start("a")

    assert all(request.got is not None for request in requests)
    assert world.throttler.in_flight == world.throttler.held == 0


def test_a_pool_that_another_client_made_smaller_is_raised_again_while_requests_are_held() -> None:
    world = World(route())
    world.request()
    size = world.throttler.pools.sizes["iris-abc-demand"]
    size.on_written(1, world.now)
    world.now += 6
    world.pool("iris-abc-demand", "abc", 0)

    assert world.actuator.scaled[-1] == ("iris-abc-demand", 1)
    assert len(world.actuator.scaled) == 2


def test_a_pool_is_not_scaled_before_the_watch_has_shown_it() -> None:
    world = World()
    world.throttler.reroute(route())
    world.request()
    assert world.actuator.scaled == []
    world.pool("iris-abc-demand", "abc", 0)

    assert world.actuator.scaled == [("iris-abc-demand", 1)]


def test_observers_get_one_record_per_finished_and_per_rejected_request() -> None:
    world = World(route(limit=1))
    held = world.request()
    world.request()
    world.now += 2
    world.start("a")
    world.now += 3
    assert held.got is not None
    world.finish(held, status=201)

    (record,) = world.observer.finished_requests
    assert (record.identity, record.request_id, record.backend) == (IDENTITY, b"id", held.got)
    assert (record.outcome, record.status, record.received, record.sent) == (Outcome.ANSWERED, 201, 10, 20)
    assert (record.arrived, record.placed, record.ended) == (1000.0, 1002.0, 1005.0)
    assert [rejection.cause for rejection in world.observer.rejections] == [Cause.THROTTLED]
    assert world.throttler.counters.outcomes == {"throttled": 1, "ok": 1}, "the endpoint's counters are an observer too"
