"""Endpoints with `spec.autoscaling`, valid and invalid.

A row is a name, the value of one field, and texts that the message must contain together with the field's name.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, Final

from tests.e2e.objects.case import REQUIRED, TYPE, UNKNOWN, Case, Json, accepted, refused
from tests.e2e.objects.endpoints import ENDPOINT, endpoint

_UTILIZATION: Final = "SageMakerVariantProvisionedConcurrencyUtilization"
_PREDEFINED: Final = {"predefinedMetricType": _UTILIZATION}
_CUSTOMIZED: Final = {"metricName": "queue_depth", "namespace": "shop", "statistic": "Average"}
_TRACKING: Final = {"targetValue": 0.7, "predefinedMetricSpecification": _PREDEFINED}
_POLICY: Final = {"policyName": "half-busy", "targetTrackingScalingPolicyConfiguration": _TRACKING}
ACTION: Final = {
    "scheduledActionName": "morning",
    "schedule": "cron(0 8 ? * MON-FRI *)",
    "scalableTargetAction": {"minCapacity": 4},
}
TARGET: Final = {"variantName": "AllTraffic", "minCapacity": 1, "maxCapacity": 10}


def _with(base: Json, fields: Json) -> Json:
    """`base` with these fields replaced. A field with the value None is left out."""
    return {k: v for k, v in (base | fields).items() if v is not None}


def scaled(*targets: Json) -> Json:
    return endpoint(autoscaling=list(targets))


def target(**fields: Any) -> Json:
    return scaled(_with(TARGET, fields))


def suspended(**fields: Any) -> Json:
    return target(suspendedState=fields)


def policy(**fields: Any) -> Json:
    return target(scalingPolicies=[_with(_POLICY, fields)])


def tracking(**fields: Any) -> Json:
    return policy(targetTrackingScalingPolicyConfiguration=_with(_TRACKING, fields))


def predefined(**fields: Any) -> Json:
    return tracking(predefinedMetricSpecification=_with(_PREDEFINED, fields))


def customized(**fields: Any) -> Json:
    metric = _with(_CUSTOMIZED, {field: value for field, value in fields.items() if field != "targetValue"})
    return tracking(
        targetValue=fields.get("targetValue", 20),
        predefinedMetricSpecification=None,
        customizedMetricSpecification=metric,
    )


def dimension(**fields: Any) -> Json:
    return customized(dimensions=[_with({"name": "queue", "value": "orders"}, fields)])


def action(**fields: Any) -> Json:
    return target(scheduledActions=[_with(ACTION, fields)])


def sets(**fields: Any) -> Json:
    return action(scalableTargetAction=fields)


def _policies(*configurations: Json) -> Json:
    return target(
        scalingPolicies=[
            {"policyName": f"p{i}", "targetTrackingScalingPolicyConfiguration": c} for i, c in enumerate(configurations)
        ]
    )


def _tracks(metric: str, value: float = 20) -> Json:
    return {"targetValue": value, "customizedMetricSpecification": _CUSTOMIZED | {"metricName": metric}}


Row = tuple[Any, ...]


def wrong(what: str, build: Callable[..., Json], field: str, *rows: Row) -> Iterator[Case]:
    """Cases with rejected values of one field. Each row is (name, value, texts …)."""
    for name, value, *words in rows:
        yield refused(
            f"scaling-{what}-{name}", ENDPOINT, build(**{field: value}), field, *words, written=_written(field, value)
        )


def right(what: str, build: Callable[..., Json], field: str, *rows: Row) -> Iterator[Case]:
    """Cases with accepted values of one field. Each row is (name, value)."""
    for name, value in rows:
        yield accepted(f"scaling-{what}-{name}", ENDPOINT, build(**{field: value}), written=_written(field, value))


def _written(field: str, value: Any) -> str:
    """The field as in YAML, at most 90 characters long, for the page."""
    encoded = json.dumps(value, ensure_ascii=False)
    text = f"{field}: {encoded if encoded.isprintable() else json.dumps(value)}" if value is not None else f"no {field}"
    return text if len(text) <= 90 else text[:90] + " …"


GOOD: Final = (
    accepted("scaling-none", ENDPOINT, scaled()),
    accepted("scaling-bounds-alone", ENDPOINT, target()),
    accepted("scaling-bounds-equal", ENDPOINT, target(minCapacity=10)),
    accepted("scaling-bounds-0", ENDPOINT, target(minCapacity=0, maxCapacity=0)),
    accepted("scaling-bounds-200", ENDPOINT, target(minCapacity=200, maxCapacity=200)),
    accepted("scaling-lists-empty", ENDPOINT, target(scalingPolicies=[], scheduledActions=[], suspendedState={})),
    accepted("scaling-variants-10", ENDPOINT, scaled(*(TARGET | {"variantName": f"v{i}"} for i in range(10)))),
    accepted("scaling-variant-63", ENDPOINT, target(variantName="V" * 63)),
    accepted(
        "scaling-suspended-all",
        ENDPOINT,
        suspended(dynamicScalingInSuspended=True, dynamicScalingOutSuspended=True, scheduledScalingSuspended=True),
    ),
    accepted("scaling-suspended-one", ENDPOINT, suspended(dynamicScalingInSuspended=True)),
    accepted("scaling-policy", ENDPOINT, policy()),
    *right(
        "policy-name",
        policy,
        "policyName",
        ("256", "p" * 256),
        ("punctuation", "50 %: in/out | up"),
        ("unicode", "halb ausgelastet – Straße"),
    ),
    *right("target-value", tracking, "targetValue", ("1", 1), ("whole", 1.0), ("least", 0.001), ("half", 0.5)),
    *right("cooldown-in", tracking, "scaleInCooldown", ("0", 0), ("1", 1), ("3600", 3600)),
    *right("cooldown-out", tracking, "scaleOutCooldown", ("0", 0), ("3600", 3600)),
    *right("scale-in-off", tracking, "disableScaleIn", ("true", True), ("false", False)),
    accepted(
        "scaling-resource-label",
        ENDPOINT,
        predefined(resourceLabel="app/my-alb/778d41231b141a0f/targetgroup/my-alb/943f017f100becff"),
    ),
    accepted("scaling-customized", ENDPOINT, customized()),
    *right("customized-value", customized, "targetValue", ("percent", 70), ("least", 0.001), ("most", 1000000000)),
    *right(
        "statistic",
        customized,
        "statistic",
        *((s.lower(), s) for s in ("Average", "Minimum", "Maximum", "SampleCount", "Sum")),
    ),
    accepted(
        "scaling-customized-own",
        ENDPOINT,
        customized(
            targetValue=0.7, metricName="ServerlessProvisionedConcurrencyUtilization", namespace="AWS/SageMaker"
        ),
    ),
    accepted("scaling-customized-unit", ENDPOINT, customized(unit="Count")),
    accepted("scaling-dimension", ENDPOINT, dimension()),
    accepted("scaling-dimension-empty-value", ENDPOINT, dimension(value="")),
    accepted(
        "scaling-dimensions-10", ENDPOINT, customized(dimensions=[{"name": f"d{i}", "value": "x"} for i in range(10)])
    ),
    accepted("scaling-policies-5", ENDPOINT, _policies(_TRACKING, *(_tracks(f"m{i}") for i in range(4)))),
)

_LETTERS: Final = ("letters, digits and hyphens", "choose such a name")
NO_CAPACITIES: Final = (
    ("negative", -1, "greater than or equal to 0"),
    ("201", 201, "less than or equal to 200"),
    ("fraction", 1.5, TYPE, "int64"),
    ("text", "1", TYPE, "integer"),
)
_COOLDOWNS: Final = (
    ("negative", -1, "greater than or equal to 0"),
    ("3601", 3601, "less than or equal to 3600"),
    ("fraction", 0.5, TYPE, "int64"),
    ("text", "300s", TYPE, "integer"),
)
_FLAGS: Final = (("text", "yes", TYPE, "boolean"), ("number", 1, TYPE, "boolean"))
_PRINTABLE: Final = ("1 to 256 printable characters", "choose such a name")
NO_NAMES: Final = (
    ("empty", "", *_PRINTABLE),
    ("blank", " ", *_PRINTABLE),
    ("blank-first", " a", "no blank at either end", *_PRINTABLE),
    ("blank-last", "a ", "no blank at either end", *_PRINTABLE),
    ("newline", "a\nb", *_PRINTABLE),
    ("newline-last", "a\n", *_PRINTABLE),
    ("tab", "a\tb", *_PRINTABLE),
    ("escape", "a\u001bb", *_PRINTABLE),
    ("delete", "a\u007fb", *_PRINTABLE),
    ("next-line", "a\u0085b", *_PRINTABLE),
    ("joiner", "a\u200db", *_PRINTABLE),
    ("257", "n" * 257, "Too long", "256"),
    ("number", 7, TYPE, "string"),
    ("missing", None, REQUIRED),
)
_EXACTLY_ONE: Final = (
    "a policy tracks exactly one metric",
    "set predefinedMetricSpecification or customizedMetricSpecification",
)
LARGER: Final = ("minCapacity", "is larger than its maxCapacity", "lower minCapacity, or raise maxCapacity")
_RATIO: Final = ("is a ratio, not a percentage", "write 0.7 for 70 %")
_POSITIVE: Final = ("must be greater than 0", "write a positive number, as 0.7")
_THOUSANDTHS: Final = ("not within 0.001 to 1000000000", "choose a metric of another unit")

BAD: Final = (
    refused("scaling-object", ENDPOINT, endpoint(autoscaling=TARGET), "spec.autoscaling", UNKNOWN),
    refused(
        "scaling-variants-11",
        ENDPOINT,
        scaled(*(TARGET | {"variantName": f"v{i}"} for i in range(11))),
        "spec.autoscaling",
        "Too many",
        "10",
    ),
    refused(
        "scaling-variant-twice",
        ENDPOINT,
        scaled(TARGET, TARGET),
        "spec.autoscaling[1]",
        "Duplicate value",
        "AllTraffic",
    ),
    *wrong(
        "variant",
        target,
        "variantName",
        ("missing", None, REQUIRED),
        ("empty", "", *_LETTERS),
        ("64", "v" * 64, "Too long", "63"),
        ("blank", "All Traffic", *_LETTERS),
        ("underscore", "all_traffic", *_LETTERS),
        ("hyphen-last", "all-", "begin and end with a letter or digit"),
        ("number", 1, TYPE, "string"),
    ),
    *wrong(
        "minimum", target, "minCapacity", ("missing", None, REQUIRED), *NO_CAPACITIES, ("above-maximum", 11, *LARGER)
    ),
    *wrong(
        "maximum", target, "maxCapacity", ("missing", None, REQUIRED), *NO_CAPACITIES, ("0-below-minimum", 0, *LARGER)
    ),
    *wrong("aws", target, "desiredCapacity", ("desired-capacity", 5, UNKNOWN)),
    *wrong("aws", target, "resourceID", ("resource-id", "endpoint/iris/variant/AllTraffic", UNKNOWN)),
    *wrong(
        "aws", target, "scalableDimension", ("dimension", "sagemaker:variant:DesiredProvisionedConcurrency", UNKNOWN)
    ),
    *wrong("suspended", target, "suspendedState", ("flag", True, TYPE, "object"), ("list", ["in"], TYPE, "object")),
    *wrong("suspended-in", suspended, "dynamicScalingInSuspended", *_FLAGS),
    *wrong("suspended-out", suspended, "dynamicScalingOutSuspended", *_FLAGS),
    *wrong("suspended-schedules", suspended, "scheduledScalingSuspended", *_FLAGS),
    *wrong("misspelt", suspended, "dynamicScaleInSuspended", ("suspended", True, UNKNOWN)),
    *wrong(
        "policies", target, "scalingPolicies", ("object", _POLICY, UNKNOWN), ("text", ["half-busy"], TYPE, "object")
    ),
    refused(
        "scaling-policies-6",
        ENDPOINT,
        _policies(*(_tracks(f"m{i}") for i in range(6))),
        "scalingPolicies",
        "Too many",
        "5",
    ),
    refused(
        "scaling-policy-twice",
        ENDPOINT,
        target(scalingPolicies=[_POLICY, _POLICY]),
        "scalingPolicies[1]",
        "Duplicate value",
        "half-busy",
    ),
    refused(
        "scaling-policies-same-metric",
        ENDPOINT,
        _policies(_TRACKING, _TRACKING | {"targetValue": 0.9}),
        "two scalingPolicies track",
        _UTILIZATION,
        "keep one of them",
    ),
    *wrong("policy-name", policy, "policyName", *NO_NAMES),
    *wrong("aws", policy, "policyType", ("policy-type", "TargetTrackingScaling", UNKNOWN)),
    *wrong("aws", policy, "stepScalingPolicyConfiguration", ("steps", {"cooldown": 60}, UNKNOWN)),
    *wrong(
        "policy-config",
        policy,
        "targetTrackingScalingPolicyConfiguration",
        ("missing", None, REQUIRED),
        ("empty", {}, "targetValue", REQUIRED),
        ("number", 0.7, TYPE, "object"),
    ),
    *wrong(
        "metric",
        tracking,
        "predefinedMetricSpecification",
        ("missing", None, *_EXACTLY_ONE),
        ("empty", {}, "predefinedMetricType", REQUIRED),
        ("text", _UTILIZATION, TYPE, "object"),
    ),
    refused("scaling-metric-both", ENDPOINT, tracking(customizedMetricSpecification=_CUSTOMIZED), *_EXACTLY_ONE),
    *wrong(
        "target-value",
        tracking,
        "targetValue",
        ("missing", None, REQUIRED),
        ("0", 0, *_POSITIVE),
        ("negative", -0.5, *_POSITIVE),
        ("percent", 70, *_RATIO),
        ("just-above-1", 1.01, *_RATIO),
        ("tiny", 0.0009, *_THOUSANDTHS),
        ("text", "0.7", TYPE, "number"),
        ("percent-text", "70%", TYPE, "number"),
    ),
    *wrong(
        "metric-type",
        predefined,
        "predefinedMetricType",
        ("missing", None, REQUIRED),
        ("invocations", "SageMakerVariantInvocationsPerInstance", "Unsupported value", _UTILIZATION),
        ("lambda", "LambdaProvisionedConcurrencyUtilization", "Unsupported value", _UTILIZATION),
        ("casing", _UTILIZATION.lower(), "Unsupported value", _UTILIZATION),
        ("empty", "", "Unsupported value", _UTILIZATION),
    ),
    *wrong(
        "resource-label",
        predefined,
        "resourceLabel",
        ("1024", "l" * 1024, "Too long", "1023"),
        ("number", 1, TYPE, "string"),
    ),
    *wrong("cooldown-in", tracking, "scaleInCooldown", *_COOLDOWNS),
    *wrong("cooldown-out", tracking, "scaleOutCooldown", *_COOLDOWNS),
    *wrong("scale-in-off", tracking, "disableScaleIn", *_FLAGS),
    *wrong("misspelt", tracking, "scaleInCooldownSeconds", ("cooldown", 60, UNKNOWN)),
    *wrong(
        "customized-value",
        customized,
        "targetValue",
        ("0", 0, *_POSITIVE),
        ("large", 1000000001, *_THOUSANDTHS),
        ("huge", 1e300, *_THOUSANDTHS),
    ),
    *wrong(
        "metric-name",
        customized,
        "metricName",
        ("missing", None, REQUIRED),
        ("empty", "", "is empty", "write a name"),
        ("blank", "  ", "is empty", "write a name"),
        ("257", "m" * 257, "Too long", "256"),
        ("number", 1, TYPE, "string"),
    ),
    *wrong(
        "namespace",
        customized,
        "namespace",
        ("missing", None, REQUIRED),
        ("empty", "", "is empty", "AWS/SageMaker"),
        ("257", "n" * 257, "Too long", "256"),
    ),
    *wrong(
        "statistic",
        customized,
        "statistic",
        ("missing", None, REQUIRED),
        ("empty", "", "Unsupported value", "Average"),
        ("casing", "average", "Unsupported value", "Average"),
        ("percentile", "p99", "Unsupported value", "SampleCount"),
    ),
    *wrong("unit", customized, "unit", ("257", "u" * 257, "Too long", "256")),
    *wrong("aws", customized, "metrics", ("metric-math", [{"id": "m1"}], UNKNOWN)),
    *wrong(
        "dimensions",
        customized,
        "dimensions",
        ("map", {"queue": "orders"}, UNKNOWN),
        ("11", [{"name": f"d{i}", "value": "x"} for i in range(11)], "Too many", "10"),
        ("twice", [{"name": "queue", "value": v} for v in "ab"], "Duplicate value", "queue"),
    ),
    *wrong(
        "dimension",
        dimension,
        "name",
        ("name-missing", None, REQUIRED),
        ("name-empty", "", "is empty", "write a name"),
        ("name-257", "d" * 257, "Too long", "256"),
    ),
    *wrong(
        "dimension",
        dimension,
        "value",
        ("value-missing", None, REQUIRED),
        ("value-257", "v" * 257, "Too long", "256"),
        ("value-number", 1, TYPE, "string"),
    ),
)

CHANGES: Final = (
    accepted("scaling-add", ENDPOINT, endpoint(), change={"spec": policy()}),
    accepted("scaling-remove", ENDPOINT, policy(), change={"spec": {"autoscaling": None}}),
    accepted("scaling-edit-bounds", ENDPOINT, policy(), change={"spec": target(minCapacity=2, maxCapacity=20)}),
    refused("scaling-edit-bounds-crossed", ENDPOINT, policy(), *LARGER, change={"spec": target(minCapacity=20)}),
)

CASES: Final = (*GOOD, *BAD, *CHANGES)
