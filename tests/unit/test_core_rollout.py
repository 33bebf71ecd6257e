"""The rollout of an Endpoint: creation, update, failure and draining, as observed states and the required objects."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kindler.api import names
from kindler.api.stats import Stats
from kindler.core.common.blockers import Blocker, BlockerKind
from kindler.core.endpoint.attempts import NO_PROGRESS_SECONDS, retry_after
from kindler.core.endpoint.rollout import needs_activator_stats
from kindler.core.endpoint.state import Attempt, Observed, ResolvedImage, RolloutPlan
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

OLD, NEW = resolved("v1"), resolved("v2", memory_size_in_mb=2048)
WARM = resolved("v3", provisioned_concurrency=4, max_concurrency_per_instance=2)
MISSING = Blocker(BlockerKind.WAIT, "ModelNotFound", "no model")


def desired_pools(rollout: RolloutPlan) -> dict[str, tuple[int, int | None]]:
    return {w.name: (w.start, w.size) for w in rollout.pools}


def demand(what: object) -> str:
    return route(what).demand_pool  # type: ignore[arg-type]


def building(ready: bool = False, begun: float = NOW - 5, attempt: int = 0, **pods: object) -> Observed:
    """OLD serves, NEW is being brought up."""
    base = serving(OLD, refs=NEW, config="v2")
    new = stored_revision(NEW, at=int(begun), attempt=attempt)
    coming = pool(NEW, of=new)
    made = pods_of(coming, ready=ready, **pods)  # type: ignore[arg-type]
    return observed(
        base.endpoint,
        NEW,
        revisions=(*base.revisions, new),
        pools=(*base.pools, coming),
        pods=(*base.pods, *made),
        service=base.service,
    )


# --- Creation


def test_a_new_endpoint_begins_with_one_on_demand_pod() -> None:
    rollout = decide(observed(refs=OLD))
    assert desired_pools(rollout) == {demand(OLD): (1, 1)}
    assert (rollout.routed, rollout.target and rollout.target.config_name) == (None, "v1")
    (keep,) = rollout.revisions
    assert (keep.number, keep.routed, keep.attempt and keep.attempt.number) == (0, None, 0)


def test_provisioned_concurrency_begins_with_its_warm_pods_and_no_on_demand_pod() -> None:
    assert desired_pools(decide(observed(refs=WARM))) == {route(WARM).warm_pool: (2, 2), demand(WARM): (0, 0)}


def test_nothing_is_created_while_a_reference_is_missing() -> None:
    rollout = decide(observed(refs=MISSING))
    assert (rollout.pools, rollout.revisions, rollout.blocker) == ((), (), MISSING)


@pytest.mark.parametrize(("ready", "routed"), [(False, False), (True, True)])
def test_the_route_changes_after_the_first_ready_pod(ready: bool, routed: bool) -> None:
    revision = stored_revision(OLD)
    made = pool(OLD, of=revision)
    rollout = decide(observed(refs=OLD, revisions=(revision,), pools=(made,), pods=tuple(pods_of(made, ready=ready))))
    assert (rollout.routed is not None) is routed
    assert (rollout.target is None) is routed
    assert rollout.revisions[0].number == int(routed)


def test_all_provisioned_pods_must_be_ready_before_the_route_changes() -> None:
    revision = stored_revision(WARM)
    warm, cold = pool(WARM, names.WARM, 2, revision), pool(WARM, names.DEMAND, 0, revision)
    one = decide(observed(refs=WARM, revisions=(revision,), pools=(warm, cold), pods=tuple(pods_of(warm, 1))))
    both = decide(observed(refs=WARM, revisions=(revision,), pools=(warm, cold), pods=tuple(pods_of(warm, 2))))
    assert (one.routed, both.routed is not None) == (None, True)


# --- In service


def test_in_service_there_is_no_target_and_the_activator_sizes_the_demand_pool() -> None:
    rollout = decide(serving(OLD, replicas=3))
    assert (rollout.target, rollout.remove, rollout.blocker, rollout.degraded, rollout.requeue_after) == (
        None,
        (),
        None,
        None,
        None,
    )
    assert desired_pools(rollout) == {demand(OLD): (3, None)}


@pytest.mark.parametrize(
    "now", [MISSING, resolved("v1", image="other:1"), Blocker(BlockerKind.STALLED, "Invalid", "bad")]
)
def test_a_routed_revision_needs_its_references_no_more(now: object) -> None:
    before = decide(serving(OLD))
    rollout = decide(replace(serving(OLD), refs=now))
    assert (rollout.routed, rollout.pools, rollout.blocker) == (before.routed, before.pools, None)


def test_a_deleted_demand_pool_is_created_again_for_the_requests_in_flight() -> None:
    seen = replace(serving(OLD), pools=(), pods=(), activators={"a": stats(route(OLD).revision, in_flight=3, held=1)})
    assert desired_pools(decide(seen)) == {demand(OLD): (4, None)}


def test_a_lost_route_is_rebuilt_from_the_highest_revision() -> None:
    seen = serving(OLD)
    older = stored_revision(NEW, number=7)
    lost = observed(
        endpoint("v1"),
        MISSING,
        revisions=(replace(seen.revisions[0], number=9), older),
        pools=seen.pools,
        pods=seen.pods,
    )
    rollout = decide(lost)
    assert rollout.routed is not None
    assert rollout.routed.route == route(OLD)


@pytest.mark.parametrize("also_pools", [False, True])
def test_a_lost_revision_is_rebuilt_from_its_pools_or_from_the_spec(also_pools: bool) -> None:
    seen = replace(serving(OLD), revisions=(), revisions_found={})
    if also_pools:
        seen = replace(seen, pools=(), pods=())
    rollout = decide(seen)
    assert rollout.routed is not None
    (keep,) = rollout.revisions
    assert keep.revision == route(OLD).revision
    assert keep.pod_spec["containers"][0]["image"].startswith("registry.local/iris")


def unresolved(image_id: str) -> Observed:
    seen = serving(OLD)
    revision = replace(seen.revisions[0], resolved=None)
    made = pool(OLD, of=revision)
    return replace(seen, revisions=(revision,), pools=(made,), pods=tuple(pods_of(made, image_id=image_id)))


def test_the_route_survives_the_loss_of_its_revision_and_its_empty_demand_pool() -> None:
    """An update is in progress: the spec does not define the routed revision any more, but its warm pool does."""
    seen = serving(WARM, refs=NEW, config="v2")
    rollout = decide(replace(seen, revisions=(), revisions_found={}, pools=seen.pools[1:]))
    assert rollout.routed is not None
    assert (rollout.routed.route, rollout.remove) == (route(WARM), ())
    assert demand(WARM) in desired_pools(rollout)


def test_the_digest_is_pinned_once_a_pod_of_the_same_repository_is_ready() -> None:
    (keep,) = decide(unresolved("registry.local/iris@sha256:abc")).revisions
    assert keep.resolved == ResolvedImage("registry.local/iris@sha256:abc", int(NOW), True)


@pytest.mark.parametrize(
    "image_id", ["", "sha256:abc", "docker.io/library/import-2026@sha256:abc", "registry.local/other@sha256:abc"]
)
def test_the_digest_of_another_repository_is_not_used(image_id: str) -> None:
    (keep,) = decide(unresolved(image_id)).revisions
    assert keep.resolved is None


# --- Update


def test_an_update_brings_up_as_many_pods_as_requests_are_in_flight() -> None:
    seen = replace(
        serving(OLD, replicas=5, refs=NEW, config="v2"),
        activators={"a": stats(route(OLD).revision, 3), "b": stats(route(OLD).revision, 1)},
    )
    assert needs_activator_stats(seen)
    rollout = decide(seen)
    assert desired_pools(rollout) == {demand(NEW): (4, 4), demand(OLD): (4, None)}
    assert rollout.routed is not None
    assert rollout.routed.route == route(OLD)
    assert rollout.remove == ()


@pytest.mark.parametrize(("busy", "start"), [(0, 1), (1, 1), (99, 10)])
def test_an_update_begins_with_at_least_one_pod_and_at_most_the_limit(busy: int, start: int) -> None:
    seen = replace(serving(OLD, refs=NEW, config="v2"), activators={"a": stats(route(OLD).revision, busy)})
    assert desired_pools(decide(seen))[demand(NEW)] == (start, start)


def test_without_stats_an_update_brings_up_as_many_pods_as_exist() -> None:
    seen = serving(OLD, replicas=4, refs=NEW, config="v2")
    for activators in (None, {}, {"a": None}):
        assert desired_pools(decide(replace(seen, activators=activators)))[demand(NEW)] == (4, 4)


def test_the_route_changes_when_the_new_pods_are_ready_and_the_old_pods_stay() -> None:
    rollout = decide(building(ready=True))
    assert rollout.routed is not None
    assert (rollout.routed.route, rollout.routed.config_name, rollout.remove) == (route(NEW), "v2", ())
    assert {k.revision: k.number for k in rollout.revisions} == {route(OLD).revision: 1, route(NEW).revision: 2}


def test_equal_shapes_change_only_the_route() -> None:
    wider = resolved("v2", max_concurrency=50, idle_timeout_in_seconds=7)
    rollout = decide(serving(OLD, refs=wider, config="v2"))
    assert rollout.routed is not None
    assert (rollout.routed.route.max_concurrency, rollout.routed.route.revision) == (50, route(OLD).revision)
    assert set(desired_pools(rollout)) == {demand(OLD)}


def test_more_provisioned_concurrency_is_ready_before_the_route_names_it() -> None:
    more = replace(WARM, config_name="v4", limits=replace(WARM.limits, provisioned_concurrency=8))
    rollout = decide(serving(WARM, refs=more, config="v4"))
    assert rollout.routed is not None
    assert desired_pools(rollout)[str(route(WARM).warm_pool)] == (4, 4)
    assert rollout.routed.route.provisioned_concurrency == 4


def test_less_provisioned_concurrency_changes_the_route_first_and_then_the_pool() -> None:
    less = replace(WARM, config_name="v4", limits=replace(WARM.limits, provisioned_concurrency=2))
    rollout = decide(serving(WARM, refs=less, config="v4"))
    assert rollout.routed is not None
    assert (rollout.routed.route.provisioned_concurrency, desired_pools(rollout)[str(route(WARM).warm_pool)]) == (
        2,
        (2, 2),
    )
    after = serving(less, config="v4")
    assert desired_pools(decide(after))[str(route(WARM).warm_pool)] == (1, 1)


@pytest.mark.parametrize("provisioned", [0, 2, 4])
def test_a_failing_pod_does_not_delay_an_update_that_needs_no_more_pods(provisioned: int) -> None:
    less = replace(
        WARM,
        config_name="v4",
        limits=replace(WARM.limits, provisioned_concurrency=provisioned, idle_timeout_in_seconds=7),
    )
    seen = serving(WARM, refs=less, config="v4")
    cold, warm = seen.pools
    rollout = decide(
        replace(
            seen,
            pods=(*pods_of(cold), *pods_of(warm, 1), *pods_of(warm, 1, ready=False, waiting=("ImagePullBackOff", "x"))),
        )
    )
    assert rollout.routed is not None
    assert (rollout.routed.config_name, rollout.failure) == ("v4", None)


# --- Draining


def switched(since: float = NOW - 1, **changed: object) -> Observed:
    """NEW has served since `since`; OLD's pool still exists."""
    old, new = stored_revision(OLD, number=1, at=int(since) - 100), stored_revision(NEW, number=2, at=int(since))
    pools = (pool(OLD, of=old), pool(NEW, of=new))
    return observed(endpoint("v2", serves=NEW), NEW, revisions=(old, new), pools=pools, **changed)


