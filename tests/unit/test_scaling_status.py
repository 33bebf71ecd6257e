"""Reports about scaling: why the size changes, whether scaling is active, and which errors the user must correct."""

from __future__ import annotations

from typing import Any

import pytest

from kindler.api import conditions as c
from kindler.core.autoscaling.decide import decide
from kindler.core.autoscaling.decision import MetricsApi
from kindler.core.autoscaling.entry import entry_for
from kindler.core.common.blockers import BlockerKind
from tests.unit.autoscaling import MORNING, NOW, SINCE, action, bounds, facts, hpa, route, status, target
from tests.unit.autoscaling import policy as tracks

NONE, CUSTOM = MetricsApi.NONE, MetricsApi.CUSTOM
BUSY = tracks()


# --- The cause


@pytest.mark.parametrize(
    ("found", "cause"),
    [
        ({"status": {}}, "the endpoint was created"),
        ({"status": status(3, **SINCE), "replicas": 3}, ""),
        (
            {"scales": target(4, 8, BUSY), "status": status(3, **SINCE), "replicas": 3},
            "the bounds were edited: minCapacity is 4",
        ),
        ({"scales": target(4, 8, BUSY), "status": status(3), "replicas": 3}, "autoscaling was added: minCapacity is 4"),
        (
            {"scales": target(1, 2, BUSY), "status": status(3, **SINCE), "replicas": 3},
            "the bounds were edited: maxCapacity is 2",
        ),
        (
            {"leads": route(limit=2), "status": status(3, **SINCE), "replicas": 3},
            "maxConcurrency of the endpoint configuration is 2",
        ),
        (
            {"scales": target(5, 8, BUSY), "leads": route(per=3), "status": status(3, **SINCE)},
            "the bounds were edited: minCapacity is 5",
        ),
        ({"status": status(3, **SINCE), "replicas": 5}, "target tracking policy 'busy' asks for 5"),
        (
            {"scales": target(4, 8, BUSY), "status": status(3, **SINCE), "replicas": 5},
            "target tracking policy 'busy' asks for 5",
        ),
        (
            {"status": status(3, **SINCE), "replicas": 8},
            "target tracking policy 'busy' asks for 8, the maximum, or more",
        ),
        (
            {"status": status(3, **SINCE), "replicas": 1},
            "target tracking policy 'busy' asks for 1, the minimum, or less",
        ),
        (
            {"status": status(1, **SINCE), "replicas": 1, "api": NONE, "loads": {"busy": 3.0}},
            "target tracking policy 'busy' asks for 5",
        ),
        (
            {"scales": target(0, 8, BUSY), "status": status(3, **SINCE), "replicas": 0, "loads": {"busy": 0.0}},
            "target tracking policy 'busy' asks for 0",
        ),
        (
            {"scales": target(1, 8), "status": status(3, **SINCE), "replicas": 5},
            "the warm pool was scaled to 5 by somebody else",
        ),
        (
            {"scales": None, "leads": route(provisioned=2), "status": status(3, **SINCE)},
            "autoscaling was taken away: provisionedConcurrency of the endpoint configuration is 2",
        ),
        (
            {"scales": None, "leads": route(warm_pool=None), "status": status(3)},
            "the endpoint configuration has no provisionedConcurrency",
        ),
        ({"scales": None, "leads": route(provisioned=3), "status": status(3)}, ""),
        ({"scales": None, "leads": route(provisioned=3), "status": {}}, "the endpoint was created"),
    ],
)
def test_why_the_size_changes(found: dict[str, Any], cause: str) -> None:
    assert decide(facts(**({"scales": target(1, 8, BUSY)} | found))).cause == cause


@pytest.mark.parametrize(
    ("averages", "by"),
    [
        (("700m", "600m"), "policy 'b' "),
        (("700m", "400m"), "policy 'busy' "),
        (("", "100m"), "policy 'b' "),
        (("100m",), "policy 'busy' "),
        (("", ""), " "),
        ((), " "),
    ],
)
def test_the_cause_names_the_policy_with_the_largest_recommendation(averages: tuple[str, ...], by: str) -> None:
    scales = target(1, 8, BUSY, tracks("b", at=0.5))
    decided = decide(facts(scales, replicas=5, status=status(3, **SINCE), hpa=hpa(averages=averages)))
    assert decided.cause == f"target tracking {by}asks for 5".replace("  ", " ")


