"""`EndpointConfig`: how a model is served (SageMaker's CreateEndpointConfig). Immutable except for its tags."""

from __future__ import annotations

from typing import Annotated, Literal

from annotated_types import Ge, Le, MaxLen

from kindler.api.base import (
    EXCLUDED,
    FORBIDDEN,
    NETWORK_ISOLATION_RULE,
    REQUIRED,
    Arn,
    Block,
    ListMap,
    Name,
    RequiredByRule,
    Rule,
    ShortText,
    Tags,
    Text,
    VPCConfig,
    WithoutEffect,
    name_rule,
)
from kindler.api.excluded import AsyncInferenceConfig, DataCaptureConfig

_SIZED = "serverlessConfig sizes the pods, there are no instances to choose"
_COUNT = Annotated[int, Ge(0), Le(1_000_000)]
_CONCURRENCY = Annotated[int, Ge(1), Le(200)]


class ServerlessConfig(Block):
    """Size and concurrency of a serverless variant."""

    RULES = (
        Rule(
            "!has(self.provisionedConcurrency) || self.provisionedConcurrency <= self.maxConcurrency",
            "provisionedConcurrency is larger than maxConcurrency, so a part of it could never be used; lower it, or"
            " raise maxConcurrency",
            field=".provisionedConcurrency",
        ),
        Rule(
            "!has(self.maxConcurrencyPerInstance) || self.maxConcurrencyPerInstance <= self.maxConcurrency",
            "maxConcurrencyPerInstance is larger than maxConcurrency, so an instance could never take that many; lower"
            " it, or raise maxConcurrency",
            field=".maxConcurrencyPerInstance",
        ),
    )

    memory_size_in_mb: Literal[1024, 2048, 3072, 4096, 5120, 6144]
    """Memory of each instance (pod): 1024, 2048, 3072, 4096, 5120 or 6144, each MB a MiB of the pod's limit. CPU comes
    in proportion."""
    max_concurrency: _CONCURRENCY
    """The most requests that the endpoint works on at the same time, 1 to 200. What comes above it is throttled at
    once, never queued."""
    provisioned_concurrency: _CONCURRENCY | None = None
    """Requests for which instances are kept ready all the time, 1 to maxConcurrency. Absent: none, the endpoint sleeps
    at zero and wakes on demand."""
    max_concurrency_per_instance: _CONCURRENCY = 1
    """Added by Kindler: requests that one instance (pod) works on at the same time. Default 1, as on SageMaker; more
    only if the server in the image works in parallel."""
    idle_timeout_in_seconds: Annotated[int, Ge(1), Le(86400)] = 300
    """Added by Kindler: an on-demand instance that had no request for this long goes, the last one too. 1 to 86400,
    default 300."""
    invocation_timeout_in_seconds: Annotated[int, Ge(1), Le(3600)] = 60
    """Added by Kindler: how long the model may take to answer a request before it is given up. 1 to 3600, default 60 as
    on SageMaker."""


class CoreDumpConfig(Block):
    """Where SageMaker puts core dumps of a crashed container."""

    destination_s3_uri: Text | None = None
    """The place in S3 for core dumps. Without effect here."""
    kms_key_id: Arn | None = None
    """The key with which core dumps are encrypted. Without effect here."""


class ManagedInstanceScaling(Block):
    """Bounds for SageMaker's scaling of instances."""

    status: ShortText | None = None
    """ENABLED or DISABLED: whether SageMaker scales the instances. Without effect here."""
    min_instance_count: _COUNT | None = None
    """Lower bound of the number of instances. Without effect here: see serverlessConfig.provisionedConcurrency."""
    max_instance_count: _COUNT | None = None
    """Upper bound of the number of instances. Without effect here: see serverlessConfig.maxConcurrency."""


class RoutingConfig(Block):
    """How SageMaker spreads requests over instances."""

    routing_strategy: ShortText | None = None
    """LEAST_OUTSTANDING_REQUESTS or RANDOM. Without effect here: a request goes to the most recently used instance that
    has room."""


class CapacityReservationConfig(Block):
    """Reserved machine learning capacity on AWS."""

    capacity_reservation_preference: ShortText | None = None
    """Whether only reserved capacity may be used. Without effect here."""
    ml_reservation_arn: Arn | None = None
    """The reservation. Without effect here."""


