"""Autoscaled provisioned concurrency, from spec.autoscaling to the writes: pool, HPA, size and blockers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from kindler.api import names
from kindler.api.stats import Stats
from kindler.core.autoscaling.decision import ClusterCapabilities, Load, MetricsApi
from kindler.core.autoscaling.tracking import Recommendation
from kindler.core.common.blockers import Blocker, BlockerKind
from kindler.core.common.pools import Pool
from kindler.core.endpoint import manifests
from kindler.core.endpoint.actions import Apply, Create, Delete, Patch, Scale
from kindler.core.endpoint.state import ResolvedRefs
from kindler.core.endpoint.status import status
from kindler.core.endpoint.warmpool import with_warm_pool
from tests.unit.builders import (
    NOW,
    decide,
    endpoint,
    observed,
    route,
    scaling,
    serving,
    stats,
    with_uid,
)
from tests.unit.warmpools import (
    COLD,
    HPA,
    NEXT,
    POOL,
    WARM,
    desired_pool,
    names_of,
    scaled,
    update,
    with_autoscaling,
    with_route,
    with_status,
    writes,
)

# --- Whether a warm pool exists


@pytest.mark.parametrize(
    ("what", "entries", "has"),
    [
        (COLD, None, False),
        (COLD, [], False),
        (COLD, [scaling()], True),
        (COLD, [scaling(0, 0)], True),
        (COLD, [scaling(variant="other")], False),
        (WARM, None, True),
        (WARM, [scaling()], True),
    ],
)
def test_a_warm_pool_exists_if_concurrency_is_provisioned_or_autoscaled(
    what: ResolvedRefs, entries: list[dict[str, Any]] | None, has: bool
) -> None:
    seen = observed(endpoint(scales=entries), what)
    assert (with_warm_pool(seen, route(what)).warm_pool is not None) is has


def test_autoscaling_that_is_added_needs_no_update() -> None:
    seen = with_autoscaling(serving(COLD), [scaling(2, 8)])
    rollout = decide(seen)
    assert rollout.routed is not None
    assert (rollout.target, rollout.attempt, rollout.routed.config_name) == (None, None, "v1")
    warm = rollout.routed.route.warm_pool
    assert warm == names.pool_name("iris", route(COLD).revision, names.WARM)
    (pool_,) = (a for a in writes(seen) if a.kind != "ControllerRevision")
    assert isinstance(pool_, Create)
    assert pool_.body["spec"]["replicas"] == 2
    (hpa,) = (a for a in writes(replace(seen, endpoint=with_route(seen, rollout))) if a.kind == HPA)
    assert isinstance(hpa, Create), "once the status has the route: before, no server has its metric"
    assert hpa.body["spec"]["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": warm}
    assert hpa.body["metadata"]["ownerReferences"][0]["uid"] == "uid-iris"


def test_while_the_hpa_sizes_the_controller_writes_nothing() -> None:
    for size in (1, 3, 9):
        seen = scaled(warm=size)
        assert (desired_pool(decide(seen), seen.pools[1].name)[1], writes(seen)) == (None, ())


def test_a_corrected_pool_keeps_the_size_that_its_hpa_set() -> None:
    seen = scaled()
    raw = {**seen.pools[1].found, "spec": {**seen.pools[1].found["spec"], "template": {"metadata": {}, "spec": {}}}}
    (patch,) = writes(replace(seen, pools=(seen.pools[0], manifests.pool_from(raw))))
    assert isinstance(patch, Patch)
    assert "replicas" not in patch.body["spec"]


def test_a_deleted_hpa_is_created_again() -> None:
    seen = scaled()
    assert names_of(writes(replace(seen, hpa=None))) == [("Create", HPA)]


def test_an_edited_hpa_is_corrected_and_added_fields_stay() -> None:
    seen = scaled()
    assert seen.hpa is not None
    edited = {**seen.hpa, "spec": {**seen.hpa["spec"], "maxReplicas": 99}}
    assert names_of(writes(replace(seen, hpa=edited))) == [("Apply", HPA)]
    added = {**seen.hpa, "metadata": {**seen.hpa["metadata"], "annotations": {"a": "b"}}}
    assert writes(replace(seen, hpa=added)) == ()


# --- Removal


def test_removed_autoscaling_restores_provisioned_concurrency_at_once() -> None:
    seen = with_autoscaling(scaled(warm=7), None)
    assert names_of(writes(seen)) == [("Delete", HPA), ("Scale", POOL)], "two actors never size one pool"
    (scale,) = [a for a in writes(seen) if isinstance(a, Scale)]
    assert scale.replicas == 2


@pytest.mark.parametrize(
    ("reported", "goes"),
    [
        (None, False),
        ({"a": None}, False),
        ({"a": stats(route(COLD).revision, in_flight=1, warm=1)}, False),
        ({"a": stats(route(COLD).revision)}, True),
    ],
)
def test_an_obsolete_warm_pool_is_deleted_after_it_is_drained(
    reported: dict[str, Stats | None] | None, goes: bool
) -> None:
    seen = with_autoscaling(scaled(COLD), None)
    first = decide(seen)
    assert first.routed is not None
    assert (first.routed.route.warm_pool, first.routed.at, first.remove) == (None, int(NOW), ())
    assert names_of(writes(seen)) == [("Delete", HPA)], "no actor sizes it, and it is not deleted yet"
    assert first.requeue_after is not None
    moved = replace(seen, revisions=first.revisions, hpa=None, activators=reported, endpoint=with_route(seen, first))
    assert [p.pool for p in decide(moved).remove] == ([names.WARM] if goes else [])


def test_a_maximum_of_zero_deletes_the_hpa_and_scales_to_zero() -> None:
    seen = with_autoscaling(scaled(), [scaling(0, 0)])
    assert names_of(writes(seen)) == [("Delete", HPA), ("Scale", POOL)]


# --- Blockers


def test_a_held_route_names_no_pool_that_could_not_be_created() -> None:
    seen = with_autoscaling(serving(COLD), [scaling()])
    held = decide(seen, hold=True)
    assert held.routed is not None
    assert held.routed.route.warm_pool is None


def test_an_entry_that_cannot_be_read_changes_nothing() -> None:
    seen = with_autoscaling(scaled(warm=5), [scaling(1, 10) | {"minCapacity": "many"}])
    remembered = {"variantName": "AllTraffic", "desiredCapacity": 5, "currentCapacity": 4}
    seen = replace(seen, endpoint=with_status(seen, autoscaling=[remembered]))
    rollout = decide(seen)
    assert rollout.scaling is not None
    assert (rollout.scaling.status, rollout.scaling.desired, rollout.scaling.current) == (remembered, 5, 4)
    assert (rollout.scaling.blocker and rollout.scaling.blocker.reason, writes(seen, rollout)) == (
        "InvalidAutoscaling",
        (),
    )


UNREADABLE = scaling(1, 10) | {"minCapacity": "many"}


def test_the_blocker_of_an_unreadable_entry_names_field_and_error() -> None:
    reported = decide(with_autoscaling(scaled(), [UNREADABLE])).scaling
    assert reported is not None and reported.blocker is not None
    stays = "Correct it; the size stays as it is until then."
    assert reported.blocker.message.startswith(
        "spec.autoscaling cannot be read: minCapacity is 'many': Input should be a valid integer"
    )
    assert reported.blocker.message.endswith(stays)
    assert "\n" not in reported.blocker.message and "pydantic" not in reported.blocker.message


@pytest.mark.parametrize(
    "remembered", [[], [{"variantName": "AllTraffic", "minCapacity": 1, "maxCapacity": 10, "desiredCapacity": 6}]]
)
def test_an_update_under_an_entry_that_cannot_be_read_keeps_the_size_and_the_hpa(
    remembered: list[dict[str, Any]],
) -> None:
    begun = with_autoscaling(update(NEXT), [UNREADABLE])
    full = with_autoscaling(update(NEXT, made=6, ready=6), [UNREADABLE])
    begun, full = (replace(seen, endpoint=with_status(seen, autoscaling=remembered)) for seen in (begun, full))
    assert desired_pool(decide(begun), route(NEXT).warm_pool) == (6, 6)
    (apply,) = [a for a in writes(full) if a.kind == HPA]
    assert isinstance(apply, Apply)
    assert apply.body["spec"] == full.hpa["spec"] | {
        "scaleTargetRef": full.hpa["spec"]["scaleTargetRef"] | {"name": route(NEXT).warm_pool}
    }  # type: ignore[index]


@pytest.mark.parametrize("ready", [0, 2])
def test_an_entry_that_was_never_readable_gives_a_stable_status(ready: int) -> None:
    seen = with_autoscaling(scaled(warm=2, ready=ready), [UNREADABLE])
    reported = status(seen, decide(seen))
    for _ in range(3):
        seen = replace(seen, endpoint=dict(seen.endpoint) | {"status": reported}, now=seen.now + 1)
        assert status(seen, decide(seen)) == reported


def test_an_entry_for_another_variant_is_a_blocker() -> None:
    rollout = decide(with_autoscaling(serving(COLD), [scaling(variant="other")]))
    assert rollout.scaling is not None
    assert rollout.scaling.blocker == Blocker(
        BlockerKind.STALLED, "InvalidAutoscaling", rollout.scaling.blocker.message, blocking=False
    )  # type: ignore[union-attr]
    assert "'other'" in rollout.scaling.blocker.message


def test_if_hpas_cannot_have_a_minimum_of_zero_it_is_one() -> None:
    seen = replace(with_autoscaling(serving(COLD), [scaling(0, 4)]), capabilities=ClusterCapabilities(zero=False))
    seen = replace(seen, endpoint=with_route(seen, decide(seen)))
    (hpa,) = [a for a in writes(seen) if a.kind == HPA]
    assert isinstance(hpa, Create)
    assert hpa.body["spec"]["minReplicas"] == 1


def test_children_of_a_deleted_endpoint_are_left_to_the_garbage_collector() -> None:
    seen = scaled()
    gone = dict(seen.endpoint) | {
        "metadata": dict(seen.endpoint["metadata"]) | {"deletionTimestamp": "2027-01-15T08:00:00Z"}
    }
    assert writes(replace(seen, endpoint=gone)) == ()


def test_an_hpa_without_a_route_is_deleted() -> None:
    seen = replace(
        scaled(),
        endpoint=endpoint("v1", scales=[scaling()]),
        revisions=(),
        revisions_found={},
        pools=(),
        pods=(),
        refs=NOTHING,
    )
    assert names_of(writes(seen)) == [("Delete", HPA)]
    assert isinstance(writes(seen)[0], Delete)


NOTHING = Blocker(BlockerKind.WAITING, "ModelNotFound", "no model")


def test_a_deleted_warm_pool_is_created_again_with_the_desired_size() -> None:
    seen = scaled()
    remembered = [{"variantName": "AllTraffic", "desiredCapacity": 5}]
    lost: tuple[Pool, ...] = seen.pools[:1]
    (made,) = [
        a
        for a in writes(replace(seen, endpoint=with_status(seen, autoscaling=remembered), pools=lost, pods=()))
        if a.kind == POOL
    ]
    assert isinstance(made, Create)
    assert made.body["spec"]["replicas"] == 5


# --- Restart

NONE = ClusterCapabilities(MetricsApi.NONE)
FAILS = [
    {
        "type": "ScalingActive",
        "status": "False",
        "reason": "FailedGetExternalMetric",
        "message": "away",
        "lastTransitionTime": "2027-01-15T07:00:00Z",
    }
]


@pytest.mark.parametrize(
    ("warm", "entry", "capabilities", "load", "conditions"),
    [
        (
            3,
            scaling(1, 10),
            ClusterCapabilities(),
            None,
            [{"type": "ScalingActive", "status": "True", "reason": "", "message": ""}],
        ),
        (3, scaling(1, 10), ClusterCapabilities(), None, FAILS),
        (3, scaling(1, 10), NONE, Load(2.1), []),
        (2, scaling(1, 10), NONE, Load(5.6), []),
        (3, scaling(1, 10), NONE, Load(None, "activator a does not answer"), []),
        (0, scaling(0, 10), ClusterCapabilities(), Load(0.0), []),
        (0, scaling(0, 10), ClusterCapabilities(zero=False), Load(0.0), []),
        (0, scaling(0, 10), NONE, Load(0.0), []),
        (3, UNREADABLE, ClusterCapabilities(), None, []),
    ],
)
def test_a_restart_changes_nothing(
    warm: int,
    entry: dict[str, Any],
    capabilities: ClusterCapabilities,
    load: Load | None,
    conditions: list[dict[str, Any]],
) -> None:
    """A new controller has not measured any load yet, but it writes nothing and its status is the same."""
    seen = replace(
        scaled(warm=warm, entry=scaling(0, 10), capabilities=capabilities),
        loads={"busy": load} if load else {},
        history=(Recommendation(NOW - 1, warm),),
    )
    seen = with_autoscaling(seen, [entry])
    for _ in range(4):
        rollout = decide(seen)
        hpa = manifests.hpa(seen, rollout.scaling.hpa) if rollout.scaling and rollout.scaling.hpa else None
        if hpa is not None:
            seen = replace(seen, hpa=with_uid(hpa, "uid-hpa") | {"status": {"conditions": conditions}})
        seen = replace(seen, endpoint=dict(seen.endpoint) | {"status": status(seen, rollout)})
    assert (writes(seen), status(seen, decide(seen))) == ((), seen.status)
    begun = replace(seen, loads={}, history=(), now=NOW + 2)
    assert (writes(begun), status(begun, decide(begun))) == ((), seen.status)
