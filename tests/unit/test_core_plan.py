"""The plan: it converges from any observed state, and never changes an object that Kindler does not own."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kindler.core.autoscaling.decision import ClusterCapabilities, MetricsApi
from kindler.core.common.blockers import Blocker, BlockerKind
from kindler.core.endpoint import manifests
from kindler.core.endpoint.actions import Create, Delete, Patch
from kindler.core.endpoint.plan import covers, plan
from kindler.core.endpoint.state import DesiredPool, ResolvedRefs, StoredRevision
from tests.unit.builders import (
    ACTIVATOR,
    NOW,
    decide,
    endpoint,
    observed,
    pool,
    resolved,
    route,
    scaling,
    serving,
    stored_revision,
    with_uid,
)
from tests.unit.clusters import MiniCluster

OLD, NEW = resolved("v1"), resolved("v2", memory_size_in_mb=2048)
WARM = resolved("v3", memory_size_in_mb=3072, provisioned_concurrency=4, max_concurrency_per_instance=2)
WIDER = resolved("v4", max_concurrency=50)
EVERY = (OLD, NEW, WARM, WIDER)
SCALING = (
    None,
    [scaling()],
    [scaling(0, 9), scaling(variant="other")],
    [scaling(2, 3, None)],
    [scaling(0, 0)],
    [scaling(variant="other")],
)
MISSING = Blocker(BlockerKind.WAITING, "ModelNotFound", "no model")
TAKEN = Blocker(BlockerKind.STALLED, "NameTaken", "an older one has it")


def kinds(actions: object) -> list[tuple[str, str]]:
    return [(type(a).__name__, a.kind) for a in actions]  # type: ignore[attr-defined]


# --- Step by step


def test_a_new_endpoint_needs_three_writes_and_then_none() -> None:
    cluster = MiniCluster(endpoint(), OLD)
    assert kinds(cluster.step()) == [("Create", "ControllerRevision"), ("Create", "ReplicaSet"), ("Create", "Service")]
    assert kinds(cluster.step()) == [("Apply", "ControllerRevision")], "it is routed to, so its number rises"
    assert cluster.step() == ()
    assert cluster.endpoint["status"]["endpointStatus"] == "InService"


def test_an_update_leaves_nothing_of_the_old_revision() -> None:
    cluster = MiniCluster(endpoint(), OLD)
    cluster.settle()
    cluster.endpoint, cluster.refs = cluster.endpoint | {"spec": {"endpointConfigName": "v2"}}, NEW
    cluster.settle()
    assert {name for kind, name in cluster.objects if kind != "Service"} == {
        f"iris-{route(NEW).revision}",
        route(NEW).demand_pool,
    }


def test_a_failing_update_keeps_the_route_and_is_retried() -> None:
    cluster = MiniCluster(endpoint(), OLD)
    cluster.settle()
    before = cluster.endpoint["status"]["route"]
    broken = resolved("v2", image="broken:1")
    cluster.endpoint, cluster.refs, cluster.broken = (
        cluster.endpoint | {"spec": {"endpointConfigName": "v2"}},
        broken,
        frozenset({"broken:1"}),
    )
    began = cluster.now
    for _ in range(60):
        cluster.step()
        assert cluster.endpoint["status"]["route"] == before
    made = sum(isinstance(a, Create) and a.name == route(broken).demand_pool for a in cluster.touched)
    hours = (cluster.now - began) / 3600
    assert 3 <= made <= 8 + 6 * hours, f"{made} attempts in {hours:.1f} hours"
    assert cluster.endpoint["status"]["failedRevision"] == route(broken).revision
    cluster.broken = frozenset()
    cluster.settle()
    assert cluster.endpoint["status"]["endpointConfigName"] == "v2"


def test_nothing_is_written_for_an_endpoint_that_is_being_deleted() -> None:
    seen = replace(serving(OLD), endpoint=endpoint(serves=OLD, deleting=True), pools=(), service=None)
    assert plan(seen, decide(seen), ACTIVATOR) == ()


def test_an_edited_pool_is_corrected_but_not_its_size() -> None:
    seen = serving(OLD, replicas=3)
    raw = copy.deepcopy(dict(seen.pools[0].found))
    raw["spec"]["template"]["spec"]["enableServiceLinks"] = True
    actions = plan(replace(seen, pools=(manifests.pool_from(raw),)), decide(seen), ACTIVATOR)
    (patch,) = [a for a in actions if isinstance(a, Patch) and a.kind == "ReplicaSet"]
    assert "replicas" not in patch.body["spec"]


def test_changed_settings_do_not_change_a_stored_revision() -> None:
    """An upgrade of Kindler or a changed setting does not change the pods of a revision that serves."""
    seen = serving(OLD)
    old_spec = copy.deepcopy(dict(seen.revisions[0].pod_spec))
    old_spec["containers"][0]["resources"]["requests"]["memory"] = "7Mi"
    revision = replace(seen.revisions[0], pod_spec=old_spec)
    desired = DesiredPool(route(OLD).demand_pool, revision.revision, "demand", 1, None)
    raw = with_uid(manifests.new_replica_set(seen, revision, desired), "uid")
    seen = observed(seen.endpoint, OLD, revisions=(revision,), pools=(manifests.pool_from(raw),), service=seen.service)
    assert all(a.kind == "ControllerRevision" for a in plan(seen, decide(seen), ACTIVATOR))


def test_a_revision_that_cannot_be_read_is_deleted() -> None:
    seen = serving(OLD)
    name = f"iris-{route(OLD).revision}"
    spoilt = {"metadata": {"name": name, "uid": "spoilt", "labels": {}}, "data": {"nothing": 1}}
    seen = replace(seen, revisions=(), revisions_found={name: spoilt})
    assert Delete("ControllerRevision", name, "spoilt") in plan(seen, decide(seen), ACTIVATOR)


COVERS: list[tuple[Any, Any, bool]] = [
    # found, wanted, whether `found` has every value of `wanted`
    ({"a": 1, "b": 2}, {"a": 1}, True),
    ({"a": 1}, {"a": 2}, False),
    ({}, {"a": 1}, False),
    ({"a": [1, 2]}, {"a": [1]}, False),
    ({"a": [{"x": 1, "more": 2}]}, {"a": [{"x": 1}]}, True),
    ({"name": "A"}, {"name": "A", "value": ""}, True),
    ({"resources": {"limits": {"memory": "512Mi"}}}, {"resources": {"limits": {"memory": "0.5Gi"}}}, True),
    ({"resources": {"limits": {"cpu": "1"}}}, {"resources": {"limits": {"cpu": "1000m"}}}, True),
    ({"resources": {"limits": {"cpu": "1"}}}, {"resources": {"limits": {"cpu": "1001m"}}}, False),
    ({"memory": "512Mi"}, {"memory": "0.5Gi"}, False),
    ({"resources": {"limits": {"memory": "many"}}}, {"resources": {"limits": {"memory": "lots"}}}, False),
    (None, {"a": 1}, False),
]


@pytest.mark.parametrize(("found", "want", "covered"), COVERS)
def test_fields_that_others_added_are_no_difference(found: Any, want: Any, covered: bool) -> None:
    assert covers(found, want) is covered


def test_the_controller_does_not_scale_a_pool_that_the_hpa_sizes_before_and_after_the_pass() -> None:
    """The status and the revision's route number were lost. The HPA and its pool still exist."""
    cluster = MiniCluster(endpoint("v3", scales=[scaling(1, 8)]), WARM)
    revision = stored_revision(WARM, number=0)
    cluster.objects["ControllerRevision", revision.name] = with_uid(
        manifests.controller_revision(observed(), revision), revision.uid
    )
    for kind, replicas in (("warm", 3), ("demand", 1)):
        raw = copy.deepcopy(dict(pool(WARM, kind, replicas, revision).found))
        cluster.objects["ReplicaSet", raw["metadata"]["name"]] = raw
    warm = route(WARM).warm_pool
    spec = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": warm},
        "minReplicas": 1,
        "maxReplicas": 4,
    }
    cluster.objects["HorizontalPodAutoscaler", "iris-warm"] = with_uid(manifests.hpa(observed(), spec), "uid-hpa")
    cluster.settle()
    assert cluster.endpoint["status"]["endpointStatus"] == "InService"
    assert cluster.objects["ReplicaSet", str(warm)]["spec"]["replicas"] == 3


