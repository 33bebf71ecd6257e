"""`Endpoint`: what clients call (SageMaker's CreateEndpoint). Changing endpointConfigName is UpdateEndpoint."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge, Le, MaxLen

from kindler.api.autoscaling import ScalableTarget
from kindler.api.base import Block, ListMap, Name, ShortText, Tags, WithoutEffect, name_rule

_SECONDS = Annotated[int, Ge(0), Le(28800)]
_GUARDRAILS = "an update always goes all at once, with the old configuration kept until the new one serves"


class CapacitySize(Block):
    """A part of an endpoint's capacity."""

    type_: ShortText | None = None
    """INSTANCE_COUNT or CAPACITY_PERCENT. Without effect here."""
    value: Annotated[int, Ge(0), Le(1_000_000)] | None = None
    """The number or percentage. Without effect here."""


class Alarm(Block):
    """A CloudWatch alarm."""

    alarm_name: ShortText | None = None
    """Name of the alarm. Without effect here: alarms are not read."""


class AutoRollbackConfiguration(Block):
    """Alarms that make SageMaker roll an update back."""

    alarms: Annotated[tuple[Alarm, ...], MaxLen(10)] | None = None
    """The alarms. Without effect here: an update that does not come up leaves the old configuration in service."""


class TrafficRoutingConfiguration(Block):
    """How SageMaker moves traffic to the new fleet."""

    type_: ShortText | None = None
    """ALL_AT_ONCE, CANARY or LINEAR. Without effect: serverless endpoints move all at once."""
    wait_interval_in_seconds: _SECONDS | None = None
    """Time between the steps. Without effect here."""
    canary_size: CapacitySize | None = None
    """Size of the first step of CANARY. Without effect here."""
    linear_step_size: CapacitySize | None = None
    """Size of each step of LINEAR. Without effect here."""


class BlueGreenUpdatePolicy(Block):
    """SageMaker's blue/green update."""

    maximum_execution_timeout_in_seconds: _SECONDS | None = None
    """How long the update may take. Without effect here."""
    termination_wait_in_seconds: _SECONDS | None = None
    """How long the old fleet stays. Without effect here: old pods go as soon as they have no request."""
    traffic_routing_configuration: TrafficRoutingConfiguration | None = None
    """How traffic moves. Without effect: serverless endpoints move all at once."""


class RollingUpdatePolicy(Block):
    """SageMaker's rolling update."""

    maximum_batch_size: CapacitySize | None = None
    """Size of each step. Without effect here."""
    rollback_maximum_batch_size: CapacitySize | None = None
    """Size of each step back. Without effect here."""
    wait_interval_in_seconds: _SECONDS | None = None
    """Time between the steps. Without effect here."""
    maximum_execution_timeout_in_seconds: _SECONDS | None = None
    """How long the update may take. Without effect here."""


class DeploymentConfig(Block):
    """SageMaker's deployment guardrails, which serverless endpoints do not have."""

    auto_rollback_configuration: AutoRollbackConfiguration | None = None
    """Alarms that roll an update back. Without effect here."""
    blue_green_update_policy: BlueGreenUpdatePolicy | None = None
    """Blue/green update in steps. Without effect here."""
    rolling_update_policy: RollingUpdatePolicy | None = None
    """Rolling update in steps. Without effect here."""


class EndpointSpec(Block):
    """An address that serves one EndpointConfig."""

    endpoint_name: Annotated[Name, name_rule("endpointName")] | None = None
    """SageMaker's name of the endpoint, by which clients invoke it. Unique in the namespace whatever its case; absent
    means metadata.name. Immutable."""
    endpoint_config_name: Annotated[Name, name_rule("endpointConfigName")]
    """The endpointConfigName (else metadata.name) of an EndpointConfig in this namespace: what this endpoint serves.
    Change it to update the endpoint (SageMaker's UpdateEndpoint): the old configuration serves until the new one is
    ready. It may be created later: the Endpoint then waits for it."""
    deployment_config: Annotated[DeploymentConfig, WithoutEffect(_GUARDRAILS, warn=True)] | None = None
    """Canary, linear and rolling updates with alarms. Without effect: serverless endpoints update all at once."""
    autoscaling: Annotated[tuple[ScalableTarget, ...], ListMap("variantName"), MaxLen(10)] | None = None
    """Added by Kindler: provisioned concurrency that scales itself, by target metrics and schedules, in the words of
    Application Auto Scaling."""
    tags: Tags | None = None
    """Keys and values for your own use: stored, and not interpreted. May be changed at any time; at most 50."""

    def name(self, metadata_name: str) -> str:
        """SageMaker's name: endpointName, else metadata.name."""
        return self.endpoint_name or metadata_name
