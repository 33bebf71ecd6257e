"""A Model's container: its image and how to run it (SageMaker's ContainerDefinition, with Kindler's additions)."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from annotated_types import Ge, Le, MaxLen

from kindler.api.base import (
    EXCLUDED,
    FORBIDDEN,
    REQUIRED,
    Arn,
    Block,
    RequiredByRule,
    Rule,
    ShortText,
    Text,
    WithoutEffect,
)

_NO_PACKAGES: Final = WithoutEffect("model packages are not looked up, image says what runs")
_NO_FILES: Final = WithoutEffect(
    "model files are not fetched yet, so the container starts without them; build them into the image", warn=True
)

_Image = Annotated[
    str,
    MaxLen(255),
    RequiredByRule(),
    Rule(
        r"self.matches('^\\S+$')",
        "image must be the name of an image without blanks, as registry.example.com/my-model:1; correct it",
    ),
]
_Environment = Annotated[
    dict[str, Text],
    MaxLen(100),
    Rule(
        "self.all(k, size(k) <= 1024 && k.matches('^[a-zA-Z_][a-zA-Z0-9_]*$'))",
        "names of environment variables may hold letters, digits and underscores, must not begin with a digit, and have"
        " at most 1024 characters; rename them",
    ),
    Rule(
        "self.map(k, size(bytes(k)) + size(bytes(self[k]))).sum() <= 32768",
        "environment is larger than 32 KiB, names and values together; shorten it, or put large values into the image",
    ),
]
_ModelDataURL = Annotated[
    Text,
    Rule(
        "self.matches('^(s3|https|http|pvc|oci)://')",
        "modelDataURL must begin with s3://, https://, http://, pvc:// or oci://; correct it",
    ),
    _NO_FILES,
]
_Mode = Annotated[
    ShortText,
    Rule(
        "self == 'SingleModel'",
        f"mode must be SingleModel: multi-model endpoints are {EXCLUDED}; remove mode, and make one Endpoint for each"
        " model",
        FORBIDDEN,
    ),
]
_ModelCacheSetting = Annotated[
    ShortText,
    Rule(
        "self in ['', 'Disabled']",
        f"multiModelConfig must stay off: multi-model endpoints are {EXCLUDED}; remove it, and make one Endpoint for"
        " each model",
        FORBIDDEN,
    ),
]
_User = Annotated[
    int,
    Le(2147483647),
    Rule(
        "self > 0",
        "runAsUser must be 1 or more: model containers never run as root (0); choose such an id, or leave it out to run"
        " as 10001",
        FORBIDDEN,
    ),
]
_Arguments = Annotated[tuple[Annotated[str, MaxLen(4096)], ...], MaxLen(64)]


def _path(field: str, example: str) -> Rule:
    """A path according to RFC 3986: activators copy it into the request line without change."""
    return Rule(
        r"self.matches('^/[-A-Za-z0-9._~!$&()*+,;=:@%/]*$')",
        f"{field} must begin with / and hold no blanks, query or fragment, as {example}; correct it",
    )


class RepositoryAuthConfig(Block):
    """SageMaker's credentials for a private registry."""

    repository_credentials_provider_arn: Arn | None = None
    """ARN of a Lambda function that gives registry credentials. Without effect here: name a Secret in
    spec.imagePullSecrets instead."""


class ImageConfig(Block):
    """Where SageMaker finds the image: in ECR or in a private registry."""

    repository_access_mode: (
        Annotated[ShortText, WithoutEffect("the node pulls the image from wherever its name points to")] | None
    ) = None
    """Platform for ECR, Vpc for a private registry. Without effect here: the node pulls the image from wherever its
    name points to."""
    repository_auth_config: (
        Annotated[
            RepositoryAuthConfig,
            WithoutEffect("credentials for the registry come from spec.imagePullSecrets", warn=True),
        ]
        | None
    ) = None
    """Credentials for a private registry. Without effect here: use spec.imagePullSecrets."""


class ModelAccessConfig(Block):
    """Consent to a model's licence."""

    accept_eula: bool | None = None
    """Whether the end-user licence of the model is accepted. Kept with modelDataSource, which is not acted on yet."""


class S3DataSource(Block):
    """A place in S3 that holds model files."""

    s3_uri: Text | None = None
    """s3://bucket/prefix of the files, or s3://bucket/key of one archive. Kept with modelDataSource, which is not acted
    on yet."""
    s3_data_type: Literal["S3Prefix", "S3Object"] | None = None
    """S3Prefix: every object below s3URI. S3Object: the one object that s3URI names."""
    compression_type: Literal["None", "Gzip"] | None = None
    """Gzip: one archive (.tar.gz), to be unpacked. None: files as they are."""
    model_access_config: ModelAccessConfig | None = None
    """Consent to a model's licence, where one is asked for."""


