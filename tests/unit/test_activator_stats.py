"""The totals of a warm pool in `/stats` never decrease, so that the difference of two readings is correct."""

from __future__ import annotations

import pytest

from kindler.activator.endpoint.pools import ASSUMED_BUSY_SECONDS
from kindler.activator.endpoint.requests import Outcome, Purpose
from kindler.api import names
from kindler.api.stats import Totals
from tests.unit.throttlers import World, route


def totals(world: World) -> Totals:
    stats = world.throttler.stats(owner=True).totals
    assert stats is not None
    return stats


def test_load_is_exact_between_any_two_readings_also_while_nothing_ends() -> None:
    world = World(route(limit=3, scaled=True))
    world.start("w", names.WARM)
    running = world.request()
    world.now += 2
    held = world.request()
    world.now += 3
    assert totals(world).load_seconds == 2 + 2 * 3
    world.finish(running)
    assert held.got is not None
    world.now += 10
    assert totals(world).load_seconds == 8 + 10
    world.finish(held)
    world.now += 100
    assert totals(world).load_seconds == 18, "idle time adds nothing"


def test_a_burst_between_two_readings_is_not_missed() -> None:
    world = World(route(limit=4, per_instance=4, scaled=True))
    world.start("w", names.WARM)
    before = totals(world)
    for _ in range(50):
        requests = [world.request() for _ in range(4)]
        world.now += 0.01
        for request in requests:
            world.finish(request)

    assert round(totals(world).load_seconds - before.load_seconds, 9) == 2.0


def test_requests_that_waited_without_success_count_as_load() -> None:
    """Without these requests, the load of a pool whose pods cannot start would be 0, and the pool would stay small."""
    world = World(route(limit=9, startup=100, scaled=True))
    leaver, expired = world.request(), world.request()
    world.now += 30
    world.throttler.gone(leaver)
    world.now += 70
    world.throttler.reject_overdue(world.now)
    rejected = world.request()
    world.now += 5
    world.throttler.close()

    assert expired.rejection is not None
    assert rejected.rejection is not None
    assert totals(world).load_seconds == 30 + 100 + 5


def test_a_request_whose_pod_is_unreachable_is_load_until_it_is_rejected() -> None:
    world = World(route(scaled=True))
    world.start("w", names.WARM)
    request = world.request()
    world.now += 4
    world.throttler.close()
    assert request.got is not None
    world.throttler.unreachable(request, request.got)
    world.now += 4

    assert totals(world).load_seconds == 4


def test_placements_are_counted_per_pool_also_if_the_config_contains_no_size() -> None:
    world = World(route(limit=5, scaled=True))
    world.start("w", names.WARM)
    first, second = world.request(), world.request()
    world.start("d")
    assert second.got is not None
    assert second.got.pool == names.DEMAND
    world.finish(first)
    world.request()

    assert (totals(world).provisioned, totals(world).spillover) == (2, 1)


@pytest.mark.parametrize("other", [False, True])
def test_a_request_whose_pod_is_unreachable_counts_as_one_placement(other: bool) -> None:
    """There was provisioned concurrency for the request. So a second try on another pod is no spillover."""
    world = World(route(limit=5, scaled=True))
    world.start("w", names.WARM)
    request = world.request()
    assert request.got is not None
    if other:
        world.start("d")
    backend = world.throttler.unreachable(request, request.got)
    assert (backend is not None) == other
    if backend is None:
        request.got = None
        world.answer("w")
        assert request.got is not None

    assert (totals(world).provisioned, totals(world).spillover) == (1, 0)


def test_at_a_route_change_the_warm_pool_takes_held_requests_whichever_pod_came_first() -> None:
    world = World(route("old"))
    world.pool("iris-new-demand", "new", 1)
    world.show("d", names.DEMAND, "new")
    world.show("w", names.WARM, "new")
    held = world.request()
    world.throttler.reroute(route("new", scaled=True))

    assert held.got is not None
    assert held.got.pool == names.WARM


def test_responses_of_the_model_are_counted_by_class() -> None:
    world = World(route(limit=1, scaled=True))
    world.start("w", names.WARM)
    for outcome, status in (
        (Outcome.ANSWERED, 200),
        (Outcome.ANSWERED, 404),
        (Outcome.ANSWERED, 500),
        (Outcome.BROKE_OFF, 0),
    ):
        request = world.request()
        world.now += 0.5
        world.finish(request, outcome, status)
    world.answer("w")
    world.request()
    world.request()
    stats = totals(world)

    assert stats.invocations == 6, "four ended, one runs, one was throttled"
    assert (stats.client_errors, stats.model_errors, stats.answered) == (1, 2, 4)
    assert (stats.model_seconds, stats.overhead_seconds) == (2.0, 0.0)


def test_pings_are_not_counted_as_invocations() -> None:
    world = World(route(scaled=True))
    world.request(Purpose.PING)

    assert totals(world).invocations == 0


def test_cold_starts_are_counted_with_the_time_they_took() -> None:
    world = World(route(scaled=True))
    request = world.request()
    world.now += 1.5
    world.start("d")

    assert request.cold is not None
    assert (totals(world).cold_starts, totals(world).setup_seconds) == (1, 1.5)


def test_allocated_is_what_the_warm_pods_can_run() -> None:
    world = World(route(limit=20, per_instance=4, scaled=True))
    world.start("a", names.WARM)
    world.start("b", names.WARM)
    world.show("starting", names.WARM, ready=False)
    world.start("d")
    busy = [world.request() for _ in range(5)]
    assert world.throttler.stats(owner=True).allocated == 8, "busy or not"
    world.show("a", names.WARM, deleting=True)

    assert world.throttler.stats(owner=True).allocated == 4
    assert all(request.got and request.got.pod != "a" for request in [world.request() for _ in range(3)]), (
        "a pod that is being deleted takes no new request"
    )
    assert any(request.got and request.got.pod == "a" for request in busy), "and finishes the requests in it"


def test_allocated_includes_a_busy_pod_that_stops_answering_and_a_ready_one_not_pinged_yet() -> None:
    """Without the busy pod, a higher load would lead to a smaller size.

    Without the pod that is Ready but not pinged yet, each restart of an activator would lead to a smaller size.
    """
    world = World(route(limit=20, per_instance=4, scaled=True))
    world.show("a", names.WARM)
    assert world.throttler.stats(owner=True).allocated == 4, "the kubelet has set Ready"
    world.show("b", names.WARM, ready=False)
    world.answer("a")
    world.answer("b")
    for request in [world.request() for _ in range(8)]:
        world.finish(request, Outcome.TIMED_OUT)
    world.show("a", names.WARM, ready=False)
    assert not world.throttler.pools.placement.allocated
    assert world.throttler.stats(owner=True).allocated == 8
    world.now += ASSUMED_BUSY_SECONDS
    assert world.throttler.stats(owner=True).allocated == 0


def test_without_a_warm_pool_there_are_no_totals() -> None:
    stats = World(route()).throttler.stats(owner=True)

    assert (stats.totals, stats.allocated) == (None, 0)
