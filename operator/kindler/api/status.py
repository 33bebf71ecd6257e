"""The schema of `status`. It must contain every field that the controller writes: the API server drops unknown fields.

Only the schema is here. The controller builds the values; kindler.api.route and kindler.api.conditions convert routes
and conditions to JSON.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from annotated_types import MaxLen

from kindler.api.autoscalingstatus import ScalableTargetStatuses, ScalingActivities
from kindler.api.base import Block, ListMap


class ConditionStatus(Block):
    """One condition, as Kubernetes writes them."""

    type: str
    """What it is about: Ready, Available, Reconciling, Stalled, ScalingActive."""
    status: Literal["True", "False", "Unknown"]
    """Whether it holds: True, False or Unknown."""
    observed_generation: int | None = None
    """The metadata.generation that this condition speaks of; older than the object's own: not yet looked at."""
    last_transition_time: datetime
    """When status last changed."""
    reason: str
    """Why, in one word for programs."""
    message: str
    """Why, in a sentence for people, with what to do."""


class ACKResourceMetadata(Block):
    """What AWS's controller (ACK) wrote. Kindler neither reads nor writes it; here so that stored ACK manifests
    apply."""

    arn: str | None = None
    """The object's ARN on AWS."""
    owner_account_id: str | None = None
    """The AWS account of the object."""
    partition: str | None = None
    """The AWS partition of the object."""
    region: str | None = None
    """The AWS region of the object."""


class IgnoredFieldStatus(Block):
    """Something in the object that has no effect."""

    field: str
    """Its path, as spec.productionVariants[0].instanceType."""
    reason: str
    """Why it has none, and what has."""


class UsedBy(Block):
    """Who refers to this object now."""

    count: int
    """How many."""
    first: Annotated[tuple[str, ...], MaxLen(10)] | None = None
    """The first ten, by metadata.name."""


class SharedStatus(Block):
    """What all three kinds answer."""

    observed_generation: int | None = None
    """The metadata.generation that this status speaks of; -1: not yet looked at."""
    conditions: Annotated[tuple[ConditionStatus, ...], ListMap("type")] | None = None
    """Ready (the present spec is in effect), Available (an Endpoint answers requests), with spec.autoscaling
    ScalingActive (provisioned concurrency follows its metrics and schedules), and, only while true, Reconciling and
    Stalled."""
    ignored_fields: tuple[IgnoredFieldStatus, ...] | None = None
    """Added by Kindler: fields and annotations of this object that have no effect, each with the reason."""
    ack_resource_metadata: ACKResourceMetadata | None = None
    """What AWS's controller (ACK) wrote; without meaning here."""


class ModelStatus(SharedStatus):
    """What Kindler says of the Model."""

    used_by: UsedBy | None = None
    """Added by Kindler: EndpointConfigs that name this Model."""


class EndpointConfigStatus(SharedStatus):
    """What Kindler says of the EndpointConfig."""

    used_by: UsedBy | None = None
    """Added by Kindler: Endpoints that name this EndpointConfig."""


class DeployedImage(Block):
    """An image as written and as it runs."""

    specified_image: str | None = None
    """The image as the Model names it."""
    resolved_image: str | None = None
    """The image with the digest that runs, as registry/repository@sha256:…; absent where the node reports none."""
    resolution_time: datetime | None = None
    """When the digest was found."""


class ServerlessConfigStatus(Block):
    """Size and concurrency, as in an EndpointConfig."""

    memory_size_in_mb: int | None = None
    """Memory of each instance."""
    max_concurrency: int | None = None
    """The most requests at the same time."""
    provisioned_concurrency: int | None = None
    """Requests for which instances are kept ready."""
    max_concurrency_per_instance: int | None = None
    """Requests at the same time in one instance."""
    idle_timeout_in_seconds: int | None = None
    """After how long without a request an on-demand instance goes."""
    invocation_timeout_in_seconds: int | None = None
    """How long the model may take for a request."""


class VariantStatus(Block):
    """What is going on with a variant."""

    status: str | None = None
    """Creating, Updating, Deleting, ActivatingTraffic or Baking."""
    status_message: str | None = None
    """What is going on, in a sentence."""
    start_time: datetime | None = None
    """Since when."""


