"""Every row of the status table, its messages, and which changes are written at once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from kindler.api import names
from kindler.core.autoscaling.decision import ClusterCapabilities, MetricsApi
from kindler.core.common.blockers import Blocker, BlockerKind
from kindler.core.endpoint.state import Observed
from kindler.core.endpoint.status import status
from kindler.core.endpoint.statusdiff import only_counts_differ
from tests.unit.builders import (
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
    stamp,
    stored_revision,
)

OLD, NEW = resolved("v1"), resolved("v2", memory_size_in_mb=2048)
WARM = resolved("v3", provisioned_concurrency=2)
NO_MODEL = Blocker(BlockerKind.WAIT, "ModelNotFound", "Could not find model.")
TAKEN = Blocker(BlockerKind.STALLED, "NameTaken", "An older object has the name.")
SERVICE_TAKEN = Blocker(
    BlockerKind.STALLED, "NameTaken", "Another owner has the Service.", blocking=False, child="Service"
)
REFUSED = Blocker(BlockerKind.ERROR, "QuotaExceeded", "No more ReplicaSets.")
DELETING_CHILD = Blocker(BlockerKind.WAIT, "NameTaken", "The former child is being deleted.")


def coming(what: Any = OLD, base: Observed | None = None, begun: float = NOW - 5, **pods: Any) -> Observed:
    """`what` is being brought up; `base` serves meanwhile."""
    revision = stored_revision(what, at=int(begun))
    made = pool(what, of=revision)
    before = base or observed(endpoint(what.config_name), what)
    return observed(
        endpoint(what.config_name, serves=OLD if base else None),
        what,
        revisions=(*before.revisions, revision),
        pools=(*before.pools, made),
        pods=(*before.pods, *pods_of(made, **({"ready": False} | pods))),
        service=before.service,
    )


def scales(warm: int = 2, ready: int | None = None, wanted: int | None = None) -> Observed:
    """WARM with autoscaling and `warm` pods. `wanted`: the desired size in the status, else provisionedConcurrency."""
    base = serving(WARM)
    cold, _ = base.pools
    scaling_pool = pool(WARM, names.WARM, warm, base.revisions[0])
    size = {"provisionedConcurrency": 2}, {"provisionedConcurrency": wanted or 2}
    shown_ = [{"currentServerlessConfig": size[0], "desiredServerlessConfig": size[1]}]
    memory = {"autoscaling": [{"variantName": "AllTraffic", "desiredCapacity": wanted}]} if wanted else {}
    raw = endpoint("v3", serves=WARM, scales=[scaling(1, 10)], productionVariants=shown_, **memory)
    pods = (*pods_of(cold), *pods_of(scaling_pool, warm if ready is None else ready))
    return replace(base, endpoint=raw, pools=(cold, scaling_pool), pods=pods)


BROKEN: dict[str, Any] = {"waiting": ("ImagePullBackOff", "x")}
IN_SERVICE = serving(OLD)
FAILING = replace(IN_SERVICE, pods=tuple(pods_of(IN_SERVICE.pools[0], ready=False, **BROKEN)))
WARM_FAILING = replace(
    serving(WARM),
    pods=tuple(
        p
        for each, bad in zip(serving(WARM).pools, ({}, {"ready": False} | BROKEN), strict=True)
        for p in pods_of(each, **bad)
    ),
)
OTHER_VARIANT = replace(IN_SERVICE, endpoint=endpoint(serves=OLD, scales=[scaling(variant="other")]))
HPA_TAKEN = Blocker(
    BlockerKind.STALLED, "NameTaken", "Another owner has the HPA.", blocking=False, child="HorizontalPodAutoscaler"
)
AT_ZERO = replace(serving(OLD, replicas=0), pods=())

ROWS: list[tuple[str, Observed, tuple[Blocker, ...], tuple[str, str, str, str, str], bool]] = [
    # case, observed, blockers of the writes -> endpointStatus, Ready, its reason, Available, mark; failureReason?
    ("new", observed(), (), ("Creating", "False", "Creating", "False", "Reconciling"), False),
    ("pods are starting", coming(), (), ("Creating", "False", "Creating", "False", "Reconciling"), False),
    (
        "a child of the former Endpoint is being deleted",
        observed(),
        (DELETING_CHILD,),
        ("Creating", "False", "Creating", "False", "Reconciling"),
        False,
    ),
    (
        "reference missing at creation",
        observed(refs=NO_MODEL),
        (),
        ("Creating", "False", "ModelNotFound", "False", "Reconciling"),
        False,
    ),
    ("the creation failed", coming(**BROKEN), (), ("Failed", "False", "CreationFailed", "False", "Stalled"), True),
    (
        "a write is refused, before the deadline",
        coming(),
        (REFUSED,),
        ("Creating", "False", "Creating", "False", "Reconciling"),
        False,
    ),
    (
        "a write is refused, after the deadline",
        coming(begun=NOW - 180),
        (REFUSED,),
        ("Failed", "False", "CreationFailed", "False", "Stalled"),
        True,
    ),
    ("name taken at creation", observed(refs=TAKEN), (), ("Failed", "False", "NameTaken", "False", "Stalled"), True),
    (
        "a pool's name taken at creation",
        observed(),
        (TAKEN,),
        ("Failed", "False", "NameTaken", "False", "Stalled"),
        True,
    ),
    ("in service", IN_SERVICE, (), ("InService", "True", "InService", "True", ""), False),
    ("scaled to zero", AT_ZERO, (), ("InService", "True", "InService", "True", ""), False),
    (
        "references of the routed revision were deleted",
        replace(IN_SERVICE, refs=NO_MODEL),
        (),
        ("InService", "True", "InService", "True", ""),
        False,
    ),
    (
        "an update is in progress",
        coming(NEW, IN_SERVICE),
        (),
        ("Updating", "Unknown", "Updating", "True", "Reconciling"),
        False,
    ),
    (
        "the update failed",
        coming(NEW, IN_SERVICE, **BROKEN),
        (),
        ("InService", "False", "UpdateFailed", "True", "Stalled"),
        True,
    ),
    (
        "the update names a missing object",
        serving(OLD, refs=NO_MODEL, config="v2"),
        (),
        ("InService", "False", "ModelNotFound", "True", "Reconciling"),
        False,
    ),
    (
        "the update is blocked",
        serving(OLD, refs=TAKEN, config="v2"),
        (),
        ("InService", "False", "NameTaken", "True", "Stalled"),
        True,
    ),
    (
        "an older Endpoint has the name of one that serves",
        replace(IN_SERVICE, refs=TAKEN),
        (),
        ("InService", "False", "NameTaken", "True", "Stalled"),
        True,
    ),
    ("pods cannot start from zero", FAILING, (), ("InService", "False", "CannotStart", "False", ""), False),
    (
        "warm pods cannot start, others are ready",
        WARM_FAILING,
        (),
        ("InService", "False", "CannotStart", "True", ""),
        False,
    ),
    (
        "the Service's name is taken",
        IN_SERVICE,
        (SERVICE_TAKEN,),
        ("InService", "False", "NameTaken", "True", "Stalled"),
        True,
    ),
    (
        "the Service's name is taken, pods are starting",
        coming(),
        (SERVICE_TAKEN,),
        ("Creating", "False", "Creating", "False", "Reconciling"),
        False,
    ),
    ("the HPA's name is taken", scales(), (HPA_TAKEN,), ("InService", "False", "NameTaken", "True", "Stalled"), True),
    (
        "autoscaling names another variant",
        OTHER_VARIANT,
        (),
        ("InService", "False", "InvalidAutoscaling", "True", "Stalled"),
        True,
    ),
    (
        "autoscaling names another variant during an update",
        coming(base=OTHER_VARIANT, what=NEW),
        (),
        ("Updating", "Unknown", "Updating", "True", "Reconciling"),
        False,
    ),
    ("autoscaling", scales(), (), ("InService", "True", "InService", "True", ""), False),
    (
        "the Service is refused",
        IN_SERVICE,
        (replace(REFUSED, blocking=False),),
        ("InService", "False", "QuotaExceeded", "True", ""),
        False,
    ),
    ("a child is refused", IN_SERVICE, (REFUSED,), ("InService", "False", "QuotaExceeded", "True", ""), False),
    (
        "being deleted",
        replace(IN_SERVICE, endpoint=endpoint(serves=OLD, deleting=True)),
        (),
        ("Deleting", "False", "Deleting", "False", "Reconciling"),
        False,
    ),
]


def shown(seen: Observed, blockers: tuple[Blocker, ...] = ()) -> dict[str, Any]:
    return status(seen, decide(seen), blockers)


@pytest.mark.parametrize(("seen", "blockers", "row", "failed"), [r[1:] for r in ROWS], ids=[r[0] for r in ROWS])
def test_every_case_has_its_row(
    seen: Observed, blockers: tuple[Blocker, ...], row: tuple[str, ...], failed: bool
) -> None:
    new_status = shown(seen, blockers)
    conditions = {c["type"]: c for c in new_status["conditions"]}
    mark = "".join(sorted(set(conditions) - {"Ready", "Available", "ScalingActive"}))
    ready = conditions["Ready"]
    assert (
        new_status["endpointStatus"],
        ready["status"],
        ready["reason"],
        conditions["Available"]["status"],
        mark,
    ) == row
    assert ("failureReason" in new_status) is failed
    if failed:
        assert new_status["failureReason"] == ready["message"]
    assert all(c["observedGeneration"] == 1 and c["message"] and c["reason"] for c in conditions.values())
    assert mark == "" or conditions[mark]["status"] == "True"


def test_the_status_stays_the_same_if_nothing_happens() -> None:
    for _, seen, blockers, *_ in ROWS:
        if not seen.revisions and not isinstance(seen.refs, Blocker):
            continue  # its first attempt begins with this pass
        first = shown(seen, blockers)
        later = replace(seen, endpoint=dict(seen.endpoint) | {"status": first}, now=NOW + 1)
        assert shown(later, blockers) == first


def test_a_transition_time_changes_only_with_the_condition() -> None:
    before = shown(IN_SERVICE)
    later = replace(FAILING, endpoint=dict(FAILING.endpoint) | {"status": before}, now=NOW + 60)
    at = {c["type"]: c["lastTransitionTime"] for c in shown(later)["conditions"]}
    assert at == {"Ready": stamp(NOW + 60), "Available": stamp(NOW + 60)}
    generation = dict(IN_SERVICE.endpoint) | {"status": before}
    generation["metadata"] = generation["metadata"] | {"generation": 2}
    again = shown(replace(IN_SERVICE, endpoint=generation, now=NOW + 60))
    assert {(c["observedGeneration"], c["lastTransitionTime"]) for c in again["conditions"]} == {(2, stamp(NOW))}


def test_the_status_shows_the_current_and_the_pending_deployment() -> None:
    new_status = shown(coming(NEW, IN_SERVICE))
    assert (new_status["endpointConfigName"], new_status["route"]["revision"]) == ("v1", route(OLD).revision)
    (variant,) = new_status["productionVariants"]
    assert variant["currentServerlessConfig"]["memorySizeInMB"] == 1024
    assert variant["desiredServerlessConfig"]["memorySizeInMB"] == 2048
    assert (variant["currentInstanceCount"], variant["demandInstanceCount"], variant["warmInstanceCount"]) == (1, 1, 0)
    assert variant["deployedImages"][0] | {"resolutionTime": ""} == {
        "specifiedImage": "registry.local/iris:1",
        "resolvedImage": "registry.local/iris@sha256:abc",
        "resolutionTime": "",
    }
    pending = new_status["pendingDeploymentSummary"]
    assert (pending["endpointConfigName"], pending["startTime"]) == ("v2", stamp(NOW - 5))
    assert pending["productionVariants"][0]["variantStatus"][0]["status"] == "Updating"
    assert "productionVariants" not in shown(coming()), "none during creation, as in SageMaker"


WORDS = [
    (BROKEN, "make sure all images included in the model for the production variant AllTraffic exist"),
    (
        {"ended": ("Error", 137, 181.0), "restarts": 1},
        "The primary container for production variant AllTraffic did not pass the ping health check.",
    ),
    ({"ended": ("OOMKilled", 137, 2.0), "restarts": 2}, "larger memorySizeInMB"),
]


@pytest.mark.parametrize(("pods", "words"), WORDS)
def test_failures_have_sagemakers_sentences(pods: dict[str, Any], words: str) -> None:
    first = shown(coming(**pods))
    assert words in first["failureReason"]
    again = coming()  # the next attempt, which has not failed yet
    new_status = shown(replace(again, endpoint=dict(again.endpoint) | {"status": first}))
    assert new_status["failureReason"] == first["failureReason"], (
        "reported until it works, with SageMaker's sentence once"
    )
    assert new_status["failedRevision"] == route(OLD).revision


def test_last_modified_time_changes_with_what_sagemaker_calls_a_change() -> None:
    seen = replace(IN_SERVICE, endpoint=endpoint(serves=OLD, lastModifiedTime=stamp(NOW - 500)))
    assert shown(seen)["lastModifiedTime"] == stamp(NOW - 500)
    assert shown(replace(seen, now=NOW + 9, pods=()))["lastModifiedTime"] == stamp(NOW - 500)
    failed = coming(NEW, IN_SERVICE, **BROKEN)
    assert shown(failed)["lastModifiedTime"] == stamp(NOW)


def test_a_change_of_counts_alone_is_recognized() -> None:
    old = shown(IN_SERVICE)
    more = shown(serving(OLD, replicas=3))
    assert only_counts_differ(more, old)
    assert not only_counts_differ(old, old)
    assert not only_counts_differ(shown(FAILING), old)


# --- Provisioned concurrency that scales automatically


def test_the_status_shows_desired_and_current_size() -> None:
    new_status = shown(scales(warm=3, ready=1, wanted=3))
    (variant,), (entry,) = new_status["productionVariants"], new_status["autoscaling"]
    assert (
        variant["currentServerlessConfig"]["provisionedConcurrency"],
        variant["desiredServerlessConfig"]["provisionedConcurrency"],
    ) == (2, 3)
    assert (entry["currentCapacity"], entry["desiredCapacity"], entry["minCapacity"], entry["maxCapacity"]) == (
        2,
        3,
        1,
        10,
    )
    assert new_status["endpointStatus"] == "InService"
    full = shown(scales(warm=3, wanted=3))
    assert full["productionVariants"][0]["currentServerlessConfig"]["provisionedConcurrency"] == 3


def test_a_change_of_size_is_an_activity_and_the_next_pass_adds_none() -> None:
    new_status = shown(scales(warm=4))
    (activity,) = new_status["scalingActivities"]
    assert (activity["from"], activity["to"], activity["result"], activity["time"]) == (2, 4, "Successful", stamp(NOW))
    seen = scales(warm=4)
    later = replace(seen, endpoint=dict(seen.endpoint) | {"status": new_status}, now=NOW + 30)
    assert shown(later) == new_status


def test_scaling_active_is_reported_besides_ready() -> None:
    active = {c["type"]: c for c in shown(scales())["conditions"]}["ScalingActive"]
    assert (active["status"], active["reason"]) == ("Unknown", "NotScaledYet")
    refused = {c["type"]: c for c in shown(scales(), (HPA_TAKEN,))["conditions"]}["ScalingActive"]
    assert (refused["status"], refused["reason"]) == ("False", "CannotScale")
    assert "Until then no policy acts" in refused["message"]
    assert "ScalingActive" not in {c["type"] for c in shown(IN_SERVICE)["conditions"]}


def test_a_computed_condition_stays_while_a_new_controller_measures() -> None:
    seen = replace(scales(), capabilities=ClusterCapabilities(MetricsApi.NONE))
    assert {c["type"]: c for c in shown(seen)["conditions"]}["ScalingActive"]["status"] == "Unknown"
    computed = {
        "type": "ScalingActive",
        "status": "True",
        "reason": "Computed",
        "message": "as before",
        "lastTransitionTime": stamp(NOW - 9),
    }
    new_status = dict(seen.endpoint) | {"status": dict(seen.status) | {"conditions": [computed]}}
    assert {c["type"]: c for c in shown(replace(seen, endpoint=new_status))["conditions"]}[
        "ScalingActive"
    ] == computed | {"observedGeneration": 1}
    external = replace(seen, endpoint=new_status, capabilities=ClusterCapabilities())
    assert {c["type"]: c for c in shown(external)["conditions"]}["ScalingActive"]["status"] == "Unknown"


def test_missing_metrics_stay_reported_while_a_new_controller_measures() -> None:
    seen = replace(scales(), capabilities=ClusterCapabilities(MetricsApi.NONE))
    missing = {
        "type": "ScalingActive",
        "status": "False",
        "reason": "NoMetrics",
        "message": "as before",
        "lastTransitionTime": stamp(NOW - 9),
    }
    new_status = dict(seen.endpoint) | {"status": dict(seen.status) | {"conditions": [missing]}}
    assert {c["type"]: c for c in shown(replace(seen, endpoint=new_status))["conditions"]}[
        "ScalingActive"
    ] == missing | {"observedGeneration": 1}


def test_without_a_metrics_api_the_controller_sizes_without_an_hpa() -> None:
    seen = replace(scales(), capabilities=ClusterCapabilities(MetricsApi.NONE))
    refused = {c["type"]: c for c in shown(seen, (HPA_TAKEN,))["conditions"]}["ScalingActive"]
    assert refused["message"].endswith("Until then the controller sizes the warm pool itself.")


def test_a_taken_hpa_name_does_not_hide_the_url() -> None:
    assert "url" in shown(scales(), (HPA_TAKEN,))
    assert "url" not in shown(IN_SERVICE, (SERVICE_TAKEN,))


def test_a_desired_size_is_written_at_once_and_a_current_size_is_a_count() -> None:
    few, more = shown(scales(warm=3, ready=1, wanted=3)), shown(scales(warm=3, wanted=3))
    assert few != more
    assert only_counts_differ(few, more)
    assert not only_counts_differ(shown(scales(warm=3)), shown(scales(warm=4)))


@pytest.mark.parametrize(("low", "deferred"), [(1, True), (2, False)])
def test_a_scheduled_action_that_changes_no_bound_is_a_count(low: int, deferred: bool) -> None:
    often = {"scheduledActionName": "often", "schedule": "rate(1 minute)", "scalableTargetAction": {"minCapacity": low}}
    memory = {"boundsSince": stamp(NOW), **{k: {"minCapacity": 1, "maxCapacity": 10} for k in ("registered", "base")}}
    seen = scales()
    raw = dict(seen.endpoint) | {
        "spec": dict(seen.endpoint["spec"]) | {"autoscaling": [scaling(1, 10, scheduledActions=[often])]}
    }
    new_status: dict[str, Any] = dict(seen.status) | {
        "autoscaling": [{"variantName": "AllTraffic", "desiredCapacity": 2} | memory]
    }
    before, after = (
        new_status := shown(replace(seen, endpoint=raw | {"status": new_status}, now=NOW + seconds))
        for seconds in (10, 90)
    )
    assert before["autoscaling"] != after["autoscaling"]
    assert only_counts_differ(after, before) is deferred


def test_a_changed_message_of_the_hpa_is_a_count() -> None:
    """An HPA whose metric fails reports another message each time."""
    before = shown(scales())
    changed = [
        c | ({"reason": "NoMetrics", "message": "another"} if c["type"] == "ScalingActive" else {})
        for c in before["conditions"]
    ]
    assert only_counts_differ(before | {"conditions": changed}, before)
    turned = [c | ({"status": "False"} if c["type"] == "ScalingActive" else {}) for c in before["conditions"]]
    assert not only_counts_differ(before | {"conditions": turned}, before)


def test_the_memory_of_autoscaling_stays_if_nothing_is_decided() -> None:
    memory = {"autoscaling": [{"variantName": "AllTraffic", "boundsSince": stamp(NOW)}], "scalingActivities": []}
    new_status = shown(observed(endpoint(deleting=True, **memory)))
    assert {k: new_status[k] for k in memory} == memory


def test_fields_without_effect_are_listed() -> None:
    seen = observed()
    raw = dict(seen.endpoint) | {
        "spec": {"endpointConfigName": "v1", "deploymentConfig": {"rollingUpdatePolicy": {"waitIntervalInSeconds": 1}}}
    }
    (ignored,) = shown(replace(seen, endpoint=raw))["ignoredFields"]
    assert ignored["field"] == "spec.deploymentConfig"
    assert names.endpoint_url("iris", "team") == shown(seen)["url"]
