"""When old pools are deleted, and rollbacks to a revision whose pods still exist."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kindler.api import names
from kindler.api.stats import Stats
from kindler.core.endpoint.state import Attempt, Observed
from tests.unit.builders import (
    NOW,
    decide,
    endpoint,
    observed,
    pods_of,
    pool,
    resolved,
    route,
    serving,
    stamp,
    stats,
    stored_revision,
)
from tests.unit.rollouts import NEW, OLD, WARM, demand, desired_pools


def switched(since: float = NOW - 1, **changed: object) -> Observed:
    """NEW serves from the time `since`; OLD's pool still exists."""
    old, new = stored_revision(OLD, number=1, at=int(since) - 100), stored_revision(NEW, number=2, at=int(since))
    pools = (pool(OLD, of=old), pool(NEW, of=new))
    return observed(endpoint("v2", serves=NEW), NEW, revisions=(old, new), pools=pools, **changed)


DRAINED = [
    # the statistics by activator -> whether the old pool may be deleted
    (None, False),
    ({}, False),
    ({"a": None}, False),
    ({"a": stats(route(OLD).revision)}, False),
    ({"a": stats(route(NEW).revision, older={route(OLD).revision: 1})}, False),
    ({"a": stats(route(NEW).revision), "b": None}, False),
    ({"a": stats(route(NEW).revision), "b": stats(route(OLD).revision)}, False),
    ({"a": stats(route(NEW).revision, older={route(OLD).revision: 0})}, True),
    ({"a": stats(route(NEW).revision), "b": stats("", uid="another")}, True),
    ({"a": stats(route(NEW).revision)}, True),
]


@pytest.mark.parametrize(("reported", "may"), DRAINED)
def test_the_old_pool_is_deleted_when_every_activator_reports_it_drained(reported: object, may: bool) -> None:
    rollout = decide(switched(activators=reported))
    assert [p.revision for p in rollout.remove] == ([route(OLD).revision] if may else [])
    assert (rollout.requeue_after is not None) is not may


NEEDED = [stats(route(OLD).revision), stats(route(NEW).revision, older={route(OLD).revision: 1})]


@pytest.mark.parametrize("reported", NEEDED)
@pytest.mark.parametrize(("since", "may"), [(100, False), (664, False), (665, True)])
def test_an_activator_that_needs_the_old_pool_delays_its_deletion_beyond_the_invocation_time(
    reported: Stats, since: int, may: bool
) -> None:
    """The deletion is delayed because the status that this controller observed may be out of date."""
    assert bool(decide(switched(NOW - since, activators={"a": None, "b": reported})).remove) is may


def test_an_outdated_status_deletes_no_pool_that_serves() -> None:
    """The controller observes a status in which OLD serves, although the activators already serve NEW."""
    seen = switched(NOW - 1, activators={"a": stats(route(NEW).revision)})
    behind = replace(
        seen,
        endpoint=endpoint("v1", serves=OLD),
        refs=OLD,
        revisions=(stored_revision(OLD, number=1, at=int(NOW) - 9999), seen.revisions[1]),
        now=NOW + 100,
    )
    assert decide(behind).remove == ()


def test_a_revision_that_serves_without_a_record_of_it_is_not_deleted() -> None:
    seen = switched(NOW - 100, activators={"a": stats(route(OLD).revision)})
    assert decide(replace(seen, revisions=(stored_revision(OLD), seen.revisions[1]))).remove == ()


@pytest.mark.parametrize(("since", "may"), [(64, False), (65, True)])
def test_without_stats_the_old_pool_is_deleted_after_the_longest_invocation_time(since: int, may: bool) -> None:
    assert bool(decide(switched(NOW - since, activators={"a": None})).remove) is may