class ProductionVariant(Block):
    """A model and how it is served. A serverless endpoint has exactly one."""

    RULES = (
        Rule(
            "has(self.serverlessConfig)",
            "serverlessConfig is missing: instance-based variants are not served; set serverlessConfig with"
            " memorySizeInMB and maxConcurrency",
            REQUIRED,
            ".serverlessConfig",
        ),
    )

    variant_name: Annotated[Name, name_rule("variantName")]
    """The variant's name, as AllTraffic: metrics and the answer's x-Amzn-Invoked-Production-Variant header carry it."""
    model_name: Annotated[Name, name_rule("modelName")]
    """The modelName (else metadata.name) of a Model in this namespace. It may be created later: the Endpoint then waits
    for it."""
    initial_variant_weight: Annotated[float, Ge(0), WithoutEffect("with one variant all requests go to it")] = 1
    """Share of the requests that the variant gets. Without effect: a serverless endpoint has one variant, which gets
    all."""
    serverless_config: Annotated[ServerlessConfig, RequiredByRule()]
    """Memory and concurrency of the variant. Needed: instance-based variants are not served."""
    model_data_download_timeout_in_seconds: Annotated[int, Ge(60), Le(3600)] = 180
    """How long fetching the model's files may take, 60 to 3600. Default 180, SageMaker's limit for serverless
    endpoints."""
    container_startup_health_check_timeout_in_seconds: Annotated[int, Ge(60), Le(3600)] = 180
    """How long a container may take from its start to its first good answer to /ping, 60 to 3600. Default 180,
    SageMaker's limit for serverless endpoints."""
    initial_instance_count: Annotated[_COUNT, WithoutEffect(_SIZED)] | None = None
    """Number of instances of an instance-based variant. Without effect here: see serverlessConfig."""
    instance_type: Annotated[ShortText, WithoutEffect(_SIZED, warn=True)] | None = None
    """Machine type of an instance-based variant. Without effect here: serverlessConfig.memorySizeInMB sizes the
    pods."""
    accelerator_type: Annotated[ShortText, WithoutEffect("pods have no accelerators", warn=True)] | None = None
    """Elastic Inference accelerator. Without effect here: the pods have none."""
    volume_size_in_gb: (
        Annotated[_COUNT, WithoutEffect("a serverless instance has 5 GB of ephemeral storage")] | None
    ) = None
    """Size of an instance's volume. Without effect: a serverless instance has 5 GB of ephemeral storage, as on
    SageMaker."""
    enable_ssm_access: Annotated[bool, WithoutEffect("there is no instance to log in to; use kubectl")] | None = None
    """Whether instances can be reached with AWS Systems Manager. Without effect here: use kubectl logs and kubectl
    debug."""
    core_dump_config: Annotated[CoreDumpConfig, WithoutEffect("core dumps are not stored")] | None = None
    """Where core dumps go. Without effect here: none are stored."""
    managed_instance_scaling: (
        Annotated[
            ManagedInstanceScaling,
            WithoutEffect("serverlessConfig bounds the pods, by maxConcurrency and provisionedConcurrency", warn=True),
        ]
        | None
    ) = None
    """Bounds for SageMaker's scaling of instances. Without effect here: see serverlessConfig."""
    routing_config: (
        Annotated[RoutingConfig, WithoutEffect("a request goes to the most recently used pod that has room")] | None
    ) = None
    """How requests are spread over instances. Without effect here: the most recently used instance that has room gets
    it."""
    capacity_reservation_config: (
        Annotated[CapacityReservationConfig, WithoutEffect("there are no instances to reserve")] | None
    ) = None
    """Reserved capacity on AWS. Without effect here."""


class EndpointConfigSpec(Block):
    """How a model is served: one variant with its memory and concurrency. Immutable but for tags: create a new
    EndpointConfig for a change, and name it in the Endpoint."""

    RULES = (
        Rule(
            "!has(self.asyncInferenceConfig)",
            f"asynchronous inference is {EXCLUDED}; remove asyncInferenceConfig",
            FORBIDDEN,
            ".asyncInferenceConfig",
        ),
    )

    endpoint_config_name: Annotated[Name, name_rule("endpointConfigName")] | None = None
    """SageMaker's name of the configuration, by which an Endpoint refers to it. Unique in the namespace; absent means
    metadata.name. Immutable."""
    production_variants: Annotated[
        tuple[ProductionVariant, ...],
        MaxLen(10),
        ListMap("variantName"),
        Rule(
            "size(self) > 0",
            "productionVariants is empty: an endpoint needs a variant; add one with variantName, modelName and"
            " serverlessConfig",
            REQUIRED,
        ),
        Rule(
            "size(self) <= 1",
            f"productionVariants holds more than one variant: several variants are {EXCLUDED}; keep one, and make an"
            " EndpointConfig for each other",
            FORBIDDEN,
        ),
    ]
    """The model that is served and how. Exactly one variant, with serverlessConfig: serverless endpoints do not split
    traffic."""
    data_capture_config: DataCaptureConfig | None = None
    """Capture of requests and answers to S3. Not available on serverless endpoints: only enableCapture false is
    accepted."""
    async_inference_config: AsyncInferenceConfig | None = None
    """Asynchronous inference. Not available on serverless endpoints: must be absent."""
    enable_network_isolation: Annotated[bool, NETWORK_ISOLATION_RULE] | None = None
    """Cuts the container off the network. Not available on serverless endpoints: only false is accepted. A
    NetworkPolicy can limit traffic."""
    vpc_config: VPCConfig | None = None
    """Subnets and security groups. Not available on serverless endpoints: only empty lists are accepted."""
    kms_key_id: (
        Annotated[
            Arn, WithoutEffect("storage is encrypted as the cluster's nodes are set up, not with this key", warn=True)
        ]
        | None
    ) = None
    """The key with which SageMaker encrypts storage. Without effect here: encryption of disks is the cluster's own."""
    execution_role_arn: Annotated[Arn, WithoutEffect("pods run without an AWS role")] | None = None
    """The AWS role of the endpoint. Without effect here: pods get no AWS credentials from Kindler."""
    tags: Tags | None = None
    """Keys and values for your own use: stored, and not interpreted. May be changed at any time; at most 50."""

    @property
    def variant(self) -> ProductionVariant:
        """The one production variant. Raises ValueError without one (the API server rejects such an EndpointConfig)."""
        if not self.production_variants:
            raise ValueError("the EndpointConfig has no variant: set spec.productionVariants")
        return self.production_variants[0]

    def name(self, metadata_name: str) -> str:
        """SageMaker's name: endpointConfigName, else metadata.name."""
        return self.endpoint_config_name or metadata_name