# --- From any state


@st.composite
def clusters(draw: st.DrawFn) -> MiniCluster:
    """Any mixture of objects, which may be damaged or belong to another owner, with any status and any spec."""
    what = draw(st.sampled_from(EVERY))
    serves = draw(st.sampled_from((None, *EVERY)))
    refs: ResolvedRefs | Blocker = draw(st.sampled_from((what, MISSING, TAKEN)))
    cluster = MiniCluster(endpoint(what.config_name, serves=serves, scales=draw(st.sampled_from(SCALING))), refs)
    cluster.capabilities = draw(
        st.sampled_from(
            (
                ClusterCapabilities(),
                ClusterCapabilities(MetricsApi.CUSTOM),
                ClusterCapabilities(MetricsApi.NONE),
                ClusterCapabilities(zero=False),
            )
        )
    )
    numbers = draw(st.permutations(range(1, 5)))
    for each, number in zip(EVERY, numbers, strict=True):
        revision = stored_revision(
            each,
            number=draw(st.sampled_from((0, number))),
            at=int(NOW) - draw(st.integers(0, 5000)),
            attempt=draw(st.integers(0, 3)),
        )
        _add_revision(draw, cluster, revision)
        for kind in ("demand", "warm"):
            _add_pool(draw, cluster, each, revision, kind)
    if draw(st.booleans()):
        base = manifests.service(observed(), ACTIVATOR)
        base["spec"]["externalName"] = draw(st.sampled_from((ACTIVATOR, "elsewhere.invalid")))
        cluster.objects["Service", "iris"] = _maybe_foreign(draw, with_uid(base, "uid-service"))
    if draw(st.booleans()):
        hpa_target = draw(st.sampled_from([route(each).demand_pool.replace("demand", "warm") for each in EVERY]))
        spec = {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": hpa_target},
            "minReplicas": draw(st.integers(0, 9)),
            "maxReplicas": 9,
        }
        cluster.objects["HorizontalPodAutoscaler", "iris-warm"] = _maybe_foreign(
            draw, with_uid(manifests.hpa(observed(), spec), "uid-hpa")
        )
    return cluster