def test_the_cause_names_that_policy_also_when_the_controller_computes() -> None:
    scales = target(1, 8, BUSY, tracks("b", at=0.5), tracks("c"))
    decided = decide(facts(scales, status=status(1, **SINCE), api=NONE, loads={"busy": 3.0, "b": 2.9, "c": None}))
    assert decided.cause == "target tracking policy 'b' asks for 6"


# --- ScalingActive

AWAY = "the HPA was unable to compute the replica count: the server is currently unable to handle the request"


@pytest.mark.parametrize(
    ("found", "verdict", "reason", "says"),
    [
        ({"scales": target(0, 0, BUSY)}, c.TRUE, c.MAXIMUM_IS_ZERO, "served on demand"),
        ({"scales": target(2, 8)}, c.TRUE, c.SCHEDULED, "2 to 8"),
        ({"scales": target(2, 8, tracks(metric="CPUUtilization"))}, c.FALSE, c.NO_METRICS, "see the condition Stalled"),
        ({"scales": target(2, 8, BUSY, suspended="in out")}, c.FALSE, c.SUSPENDED, "suspendedState"),
        ({"scales": target(2, 8, BUSY, suspended="in out"), "api": NONE}, c.FALSE, c.SUSPENDED, "suspendedState"),
        ({"hpa": None}, c.UNKNOWN, c.NOT_SCALED_YET, "iris-warm does not scale the warm pool yet"),
        ({"hpa": hpa(targets_pool="old")}, c.UNKNOWN, c.NOT_SCALED_YET, "does not scale the warm pool"),
        ({"hpa": hpa()}, c.UNKNOWN, c.NOT_SCALED_YET, "has not read its metrics yet"),
        (
            {"hpa": hpa(("AbleToScale", "False", "FailedGetScale", "no such pool"))},
            c.FALSE,
            c.CANNOT_SCALE,
            "no such pool. The size holds; see kubectl describe hpa",
        ),
        (
            {"hpa": hpa(("ScalingActive", "True", "ValidMetricFound", ""))},
            c.TRUE,
            c.METRICS_AVAILABLE,
            "within 1 to 8.",
        ),
        (
            {"hpa": hpa(("ScalingActive", "True", "", ""), ("ScalingLimited", "True", "TooManyReplicas", ""))},
            c.TRUE,
            c.METRICS_AVAILABLE,
            "within 1 to 8.",
        ),
        (
            {"hpa": hpa(("ScalingActive", "False", "FailedGetExternalMetric", AWAY))},
            c.FALSE,
            c.NO_METRICS,
            f"{AWAY}. The size holds. See kubectl get apiservice v1beta1.ext",
        ),
        (
            {"hpa": hpa(("ScalingActive", "False", "FailedGetObjectMetric", AWAY)), "api": CUSTOM},
            c.FALSE,
            c.NO_METRICS,
            "v1beta2.custom.metrics.k8s.io",
        ),
        (
            {"hpa": hpa(("ScalingActive", "False", "ScalingDisabled", "zero")), "replicas": 0},
            c.UNKNOWN,
            c.NOT_SCALED_YET,
            "",
        ),
        (
            {"scales": target(1, 8, BUSY, suspended="in"), "hpa": hpa(("ScalingActive", "True", "", ""))},
            c.TRUE,
            c.METRICS_AVAILABLE,
            "Scaling in is suspended.",
        ),
        (
            {"scales": target(1, 8, BUSY, suspended="out"), "hpa": hpa(("ScalingActive", "True", "", ""))},
            c.TRUE,
            c.METRICS_AVAILABLE,
            "Scaling out is suspended.",
        ),
        ({"leads": route(limit=5)}, c.UNKNOWN, c.NOT_SCALED_YET, "maxCapacity 8 is held at 5, the maxConcurrency"),
        ({"scales": target(0, 8, BUSY), "replicas": 0}, c.UNKNOWN, c.NOT_SCALED_YET, "is being measured"),
        (
            {"scales": target(0, 8, BUSY), "replicas": 0, "loads": {"busy": 0.0}},
            c.TRUE,
            c.COMPUTED,
            "The warm pool is at 0",
        ),
        (
            {"scales": target(0, 8, BUSY), "replicas": 0, "loads": {"busy": None}},
            c.FALSE,
            c.NO_METRICS,
            "policy 'busy' is missing: no activator answers.",
        ),
        (
            {"scales": target(0, 8, BUSY), "zero": False, "hpa": hpa(("ScalingActive", "True", "", ""))},
            c.TRUE,
            c.METRICS_AVAILABLE,
            "0 to 8",
        ),
        (
            {"api": NONE, "loads": {"busy": 1.0}},
            c.TRUE,
            c.COMPUTED,
            "Other servers have external.metrics.k8s.io and custom.metrics.k8s.io",
        ),
        ({"api": NONE, "loads": {"busy": None}}, c.FALSE, c.NO_METRICS, "is not scaled in"),
        ({"api": NONE}, c.UNKNOWN, c.NOT_SCALED_YET, "is being measured"),
    ],
)
def test_whether_scaling_is_active(found: dict[str, Any], verdict: str, reason: str, says: str) -> None:
    reported = decide(facts(**({"scales": target(1, 8, BUSY)} | found))).active
    assert reported is not None
    assert reported[:2] == (verdict, reason)
    assert says in reported[2]
    assert reported[2].endswith(".")


