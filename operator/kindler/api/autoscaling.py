"""`spec.autoscaling[]` of an Endpoint: scalable target, scaling policies and scheduled actions.

The names are those of Application Auto Scaling:

    RegisterScalableTarget   ScalableTarget: variantName, minCapacity, maxCapacity, suspendedState
    PutScalingPolicy         … .scalingPolicies[], of type TargetTrackingScaling
    PutScheduledAction       … .scheduledActions[]

A capacity is a number of units of provisioned concurrency, as in an EndpointConfig.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from annotated_types import Ge, Le, MaxLen

from kindler.api.base import (
    FORBIDDEN,
    REQUIRED,
    Block,
    FormByRule,
    ListMap,
    Name,
    Rule,
    ShortText,
    WithoutEffect,
    name_rule,
)
from kindler.api.scheduletext import SCHEDULE_RULES, TIMESTAMP, timestamp_rule

CAPACITY = Annotated[int, Ge(0), Le(200)]
COOLDOWN = Annotated[int, Ge(0), Le(3600)]

UTILIZATION = "SageMakerVariantProvisionedConcurrencyUtilization"


def _not_blank(field: str, example: str) -> Rule:
    return Rule(r"self.matches(r'\S')", f"{field} is empty; write a name, as {example}")


def _min_not_above_max(subject: str) -> Rule:
    return Rule(
        "!has(self.minCapacity) || !has(self.maxCapacity) || self.minCapacity <= self.maxCapacity",
        f"minCapacity of {subject} is larger than its maxCapacity; lower minCapacity, or raise maxCapacity",
        field=".minCapacity",
    )


class SuspendedState(Block):
    """What of the scaling rests for now, as in RegisterScalableTarget. The bounds hold all the same."""

    dynamic_scaling_in_suspended: bool = False
    """True: policies do not scale in. Default false."""
    dynamic_scaling_out_suspended: bool = False
    """True: policies do not scale out. Default false."""
    scheduled_scaling_suspended: bool = False
    """True: scheduled actions do not act and the bounds stay as they are; what is due meanwhile is not made good.
    Default false."""


class PredefinedMetricSpecification(Block):
    """A metric that needs no description."""

    predefined_metric_type: Literal["SageMakerVariantProvisionedConcurrencyUtilization"]
    """The one there is: requests that are worked on at the same time (a one-minute average, those beyond the
    provisioned instances included), divided by the provisioned concurrency."""
    resource_label: (
        Annotated[
            Annotated[str, MaxLen(1023)],
            WithoutEffect("it names a load balancer's target group, and this metric needs none"),
        ]
        | None
    ) = None
    """Names a load balancer's target group for metrics of other services. Without effect here."""


class MetricDimension(Block):
    """One dimension that picks the metric."""

    name: Annotated[ShortText, _not_blank("name of a dimension", "queue")]
    """The dimension's name: a label of the metric, at most 256 characters, as queue."""
    value: ShortText
    """The value that the label must have, at most 256 characters, as orders."""


class CustomizedMetricSpecification(Block):
    """A metric by its name: one of this endpoint's, or a foreign one that grows and shrinks against the provisioned
    concurrency."""

    metric_name: Annotated[
        ShortText, _not_blank("metricName", "ServerlessProvisionedConcurrencyUtilization or queue_depth")
    ]
    """Name of the metric, as ServerlessProvisionedConcurrencyUtilization in AWS/SageMaker, or queue_depth elsewhere."""
    namespace: Annotated[ShortText, _not_blank("namespace", "AWS/SageMaker for a metric of this endpoint")]
    """AWS/SageMaker: a metric of this endpoint by its CloudWatch name. Any other: a metric of the cluster's external
    metrics API, or of Prometheus where the installation names one."""
    statistic: Literal["Average", "Minimum", "Maximum", "SampleCount", "Sum"]
    """What is made of the metric's values within a minute: Average, Minimum, Maximum, SampleCount or Sum."""
    unit: Annotated[ShortText, WithoutEffect("a metric is read in the unit in which it is published")] | None = None
    """CloudWatch's unit, as Count or Percent. Without effect here: a metric is read as it is published."""
    dimensions: Annotated[tuple[MetricDimension, ...], ListMap("name"), MaxLen(10)] | None = None
    """Labels that pick the metric among those of its name, at most 10. In AWS/SageMaker they may be left out: it is
    this endpoint and variant."""


