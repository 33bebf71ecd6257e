"""The rollout of an Endpoint at its creation, in service and during an update. Each test has one observed state."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kindler.api import names
from kindler.core.common.blockers import Blocker, BlockerKind
from kindler.core.endpoint.rollout import needs_activator_stats
from kindler.core.endpoint.state import Observed, ResolvedImage
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
    stats,
    stored_revision,
)
from tests.unit.rollouts import MISSING, NEW, OLD, WARM, building, demand, desired_pools

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
    """During an update the spec does not define the routed revision any more, but the revision's warm pool exists."""
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