class ModelDataSource(Block):
    """Where model files come from."""

    s3_data_source: S3DataSource | None = None
    """The place in S3 that holds the model files. Not acted on yet: build the files into the image."""


class MultiModelConfig(Block):
    """Settings of SageMaker's multi-model endpoints, which serverless endpoints do not have."""

    model_cache_setting: _ModelCacheSetting | None = None
    """Whether a multi-model container keeps models in memory. Serverless endpoints serve one model each: only Disabled
    is accepted."""


class SecurityContext(Block):
    """Who the container runs as. Everything else of a pod's security is fixed by Kindler (Pod Security
    "restricted")."""

    run_as_user: _User = 10001
    """User id of the container, never 0 (root). Default 10001: serverless platforms run images as an arbitrary user."""
    run_as_group: Annotated[int, Ge(0), Le(2147483647)] = 0
    """Group id of the container. Default 0: files that an image makes writable for this group stay so for any user."""
    read_only_root_filesystem: bool = False
    """Whether the container's own files are read-only; /tmp (also HOME) stays writable. Default false."""


class Container(Block):
    """The container that serves the model: listens on a port, answers GET /ping and POST /invocations."""

    RULES = (
        Rule(
            "has(self.image) || has(self.modelPackageName)",
            "image is missing: a container needs one; set image, as registry.example.com/my-model:1",
            REQUIRED,
            ".image",
        ),
        Rule(
            "has(self.image) || !has(self.modelPackageName)",
            "image is missing: modelPackageName alone is not served, since model packages are not looked up; set image"
            " to the image of that package",
            REQUIRED,
            ".image",
        ),
    )

    container_hostname: Annotated[ShortText, WithoutEffect("a pod's host name is its own name")] | None = None
    """DNS host name of the container on SageMaker. Without effect here; SageMaker too ignores it for a single
    container."""
    image: _Image
    """Image of the container: registry/repository with a tag or digest. It is started with the argument `serve`,
    listens on port 8080, and answers GET /ping and POST /invocations, as on SageMaker. The digest that runs is reported
    in the Endpoint's status (deployedImages)."""
    environment: _Environment | None = None
    """Environment variables of the container: at most 100, name and value at most 1024 characters each, 32 KiB in all,
    as on SageMaker."""
    model_data_url: _ModelDataURL | None = None
    """Where the model's files (one .tar.gz) come from, to be unpacked into /opt/ml/model. Not acted on yet: build the
    files into the image."""
    model_data_source: Annotated[ModelDataSource, _NO_FILES] | None = None
    """Where the model's files come from, in SageMaker's longer form. Not acted on yet: build the files into the
    image."""
    inference_specification_name: Annotated[ShortText, _NO_PACKAGES] | None = None
    """Inference specification of the model package. Without effect here: image says what runs."""
    model_package_name: Annotated[ShortText, _NO_PACKAGES] | None = None
    """Model package (name or ARN) in SageMaker's registry. Without effect here beside image, and not enough without
    it."""
    image_config: ImageConfig | None = None
    """Whether SageMaker pulls from ECR or a private registry. Without effect here: name a Secret in
    spec.imagePullSecrets."""
    mode: _Mode | None = None
    """SingleModel, which is also what absence means. MultiModel is not available on serverless endpoints."""
    multi_model_config: MultiModelConfig | None = None
    """Settings of multi-model endpoints, which serverless endpoints do not have: only off values are accepted."""
    command: _Arguments | None = None
    """Added by Kindler: replaces the image's ENTRYPOINT. Absent: the image's own, as on SageMaker."""
    args: _Arguments = ("serve",)
    """Added by Kindler: replaces the image's CMD. Default ["serve"], as on SageMaker."""
    port: Annotated[int, Ge(1), Le(65535)] = 8080
    """Added by Kindler: the port on which the container listens. Default 8080, as on SageMaker."""
    health_path: Annotated[str, MaxLen(256), _path("healthPath", "/ping")] = "/ping"
    """Added by Kindler: the path that answers 200 to GET as soon as the model can serve. Default /ping, as on
    SageMaker."""
    invocations_path: Annotated[str, MaxLen(256), _path("invocationsPath", "/invocations")] = "/invocations"
    """Added by Kindler: the path to which requests are posted. Default /invocations, as on SageMaker."""
    drain: Literal["Connections", "Sleep"] = "Connections"
    """Added by Kindler: how a pod that must go waits for the request in it. Connections (default): it goes once no
    connection is open on its port. Sleep: for images without a shell; it stays for invocationTimeoutInSeconds."""
    security_context: SecurityContext = SecurityContext()
    """Added by Kindler: user, group and read-only files of the container. Default: user 10001, group 0, writable files;
    never root."""
