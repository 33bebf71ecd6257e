"""Autoscaled provisioned concurrency, from spec.autoscaling to writes: pool, HPA, which actor sizes, updates."""

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
from kindler.core.endpoint.actions import Action, Apply, Create, Delete, Patch, Scale
from kindler.core.endpoint.plan import plan
from kindler.core.endpoint.state import Observed, ResolvedRefs, RolloutPlan, StoredRevision
from kindler.core.endpoint.status import status
from kindler.core.endpoint.warmpool import decide_scaling, with_warm_pool
from tests.unit.builders import (
    ACTIVATOR,
    NOW,
    decide,
    endpoint,
    observed,
    pods_of,
    pool,
    resolved,
    route,
    scaling,
    serving,
    stats,
    stored_revision,
    with_uid,
)

COLD, WARM = resolved("v1", max_concurrency=20), resolved("v1", max_concurrency=20, provisioned_concurrency=2)
HPA, POOL = "HorizontalPodAutoscaler", "ReplicaSet"


def scaled(
    what: ResolvedRefs = WARM,
    warm: int = 3,
    entry: dict[str, Any] | None = None,
    config: str = "v1",
    ready: int | None = None,
    **changed: Any,
) -> Observed:
    """`what` serves with `warm` provisioned pods; by default its HPA exists and sizes them."""
    entry = entry or scaling(1, 10)
    revision = stored_revision(what, number=1)
    pools = (pool(what, replicas=0, of=revision), pool(what, names.WARM, warm, revision))
    autoscaled = endpoint(config, serves=what, scales=[entry])
    autoscaled["status"]["route"]["pools"]["warm"] = pools[1].name
    pods = tuple(pods_of(pools[1], warm if ready is None else ready))
    base = observed(autoscaled, changed.pop("refs", what), revisions=(revision,), pools=pools, pods=pods, **changed)
    base = replace(base, service=manifests.service(base, ACTIVATOR))
    spec = decide_scaling(base, with_warm_pool(base, route(what))).hpa
    hpa = with_uid(manifests.hpa(base, spec), "uid-hpa") if spec and "hpa" not in changed else changed.get("hpa")
    seen = replace(base, hpa=hpa)
    (now,) = (k for k in decide(seen).revisions if k.revision == revision.revision)  # its route has a warm pool
    return replace(seen, revisions=(now,), revisions_found=_found(seen, now))


def _found(seen: Observed, revision: StoredRevision) -> dict[str, Any]:
    return {revision.name: with_uid(manifests.controller_revision(seen, revision), revision.uid)}


def with_autoscaling(seen: Observed, entries: list[dict[str, Any]] | None) -> Observed:
    """The same Endpoint after an edit of spec.autoscaling."""
    spec = {k: v for k, v in seen.endpoint["spec"].items() if k != "autoscaling"} | (
        {"autoscaling": entries} if entries else {}
    )
    return replace(seen, endpoint=dict(seen.endpoint) | {"spec": spec})


def writes(seen: Observed, rollout: RolloutPlan | None = None) -> tuple[Action, ...]:
    return plan(seen, rollout or decide(seen), ACTIVATOR)


def warm_of(what: ResolvedRefs) -> str:
    return names.pool_name("iris", route(what).revision, names.WARM)


def names_of(actions: tuple[Action, ...]) -> list[tuple[str, str]]:
    return [(type(a).__name__, a.kind) for a in actions if a.kind != "ControllerRevision"]


def desired_pool(rollout: RolloutPlan, name: str | None) -> tuple[int, int | None]:
    return next((w.start, w.size) for w in rollout.pools if w.name == name)


MORNING = {
    "scheduledActionName": "morning",
    "schedule": "at(2027-01-15T08:00:00)",
    "scalableTargetAction": {"minCapacity": 4},
}  # NOW


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
    (hpa,) = (a for a in writes(replace(seen, endpoint=_routed(seen, rollout))) if a.kind == HPA)
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
    moved = replace(seen, revisions=first.revisions, hpa=None, activators=reported, endpoint=_routed(seen, first))
    assert [p.pool for p in decide(moved).remove] == ([names.WARM] if goes else [])