class TargetTrackingScalingPolicyConfiguration(Block):
    """Keeps a metric at a value by changing the provisioned concurrency: exactly one metric, predefined or
    customized."""

    RULES = (
        Rule(
            "has(self.predefinedMetricSpecification) != has(self.customizedMetricSpecification)",
            "a policy tracks exactly one metric; set predefinedMetricSpecification or customizedMetricSpecification,"
            " and add a policy for another metric",
        ),
        Rule(
            "!has(self.predefinedMetricSpecification) || self.targetValue <= 1.0",
            f"targetValue for {UTILIZATION} is a ratio, not a percentage, and at most 1; write 0.7 for 70 %",
            field=".targetValue",
        ),
    )

    target_value: Annotated[
        float,
        Rule(
            "self > 0.0",
            "targetValue must be greater than 0, for no metric can be kept at or below it; write a positive number,"
            " as 0.7",
        ),
        Rule(
            "self <= 0.0 || (self >= 0.001 && self <= 1000000000.0)",
            "targetValue is not within 0.001 to 1000000000, and an HPA counts in thousandths; choose a metric of"
            " another unit",
        ),
    ]
    """What the metric is kept at: for the predefined metric a ratio above 0 and at most 1, as 0.7; for a customized one
    0.001 to 1000000000."""
    predefined_metric_specification: PredefinedMetricSpecification | None = None
    """The utilization of the provisioned concurrency: the metric that fits most endpoints. This, or
    customizedMetricSpecification."""
    customized_metric_specification: CustomizedMetricSpecification | None = None
    """Another metric, by its name. It must fall when provisioned concurrency is added. This, or
    predefinedMetricSpecification."""
    scale_in_cooldown: COOLDOWN = 300
    """Seconds for which the highest wanted size stands before the pool is made smaller, 0 to 3600, default 300. With
    several policies the longest counts."""
    scale_out_cooldown: Annotated[
        COOLDOWN, WithoutEffect("scaling out follows the level of the load and does not compound, so it need not wait")
    ] = 300
    """Seconds between two steps out on AWS, 0 to 3600, default 300. Without effect here: scaling out follows the load
    at once."""
    disable_scale_in: bool = False
    """True: this policy never makes the pool smaller. Default false."""


class ScalingPolicy(Block):
    """One target tracking policy, as in PutScalingPolicy."""

    policy_name: Annotated[
        str,
        MaxLen(256),
        Rule(
            r"self.matches(r'^[^\pC]+$') && self.matches(r'^\S(?:.*\S)?$')",
            "policyName must have 1 to 256 printable characters, and no blank at either end; choose such a name, as"
            " half-busy",
        ),
    ]
    """Name of the policy, unique within the entry: 1 to 256 printable characters, as half-busy. Messages and status
    name it."""
    target_tracking_scaling_policy_configuration: TargetTrackingScalingPolicyConfiguration
    """Which metric the policy tracks, at which value it keeps it, and how it scales in."""


class ScalableTargetAction(Block):
    """The bounds that a scheduled action sets: one of them or both. The other stays as it is."""

    RULES = (
        Rule(
            "has(self.minCapacity) || has(self.maxCapacity)",
            "scalableTargetAction sets nothing; give minCapacity, maxCapacity or both",
            REQUIRED,
        ),
        _min_not_above_max("a scalableTargetAction"),
    )

    min_capacity: CAPACITY | None = None
    """The minimum that holds from then on, 0 to 200; a smaller size is raised to it at once. Absent: the minimum
    stays."""
    max_capacity: CAPACITY | None = None
    """The maximum that holds from then on, 0 to 200; a larger size is lowered to it at once. Absent: the maximum
    stays."""


