"""The endpoint's own metrics by their CloudWatch names, and why other metrics and statistics do not exist.

metric (namespace AWS/SageMaker)                      statistics                   value
--------------------------------                      ----------                   -----
ServerlessProvisionedConcurrencyUtilization           Average Maximum Minimum      load / provisioned concurrency; above
                                                                                   1 while requests spill over: the
                                                                                   policy needs that to scale out
ServerlessProvisionedConcurrencyExecutions            Average Maximum Minimum      load: executions and held requests
ServerlessConcurrentExecutionsUtilization             Average Maximum Minimum      load / maxConcurrency
ServerlessProvisionedConcurrencyInvocations           Average Maximum Minimum Sum  requests placed in the warm pool
ServerlessProvisionedConcurrencySpilloverInvocations  Average Maximum Minimum Sum  requests sent to the demand pool
Invocations                                           Sum SampleCount              requests
Invocation4XXErrors, Invocation5XXErrors              Sum Average SampleCount      4XX or 5XX responses of the model;
                                                                                   Average: their share of requests
ModelLatency, OverheadLatency                         Average Sum SampleCount      microseconds
ModelSetupTime                                        Average Sum SampleCount      microseconds of cold starts

Requests are counted over the last minute. Target tracking needs a metric that falls in proportion when the pool grows.
Only the first metric falls in proportion. With the other metrics, AWS's rule makes the size oscillate, or move to the
minimum or the maximum. docs/provisioned-concurrency.md lists what happens with each metric.

In CloudWatch, the two counts of the fourth and fifth row are one number per minute, so Average, Maximum and Minimum are
that number. Latencies have no Maximum and no Minimum, because activators report only sums. If there was no request, an
average latency or share is 0, not missing, so that an idle endpoint scales in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from kindler.api.autoscaling import CustomizedMetricSpecification
from kindler.core.autoscaling.metrics.usage import Usage

NAMESPACE: Final = "AWS/SageMaker"
MICROSECONDS: Final = 1e6

Statistic = Callable[["Scope"], float]


@dataclass(frozen=True, slots=True)
class Scope:
    """The input of metrics. `limit`: maxConcurrency.

    `provisioned`: units of provisioned concurrency that a metric is divided by, never 0.
    """

    usage: Usage
    limit: int
    provisioned: int


def is_own(spec: CustomizedMetricSpecification) -> bool:
    """Whether `spec` names one of the endpoint's own metrics; else it is a foreign metric."""
    return spec.namespace == NAMESPACE


def value(spec: CustomizedMetricSpecification, scope: Scope) -> float:
    """The metric's value over the last minute. Raises KeyError for a metric that `rejection` rejects."""
    return _METRICS[spec.metric_name][spec.statistic](scope)


def rejection(spec: CustomizedMetricSpecification, endpoint: str = "", variant: str = "") -> str | None:
    """A sentence why the metric does not exist, and which metrics exist. None if it exists or is a foreign metric.

    `endpoint`, `variant`: the SageMaker names that the dimensions must have. An empty name is not checked.
    """
    if spec.namespace.lower() == "/aws/sagemaker/endpoints":
        metric = f"metricName {spec.metric_name!r} of namespace {spec.namespace!r}"
        return f"{metric} is not measured: use one of namespace {NAMESPACE!r}, or a metric of your own"
    if not is_own(spec):
        return None
    served = _METRICS.get(spec.metric_name)
    if served is None:
        suggestions = {name.lower(): name for name in _METRICS} | _MISSPELT
        hint = suggestions.get(spec.metric_name.lower())
        use = hint or "one of " + ", ".join(_METRICS)
        return f"metricName {spec.metric_name!r} is none of namespace {NAMESPACE!r}: use {use}"
    if spec.statistic not in served:
        return f"statistic {spec.statistic!r} of {spec.metric_name} is not kept: use {' or '.join(served)}"
    return _dimension_error(spec, endpoint, variant)


def _dimension_error(spec: CustomizedMetricSpecification, endpoint: str, variant: str) -> str | None:
    """The error in the first dimension that does not select this endpoint's variant."""
    expected = {"EndpointName": endpoint, "VariantName": variant}
    for dimension in spec.dimensions or ():
        if dimension.name not in expected:
            use = "EndpointName and VariantName, or no dimensions"
            return f"dimension {dimension.name!r} is none of {spec.metric_name}: use {use}"
        name = expected[dimension.name]
        if name and dimension.value != name:
            why = f"a policy sees its own endpoint's metrics alone, so use {name!r}, or no dimensions"
            return f"dimension {dimension.name} is {dimension.value!r}: {why}"
    return None


def _levels(by: Callable[[Scope], float]) -> Mapping[str, Statistic]:
    return {
        "Average": lambda s: s.usage.load / by(s),
        "Maximum": lambda s: s.usage.highest / by(s),
        "Minimum": lambda s: s.usage.lowest / by(s),
    }


def _count(number: Statistic) -> Mapping[str, Statistic]:
    return dict.fromkeys(("Average", "Maximum", "Minimum", "Sum"), number)


def _per_request(total: Statistic, number: Statistic) -> Mapping[str, Statistic]:
    return {"Average": lambda s: total(s) / number(s) if number(s) else 0.0, "Sum": total, "SampleCount": number}


def _invocations(scope: Scope) -> float:
    return scope.usage.increase.invocations


def _responses(scope: Scope) -> float:
    return scope.usage.increase.answered


_METRICS: Final[Mapping[str, Mapping[str, Statistic]]] = {
    "ServerlessProvisionedConcurrencyUtilization": _levels(lambda s: s.provisioned),
    "ServerlessProvisionedConcurrencyExecutions": _levels(lambda s: 1),
    "ServerlessConcurrentExecutionsUtilization": _levels(lambda s: s.limit),
    "ServerlessProvisionedConcurrencyInvocations": _count(lambda s: s.usage.increase.provisioned),
    "ServerlessProvisionedConcurrencySpilloverInvocations": _count(lambda s: s.usage.increase.spillover),
    "Invocations": {"Sum": _invocations, "SampleCount": _invocations},
    "Invocation4XXErrors": _per_request(lambda s: s.usage.increase.client_errors, _invocations),
    "Invocation5XXErrors": _per_request(lambda s: s.usage.increase.model_errors, _invocations),
    "ModelLatency": _per_request(lambda s: s.usage.increase.model_seconds * MICROSECONDS, _responses),
    "OverheadLatency": _per_request(lambda s: s.usage.increase.overhead_seconds * MICROSECONDS, _responses),
    "ModelSetupTime": _per_request(
        lambda s: s.usage.increase.setup_seconds * MICROSECONDS, lambda s: s.usage.increase.cold_starts
    ),
}

# AWS's page for serverless endpoints has the first two names, in the plural. The last is a metric of instance-based
# endpoints.
_MISSPELT: Final = {
    "invocations4xxerrors": "Invocation4XXErrors",
    "invocations5xxerrors": "Invocation5XXErrors",
    "invocationsperinstance": "ServerlessProvisionedConcurrencyUtilization",
}