@pytest.mark.parametrize(
    ("before", "seconds", "verdict"),
    [
        (c.METRICS_AVAILABLE, 15, (c.TRUE, c.METRICS_AVAILABLE)),
        (c.METRICS_AVAILABLE, 89, (c.TRUE, c.METRICS_AVAILABLE)),
        (c.METRICS_AVAILABLE, 90, (c.FALSE, c.NO_METRICS)),
        (c.NOT_SCALED_YET, 15, (c.UNKNOWN, c.NOT_SCALED_YET)),
        (c.NOT_SCALED_YET, 90, (c.FALSE, c.NO_METRICS)),
        (c.NO_METRICS, 15, (c.FALSE, c.NO_METRICS)),
        ("", 15, (c.UNKNOWN, c.NOT_SCALED_YET)),
    ],
)
def test_a_metric_that_is_missing_for_a_short_time_is_not_reported(
    before: str, seconds: int, verdict: tuple[str, str]
) -> None:
    """If this were reported, a restart of the metrics process would cause two writes and an Event per endpoint."""
    fails = hpa(("ScalingActive", "False", "FailedGetExternalMetric", AWAY, "2027-01-15T08:00:00Z"))  # NOW
    reported = {"conditions": [{"type": c.SCALING_ACTIVE, "status": "", "reason": before}]}
    decided = decide(facts(target(1, 8, BUSY), hpa=fails, status=reported, now=NOW + seconds))
    assert decided.active is not None
    assert decided.active[:2] == verdict
    assert decided.requeue_after == (90 - seconds if seconds < 90 else None)


@pytest.mark.parametrize(
    ("scales", "limit", "message"),
    [
        (target(1, 8, BUSY), 8, "HorizontalPodAutoscaler iris-warm sizes the warm pool within 1 to 8."),
        (
            target(1, 8, BUSY, suspended="scheduled"),
            8,
            "HorizontalPodAutoscaler iris-warm sizes the warm pool within 1 to 8.",
        ),
        (
            target(1, 9, BUSY, suspended="out"),
            8,
            "HorizontalPodAutoscaler iris-warm sizes the warm pool within 1 to 8. Scaling out is suspended. "
            "maxCapacity 9 is held at 8, the maxConcurrency of the endpoint configuration; "
            "lower the one or raise the other.",
        ),
        (
            target(1, 8, suspended="in out"),
            8,
            "There are no scaling policies: the size is held within the bounds in force, 1 to 8.",
        ),
    ],
)
def test_the_message_names_the_bounds_and_what_is_suspended(scales: Any, limit: int, message: str) -> None:
    reported = decide(
        facts(scales, leads=route(limit=limit), hpa=hpa(("ScalingActive", "True", "ValidMetricFound", "")))
    ).active
    assert reported is not None
    assert reported[2] == message