class ScheduledAction(Block):
    """Sets the bounds at moments, as in PutScheduledAction. They hold until another action, or until minCapacity or
    maxCapacity of the entry is edited."""

    RULES = (
        Rule(
            f"!has(self.startTime) || !has(self.endTime) || !self.startTime.matches('{TIMESTAMP}') ||"
            f" !self.endTime.matches('{TIMESTAMP}') || timestamp(self.startTime) < timestamp(self.endTime)",
            "endTime is not after startTime, so the action would never act; move one of them",
            field=".endTime",
        ),
    )

    scheduled_action_name: Annotated[
        str,
        MaxLen(256),
        Rule(
            r"self.matches(r'^[^:/|\pC]+$') && self.matches(r'^\S(?:.*\S)?$')",
            "scheduledActionName must have 1 to 256 printable characters, none of them : / or |, and no blank at either"
            " end; choose such a name, as morning",
        ),
    ]
    """Name of the action, unique within the entry: 1 to 256 printable characters without : / and |, as morning. Events
    and status name it."""
    schedule: Annotated[str, MaxLen(256), *SCHEDULE_RULES]
    """When it acts: at(2027-01-31T08:00:00) once; rate(5 minutes) again and again, from startTime, else from the
    endpoint's creation; cron(minutes hours day-of-month month day-of-week year), as cron(0 8 ? * MON-FRI *), with ? in
    one of the two day fields. At most 256 characters, and no finer than minutes."""
    timezone: Annotated[
        str,
        MaxLen(64),
        Rule(
            "self.matches('^[A-Za-z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+)*$')",
            "timezone is not the name of a time zone; write an IANA name, as UTC or Europe/Berlin, rather than an"
            " offset",
        ),
    ] = "UTC"
    """Time zone of at and cron by its IANA name, as Europe/Berlin; daylight saving is followed. Default UTC. rate needs
    none."""
    start_time: Annotated[datetime, FormByRule(40), timestamp_rule("startTime")] | None = None
    """The action does not act before this moment, and acts at it too, as 2027-01-31T08:00:00Z. Absent: no such
    bound."""
    end_time: Annotated[datetime, FormByRule(40), timestamp_rule("endTime")] | None = None
    """The action does not act after this moment, as 2027-02-28T18:00:00Z; what it set stays in force. Absent: no such
    bound."""
    scalable_target_action: ScalableTargetAction
    """Which bounds the action sets: minCapacity, maxCapacity or both."""


class ScalableTarget(Block):
    """How the provisioned concurrency of one variant scales, as in RegisterScalableTarget with its policies and
    scheduled actions."""

    RULES = (
        _min_not_above_max("the variant"),
        Rule(
            "!has(self.scalingPolicies) || self.scalingPolicies.filter(p, "
            "has(p.targetTrackingScalingPolicyConfiguration.predefinedMetricSpecification)).size() <= 1",
            f"two scalingPolicies track {UTILIZATION}, and the lower targetValue would always decide; keep one of them,"
            " with one targetValue",
            FORBIDDEN,
            ".scalingPolicies",
        ),
    )

    variant_name: Annotated[Name, name_rule("variantName")]
    """The variantName in the EndpointConfig, as AllTraffic."""
    min_capacity: CAPACITY
    """The least provisioned concurrency, 0 to 200, at most maxCapacity. 0 (an addition to SageMaker) lets an idle
    endpoint sleep."""
    max_capacity: CAPACITY
    """The most provisioned concurrency, 0 to 200. Where it is above the EndpointConfig's maxConcurrency, that bound
    holds. 0: nothing is provisioned."""
    suspended_state: SuspendedState = SuspendedState()
    """Which parts of the scaling rest for now: scaling in, scaling out, scheduled actions. Default: none."""
    scaling_policies: Annotated[tuple[ScalingPolicy, ...], ListMap("policyName"), MaxLen(5)] | None = None
    """Target tracking policies, at most 5, each of another metric. The largest size that one asks for wins. Absent: the
    size is only held within the bounds."""
    scheduled_actions: Annotated[tuple[ScheduledAction, ...], ListMap("scheduledActionName"), MaxLen(50)] | None = None
    """Scheduled actions, at most 50: each sets the minimum, the maximum or both at its moments. Of two at one moment
    the later in the list wins."""
