"""`spec.autoscaling[]` of an Endpoint: what Application Auto Scaling knows as scalable target, scaling policies and scheduled actions, in their words."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from annotated_types import Ge, Le, MaxLen

from kindler.api.base import Block, Kept, ListMap, ShortText

CAPACITY = Annotated[int, Ge(0), Le(200)]
COOLDOWN = Annotated[int, Ge(0), Le(3600)]

UTILIZATION = "SageMakerVariantProvisionedConcurrencyUtilization"


class SuspendedState(Block):
    """What of the scaling rests for now."""

    dynamic_scaling_in_suspended: bool = False
    """Policies do not scale in."""
    dynamic_scaling_out_suspended: bool = False
    """Policies do not scale out."""
    scheduled_scaling_suspended: bool = False
    """Scheduled actions do not act; the bounds stay as they are."""


class PredefinedMetricSpecification(Block):
    """A metric that needs no description."""

    predefined_metric_type: Literal["SageMakerVariantProvisionedConcurrencyUtilization"]
    """The only one: concurrent executions by provisioned concurrency."""
    resource_label: Annotated[Annotated[str, MaxLen(1023)], Kept("the metric needs none")] | None = None
    """Without effect here."""


class MetricDimension(Block):
    """One dimension that picks the metric."""

    name: ShortText
    """Its name."""
    value: ShortText
    """Its value."""


class CustomizedMetricSpecification(Block):
    """A metric of your own, or one of the endpoint's by its CloudWatch name."""

    metric_name: ShortText
    """Its name."""
    namespace: ShortText
    """AWS/SageMaker for this endpoint's own metrics; any other names a foreign one."""
    statistic: Literal["Average", "Minimum", "Maximum", "SampleCount", "Sum"]
    """Over one minute."""
    unit: ShortText | None = None
    """Without effect here."""
    dimensions: Annotated[tuple[MetricDimension, ...], MaxLen(10)] | None = None
    """What picks it among its like."""


class TargetTrackingScalingPolicyConfiguration(Block):
    """Keeps a metric at a value. Exactly one of the two specifications."""

    target_value: float
    """What the metric is kept at."""
    predefined_metric_specification: PredefinedMetricSpecification | None = None
    """The provisioned concurrency's utilization."""
    customized_metric_specification: CustomizedMetricSpecification | None = None
    """Another metric."""
    scale_in_cooldown: COOLDOWN = 300
    """Seconds for which the highest wish stands before the pool is made smaller."""
    scale_out_cooldown: Annotated[COOLDOWN, Kept("scaling out follows a level and does not compound")] = 300
    """Without effect here."""
    disable_scale_in: bool = False
    """The policy never scales in."""


class ScalingPolicy(Block):
    """One target tracking policy."""

    policy_name: Annotated[str, MaxLen(256)]
    """Its name."""
    target_tracking_scaling_policy_configuration: TargetTrackingScalingPolicyConfiguration
    """What it tracks."""


class ScalableTargetAction(Block):
    """The bounds that a scheduled action sets: one or both."""

    min_capacity: CAPACITY | None = None
    """The new minimum."""
    max_capacity: CAPACITY | None = None
    """The new maximum."""


class ScheduledAction(Block):
    """Sets the bounds at moments."""

    scheduled_action_name: Annotated[str, MaxLen(256)]
    """Its name."""
    schedule: Annotated[str, MaxLen(1600)]
    """at(yyyy-mm-ddThh:mm:ss), rate(value unit) or cron(fields)."""
    timezone: Annotated[str, MaxLen(64)] = "UTC"
    """For at and cron."""
    start_time: datetime | None = None
    """Not before; it also acts then."""
    end_time: datetime | None = None
    """Not after."""
    scalable_target_action: ScalableTargetAction
    """What it sets."""


class ScalableTarget(Block):
    """How the provisioned concurrency of one variant scales."""

    variant_name: Annotated[str, MaxLen(63)]
    """The variant."""
    min_capacity: CAPACITY
    """Never less provisioned concurrency."""
    max_capacity: CAPACITY
    """Never more."""
    suspended_state: SuspendedState = SuspendedState()
    """What rests."""
    scaling_policies: Annotated[tuple[ScalingPolicy, ...], ListMap("policyName"), MaxLen(5)] | None = None
    """Target tracking."""
    scheduled_actions: Annotated[tuple[ScheduledAction, ...], ListMap("scheduledActionName"), MaxLen(50)] | None = None
    """Scheduled scaling."""