DRAINED = [
    # stats of the activators -> may the old pool be deleted?
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
    """The status that this controller observed may be out of date."""
    assert bool(decide(switched(NOW - since, activators={"a": None, "b": reported})).remove) is may


def test_an_outdated_status_deletes_no_pool_that_serves() -> None:
    """The controller observes that OLD has served for long; the activators already serve NEW."""
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
    """Back from NEW, which has served for a second, to OLD, whose pods still exist."""
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
    """The former leader, whose clock is 30 s ahead, routed to NEW."""
    seen = rollback()
    old, new = seen.revisions
    seen = replace(seen, revisions=(old, replace(new, routed=replace(new.routed, at=int(NOW) + 30))))
    first = decide(seen)
    later = replace(seen, revisions=tuple(k for k in first.revisions), now=NOW + 1)
    assert decide(later).attempt == first.attempt


def test_a_new_attempt_to_grow_does_not_begin_as_failed() -> None:
    """The former attempt failed an hour ago, and the spec named the serving EndpointConfig again meanwhile."""
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
    """A quota prevents the creation of the ControllerRevision."""
    pending = {"endpointConfigName": "v1", "startTime": stamp(NOW - 200)}
    rollout = decide(observed(endpoint(pendingDeploymentSummary=pending), OLD))
    assert rollout.deadline == NOW - 20


# --- Failure


@pytest.mark.parametrize(
    ("pods", "begun", "reason"),
    [
        ({"waiting": ("ErrImagePull", "x")}, 5, None),
        ({"waiting": ("ErrImagePull", "x")}, 180, "ErrImagePull"),
        ({"waiting": ("ImagePullBackOff", "x")}, 5, "ImagePullBackOff"),
        ({"ended": ("Error", 1, 1.0), "restarts": 1}, 5, None),
        ({"ended": ("Error", 1, 1.0), "restarts": 2}, 15, "CrashLoopBackOff"),
        ({"started": NOW - 200}, 205, "PingFailing"),
        ({"started": None}, 180 + NO_PROGRESS_SECONDS - 1, None),
        ({"started": None}, 180 + NO_PROGRESS_SECONDS, "StartTimeout"),
    ],
)
def test_when_an_attempt_counts_as_failed(pods: dict[str, object], begun: int, reason: str | None) -> None:
    rollout = decide(building(begun=NOW - begun, **pods))
    assert (rollout.failure.reason if rollout.failure else None) == reason
    assert rollout.routed is not None
    assert rollout.routed.route == route(OLD)


def failed(begun: float, number: int, source: str = "1") -> Observed:
    """NEW failed `begun` seconds ago."""
    seen = building(begun=NOW - begun, attempt=number, waiting=("ImagePullBackOff", "x"))
    last = replace(
        seen.revisions[1], attempt=Attempt(number, int(NOW - begun), "v2", NEW.sources, failed=int(NOW - begun))
    )
    seen = replace(seen, revisions=(seen.revisions[0], last))
    what = replace(NEW, sources=(source,))
    reported = {
        "failedRevision": route(NEW).revision,
        "failureReason": "it was not there",
        "conditions": [{"type": "Stalled", "reason": "ImagePullBackOff"}],
    }
    return replace(seen, refs=what, endpoint=endpoint("v2", serves=OLD, **reported))


@pytest.mark.parametrize(
    ("begun", "number", "source", "attempt"),
    [
        (19, 0, "1", 0),
        (20, 0, "1", 1),
        (39, 1, "1", 1),
        (40, 1, "1", 2),
        (599, 9, "1", 9),
        (600, 9, "1", 10),
        (1, 5, "2", 0),
    ],
)
def test_retries_begin_after_growing_pauses_and_at_once_when_a_source_changed(
    begun: int, number: int, source: str, attempt: int
) -> None:
    rollout = decide(failed(begun, number, source))
    assert rollout.attempt is not None
    assert rollout.attempt.number == attempt
    assert rollout.failure is not None
    again = (begun, number) != (int(NOW - rollout.attempt.at), rollout.attempt.number)
    assert [p.revision for p in rollout.remove] == ([route(NEW).revision] if again else []), (
        "the failed pods are deleted when the next attempt begins"
    )


def test_the_pause_counts_from_the_failure_and_a_retry_begins_with_one_pod() -> None:
    """Otherwise a failure that took the whole startup timeout would be retried without a pause."""
    seen = replace(building(begun=NOW - 205, started=NOW - 200), activators={"a": stats(route(OLD).revision, 5)})
    rollout = decide(seen)
    assert rollout.attempt is not None
    assert (rollout.attempt.number, rollout.attempt.failed, desired_pools(rollout)[demand(NEW)]) == (
        0,
        int(NOW),
        (5, 5),
    )
    rollout = decide(replace(seen, revisions=rollout.revisions, now=NOW + 20))
    assert rollout.attempt is not None
    assert (rollout.attempt.number, desired_pools(rollout)[demand(NEW)]) == (1, (1, 1))


def test_pauses_grow_to_ten_minutes() -> None:
    pauses = [retry_after(n) for n in range(40)]
    assert pauses[0] == 20
    assert pauses == sorted(pauses)
    assert pauses[-1] == 600


def test_a_failure_is_reported_until_the_revision_works() -> None:
    seen = failed(begun=3, number=0)
    quiet = replace(seen, pods=tuple(pods_of(seen.pools[0])))
    rollout = decide(quiet)
    assert rollout.failure is not None
    assert rollout.failure.message == "it was not there"


def test_one_cache_may_lag_behind_the_other() -> None:
    """The pool of the next attempt is observed before the ControllerRevision that stores the attempt."""
    seen = building(begun=NOW - 30)
    later = pool(NEW, of=stored_revision(NEW, at=int(NOW) - 2, attempt=1))
    assert decide(replace(seen, pools=(seen.pools[0], later))).remove == ()
    new = observed(refs=NEW, pools=(later,))
    assert decide(new).remove == ()


# --- In service, but pods do not start


@pytest.mark.parametrize(
    ("pods", "created", "degraded", "available"),
    [
        ({"ready": False, "started": None}, 5, None, True),
        ({"ready": False, "waiting": ("ImagePullBackOff", "x")}, 5, "ImagePullBackOff", False),
        ({"ready": False, "waiting": ("ErrImagePull", "x")}, 5, None, True),
        ({"ready": False, "waiting": ("ErrImagePull", "x")}, 180, "ErrImagePull", False),
    ],
)
def test_pods_that_fail_while_they_start_from_zero(
    pods: dict[str, object], created: int, degraded: str | None, available: bool
) -> None:
    seen = serving(OLD)
    failing = pods_of(seen.pools[0], created=NOW - created, **pods)  # type: ignore[arg-type]
    rollout = decide(replace(seen, pods=tuple(failing)))
    assert (rollout.degraded.reason if rollout.degraded else None, rollout.available) == (degraded, available)


def test_an_image_that_cannot_be_pulled_is_reported_without_flapping() -> None:
    seen = serving(OLD)
    reported = endpoint(serves=OLD, conditions=[{"type": "Ready", "status": "False", "reason": "CannotStart"}])
    pulling = tuple(pods_of(seen.pools[0], ready=False, waiting=("ErrImagePull", "x")))
    starting = tuple(pods_of(seen.pools[0], ready=False))
    assert decide(replace(seen, pods=pulling)).available
    assert not decide(replace(seen, endpoint=reported, pods=pulling)).available
    assert decide(replace(seen, endpoint=reported, pods=starting)).available


def test_an_evicted_pod_that_still_exists_degrades_nothing() -> None:
    at_zero = serving(OLD, replicas=0)
    evicted = pods_of(
        at_zero.pools[0],
        1,
        created=NOW - 9999,
        ready=False,
        started=None,
        phase="Failed",
        reason="Evicted",
        message="low on storage",
    )
    rollout = decide(replace(at_zero, pods=tuple(evicted)))
    assert (rollout.degraded, rollout.available) == (None, True)


def test_a_quota_is_reported_at_once_unless_a_pod_is_ready() -> None:
    failing = pool(OLD, of=stored_revision(OLD, number=1), failing="exceeded quota: none")
    without = decide(replace(serving(OLD), pools=(failing,), pods=()))
    assert (without.degraded and without.degraded.reason, without.available) == ("QuotaExceeded", False)
    assert decide(replace(serving(OLD), pools=(failing,), pods=tuple(pods_of(failing)))).degraded is None


def test_a_failing_warm_pool_is_reported_while_other_pods_are_ready() -> None:
    seen = serving(WARM)
    cold, warm = seen.pools
    pods = (*pods_of(cold), *pods_of(warm, ready=False, waiting=("ImagePullBackOff", "x")))
    rollout = decide(replace(seen, pods=pods))
    assert (rollout.degraded and rollout.degraded.reason, rollout.available) == ("ImagePullBackOff", True)
