"""CloudWatch's names and statistics of an endpoint's own metrics: those that Kindler serves or rejects."""

from __future__ import annotations

import math
from typing import get_args

import pytest

from kindler.api.autoscaling import (
    CustomizedMetricSpecification,
    MetricDimension,
    PredefinedMetricSpecification,
    ScalableTarget,
    ScalingPolicy,
    TargetTrackingScalingPolicyConfiguration,
)
from kindler.api.route import Route
from kindler.api.stats import Totals
from kindler.core.autoscaling.decision import Load
from kindler.core.autoscaling.metrics import catalogue, loads
from kindler.core.autoscaling.metrics.catalogue import Scope
from kindler.core.autoscaling.metrics.foreign import UnsupportedMetric, milli, quantity, query, selector
from kindler.core.autoscaling.metrics.usage import NoData, Usage

DONE = Totals(
    load_seconds=180,
    invocations=40,
    client_errors=4,
    model_errors=10,
    provisioned=30,
    spillover=10,
    answered=20,
    model_seconds=5,
    overhead_seconds=1,
    cold_starts=2,
    setup_seconds=9,
)
USAGE = Usage(load=3.0, highest=8, lowest=1, increase=DONE, allocated=4)
IDLE = Usage(load=0.0, highest=0, lowest=0, increase=Totals(), allocated=4)
STATISTICS = ("Average", "Maximum", "Minimum", "Sum", "SampleCount")
ROUTE = Route("v", "r", "d", "w", 16, 2, 4, 1024, 300, 60, 180, 8080, "/ping", "/invocations")
N = None
# metric: Average, Maximum, Minimum, Sum, SampleCount; None: rejected
SERVED = {
    "ServerlessProvisionedConcurrencyUtilization": (0.75, 2.0, 0.25, N, N),
    "ServerlessProvisionedConcurrencyExecutions": (3.0, 8.0, 1.0, N, N),
    "ServerlessConcurrentExecutionsUtilization": (3 / 16, 0.5, 1 / 16, N, N),
    "ServerlessProvisionedConcurrencyInvocations": (30, 30, 30, 30, N),
    "ServerlessProvisionedConcurrencySpilloverInvocations": (10, 10, 10, 10, N),
    "Invocations": (N, N, N, 40, 40),
    "Invocation4XXErrors": (0.1, N, N, 4, 40),
    "Invocation5XXErrors": (0.25, N, N, 10, 40),
    "ModelLatency": (250_000, N, N, 5_000_000, 20),
    "OverheadLatency": (50_000, N, N, 1_000_000, 20),
    "ModelSetupTime": (4_500_000, N, N, 9_000_000, 2),
}


def spec(
    metric: str = "Invocations", statistic: str = "Sum", where: str = "AWS/SageMaker", **dimensions: str
) -> CustomizedMetricSpecification:
    reported = tuple(MetricDimension(name=name, value=value) for name, value in dimensions.items())
    return CustomizedMetricSpecification.model_validate(
        {"metricName": metric, "namespace": where, "statistic": statistic, "dimensions": reported}
    )


def test_the_statistics_are_those_of_the_api() -> None:
    assert sorted(get_args(CustomizedMetricSpecification.model_fields["statistic"].annotation)) == sorted(STATISTICS)


