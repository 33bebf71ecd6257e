"""Every row of the status table, its messages, and the changes that the controller writes without a delay."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from kindler.api import names
from kindler.core.common.blockers import Blocker
from kindler.core.endpoint.state import Observed
from kindler.core.endpoint.statusdiff import only_counts_differ
from tests.unit.builders import (
    NOW,
    endpoint,
    observed,
    route,
    serving,
    stamp,
)
from tests.unit.statuses import (
    AT_ZERO,
    BROKEN,
    DELETING_CHILD,
    FAILING,
    HPA_TAKEN,
    IN_SERVICE,
    NEW,
    NO_MODEL,
    OLD,
    OTHER_VARIANT,
    REFUSED,
    SERVICE_TAKEN,
    TAKEN,
    WARM_FAILING,
    coming,
    scales,
    shown,
)

ROWS: list[tuple[str, Observed, tuple[Blocker, ...], tuple[str, str, str, str, str], bool]] = [
    # case, observed, blockers of the writes -> endpointStatus, Ready, its reason, Available, mark; has failureReason
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
            continue  # the first attempt begins now, so the status changes
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


def test_fields_without_effect_are_listed() -> None:
    seen = observed()
    raw = dict(seen.endpoint) | {
        "spec": {"endpointConfigName": "v1", "deploymentConfig": {"rollingUpdatePolicy": {"waitIntervalInSeconds": 1}}}
    }
    (ignored,) = shown(replace(seen, endpoint=raw))["ignoredFields"]
    assert ignored["field"] == "spec.deploymentConfig"
    assert names.endpoint_url("iris", "team") == shown(seen)["url"]
