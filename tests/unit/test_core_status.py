"""Every row of the status table, its words, and what a write is worth."""

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
TAKEN = Blocker(BlockerKind.STALLED, "NameTaken", "An older one has the name.")
SERVICE_TAKEN = Blocker(
    BlockerKind.STALLED, "NameTaken", "The Service is somebody else's.", blocking=False, child="Service"
)
REFUSED = Blocker(BlockerKind.ERROR, "QuotaExceeded", "No more ReplicaSets.")
GOING = Blocker(BlockerKind.WAIT, "Going", "The former one is still going.")


def coming(what: Any = OLD, base: Observed | None = None, begun: float = NOW - 5, **pods: Any) -> Observed:
    """`what` is being brought up, beside what `base` serves."""
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
    """WARM with a scaling warm pool of so many pods; `wanted`: as status has it, else provisionedConcurrency."""
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
WOKEN_BADLY = replace(IN_SERVICE, pods=tuple(pods_of(IN_SERVICE.pools[0], ready=False, **BROKEN)))
WARM_BADLY = replace(
    serving(WARM),
    pods=tuple(
        p
        for each, bad in zip(serving(WARM).pools, ({}, {"ready": False} | BROKEN), strict=True)
        for p in pods_of(each, **bad)
    ),
)
STRANGE = replace(IN_SERVICE, endpoint=endpoint(serves=OLD, scales=[scaling(variant="other")]))
HPA_TAKEN = Blocker(
    BlockerKind.STALLED, "NameTaken", "The HPA is somebody else's.", blocking=False, child="HorizontalPodAutoscaler"
)
ASLEEP = replace(serving(OLD, replicas=0), pods=())