def _add_revision(draw: st.DrawFn, cluster: MiniCluster, revision: StoredRevision) -> None:
    if draw(st.booleans()):
        raw = with_uid(manifests.controller_revision(observed(), revision), revision.uid)
        if draw(st.integers(0, 9)) == 0:
            raw["metadata"].pop("annotations")
        cluster.objects["ControllerRevision", revision.name] = _maybe_foreign(draw, raw)


def _add_pool(draw: st.DrawFn, cluster: MiniCluster, what: ResolvedRefs, revision: StoredRevision, kind: str) -> None:
    if draw(st.integers(0, 2)):
        return
    raw = copy.deepcopy(dict(pool(what, kind, draw(st.integers(0, 5)), revision).found))
    match draw(st.integers(0, 5)):
        case 0:
            raw["metadata"].pop("annotations")
        case 1:
            raw["spec"]["template"]["spec"]["enableServiceLinks"] = True
        case 2:
            raw["metadata"]["annotations"] = {manifests.ATTEMPT: f"{int(NOW) - 99}-7"}
    cluster.objects["ReplicaSet", raw["metadata"]["name"]] = _maybe_foreign(draw, raw)


def _maybe_foreign(draw: st.DrawFn, raw: dict[str, Any]) -> dict[str, Any]:
    """The object, which in one of eight cases gets another owner or no owner."""
    if draw(st.integers(0, 7)) == 0:
        raw["metadata"]["ownerReferences"] = draw(
            st.sampled_from(([], [{"kind": "Endpoint", "name": "iris", "uid": "another"}]))
        )
    return raw


@settings(max_examples=400, deadline=None)
@given(clusters())
@example(MiniCluster(endpoint(), OLD))
def test_it_converges_from_any_state_and_leaves_objects_of_others(cluster: MiniCluster) -> None:
    foreign = {k: copy.deepcopy(v) for k, v in cluster.objects.items() if not manifests.is_ours(v, "uid-iris")}
    cluster.settle()
    assert {k: cluster.objects.get(k) for k in foreign} == foreign, "objects of others are unchanged"
    assert cluster.step() == (), f"a second plan is empty: {cluster}"
    status = cluster.endpoint["status"]
    if not isinstance(cluster.refs, Blocker) and not foreign:
        assert status["endpointStatus"] == "InService"
        assert status["endpointConfigName"] == cluster.refs.config_name
        assert {p.name for p in cluster.observe().pools} == set(status["route"]["pools"].values()), (
            "no other pool exists"
        )
        scales = any(
            e["variantName"] == "AllTraffic" and e["scalingPolicies"] and e["maxCapacity"]
            for e in cluster.endpoint["spec"].get("autoscaling", ())
        )
        assert (cluster.objects.get(("HorizontalPodAutoscaler", "iris-warm")) is not None) == scales
        if scales:
            assert (
                cluster.objects["HorizontalPodAutoscaler", "iris-warm"]["spec"]["scaleTargetRef"]["name"]
                == status["route"]["pools"]["warm"]
            )