class ProductionVariantStatus(Block):
    """A variant as it serves, or as it will."""

    variant_name: str
    """The variant's name."""
    deployed_images: tuple[DeployedImage, ...] | None = None
    """The image of the variant, as written and as it runs."""
    current_weight: float | None = None
    """Share of the requests now: always 1 with one variant."""
    desired_weight: float | None = None
    """Share of the requests as wished."""
    current_serverless_config: ServerlessConfigStatus | None = None
    """Size and concurrency in effect."""
    desired_serverless_config: ServerlessConfigStatus | None = None
    """Size and concurrency as wished."""
    current_instance_count: int | None = None
    """Pods that there are now, provisioned and on demand; 0 while the endpoint sleeps."""
    desired_instance_count: int | None = None
    """Pods as wished."""
    warm_instance_count: int | None = None
    """Added by Kindler: pods of the provisioned pool."""
    demand_instance_count: int | None = None
    """Added by Kindler: pods on demand."""
    variant_status: tuple[VariantStatus, ...] | None = None
    """What is going on with the variant; absent when nothing is."""


class PendingDeploymentSummary(Block):
    """The configuration on its way into service."""

    endpoint_config_name: str | None = None
    """The EndpointConfig that is being brought up."""
    production_variants: tuple[ProductionVariantStatus, ...] | None = None
    """Its variant, as far as it is up."""
    start_time: datetime | None = None
    """When it began."""


class Pools(Block):
    """ReplicaSets of the serving revision."""

    demand: str
    """The ReplicaSet that the activator sizes."""
    warm: str | None = None
    """The ReplicaSet of provisioned concurrency; absent without."""


class RouteStatus(Block):
    """What activators serve for this endpoint; moving it is the switch of an update."""

    variant_name: str
    """The variant that answers."""
    revision: str
    """The revision (hash of what shapes a pod) that answers."""
    pools: Pools
    """The ReplicaSets with the revision's pods."""
    max_concurrency: int
    """The most requests at the same time."""
    max_concurrency_per_instance: int
    """Requests at the same time in one pod."""
    provisioned_concurrency: int
    """Requests for which pods are kept ready; 0 without."""
    memory_size_in_mb: int
    """Memory of each pod."""
    idle_timeout_in_seconds: int
    """After how long without a request an on-demand pod goes."""
    invocation_timeout_in_seconds: int
    """How long the model may take for a request."""
    startup_timeout_in_seconds: int
    """How long a pod may take to its first good ping."""
    port: int
    """The port of the container."""
    health_path: str
    """The path of the ping."""
    invocations_path: str
    """The path of invocations."""


class EndpointStatus(SharedStatus):
    """What Kindler says of the Endpoint: the words of SageMaker's DescribeEndpoint, and what is added."""

    endpoint_status: str | None = None
    """SageMaker's word: Creating, Updating, InService (also while asleep at zero), Failed, Deleting, OutOfService."""
    failure_reason: str | None = None
    """Why the creation or the last update failed, and what to do; cleared once it works."""
    endpoint_config_name: str | None = None
    """The EndpointConfig that serves now; after a failed update the old one."""
    failed_revision: str | None = None
    """Added by Kindler: the revision that failed, so that a restarted controller neither forgets nor repeats it."""
    production_variants: tuple[ProductionVariantStatus, ...] | None = None
    """The variant that serves now: image, size, pods. Counts are written at most every 10 seconds."""
    pending_deployment_summary: PendingDeploymentSummary | None = None
    """The configuration on its way into service, while the endpoint is created or updated."""
    route: RouteStatus | None = None
    """Added by Kindler: what activators serve for this endpoint."""
    autoscaling: ScalableTargetStatuses | None = None
    """Added by Kindler: for each entry of spec.autoscaling the bounds in force, the size, and which scheduled action
    acted last and acts next."""
    scaling_activities: ScalingActivities | None = None
    """Added by Kindler: the last ten changes of the desired provisioned concurrency with their causes, the latest
    first."""
    url: str | None = None
    """Added by Kindler: where a client in the cluster posts requests."""
    creation_time: datetime | None = None
    """When the endpoint was created."""
    last_modified_time: datetime | None = None
    """When the endpoint was last changed: created, updated, or an update failed."""