ROWS: list[tuple[str, Observed, tuple[Blocker, ...], tuple[str, str, str, str, str], bool]] = [
    # moment, facts, what the cluster said against writes -> endpointStatus, Ready, its reason, Available, mark; failureReason?
    ("new", observed(), (), ("Creating", "False", "Creating", "False", "Reconciling"), False),
    ("being built", coming(), (), ("Creating", "False", "Creating", "False", "Reconciling"), False),
    (
        "a former one's child still going",
        observed(),
        (GOING,),
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
    ("refused for a while", coming(), (REFUSED,), ("Creating", "False", "Creating", "False", "Reconciling"), False),
    (
        "refused for too long",
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
    ("serves", IN_SERVICE, (), ("InService", "True", "InService", "True", ""), False),
    ("asleep", ASLEEP, (), ("InService", "True", "InService", "True", ""), False),
    (
        "references of what serves deleted",
        replace(IN_SERVICE, refs=NO_MODEL),
        (),
        ("InService", "True", "InService", "True", ""),
        False,
    ),
    (
        "update under way",
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
        "the update names what is missing",
        serving(OLD, refs=NO_MODEL, config="v2"),
        (),
        ("InService", "False", "ModelNotFound", "True", "Reconciling"),
        False,
    ),
    (
        "the update names what is refused",
        serving(OLD, refs=TAKEN, config="v2"),
        (),
        ("InService", "False", "NameTaken", "True", "Stalled"),
        True,
    ),
    (
        "an older one has the name of what serves",
        replace(IN_SERVICE, refs=TAKEN),
        (),
        ("InService", "False", "NameTaken", "True", "Stalled"),
        True,
    ),
    ("pods cannot start when woken", WOKEN_BADLY, (), ("InService", "False", "CannotStart", "False", ""), False),
    ("warm pods cannot start, others answer", WARM_BADLY, (), ("InService", "False", "CannotStart", "True", ""), False),
    (
        "the Service's name is taken",
        IN_SERVICE,
        (SERVICE_TAKEN,),
        ("InService", "False", "NameTaken", "True", "Stalled"),
        True,
    ),
    (
        "the Service's name is taken, being built",
        coming(),
        (SERVICE_TAKEN,),
        ("Creating", "False", "Creating", "False", "Reconciling"),
        False,
    ),
    ("the HPA's name is taken", scales(), (HPA_TAKEN,), ("InService", "False", "NameTaken", "True", "Stalled"), True),
    (
        "autoscaling names another variant",
        STRANGE,
        (),
        ("InService", "False", "InvalidAutoscaling", "True", "Stalled"),
        True,
    ),
    (
        "autoscaling names another variant, being built",
        coming(base=STRANGE, what=NEW),
        (),
        ("Updating", "Unknown", "Updating", "True", "Reconciling"),
        False,
    ),
    ("scales", scales(), (), ("InService", "True", "InService", "True", ""), False),
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
def test_every_moment_has_its_row(
    seen: Observed, blockers: tuple[Blocker, ...], row: tuple[str, ...], failed: bool
) -> None:
    told = shown(seen, blockers)
    conditions = {c["type"]: c for c in told["conditions"]}
    mark = "".join(sorted(set(conditions) - {"Ready", "Available", "ScalingActive"}))
    ready = conditions["Ready"]
    assert (told["endpointStatus"], ready["status"], ready["reason"], conditions["Available"]["status"], mark) == row
    assert ("failureReason" in told) is failed
    if failed:
        assert told["failureReason"] == ready["message"]
    assert all(c["observedGeneration"] == 1 and c["message"] and c["reason"] for c in conditions.values())
    assert mark == "" or conditions[mark]["status"] == "True"


def test_nothing_changes_when_nothing_happens() -> None:
    for _, seen, blockers, *_ in ROWS:
        if not seen.revisions and not isinstance(seen.refs, Blocker):
            continue  # its attempt is only about to begin
        first = shown(seen, blockers)
        later = replace(seen, endpoint=dict(seen.endpoint) | {"status": first}, now=NOW + 1)
        assert shown(later, blockers) == first


def test_a_transition_time_moves_only_with_the_status() -> None:
    before = shown(IN_SERVICE)
    later = replace(WOKEN_BADLY, endpoint=dict(WOKEN_BADLY.endpoint) | {"status": before}, now=NOW + 60)
    at = {c["type"]: c["lastTransitionTime"] for c in shown(later)["conditions"]}
    assert at == {"Ready": stamp(NOW + 60), "Available": stamp(NOW + 60)}
    generation = dict(IN_SERVICE.endpoint) | {"status": before}
    generation["metadata"] = generation["metadata"] | {"generation": 2}
    again = shown(replace(IN_SERVICE, endpoint=generation, now=NOW + 60))
    assert {(c["observedGeneration"], c["lastTransitionTime"]) for c in again["conditions"]} == {(2, stamp(NOW))}


def test_what_serves_and_what_is_to_come() -> None:
    told = shown(coming(NEW, IN_SERVICE))
    assert (told["endpointConfigName"], told["route"]["revision"]) == ("v1", route(OLD).revision)
    (variant,) = told["productionVariants"]
    assert variant["currentServerlessConfig"]["memorySizeInMB"] == 1024
    assert variant["desiredServerlessConfig"]["memorySizeInMB"] == 2048
    assert (variant["currentInstanceCount"], variant["demandInstanceCount"], variant["warmInstanceCount"]) == (1, 1, 0)
    assert variant["deployedImages"][0] | {"resolutionTime": ""} == {
        "specifiedImage": "registry.local/iris:1",
        "resolvedImage": "registry.local/iris@sha256:abc",
        "resolutionTime": "",
    }
    pending = told["pendingDeploymentSummary"]
    assert (pending["endpointConfigName"], pending["startTime"]) == ("v2", stamp(NOW - 5))
    assert pending["productionVariants"][0]["variantStatus"][0]["status"] == "Updating"
    assert "productionVariants" not in shown(coming()), "during creation, as on SageMaker"


WORDS = [
    (BROKEN, "make sure all images included in the model for the production variant AllTraffic exist"),
    (
        {"ended": ("Error", 137, 181.0), "restarts": 1},
        "The primary container for production variant AllTraffic did not pass the ping health check.",
    ),
    ({"ended": ("OOMKilled", 137, 2.0), "restarts": 2}, "larger memorySizeInMB"),
]


@pytest.mark.parametrize(("pods", "words"), WORDS)
def test_failures_in_sagemakers_words(pods: dict[str, Any], words: str) -> None:
    first = shown(coming(**pods))
    assert words in first["failureReason"]
    again = coming()  # the next attempt, not failed yet
    told = shown(replace(again, endpoint=dict(again.endpoint) | {"status": first}))
    assert told["failureReason"] == first["failureReason"], "told until it works, and said once"
    assert told["failedRevision"] == route(OLD).revision


def test_last_modified_moves_with_what_sagemaker_calls_a_change() -> None:
    seen = replace(IN_SERVICE, endpoint=endpoint(serves=OLD, lastModifiedTime=stamp(NOW - 500)))
    assert shown(seen)["lastModifiedTime"] == stamp(NOW - 500)
    assert shown(replace(seen, now=NOW + 9, pods=()))["lastModifiedTime"] == stamp(NOW - 500)
    failed = coming(NEW, IN_SERVICE, **BROKEN)
    assert shown(failed)["lastModifiedTime"] == stamp(NOW)


def test_counts_alone_are_not_worth_a_write() -> None:
    old = shown(IN_SERVICE)
    more = shown(serving(OLD, replicas=3))
    assert only_counts_differ(more, old)
    assert not only_counts_differ(old, old)
    assert not only_counts_differ(shown(WOKEN_BADLY), old)


# --- Provisioned concurrency that scales itself


def test_sizes_are_shown_as_wanted_and_as_reached() -> None:
    told = shown(scales(warm=3, ready=1, wanted=3))
    (variant,), (entry,) = told["productionVariants"], told["autoscaling"]
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
    assert told["endpointStatus"] == "InService"
    full = shown(scales(warm=3, wanted=3))
    assert full["productionVariants"][0]["currentServerlessConfig"]["provisionedConcurrency"] == 3


def test_a_change_of_size_is_an_activity_and_the_next_pass_adds_none() -> None:
    told = shown(scales(warm=4))
    (activity,) = told["scalingActivities"]
    assert (activity["from"], activity["to"], activity["result"], activity["time"]) == (2, 4, "Successful", stamp(NOW))
    seen = scales(warm=4)
    later = replace(seen, endpoint=dict(seen.endpoint) | {"status": told}, now=NOW + 30)
    assert shown(later) == told


def test_scaling_active_is_told_beside_ready() -> None:
    active = {c["type"]: c for c in shown(scales())["conditions"]}["ScalingActive"]
    assert (active["status"], active["reason"]) == ("Unknown", "NotScaledYet")
    refused = {c["type"]: c for c in shown(scales(), (HPA_TAKEN,))["conditions"]}["ScalingActive"]
    assert (refused["status"], refused["reason"]) == ("False", "CannotScale")
    assert "Until then no policy acts" in refused["message"]
    assert "ScalingActive" not in {c["type"] for c in shown(IN_SERVICE)["conditions"]}


def test_what_was_computed_is_told_on_while_a_new_controller_measures() -> None:
    seen = replace(scales(), capabilities=ClusterCapabilities(MetricsApi.NONE))
    assert {c["type"]: c for c in shown(seen)["conditions"]}["ScalingActive"]["status"] == "Unknown"
    computed = {
        "type": "ScalingActive",
        "status": "True",
        "reason": "Computed",
        "message": "as before",
        "lastTransitionTime": stamp(NOW - 9),
    }
    told = dict(seen.endpoint) | {"status": dict(seen.status) | {"conditions": [computed]}}
    assert {c["type"]: c for c in shown(replace(seen, endpoint=told))["conditions"]}["ScalingActive"] == computed | {
        "observedGeneration": 1
    }
    external = replace(seen, endpoint=told, capabilities=ClusterCapabilities())
    assert {c["type"]: c for c in shown(external)["conditions"]}["ScalingActive"]["status"] == "Unknown"


def test_a_load_that_was_missing_is_told_on_while_a_new_controller_measures() -> None:
    seen = replace(scales(), capabilities=ClusterCapabilities(MetricsApi.NONE))
    missing = {
        "type": "ScalingActive",
        "status": "False",
        "reason": "NoMetrics",
        "message": "as before",
        "lastTransitionTime": stamp(NOW - 9),
    }
    told = dict(seen.endpoint) | {"status": dict(seen.status) | {"conditions": [missing]}}
    assert {c["type"]: c for c in shown(replace(seen, endpoint=told))["conditions"]}["ScalingActive"] == missing | {
        "observedGeneration": 1
    }


def test_where_the_controller_computes_it_sizes_without_an_hpa() -> None:
    seen = replace(scales(), capabilities=ClusterCapabilities(MetricsApi.NONE))
    refused = {c["type"]: c for c in shown(seen, (HPA_TAKEN,))["conditions"]}["ScalingActive"]
    assert refused["message"].endswith("Until then the controller sizes the warm pool itself.")


def test_an_hpa_that_is_taken_is_no_reason_to_hide_the_url() -> None:
    assert "url" in shown(scales(), (HPA_TAKEN,))
    assert "url" not in shown(IN_SERVICE, (SERVICE_TAKEN,))


def test_a_desired_size_is_written_at_once_and_what_is_reached_is_a_count() -> None:
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
    told: dict[str, Any] = dict(seen.status) | {
        "autoscaling": [{"variantName": "AllTraffic", "desiredCapacity": 2} | memory]
    }
    before, after = (
        told := shown(replace(seen, endpoint=raw | {"status": told}, now=NOW + seconds)) for seconds in (10, 90)
    )
    assert before["autoscaling"] != after["autoscaling"]
    assert only_counts_differ(after, before) is deferred


def test_the_words_of_the_moment_are_a_count() -> None:
    """An HPA whose metric fails says each time how."""
    before = shown(scales())
    changed = [
        c | ({"reason": "NoMetrics", "message": "another"} if c["type"] == "ScalingActive" else {})
        for c in before["conditions"]
    ]
    assert only_counts_differ(before | {"conditions": changed}, before)
    turned = [c | ({"status": "False"} if c["type"] == "ScalingActive" else {}) for c in before["conditions"]]
    assert not only_counts_differ(before | {"conditions": turned}, before)


def test_what_is_remembered_stays_where_nothing_is_decided() -> None:
    kept_ = {"autoscaling": [{"variantName": "AllTraffic", "boundsSince": stamp(NOW)}], "scalingActivities": []}
    told = shown(observed(endpoint(deleting=True, **kept_)))
    assert {k: told[k] for k in kept_} == kept_


def test_fields_without_effect_are_listed() -> None:
    seen = observed()
    raw = dict(seen.endpoint) | {
        "spec": {"endpointConfigName": "v1", "deploymentConfig": {"rollingUpdatePolicy": {"waitIntervalInSeconds": 1}}}
    }
    (ignored,) = shown(replace(seen, endpoint=raw))["ignoredFields"]
    assert ignored["field"] == "spec.deploymentConfig"
    assert names.endpoint_url("iris", "team") == shown(seen)["url"]
