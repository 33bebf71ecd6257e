"""Models, valid and invalid."""

from __future__ import annotations

from typing import Any, Final

from tests.e2e.objects.case import REQUIRED, TYPE, UNKNOWN, Case, Json, accepted, refused, warned

IMAGE: Final = "registry.example.com/iris:1"
MODEL: Final = "Model"
NEVER: Final = ("is immutable", "create a new one")


def model(**container: Any) -> Json:
    """A Model's spec. It has an image unless `container` has another one, or None for no image."""
    return {"primaryContainer": {k: v for k, v in ({"image": IMAGE} | container).items() if v is not None}}


def environment(count: int, size: int) -> dict[str, str]:
    """`count` variables. The name and value of each have `size` bytes together."""
    return {f"VAR_{i:02}": "x" * (size - 6) for i in range(count)}


_TAGS: Final = [{"key": f"key-{i}", "value": "x"} for i in range(50)]
_S3: Final = {
    "s3URI": "s3://bucket/model/",
    "s3DataType": "S3Prefix",
    "compressionType": "None",
    "modelAccessConfig": {"acceptEula": True},
}
_VPC: Final = {"securityGroupIDs": ["sg-1"], "subnets": ["subnet-1"]}

GOOD: Final = (
    accepted("model-least", MODEL, model()),
    accepted("model-digest", MODEL, model(image="registry.example.com:5000/team/iris@sha256:" + "a" * 64)),
    accepted("model-image-255", MODEL, model(image="r.example.com/" + "a" * 241)),
    accepted("model-one-of-containers", MODEL, {"containers": [{"image": IMAGE}]}),
    accepted("model-containers-empty-beside", MODEL, model() | {"containers": []}),
    accepted("model-name-other", MODEL, model() | {"modelName": "Iris-Classifier-2"}),
    accepted("model-name-63", MODEL, model() | {"modelName": "a" * 63}),
    accepted("model-metadata-name-63", MODEL, model(), metadata={"name": "m" * 63}),
    accepted("model-metadata-name-dots", MODEL, model() | {"modelName": "iris"}, metadata={"name": "iris.v1"}),
    accepted("model-environment-empty", MODEL, model(environment={})),
    accepted("model-environment-100", MODEL, model(environment=environment(100, 100))),
    accepted("model-environment-32-kib", MODEL, model(environment=environment(64, 512))),
    accepted("model-environment-key-1024", MODEL, model(environment={"K" * 1024: "", "_k9": "v" * 1024})),
    accepted("model-mode-single", MODEL, model(mode="SingleModel")),
    accepted("model-multi-model-off", MODEL, model(multiModelConfig={"modelCacheSetting": "Disabled"})),
    accepted("model-multi-model-empty", MODEL, model(multiModelConfig={})),
    accepted("model-isolation-off", MODEL, model() | {"enableNetworkIsolation": False}),
    accepted("model-vpc-empty", MODEL, model() | {"vpcConfig": {}}),
    accepted("model-vpc-empty-lists", MODEL, model() | {"vpcConfig": {"securityGroupIDs": [], "subnets": []}}),
    accepted("model-command", MODEL, model(command=["/bin/server"], args=[])),
    accepted(
        "model-port-and-paths",
        MODEL,
        model(port=9000, healthPath="/v2/health/ready", invocationsPath="/v2/models/iris/infer"),
    ),
    accepted("model-drain-sleep", MODEL, model(drain="Sleep")),
    accepted(
        "model-user-1", MODEL, model(securityContext={"runAsUser": 1, "runAsGroup": 1, "readOnlyRootFilesystem": True})
    ),
    accepted(
        "model-pull-secrets",
        MODEL,
        model() | {"imagePullSecrets": [{"name": "registry"}, {"name": "registry.example.com"}]},
    ),
    accepted(
        "model-role",
        MODEL,
        model()
        | {
            "executionRoleARN": "arn:aws:iam::123456789012:role/sagemaker",
            "inferenceExecutionConfig": {"mode": "Direct"},
        },
    ),
    accepted(
        "model-package-beside-image",
        MODEL,
        model(modelPackageName="iris/1", inferenceSpecificationName="first", containerHostname="iris"),
    ),
    accepted("model-image-config", MODEL, model(imageConfig={"repositoryAccessMode": "Vpc"})),
    accepted("model-tags-50", MODEL, model() | {"tags": _TAGS}),
    accepted("model-tag-without-value", MODEL, model() | {"tags": [{"key": "team"}]}),
    accepted(
        "model-status-is-dropped",
        MODEL,
        model(),
        extra={"status": {"ackResourceMetadata": {"arn": "arn:aws:sagemaker:x", "region": "eu-west-1"}}},
    ),
    warned(
        "model-data-url-s3",
        MODEL,
        model(modelDataURL="s3://bucket/model.tar.gz"),
        "modelDataURL has no effect",
        "build them into the image",
    ),
    warned(
        "model-data-url-https",
        MODEL,
        model(modelDataURL="https://models.example.com/model.tar.gz"),
        "modelDataURL has no effect",
    ),
    warned("model-data-url-pvc", MODEL, model(modelDataURL="pvc://models/iris"), "modelDataURL has no effect"),
    warned(
        "model-data-url-oci",
        MODEL,
        model(modelDataURL="oci://registry.example.com/iris:1"),
        "modelDataURL has no effect",
    ),
    warned(
        "model-data-url-in-list",
        MODEL,
        {"containers": [{"image": IMAGE, "modelDataURL": "s3://b/m.tar.gz"}]},
        "spec.containers[].modelDataURL has no effect",
    ),
    warned("model-data-source", MODEL, model(modelDataSource={"s3DataSource": _S3}), "modelDataSource has no effect"),
    warned(
        "model-registry-credentials",
        MODEL,
        model(
            imageConfig={
                "repositoryAccessMode": "Vpc",
                "repositoryAuthConfig": {"repositoryCredentialsProviderARN": "arn:aws:lambda:x"},
            }
        ),
        "repositoryAuthConfig has no effect",
        "spec.imagePullSecrets",
    ),
)