# --- What the user must correct


def test_unusable_policies_are_reported_and_the_others_act() -> None:
    decided = decide(facts(target(1, 8, BUSY, tracks("cpu", metric="CPUUtilization"))))
    assert decided.blocker is not None
    assert (decided.blocker.kind, decided.blocker.reason, decided.blocker.blocking) == (
        BlockerKind.STALLED,
        c.INVALID_AUTOSCALING,
        False,
    )
    assert decided.blocker.message.startswith("scalingPolicies 'cpu': metricName 'CPUUtilization'")
    assert decided.hpa is not None
    assert len(decided.hpa["metrics"]) == 1


def test_invalid_schedules_are_reported_and_the_others_act() -> None:
    wrong = action("noon", "cron(0 12 31 FEB ? 2027 9)", low=3)
    decided = decide(facts(target(1, 8, BUSY, actions=(wrong, MORNING)), status=status(1, **SINCE)))
    assert decided.blocker is not None
    assert decided.blocker.message.startswith("scheduledActions 'noon': ")
    assert bounds(decided.hpa) == (4, 8)


UPDATING = {"endpointConfigName": "v1"}  # the spec of `endpoint` below names v2


@pytest.mark.parametrize(
    ("variants", "status", "next_variant", "chosen", "says"),
    [
        ((), {}, None, None, None),
        (("AllTraffic",), {}, None, "AllTraffic", None),
        (
            ("Blue",),
            {},
            None,
            None,
            "names the variant 'Blue', and that of the endpoint configuration is 'AllTraffic': "
            "write variantName: AllTraffic.",
        ),
        (
            ("Blue", "AllTraffic", "Azure"),
            {},
            None,
            "AllTraffic",
            "names the variant 'Azure', 'Blue', and that of the endpoint configuration is 'AllTraffic': remove",
        ),
        (("Blue",), UPDATING, "Blue", "Blue", None),
        (("Blue",), UPDATING, None, "Blue", None),
        (("Blue",), UPDATING, "Green", None, "names the variant 'Blue'"),
        (("Blue", "Green"), UPDATING, "Green", None, "names the variant 'Blue', 'Green'"),
        (("AllTraffic",), UPDATING, "Blue", "AllTraffic", None),
        (("Blue",), {"endpointConfigName": "v2"}, "Blue", None, "names the variant 'Blue'"),
    ],
)
def test_which_entry_applies_to_the_variant(
    variants: tuple[str, ...], status: dict[str, Any], next_variant: str | None, chosen: str | None, says: str | None
) -> None:
    spec = {"endpointConfigName": "v2", "autoscaling": [{"variantName": v} for v in variants]}
    entry, blocker = entry_for({"spec": spec, "status": status}, "AllTraffic", next_variant)
    assert (entry or {}).get("variantName") == chosen
    assert (blocker is None) == (says is None)
    if blocker and says:
        assert says in blocker.message
        assert not blocker.blocking


@pytest.mark.parametrize(("spec", "reported"), [({"endpointName": "Iris-EU"}, True), ({}, False)])
def test_dimensions_name_the_endpoint_by_its_sagemaker_name(spec: dict[str, Any], reported: bool) -> None:
    said = tracks(metric="Invocations")
    custom = said["targetTrackingScalingPolicyConfiguration"]["customizedMetricSpecification"]
    custom |= {"statistic": "Sum", "dimensions": [{"name": "EndpointName", "value": "iris"}]}
    decided = decide(
        facts(
            target(1, 8, said),
            endpoint={"metadata": {"name": "iris", "namespace": "team", "uid": "uid-iris"}, "spec": spec},
        )
    )
    assert (decided.blocker is not None) == reported
    assert (decided.hpa is None) == reported