def _routed(seen: Observed, rollout: RolloutPlan) -> dict[str, Any]:
    assert rollout.routed is not None
    return dict(seen.endpoint) | {"status": dict(seen.status) | {"route": rollout.routed.route.to_json()}}


def test_a_maximum_of_zero_deletes_the_hpa_and_scales_to_zero() -> None:
    seen = with_autoscaling(scaled(), [scaling(0, 0)])
    assert names_of(writes(seen)) == [("Delete", HPA), ("Scale", POOL)]


# --- Updates


def update(
    what: ResolvedRefs,
    warm: int = 6,
    ready: int = 0,
    made: int | None = None,
    entry: dict[str, Any] | None = None,
    old: ResolvedRefs = WARM,
) -> Observed:
    """`old` serves with `warm` provisioned pods; `what` is being brought up.

    It has `made` pods (default: not begun), `ready` of them Ready.
    """
    seen = scaled(old, warm, entry, what.config_name, refs=what)
    if made is None:
        return seen
    new = stored_revision(what, at=int(NOW) - 5)
    pools = (pool(what, replicas=0, of=new), pool(what, names.WARM, made, new))
    pods = (*seen.pods, *pods_of(pools[1], ready), *pods_of(pools[1], made - ready, ready=False))
    return replace(
        seen,
        revisions=(*seen.revisions, new),
        pools=(*seen.pools, *pools),
        pods=pods,
        revisions_found=dict(seen.revisions_found) | _found(seen, new),
    )


NEXT = resolved("v2", memory_size_in_mb=2048, max_concurrency=20, provisioned_concurrency=2)


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
    """spec.autoscaling determines the size, whatever the EndpointConfig says."""
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
    rollout = decide(replace(seen, endpoint=_with(seen, autoscaling=remembered), now=NOW + 60))
    assert rollout.scaling is not None and rollout.scaling.status is not None
    assert {k: rollout.scaling.status[k] for k in ("variantName", "minCapacity")} == {
        "variantName": "Blue",
        "minCapacity": 4,
    }


def test_an_entry_for_another_variant_does_not_apply() -> None:
    assert ("Delete", HPA) in names_of(writes(with_autoscaling(update(BLUE), [scaling(1, 10, variant="Green")])))


# --- Blockers


def test_a_held_route_names_no_pool_that_could_not_be_created() -> None:
    seen = with_autoscaling(serving(COLD), [scaling()])
    held = decide(seen, hold=True)
    assert held.routed is not None
    assert held.routed.route.warm_pool is None


def test_an_entry_that_cannot_be_read_changes_nothing() -> None:
    seen = with_autoscaling(scaled(warm=5), [scaling(1, 10) | {"minCapacity": "many"}])
    remembered = {"variantName": "AllTraffic", "desiredCapacity": 5, "currentCapacity": 4}
    seen = replace(seen, endpoint=_with(seen, autoscaling=[remembered]))
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
    begun, full = (replace(seen, endpoint=_with(seen, autoscaling=remembered)) for seen in (begun, full))
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
    seen = replace(seen, endpoint=_routed(seen, decide(seen)))
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


NOTHING = Blocker(BlockerKind.WAIT, "ModelNotFound", "no model")


def test_a_deleted_warm_pool_is_created_again_with_the_desired_size() -> None:
    seen = scaled()
    remembered = [{"variantName": "AllTraffic", "desiredCapacity": 5}]
    lost: tuple[Pool, ...] = seen.pools[:1]
    (made,) = [
        a
        for a in writes(replace(seen, endpoint=_with(seen, autoscaling=remembered), pools=lost, pods=()))
        if a.kind == POOL
    ]
    assert isinstance(made, Create)
    assert made.body["spec"]["replicas"] == 5


def _with(seen: Observed, **status: Any) -> dict[str, Any]:
    return dict(seen.endpoint) | {"status": dict(seen.status) | status}


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
    """A new controller has not measured any load yet."""
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