BAD: Final = (
    refused("model-no-spec", MODEL, None, "spec", REQUIRED),
    refused(
        "model-no-container", MODEL, {}, "spec.primaryContainer", "a model needs a container", "set primaryContainer"
    ),
    refused("model-containers-empty", MODEL, {"containers": []}, "spec.primaryContainer", "a model needs a container"),
    refused("model-no-image", MODEL, model(image=None), "spec.primaryContainer.image", "image is missing", "set image"),
    refused(
        "model-no-image-in-list",
        MODEL,
        {"containers": [{}]},
        "spec.containers[0].image",
        "image is missing",
        "set image",
    ),
    refused(
        "model-package-only",
        MODEL,
        model(image=None, modelPackageName="iris/1"),
        "image is missing",
        "modelPackageName alone is not served",
        "set image",
    ),
    refused("model-image-empty", MODEL, model(image=""), "spec.primaryContainer.image", "without blanks", "correct it"),
    refused("model-image-blank", MODEL, model(image="iris 1"), "spec.primaryContainer.image", "without blanks"),
    refused("model-image-256", MODEL, model(image="a" * 256), "spec.primaryContainer.image", "Too long", "255"),
    refused("model-image-number", MODEL, model(image=7), "spec.primaryContainer.image", TYPE, "string"),
    refused(
        "model-both",
        MODEL,
        model() | {"containers": [{"image": IMAGE}]},
        "spec.containers",
        "both set",
        "remove one of the two",
    ),
    refused(
        "model-pipeline",
        MODEL,
        {"containers": [{"image": IMAGE}, {"image": IMAGE}]},
        "spec.containers",
        "pipelines are not available",
        "keep one",
    ),
    refused("model-containers-16", MODEL, {"containers": [{"image": IMAGE}] * 16}, "spec.containers", "Too many", "15"),
    refused("model-name-64", MODEL, model() | {"modelName": "a" * 64}, "spec.modelName", "Too long", "63"),
    refused("model-name-empty", MODEL, model() | {"modelName": ""}, "spec.modelName", "letters, digits and hyphens"),
    refused(
        "model-name-underscore",
        MODEL,
        model() | {"modelName": "my_model"},
        "spec.modelName",
        "letters, digits and hyphens",
        "choose such a name",
    ),
    refused(
        "model-name-hyphen-first",
        MODEL,
        model() | {"modelName": "-iris"},
        "spec.modelName",
        "begin and end with a letter or digit",
    ),
    refused(
        "model-name-hyphen-last",
        MODEL,
        model() | {"modelName": "iris-"},
        "spec.modelName",
        "begin and end with a letter or digit",
    ),
    refused(
        "model-name-blank", MODEL, model() | {"modelName": "my model"}, "spec.modelName", "letters, digits and hyphens"
    ),
    refused(
        "model-name-newline", MODEL, model() | {"modelName": "iris\n"}, "spec.modelName", "letters, digits and hyphens"
    ),
    refused(
        "model-metadata-name-64",
        MODEL,
        model(),
        "metadata.name stands in for an absent spec.modelName",
        "set spec.modelName",
        metadata={"name": "m" * 64},
    ),
    refused(
        "model-metadata-name-dots-alone",
        MODEL,
        model(),
        "metadata.name stands in",
        "set spec.modelName",
        metadata={"name": "iris.v1"},
    ),
    refused(
        "model-environment-33-kib",
        MODEL,
        model(environment=environment(66, 512)),
        "environment is larger than 32 KiB",
        "shorten it",
    ),
    refused(
        "model-environment-32-kib-and-1",
        MODEL,
        model(environment=environment(64, 512) | {"A": ""}),
        "environment is larger than 32 KiB",
    ),
    refused(
        "model-environment-101",
        MODEL,
        model(environment=environment(101, 20)),
        "spec.primaryContainer.environment",
        "Too many",
        "100",
    ),
    refused(
        "model-environment-umlauts-count-twice",
        MODEL,
        model(environment={f"V_{i}": "ä" * 1000 for i in range(17)}),
        "environment is larger than 32 KiB",
    ),
    refused(
        "model-environment-key-digit",
        MODEL,
        model(environment={"1ST": "x"}),
        "names of environment variables",
        "must not begin with a digit",
        "rename them",
    ),
    refused(
        "model-environment-key-hyphen",
        MODEL,
        model(environment={"MY-VAR": "x"}),
        "names of environment variables",
        "rename them",
    ),
    refused("model-environment-key-empty", MODEL, model(environment={"": "x"}), "names of environment variables"),
    refused(
        "model-environment-key-1025",
        MODEL,
        model(environment={"K" * 1025: "x"}),
        "names of environment variables",
        "1024",
    ),
    refused(
        "model-environment-value-1025",
        MODEL,
        model(environment={"A": "x" * 1025}),
        "spec.primaryContainer.environment.A",
        "Too long",
        "1024",
    ),
    refused(
        "model-environment-value-number",
        MODEL,
        model(environment={"WORKERS": 1}),
        "spec.primaryContainer.environment.WORKERS",
        TYPE,
        "string",
    ),
    refused(
        "model-data-url-file",
        MODEL,
        model(modelDataURL="/models/iris"),
        "spec.primaryContainer.modelDataURL",
        "must begin with s3://",
        "correct it",
    ),
    refused(
        "model-data-url-1025",
        MODEL,
        model(modelDataURL="s3://" + "x" * 1020),
        "spec.primaryContainer.modelDataURL",
        "Too long",
        "1024",
    ),
    refused(
        "model-data-source-type",
        MODEL,
        model(modelDataSource={"s3DataSource": {"s3DataType": "Prefix"}}),
        "s3DataType",
        "Unsupported value",
        "S3Prefix",
    ),
    refused(
        "model-mode-multi",
        MODEL,
        model(mode="MultiModel"),
        "spec.primaryContainer.mode",
        "multi-model endpoints are not available",
        "one Endpoint for each model",
    ),
    refused(
        "model-multi-model-on",
        MODEL,
        model(multiModelConfig={"modelCacheSetting": "Enabled"}),
        "modelCacheSetting",
        "multi-model endpoints are not available",
    ),
    refused(
        "model-isolation-on",
        MODEL,
        model() | {"enableNetworkIsolation": True},
        "spec.enableNetworkIsolation",
        "not available",
        "NetworkPolicy",
    ),
    refused("model-vpc", MODEL, model() | {"vpcConfig": _VPC}, "spec.vpcConfig", "not available", "NetworkPolicy"),
    refused(
        "model-vpc-subnet-only",
        MODEL,
        model() | {"vpcConfig": {"subnets": ["subnet-1"]}},
        "spec.vpcConfig",
        "not available",
    ),
    refused(
        "model-root",
        MODEL,
        model(securityContext={"runAsUser": 0}),
        "securityContext.runAsUser",
        "never run as root",
        "choose such an id",
    ),
    refused(
        "model-user-negative",
        MODEL,
        model(securityContext={"runAsUser": -1}),
        "securityContext.runAsUser",
        "must be 1 or more",
    ),
    refused(
        "model-user-name",
        MODEL,
        model(securityContext={"runAsUser": "root"}),
        "securityContext.runAsUser",
        TYPE,
        "integer",
    ),
    refused(
        "model-privileged", MODEL, model(securityContext={"privileged": True}), UNKNOWN, "securityContext.privileged"
    ),
    refused(
        "model-capabilities",
        MODEL,
        model(securityContext={"capabilities": {"add": ["NET_ADMIN"]}}),
        UNKNOWN,
        "securityContext.capabilities",
    ),
    refused("model-port-0", MODEL, model(port=0), "spec.primaryContainer.port", "greater than or equal to 1"),
    refused("model-port-65536", MODEL, model(port=65536), "spec.primaryContainer.port", "less than or equal to 65535"),
    refused("model-port-text", MODEL, model(port="8080"), "spec.primaryContainer.port", TYPE, "integer"),
    refused(
        "model-health-path-relative",
        MODEL,
        model(healthPath="ping"),
        "spec.primaryContainer.healthPath",
        "must begin with /",
        "correct it",
    ),
    refused(
        "model-health-path-query",
        MODEL,
        model(healthPath="/ping?deep=1"),
        "spec.primaryContainer.healthPath",
        "no blanks, query or fragment",
    ),
    refused(
        "model-invocations-path-blank",
        MODEL,
        model(invocationsPath="/in vocations"),
        "spec.primaryContainer.invocationsPath",
        "no blanks",
    ),
    refused(
        "model-invocations-path-newline",
        MODEL,
        model(invocationsPath="/i\r\nX: y"),
        "spec.primaryContainer.invocationsPath",
        "no blanks",
    ),
    refused(
        "model-drain-other",
        MODEL,
        model(drain="None"),
        "spec.primaryContainer.drain",
        "Unsupported value",
        "Connections",
    ),
    refused("model-args-text", MODEL, model(args="serve"), "spec.primaryContainer.args", TYPE, "array"),
    refused(
        "model-pull-secret-twice",
        MODEL,
        model() | {"imagePullSecrets": [{"name": "a"}, {"name": "a"}]},
        "spec.imagePullSecrets[1]",
        "Duplicate value",
    ),
    refused(
        "model-pull-secret-unnamed",
        MODEL,
        model() | {"imagePullSecrets": [{}]},
        "spec.imagePullSecrets[0].name",
        REQUIRED,
    ),
    refused("model-tags-51", MODEL, model() | {"tags": [*_TAGS, {"key": "one-more"}]}, "spec.tags", "Too many", "50"),
    refused(
        "model-tag-key-129", MODEL, model() | {"tags": [{"key": "k" * 129}]}, "spec.tags[0].key", "Too long", "128"
    ),
    refused("model-tag-without-key", MODEL, model() | {"tags": [{"value": "x"}]}, "spec.tags[0].key", REQUIRED),
    refused("model-tags-map", MODEL, model() | {"tags": {"team": "x"}}, UNKNOWN, "spec.tags.team"),
    refused("model-unknown-field", MODEL, model() | {"modelname": "iris"}, UNKNOWN, "spec.modelname"),
    refused("model-unknown-in-container", MODEL, model(env={"A": "x"}), UNKNOWN, "spec.primaryContainer.env"),
    refused(
        "model-unknown-casing",
        MODEL,
        model(modelDataUrl="s3://b/m.tar.gz"),
        UNKNOWN,
        "spec.primaryContainer.modelDataUrl",
    ),
    refused(
        "model-resources",
        MODEL,
        model(resources={"limits": {"nvidia.com/gpu": 1}}),
        UNKNOWN,
        "spec.primaryContainer.resources",
    ),
)

