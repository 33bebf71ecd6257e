"""What the status reports about provisioned concurrency that scales automatically."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from kindler.core.autoscaling.decision import ClusterCapabilities, MetricsApi
from kindler.core.endpoint.statusdiff import only_counts_differ
from tests.unit.builders import (
    NOW,
    endpoint,
    observed,
    scaling,
    stamp,
)
from tests.unit.statuses import (
    HPA_TAKEN,
    IN_SERVICE,
    SERVICE_TAKEN,
    scales,
    shown,
)


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
    """An HPA that cannot read its metric reports another message each time, so a new message is not written at once."""
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