@pytest.mark.parametrize(
    ("metric", "statistic", "value"),
    [(m, s, v) for m, row in SERVED.items() for s, v in zip(STATISTICS, row, strict=True)],
)
def test_each_metric_with_each_statistic(metric: str, statistic: str, value: float | None) -> None:
    wanted = spec(metric, statistic)
    words = catalogue.rejection(wanted)
    if value is None:
        assert words is not None and metric in words and repr(statistic) in words and "use " in words
    else:
        assert words is None
        assert catalogue.value(wanted, Scope(USAGE, 16, 4)) == pytest.approx(value)
        assert catalogue.value(wanted, Scope(IDLE, 16, 4)) == 0


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        (spec("Invocations4XXErrors"), "use Invocation4XXErrors"),
        (spec("modellatency"), "use ModelLatency"),
        (spec("InvocationsPerInstance"), "use ServerlessProvisionedConcurrencyUtilization"),
        (spec("CPUUtilization"), "use one of ServerlessProvisionedConcurrencyUtilization"),
        (spec("ModelLatency", "Maximum"), "use Average or Sum or SampleCount"),
        (spec("MemoryUtilization", "Average", "/aws/sagemaker/Endpoints"), "is not measured"),
        (spec(EndpointName="other"), "dimension EndpointName is 'other'"),
        (spec(EndpointName="Iris", VariantName="B"), "dimension VariantName is 'B'"),
        (spec(InstanceId="i"), "dimension 'InstanceId' is none of Invocations"),
    ],
)
def test_a_rejection_names_the_alternative(wanted: CustomizedMetricSpecification, words: str) -> None:
    assert words in (catalogue.rejection(wanted, "Iris", "AllTraffic") or "")


def test_dimensions_may_name_the_endpoint_and_its_variant() -> None:
    assert catalogue.rejection(spec(EndpointName="Iris", VariantName="AllTraffic"), "Iris", "AllTraffic") is None
    assert catalogue.rejection(spec(EndpointName="Iris")) is None
    assert catalogue.rejection(spec("Anything at all", "Average", "Mine", x="y")) is None


# Loads


def target(**metrics: CustomizedMetricSpecification | None) -> ScalableTarget:
    predefined = PredefinedMetricSpecification(
        predefined_metric_type="SageMakerVariantProvisionedConcurrencyUtilization"
    )
    policies = tuple(
        ScalingPolicy(
            policy_name=name,
            target_tracking_scaling_policy_configuration=TargetTrackingScalingPolicyConfiguration(
                target_value=0.7,
                customized_metric_specification=metric,
                predefined_metric_specification=None if metric else predefined,
            ),
        )
        for name, metric in metrics.items()
    )
    return ScalableTarget(variant_name="v", min_capacity=1, max_capacity=8, scaling_policies=policies)


def test_the_load_of_each_policy() -> None:
    is_own = target(
        predefined=None,
        utilization=spec("ServerlessProvisionedConcurrencyUtilization", "Average"),
        spilled=spec("ServerlessProvisionedConcurrencySpilloverInvocations", "Sum"),
        wrong=spec("Nonsense"),
    )
    assert loads.foreign(is_own) == {}
    found = loads.loads_of(is_own, ROUTE, USAGE, {})
    assert found["predefined"] == found["utilization"] == Load(3.0)
    assert found["spilled"] == Load(40.0)  # the sum times the 4 present units
    assert found["wrong"].value is None and "none of namespace" in found["wrong"].reason


def test_the_load_by_a_foreign_metric() -> None:
    others = target(
        queue=spec("queue_length", "Average", "Mine"),
        gone=spec("other", "Average", "Mine"),
        never=spec("never", "Average", "Mine"),
        mine=None,
    )
    assert set(loads.foreign(others)) == {"queue", "gone", "never"}
    found = loads.loads_of(others, ROUTE, USAGE, {"queue": 2.5, "gone": NoData("it is away")})
    assert (found["queue"], found["gone"], found["mine"]) == (Load(10.0), Load(None, "it is away"), Load(3.0))
    assert found["never"].value is None and "not been asked" in found["never"].reason


def test_an_empty_pool_counts_as_one_pod_so_that_it_can_grow() -> None:
    empty = Usage(3.0, 8, 1, DONE, 0)
    found = loads.loads_of(
        target(p=None, u=spec("ServerlessProvisionedConcurrencyUtilization", "Average"), q=spec("q", "Sum", "Mine")),
        ROUTE,
        empty,
        {"q": 1.5},
    )
    assert (found["p"], found["u"], found["q"]) == (Load(3.0), Load(3.0), Load(3.0))


def test_without_usage_no_policy_has_a_load() -> None:
    assert loads.loads_of(target(p=None), ROUTE, NoData("nobody knows"), {}) == {"p": Load(None, "nobody knows")}
    assert loads.loads_of(target(p=None), ROUTE, IDLE, {}) == {"p": Load(0.0)}