_FULL: Final = model(environment={"A": "x"}) | {
    "executionRoleARN": "arn:aws:iam::123456789012:role/a",
    "tags": [{"key": "team", "value": "a"}],
}


def _edit(name: str, change: Json, *words: str) -> Case:
    return refused(name, MODEL, _FULL, *words, *NEVER, change={"spec": change})


CHANGES: Final = (
    accepted(
        "model-edit-tag", MODEL, _FULL, change={"spec": {"tags": [{"key": "team", "value": "b"}, {"key": "more"}]}}
    ),
    accepted("model-remove-tags", MODEL, _FULL, change={"spec": {"tags": None}}),
    accepted("model-edit-label", MODEL, _FULL, change={"metadata": {"labels": {"a": "b"}}}),
    accepted(
        "model-say-a-default", MODEL, _FULL, change={"spec": {"primaryContainer": {"port": 8080, "args": ["serve"]}}}
    ),
    _edit("model-edit-image", {"primaryContainer": {"image": "registry.example.com/iris:2"}}, "spec.primaryContainer"),
    _edit("model-edit-environment", {"primaryContainer": {"environment": {"A": "y"}}}, "spec.primaryContainer"),
    _edit(
        "model-edit-to-containers",
        {"primaryContainer": None, "containers": [{"image": IMAGE}]},
        "spec.primaryContainer",
        "spec.containers",
    ),
    _edit("model-add-name", {"modelName": "other"}, "spec.modelName"),
    _edit("model-remove-role", {"executionRoleARN": None}, "spec.executionRoleARN"),
    _edit("model-add-pull-secret", {"imagePullSecrets": [{"name": "registry"}]}, "spec.imagePullSecrets"),
    refused("model-remove-spec", MODEL, _FULL, "spec", REQUIRED, change={"spec": None}),
    refused("model-edit-unknown", MODEL, _FULL, UNKNOWN, "spec.colour", change={"spec": {"colour": "red"}}),
)

CASES: Final = (*GOOD, *BAD, *CHANGES)
