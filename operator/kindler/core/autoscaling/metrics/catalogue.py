"""The endpoint's own metrics by their CloudWatch names: what each statistic is over the last minute, and in words what cannot be had.

namespace AWS/SageMaker                              statistics served                                  what it is
--------------------------------------------------   ------------------------------------------------   ------------------------------------------------
ServerlessProvisionedConcurrencyUtilization          Average Maximum Minimum                            load / standing provisioned concurrency, above 1 while
                                                                                                        requests spill over: it must be able to say "more"
ServerlessProvisionedConcurrencyExecutions           Average Maximum Minimum                            load: executions and held requests
ServerlessConcurrentExecutionsUtilization            Average Maximum Minimum                            load / maxConcurrency
ServerlessProvisionedConcurrencyInvocations          Average Maximum Minimum Sum                        requests placed in the warm pool in the minute
ServerlessProvisionedConcurrencySpilloverInvocations Average Maximum Minimum Sum                        requests that did not fit it, in the minute
Invocations                                          Sum SampleCount                                    requests in the minute
Invocation4XXErrors, Invocation5XXErrors             Sum Average SampleCount                            such answers of the model; Average: their share
ModelLatency, OverheadLatency                        Average Sum SampleCount                            microseconds
ModelSetupTime                                       Average Sum SampleCount                            microseconds of cold starts

The first alone falls in proportion as the pool grows, as target tracking needs it; of the others some swing and most run to a bound, as AWS's rule has it:
docs/provisioned-concurrency.md says which.

The two counts of the fourth row and below are one number a minute in CloudWatch, so that Average, Maximum and Minimum are that number. Of latencies only
sums are kept. Without a request an average latency or share is 0, not missing: nothing is slow, and an idle endpoint scales in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from kindler.api.autoscaling import CustomizedMetricSpecification
from kindler.core.autoscaling.metrics.usage import Usage

OWN: Final = "AWS/SageMaker"
MICROSECONDS: Final = 1e6

Read = Callable[["Scope"], float]


@dataclass(frozen=True, slots=True)
class Scope:
    """What metrics are computed from. `limit`: maxConcurrency; `standing`: units of provisioned concurrency that a metric is set against, never 0."""

    usage: Usage
    limit: int
    standing: int


def own(spec: CustomizedMetricSpecification) -> bool:
    """Whether it names one of the endpoint's own metrics; else it is somebody else's."""
    return spec.namespace == OWN


def value(spec: CustomizedMetricSpecification, scope: Scope) -> float:
    """The metric's value over the last minute. Raises KeyError for what `refused` refuses."""
    return _METRICS[spec.metric_name][spec.statistic](scope)


def rejection(spec: CustomizedMetricSpecification, endpoint: str = "", variant: str = "") -> str | None:
    """Why the metric cannot be had, and what can, in a sentence; None for one that can, or may be somebody else's.

    `endpoint`, `variant`: SageMaker's names, where the dimensions must name these.
    """
    if spec.namespace.lower() == "/aws/sagemaker/endpoints":
        return f"metricName {spec.metric_name!r} of namespace {spec.namespace!r} is not measured: use one of namespace {OWN!r}, or a metric of your own"
    if not own(spec):
        return None
    served = _METRICS.get(spec.metric_name)
    if served is None:
        near = {name.lower(): name for name in _METRICS} | _MISSPELT
        hint = near.get(spec.metric_name.lower())
        return f"metricName {spec.metric_name!r} is none of namespace {OWN!r}: use {hint or 'one of ' + ', '.join(_METRICS)}"
    if spec.statistic not in served:
        return f"statistic {spec.statistic!r} of {spec.metric_name} is not kept: use {' or '.join(served)}"
    return _stray(spec, endpoint, variant)


def _stray(spec: CustomizedMetricSpecification, endpoint: str, variant: str) -> str | None:
    """The first dimension that picks something else than this endpoint's variant."""
    wanted = {"EndpointName": endpoint, "VariantName": variant}
    for dimension in spec.dimensions or ():
        if dimension.name not in wanted:
            return f"dimension {dimension.name!r} is none of {spec.metric_name}: use EndpointName and VariantName, or no dimensions"
        name = wanted[dimension.name]
        if name and dimension.value != name:
            return f"dimension {dimension.name} is {dimension.value!r}: a policy sees its own endpoint's metrics alone, so use {name!r}, or no dimensions"
    return None


def _levels(by: Callable[[Scope], float]) -> Mapping[str, Read]:
    return {
        "Average": lambda s: s.usage.load / by(s),
        "Maximum": lambda s: s.usage.highest / by(s),
        "Minimum": lambda s: s.usage.lowest / by(s),
    }


def _count(number: Read) -> Mapping[str, Read]:
    return dict.fromkeys(("Average", "Maximum", "Minimum", "Sum"), number)


def _per_request(total: Read, number: Read) -> Mapping[str, Read]:
    return {"Average": lambda s: total(s) / number(s) if number(s) else 0.0, "Sum": total, "SampleCount": number}


def _invocations(scope: Scope) -> float:
    return scope.usage.done.invocations


def _answered(scope: Scope) -> float:
    return scope.usage.done.answered


_METRICS: Final[Mapping[str, Mapping[str, Read]]] = {
    "ServerlessProvisionedConcurrencyUtilization": _levels(lambda s: s.standing),
    "ServerlessProvisionedConcurrencyExecutions": _levels(lambda s: 1),
    "ServerlessConcurrentExecutionsUtilization": _levels(lambda s: s.limit),
    "ServerlessProvisionedConcurrencyInvocations": _count(lambda s: s.usage.done.provisioned),
    "ServerlessProvisionedConcurrencySpilloverInvocations": _count(lambda s: s.usage.done.spillover),
    "Invocations": {"Sum": _invocations, "SampleCount": _invocations},
    "Invocation4XXErrors": _per_request(lambda s: s.usage.done.client_errors, _invocations),
    "Invocation5XXErrors": _per_request(lambda s: s.usage.done.model_errors, _invocations),
    "ModelLatency": _per_request(lambda s: s.usage.done.model_seconds * MICROSECONDS, _answered),
    "OverheadLatency": _per_request(lambda s: s.usage.done.overhead_seconds * MICROSECONDS, _answered),
    "ModelSetupTime": _per_request(
        lambda s: s.usage.done.setup_seconds * MICROSECONDS, lambda s: s.usage.done.cold_starts
    ),
}

# AWS's own page for serverless endpoints writes the plural; instance-based endpoints have the last.
_MISSPELT: Final = {
    "invocations4xxerrors": "Invocation4XXErrors",
    "invocations5xxerrors": "Invocation5XXErrors",
    "invocationsperinstance": "ServerlessProvisionedConcurrencyUtilization",
}