# Foreign metrics


@pytest.mark.parametrize(
    ("wanted", "held", "asked"),
    [
        (spec("queue", "Average", "M"), None, 'avg(avg_over_time({__name__="queue"}[1m]))'),
        (spec("queue", "Sum", "M", app="x"), None, 'sum(avg_over_time({__name__="queue",app="x"}[1m]))'),
        (
            spec("queue", "Maximum", "M"),
            ("namespace", "team"),
            'max(max_over_time({__name__="queue",namespace="team"}[1m]))',
        ),
        (spec("jobs_total", "Sum", "M"), None, 'sum(increase({__name__="jobs_total"}[1m]))'),
        (spec("jobs_total", "SampleCount", "M"), None, 'sum(count_over_time({__name__="jobs_total"}[1m]))'),
        (spec('x"} or up{y="', "Minimum", "M"), None, 'min(min_over_time({__name__="x\\u0022} or up{y=\\u0022"}[1m]))'),
        (spec("q", "Sum", "M", a='\\"\n'), None, 'sum(avg_over_time({__name__="q",a="\\u005c\\u0022\\u000a"}[1m]))'),
    ],
)
def test_a_query_selects_the_metric_and_nothing_else(
    wanted: CustomizedMetricSpecification, held: tuple[str, str] | None, asked: str
) -> None:
    assert query(wanted, held) == asked


def test_a_dimension_cannot_remove_the_restriction_to_the_namespace() -> None:
    """Prometheus applies all matchers: a second matcher for the same label can only remove series from the result."""
    assert query(spec("q", "Sum", "M", namespace="other"), ("namespace", "team")).count("namespace=") == 2


@pytest.mark.parametrize("name", ["a-b", 'a="x",b', "__name__", "", "1a"])
def test_a_dimension_that_is_no_label_of_prometheus_is_unsupported(name: str) -> None:
    wanted = CustomizedMetricSpecification.model_construct(
        metric_name="q",
        namespace="M",
        statistic="Sum",
        dimensions=(MetricDimension.model_construct(name=name, value="v"),),
    )
    with pytest.raises(UnsupportedMetric, match="is no label of Prometheus"):
        query(wanted, None)


def test_a_selector_selects_the_dimensions_and_nothing_else() -> None:
    assert (
        selector(spec("queue", "Sum", "M", **{"app.kubernetes.io/name": "x", "b": "y"}))
        == "app.kubernetes.io/name=x,b=y"
    )
    assert selector(spec("queue", "Sum", "M")) == ""
    for wrong in ({"a": "x,b=y"}, {"a,b": "x"}, {"a": "x y"}, {"a=b": "x"}):
        with pytest.raises(UnsupportedMetric, match="is no label"):
            selector(spec("queue", "Sum", "M", **wrong))
    for name in ("a/b", "..", "a?b", "a%2fb"):
        with pytest.raises(UnsupportedMetric, match="metricName"):
            selector(spec(name, "Sum", "M"))


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0),
        ("1500m", 1.5),
        ("2", 2),
        ("1k", 1000),
        ("1Ki", 1024),
        ("1.5Gi", 1.5 * 2**30),
        ("2e3", 2000),
        ("1E", 1e18),
        ("-5m", -0.005),
        ("7u", 7e-6),
    ],
)
def test_quantities(text: str, number: float) -> None:
    assert quantity(text) == pytest.approx(number)


@pytest.mark.parametrize("text", ["", "m", "1x", "1 k", "1.2.3", "NaN", "0x1"])
def test_text_that_is_no_quantity(text: str) -> None:
    with pytest.raises(ValueError):
        quantity(text)


def test_numbers_are_written_in_thousandths() -> None:
    assert [milli(x) for x in (0.0, 1.5, 2, 0.0004, 12345.6789, -1.0)] == [
        "0m",
        "1500m",
        "2000m",
        "0m",
        "12345679m",
        "-1000m",
    ]
    for wrong in (math.nan, math.inf):
        with pytest.raises(ValueError, match="no number"):
            milli(wrong)