def test_a_revision_that_never_served_is_deleted_at_once() -> None:
    base = serving(OLD)
    given_up = stored_revision(NEW)
    seen = observed(
        base.endpoint,
        OLD,
        revisions=(*base.revisions, given_up),
        pools=(*base.pools, pool(NEW, of=given_up)),
        pods=base.pods,
    )
    assert [p.revision for p in decide(seen).remove] == [given_up.revision]
    assert {k.revision for k in decide(replace(seen, pools=base.pools)).revisions} == {base.revisions[0].revision}


def test_the_controller_raises_the_demand_pool_of_a_target_and_never_shrinks_it() -> None:
    revision = stored_revision(OLD)
    for size, desired in ((0, (1, 1)), (5, (1, 5))):
        rollout = decide(observed(revisions=(revision,), pools=(pool(OLD, replicas=size, of=revision),)))
        assert (desired_pools(rollout)[demand(OLD)], rollout.remove) == (desired, ())


def rollback(older: int = 1, replicas: int = 3, **changed: object) -> Observed:
    """A rollback from NEW, which has served for a second, to OLD, whose pods still exist."""
    seen = switched(
        NOW - 1, activators={"a": stats(route(NEW).revision, 4, older={route(OLD).revision: older})}, **changed
    )
    old = pool(OLD, replicas=replicas, of=seen.revisions[0])
    pods = (*pods_of(old), *pods_of(seen.pools[1]))
    return replace(seen, endpoint=endpoint("v1", serves=NEW), refs=OLD, pools=(old, seen.pools[1]), pods=pods)


@pytest.mark.parametrize("older", [0, 1])
def test_a_rollback_is_a_new_attempt_with_the_existing_pods(older: int) -> None:
    rollout = decide(rollback(older))
    assert rollout.attempt is not None
    assert (rollout.attempt.at, rollout.attempt.number, rollout.failure, rollout.remove) == (int(NOW), 0, None, ())
    assert desired_pools(rollout)[demand(OLD)] == (4, 4), "raised for the requests in flight"
    rollout = decide(rollback(older, replicas=5))
    assert rollout.routed is not None
    assert (rollout.routed.route, rollout.remove) == (route(OLD), ())


def test_a_slow_clock_begins_no_attempt_twice() -> None:
    """The former leader, whose clock is 30 s ahead, put NEW into the route."""
    seen = rollback()
    old, new = seen.revisions
    seen = replace(seen, revisions=(old, replace(new, routed=replace(new.routed, at=int(NOW) + 30))))
    first = decide(seen)
    later = replace(seen, revisions=tuple(k for k in first.revisions), now=NOW + 1)
    assert decide(later).attempt == first.attempt


def test_a_new_attempt_to_grow_does_not_begin_as_failed() -> None:
    """The former attempt began an hour ago. After it, the spec named the serving EndpointConfig again."""
    more = replace(WARM, config_name="v4", limits=replace(WARM.limits, provisioned_concurrency=8))
    seen = serving(WARM, refs=replace(more, sources=("2",)), config="v4")
    revision = replace(seen.revisions[0], attempt=Attempt(3, int(NOW) - 3600, "v4", ("1",)))
    rollout = decide(replace(seen, revisions=(revision,)))
    assert (rollout.failure, rollout.attempt and rollout.attempt.number) == (None, 0)


def test_a_new_warm_pool_is_not_deleted_while_a_cache_lags() -> None:
    warm = resolved("v2", provisioned_concurrency=2)
    seen = serving(OLD, refs=warm, config="v2")
    made = pool(warm, names.WARM, 2, stored_revision(warm, at=int(NOW) - 2))
    assert decide(replace(seen, pools=(*seen.pools, made))).remove == ()


def test_an_attempt_that_is_not_stored_has_the_deadline_of_the_status() -> None:
    """A quota prevents the creation of the ControllerRevision that would store the attempt."""
    pending = {"endpointConfigName": "v1", "startTime": stamp(NOW - 200)}
    rollout = decide(observed(endpoint(pendingDeploymentSummary=pending), OLD))
    assert rollout.deadline == NOW - 20
