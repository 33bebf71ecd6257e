"""Updates and creations of endpoints whose provisioned concurrency is autoscaled."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from kindler.api import names
from kindler.core.endpoint.actions import Apply, Scale
from kindler.core.endpoint.state import ResolvedRefs
from tests.unit.builders import (
    NOW,
    decide,
    endpoint,
    observed,
    pods_of,
    pool,
    route,
    scaling,
    stored_revision,
)
from tests.unit.warmpools import (
    COLD,
    HPA,
    MORNING,
    NEXT,
    POOL,
    WARM,
    desired_pool,
    names_of,
    scaled,
    update,
    warm_of,
    with_autoscaling,
    with_status,
    writes,
)


@pytest.mark.parametrize(
    ("what", "entry", "begins"),
    [
        (NEXT, scaling(1, 10), 6),
        (replace(NEXT, limits=replace(NEXT.limits, provisioned_concurrency=0)), scaling(1, 10), 6),
        (NEXT, scaling(8, 10), 8),
        (NEXT, scaling(1, 4), 4),
        (replace(NEXT, limits=replace(NEXT.limits, max_concurrency=5)), scaling(1, 10), 5),
        (replace(NEXT, limits=replace(NEXT.limits, max_concurrency_per_instance=4)), scaling(1, 10), 2),
    ],
)
def test_an_update_begins_with_the_present_size(what: ResolvedRefs, entry: dict[str, Any], begins: int) -> None:
    assert desired_pool(decide(update(what, entry=entry)), warm_of(what)) == (begins, begins)


def test_the_hpa_is_retargeted_with_the_route() -> None:
    filling = update(NEXT, ready=5, made=6)
    rollout = decide(filling)
    assert rollout.routed is not None
    assert rollout.routed.route.revision == route(WARM).revision
    assert [a for a in writes(filling, rollout) if a.kind == HPA or isinstance(a, Scale)] == [], (
        "the HPA sizes the old pool until then"
    )
    full = update(NEXT, ready=6, made=6)
    rollout = decide(full)
    assert rollout.routed is not None
    assert rollout.routed.route.revision == route(NEXT).revision
    (apply,) = [a for a in writes(full, rollout) if a.kind == HPA]
    assert isinstance(apply, Apply)
    assert apply.body["spec"]["scaleTargetRef"]["name"] == route(NEXT).warm_pool
    assert [a for a in writes(full, rollout) if isinstance(a, Scale)] == []


def test_the_target_follows_the_size_of_the_serving_pool() -> None:
    seen = update(NEXT, warm=8, ready=6, made=6)
    assert desired_pool(decide(seen), route(NEXT).warm_pool) == (8, 8)
    assert [a.replicas for a in writes(seen) if isinstance(a, Scale)] == [8]


@pytest.mark.parametrize(
    ("entries", "first"),
    [
        ([scaling(3, 8)], ("Apply", HPA)),
        ([scaling(0, 0)], ("Delete", HPA)),
        (None, ("Delete", HPA)),
    ],
)
def test_writes_for_the_serving_pool_precede_writes_of_an_update(
    entries: list[dict[str, Any]] | None, first: tuple[str, str]
) -> None:
    actions = names_of(writes(with_autoscaling(update(NEXT), entries)))
    assert actions[0] == first
    assert ("Create", POOL) in actions


def test_a_deleted_hpa_and_a_size_without_hpa_precede_writes_of_an_update() -> None:
    assert names_of(writes(replace(update(NEXT), hpa=None)))[0] == ("Create", HPA)
    without_hpa = replace(with_autoscaling(update(NEXT), [scaling(8, 10, None)]), hpa=None)
    assert names_of(writes(without_hpa))[0] == ("Scale", POOL)


def test_a_failed_update_does_not_change_the_hpa() -> None:
    seen = update(NEXT, made=6)
    broken = [(uid, replace(facts, ready=False)) for uid, facts in seen.pods if uid == seen.pools[3].uid]
    quiet = replace(seen, pods=(*seen.pods[:6], *broken), now=NOW + 10_000)
    rollout = decide(quiet)
    assert rollout.failure is not None
    assert [a for a in writes(quiet, rollout) if a.kind == HPA] == []


def test_a_retried_creation_begins_with_one_pod_and_then_needs_all() -> None:
    raw = endpoint("v1", scales=[scaling(1, 10)])
    what = replace(WARM, limits=replace(WARM.limits, provisioned_concurrency=5))
    new = stored_revision(what, at=int(NOW) - 5, attempt=1)
    small = pool(what, names.WARM, 1, new)
    trying = observed(raw, what, revisions=(new,), pools=(small,), pods=tuple(pods_of(small, ready=False)))
    assert desired_pool(decide(trying), small.name) == (1, 1)
    proven = observed(raw, what, revisions=(new,), pools=(small,), pods=tuple(pods_of(small)))
    assert (decide(proven).routed, desired_pool(decide(proven), small.name)) == (None, (5, 5))


def test_an_update_from_an_empty_warm_pool_begins_with_one_on_demand_pod() -> None:
    rollout = decide(
        update(replace(NEXT, limits=replace(NEXT.limits, provisioned_concurrency=0)), warm=0, entry=scaling(0, 10))
    )
    assert desired_pool(rollout, route(NEXT).warm_pool)[0] == 0
    assert desired_pool(rollout, route(NEXT).demand_pool) == (1, 1)


@pytest.mark.parametrize("provisioned", [0, 1, 9])
def test_other_limits_of_an_equal_shape_are_in_effect_at_once(provisioned: int) -> None:
    """spec.autoscaling determines the size. So a changed provisionedConcurrency in the EndpointConfig has no effect."""
    seen = scaled(
        config="v4",
        refs=replace(
            WARM, config_name="v4", limits=replace(WARM.limits, provisioned_concurrency=provisioned, max_concurrency=4)
        ),
    )
    rollout = decide(seen)
    assert rollout.routed is not None
    assert (rollout.routed.config_name, desired_pool(rollout, seen.pools[1].name)[1]) == ("v4", None)
    (apply,) = [a for a in writes(seen, rollout) if a.kind == HPA]
    assert isinstance(apply, Apply)
    assert apply.body["spec"]["maxReplicas"] == 4


def test_an_action_that_was_due_during_the_creation_is_in_force_when_it_serves() -> None:
    raw, what = endpoint("v1", scales=[scaling(1, 10, scheduledActions=[MORNING])]), COLD
    new = stored_revision(what, at=int(NOW) - 60)
    pools = (pool(what, replicas=0, of=new), pool(what, names.WARM, 4, new))
    seen = observed(raw, what, revisions=(new,), pools=pools, pods=tuple(pods_of(pools[1])), now=NOW + 60)
    scaling_ = decide(seen).scaling
    assert scaling_ is not None and scaling_.status is not None and scaling_.hpa is not None
    assert (scaling_.status["minCapacity"], scaling_.hpa["minReplicas"]) == (4, 4)


def test_a_lost_status_loses_no_scheduled_action() -> None:
    seen = replace(with_autoscaling(scaled(warm=4), [scaling(1, 10, scheduledActions=[MORNING])]), now=NOW + 60)
    lost = decide(replace(seen, endpoint=dict(seen.endpoint) | {"status": {}})).scaling
    assert lost is not None and lost.hpa is not None
    assert lost.hpa["minReplicas"] == 4


BLUE = replace(NEXT, limits=replace(NEXT.limits, variant_name="Blue"))


@pytest.mark.parametrize(
    "entries", [[scaling(1, 10, variant="Blue")], [scaling(1, 10), scaling(1, 10, variant="Blue")]]
)
def test_a_variant_that_an_update_renames_continues_to_scale(entries: list[dict[str, Any]]) -> None:
    filling = with_autoscaling(update(BLUE), entries)
    full = with_autoscaling(update(BLUE, made=6, ready=6), entries)
    rollout = decide(filling)
    assert [a for a in names_of(writes(filling, rollout)) if a[1] == HPA] == []
    assert desired_pool(rollout, route(BLUE).warm_pool) == (6, 6)
    assert rollout.scaling is not None and rollout.scaling.status is not None
    assert (rollout.scaling.blocker is None) == (len(entries) == 1)
    (apply,) = [a for a in writes(full) if a.kind == HPA]
    assert isinstance(apply, Apply)


def test_bounds_of_scheduled_actions_survive_a_renamed_variant() -> None:
    memory = {
        "boundsSince": "2027-01-15T06:00:00Z",
        **{k: {"minCapacity": 1, "maxCapacity": 10} for k in ("registered", "base")},
    }
    remembered = [{"variantName": "AllTraffic", "minCapacity": 4, "desiredCapacity": 6} | memory]
    seen = with_autoscaling(update(BLUE, made=6, ready=6), [scaling(1, 10, variant="Blue", scheduledActions=[MORNING])])
    rollout = decide(replace(seen, endpoint=with_status(seen, autoscaling=remembered), now=NOW + 60))
    assert rollout.scaling is not None and rollout.scaling.status is not None
    assert {k: rollout.scaling.status[k] for k in ("variantName", "minCapacity")} == {
        "variantName": "Blue",
        "minCapacity": 4,
    }


def test_an_entry_for_another_variant_does_not_apply() -> None:
    assert ("Delete", HPA) in names_of(writes(with_autoscaling(update(BLUE), [scaling(1, 10, variant="Green")])))
