"""`Model`: an image and how to run it (SageMaker's CreateModel). Immutable except for its tags."""

from __future__ import annotations

from typing import Annotated

from annotated_types import MaxLen, MinLen

from kindler.api.base import (
    EXCLUDED,
    FORBIDDEN,
    NETWORK_ISOLATION_RULE,
    REQUIRED,
    Arn,
    Block,
    ListMap,
    Name,
    Rule,
    ShortText,
    Tags,
    VPCConfig,
    WithoutEffect,
    name_rule,
)
from kindler.api.container import Container


class InferenceExecutionConfig(Block):
    """How SageMaker calls the containers of a multi-container model."""

    mode: ShortText | None = None
    """Serial or Direct. Without effect: a serverless model has one container."""


class ImagePullSecret(Block):
    """A reference to a Secret with registry credentials."""

    name: Annotated[str, MinLen(1), MaxLen(253)]
    """Name of a Secret of type kubernetes.io/dockerconfigjson in the Model's namespace."""


class ModelSpec(Block):
    """What runs: one container. Immutable but for tags: create a new Model for a change, and a new EndpointConfig that
    names it."""

    RULES = (
        Rule(
            "!(has(self.primaryContainer) && has(self.containers) && size(self.containers) > 0)",
            "primaryContainer and containers are both set, but a model has one container; remove one of the two",
            FORBIDDEN,
            ".containers",
        ),
        Rule(
            "has(self.primaryContainer) || (has(self.containers) && size(self.containers) > 0)",
            "primaryContainer is missing: a model needs a container; set primaryContainer with an image",
            REQUIRED,
            ".primaryContainer",
        ),
        Rule(
            "!has(self.containers) || size(self.containers) <= 1",
            f"containers holds more than one container: inference pipelines are {EXCLUDED}; keep one, and make a Model"
            " for each other",
            FORBIDDEN,
            ".containers",
        ),
    )

    model_name: Annotated[Name, name_rule("modelName")] | None = None
    """SageMaker's name of the model, by which an EndpointConfig refers to it. Unique in the namespace; absent means
    metadata.name. Immutable."""
    primary_container: Container | None = None
    """The container that serves the model. Set this, or containers with one item."""
    containers: Annotated[tuple[Container, ...], MaxLen(15)] | None = None
    """SageMaker's other spelling of primaryContainer: a list with exactly one container. More would be an inference
    pipeline, which serverless endpoints do not have."""
    image_pull_secrets: Annotated[tuple[ImagePullSecret, ...], MaxLen(16), ListMap("name")] | None = None
    """Added by Kindler: Secrets in the Model's namespace with credentials for the registry of the image."""
    enable_network_isolation: Annotated[bool, NETWORK_ISOLATION_RULE] | None = None
    """Cuts the container off the network. Not available on serverless endpoints: only false is accepted. A
    NetworkPolicy can limit traffic."""
    vpc_config: VPCConfig | None = None
    """Subnets and security groups. Not available on serverless endpoints: only empty lists are accepted."""
    execution_role_arn: Annotated[Arn, WithoutEffect("pods run without an AWS role")] | None = None
    """The AWS role of the model. Without effect here: pods get no AWS credentials from Kindler."""
    inference_execution_config: (
        Annotated[InferenceExecutionConfig, WithoutEffect("a serverless model has one container")] | None
    ) = None
    """How SageMaker calls several containers. Without effect: there is one."""
    tags: Tags | None = None
    """Keys and values for your own use: stored, and not interpreted. May be changed at any time; at most 50."""

    @property
    def container(self) -> Container:
        """The one container, from either field. Raises ValueError without one (the API server rejects such a Model)."""
        container = self.primary_container or next(iter(self.containers or ()), None)
        if container is None:
            raise ValueError("the Model has no container: set spec.primaryContainer")
        return container

    def name(self, metadata_name: str) -> str:
        """SageMaker's name: modelName, else metadata.name."""
        return self.model_name or metadata_name
