"""EndpointConfigs, valid and invalid."""

from __future__ import annotations

from typing import Any, Final

from tests.e2e.objects.case import REQUIRED, TYPE, UNKNOWN, Case, Json, accepted, refused, warned

CONFIG: Final = "EndpointConfig"
NEVER: Final = ("is immutable", "create a new one")
_S = "spec.productionVariants[0].serverlessConfig"
_V = "spec.productionVariants[0]"


def _without_none(value: Json) -> Json:
    return {k: v for k, v in value.items() if v is not None}


def variant(serverless: Json | None = None, **more: Any) -> Json:
    """A variant. A field with the value None is left out."""
    config = _without_none({"memorySizeInMB": 2048, "maxConcurrency": 10} | (serverless or {}))
    return _without_none({"variantName": "AllTraffic", "modelName": "iris", "serverlessConfig": config} | more)


def serverless(**fields: Any) -> Json:
    """An EndpointConfig's spec whose serverlessConfig has these fields. A field with the value None is left out."""
    return {"productionVariants": [variant(fields)]}


def with_variant(**fields: Any) -> Json:
    """An EndpointConfig's spec whose variant has these fields. A field with the value None is left out."""
    return {"productionVariants": [variant(**fields)]}


_CAPTURE: Final = {
    "initialSamplingPercentage": 100,
    "destinationS3URI": "s3://bucket/capture",
    "captureOptions": [{"captureMode": "Input"}],
    "captureContentTypeHeader": {"csvContentTypes": ["text/csv"], "jsonContentTypes": ["application/json"]},
}
_ASYNC: Final = {
    "clientConfig": {"maxConcurrentInvocationsPerInstance": 2},
    "outputConfig": {"s3OutputPath": "s3://bucket/out"},
}

GOOD: Final = (
    *(
        accepted(f"config-memory-{mb}", CONFIG, serverless(memorySizeInMB=mb))
        for mb in (1024, 2048, 3072, 4096, 5120, 6144)
    ),
    accepted("config-max-1", CONFIG, serverless(maxConcurrency=1)),
    accepted("config-max-200", CONFIG, serverless(maxConcurrency=200)),
    accepted("config-provisioned-as-max", CONFIG, serverless(provisionedConcurrency=10)),
    accepted("config-per-instance-as-max", CONFIG, serverless(maxConcurrencyPerInstance=10)),
    accepted("config-idle-1", CONFIG, serverless(idleTimeoutInSeconds=1)),
    accepted("config-idle-86400", CONFIG, serverless(idleTimeoutInSeconds=86400)),
    accepted("config-invocation-3600", CONFIG, serverless(invocationTimeoutInSeconds=3600)),
    accepted(
        "config-timeouts-60",
        CONFIG,
        with_variant(modelDataDownloadTimeoutInSeconds=60, containerStartupHealthCheckTimeoutInSeconds=60),
    ),
    accepted(
        "config-timeouts-3600",
        CONFIG,
        with_variant(modelDataDownloadTimeoutInSeconds=3600, containerStartupHealthCheckTimeoutInSeconds=3600),
    ),
    accepted("config-name-other", CONFIG, serverless() | {"endpointConfigName": "Iris-Config-1"}),
    accepted("config-null-is-absent", CONFIG, {"productionVariants": [variant() | {"instanceType": None}]}),
    accepted("config-weight-half", CONFIG, with_variant(initialVariantWeight=0.5)),
    accepted("config-weight-0", CONFIG, with_variant(initialVariantWeight=0)),
    accepted(
        "config-instance-count", CONFIG, with_variant(initialInstanceCount=1, volumeSizeInGB=5, enableSSMAccess=True)
    ),
    accepted(
        "config-core-dump", CONFIG, with_variant(coreDumpConfig={"destinationS3URI": "s3://b/c", "kmsKeyID": "key"})
    ),
    accepted("config-routing", CONFIG, with_variant(routingConfig={"routingStrategy": "RANDOM"})),
    accepted("config-routing-newer", CONFIG, with_variant(routingConfig={"routingStrategy": "SOMETHING_NEWER"})),
    accepted("config-capture-off", CONFIG, serverless() | {"dataCaptureConfig": _CAPTURE | {"enableCapture": False}}),
    accepted("config-capture-empty", CONFIG, serverless() | {"dataCaptureConfig": {}}),
    accepted(
        "config-isolation-off", CONFIG, serverless() | {"enableNetworkIsolation": False, "vpcConfig": {"subnets": []}}
    ),
    accepted(
        "config-role-and-tags",
        CONFIG,
        serverless() | {"executionRoleARN": "arn:aws:iam::123456789012:role/a", "tags": [{"key": "a", "value": "b"}]},
    ),
    warned(
        "config-instance-type-beside",
        CONFIG,
        with_variant(instanceType="ml.m5.large"),
        "instanceType has no effect",
        "serverlessConfig",
    ),
    warned(
        "config-accelerator",
        CONFIG,
        with_variant(acceleratorType="ml.eia2.medium"),
        "acceleratorType has no effect",
        "no accelerators",
    ),
    warned(
        "config-managed-scaling",
        CONFIG,
        with_variant(managedInstanceScaling={"status": "ENABLED", "minInstanceCount": 1, "maxInstanceCount": 4}),
        "managedInstanceScaling has no effect",
        "provisionedConcurrency",
    ),
    warned(
        "config-kms",
        CONFIG,
        serverless() | {"kmsKeyID": "alias/key"},
        "spec.kmsKeyID has no effect",
        "not with this key",
    ),
)

BAD: Final = (
    refused("config-no-spec", CONFIG, None, "spec", REQUIRED),
    refused(
        "config-memory-1500",
        CONFIG,
        serverless(memorySizeInMB=1500),
        f"{_S}.memorySizeInMB",
        "Unsupported value: 1500",
        '"1024", "2048", "3072", "4096", "5120", "6144"',
    ),
    refused(
        "config-memory-0", CONFIG, serverless(memorySizeInMB=0), f"{_S}.memorySizeInMB", "Unsupported value", "6144"
    ),
    refused("config-memory-512", CONFIG, serverless(memorySizeInMB=512), f"{_S}.memorySizeInMB", "Unsupported value"),
    refused(
        "config-memory-7168",
        CONFIG,
        serverless(memorySizeInMB=7168),
        f"{_S}.memorySizeInMB",
        "Unsupported value",
        "6144",
    ),
    refused("config-memory-text", CONFIG, serverless(memorySizeInMB="2048"), f"{_S}.memorySizeInMB", TYPE, "integer"),
    refused("config-memory-unit", CONFIG, serverless(memorySizeInMB="2Gi"), f"{_S}.memorySizeInMB", TYPE, "integer"),
    refused(
        "config-memory-fraction", CONFIG, serverless(memorySizeInMB=2048.5), f"{_S}.memorySizeInMB", TYPE, "integer"
    ),
    refused("config-memory-missing", CONFIG, serverless(memorySizeInMB=None), f"{_S}.memorySizeInMB", REQUIRED),
    refused(
        "config-memory-casing", CONFIG, serverless(memorySizeInMb=2048), UNKNOWN, "serverlessConfig.memorySizeInMb"
    ),
    refused("config-max-0", CONFIG, serverless(maxConcurrency=0), f"{_S}.maxConcurrency", "greater than or equal to 1"),
    refused(
        "config-max-201", CONFIG, serverless(maxConcurrency=201), f"{_S}.maxConcurrency", "less than or equal to 200"
    ),
    refused(
        "config-max-negative",
        CONFIG,
        serverless(maxConcurrency=-1),
        f"{_S}.maxConcurrency",
        "greater than or equal to 1",
    ),
    refused("config-max-text", CONFIG, serverless(maxConcurrency="5"), f"{_S}.maxConcurrency", TYPE, "integer"),
    refused("config-max-fraction", CONFIG, serverless(maxConcurrency=2.5), f"{_S}.maxConcurrency", TYPE, "integer"),
    refused("config-max-missing", CONFIG, serverless(maxConcurrency=None), f"{_S}.maxConcurrency", REQUIRED),
    refused(
        "config-provisioned-above-max",
        CONFIG,
        serverless(provisionedConcurrency=11),
        f"{_S}.provisionedConcurrency",
        "larger than maxConcurrency",
        "lower it",
    ),
    refused(
        "config-provisioned-0",
        CONFIG,
        serverless(provisionedConcurrency=0),
        f"{_S}.provisionedConcurrency",
        "greater than or equal to 1",
    ),
    refused(
        "config-provisioned-201",
        CONFIG,
        serverless(maxConcurrency=200, provisionedConcurrency=201),
        f"{_S}.provisionedConcurrency",
        "less than or equal to 200",
    ),
    refused(
        "config-per-instance-above-max",
        CONFIG,
        serverless(maxConcurrencyPerInstance=11),
        "maxConcurrencyPerInstance is larger than maxConcurrency",
        "lower it",
    ),
    refused(
        "config-per-instance-0",
        CONFIG,
        serverless(maxConcurrencyPerInstance=0),
        f"{_S}.maxConcurrencyPerInstance",
        "greater than or equal to 1",
    ),
    refused(
        "config-idle-0",
        CONFIG,
        serverless(idleTimeoutInSeconds=0),
        f"{_S}.idleTimeoutInSeconds",
        "greater than or equal to 1",
    ),
    refused(
        "config-idle-86401",
        CONFIG,
        serverless(idleTimeoutInSeconds=86401),
        f"{_S}.idleTimeoutInSeconds",
        "less than or equal to 86400",
    ),
    refused(
        "config-idle-text", CONFIG, serverless(idleTimeoutInSeconds="5m"), f"{_S}.idleTimeoutInSeconds", TYPE, "integer"
    ),
    refused(
        "config-invocation-0",
        CONFIG,
        serverless(invocationTimeoutInSeconds=0),
        f"{_S}.invocationTimeoutInSeconds",
        "greater than or equal to 1",
    ),
    refused(
        "config-invocation-3601",
        CONFIG,
        serverless(invocationTimeoutInSeconds=3601),
        f"{_S}.invocationTimeoutInSeconds",
        "less than or equal to 3600",
    ),
    refused(
        "config-startup-59",
        CONFIG,
        with_variant(containerStartupHealthCheckTimeoutInSeconds=59),
        "HealthCheckTimeoutInSeconds",
        "greater than or equal to 60",
    ),
    refused(
        "config-startup-3601",
        CONFIG,
        with_variant(containerStartupHealthCheckTimeoutInSeconds=3601),
        "HealthCheckTimeoutInSeconds",
        "less than or equal to 3600",
    ),
    refused(
        "config-download-59",
        CONFIG,
        with_variant(modelDataDownloadTimeoutInSeconds=59),
        f"{_V}.modelDataDownloadTimeoutInSeconds",
        "greater than or equal to 60",
    ),
    refused(
        "config-no-variants",
        CONFIG,
        {"productionVariants": []},
        "spec.productionVariants",
        "productionVariants is empty",
        "add one",
    ),
    refused("config-variants-missing", CONFIG, {"endpointConfigName": "iris"}, "spec.productionVariants", REQUIRED),
    refused(
        "config-two-variants",
        CONFIG,
        {"productionVariants": [variant(), variant(variantName="Second")]},
        "spec.productionVariants",
        "more than one",
        "keep one",
    ),
    refused(
        "config-same-variant-twice",
        CONFIG,
        {"productionVariants": [variant(), variant()]},
        "spec.productionVariants[1]",
        "Duplicate value",
    ),
    refused(
        "config-eleven-variants",
        CONFIG,
        {"productionVariants": [variant(variantName=f"V{i}") for i in range(11)]},
        "spec.productionVariants",
        "Too many",
        "10",
    ),
    refused(
        "config-variants-object",
        CONFIG,
        {"productionVariants": variant()},
        UNKNOWN,
        "spec.productionVariants.variantName",
    ),
    refused("config-variant-unnamed", CONFIG, with_variant(variantName=None), f"{_V}.variantName", REQUIRED),
    refused(
        "config-variant-name-blank",
        CONFIG,
        with_variant(variantName="All Traffic"),
        f"{_V}.variantName",
        "letters, digits and hyphens",
        "choose such a name",
    ),
    refused(
        "config-variant-name-64", CONFIG, with_variant(variantName="v" * 64), f"{_V}.variantName", "Too long", "63"
    ),
    refused("config-model-missing", CONFIG, with_variant(modelName=None), f"{_V}.modelName", REQUIRED),
    refused("config-model-64", CONFIG, with_variant(modelName="m" * 64), f"{_V}.modelName", "Too long", "63"),
    refused(
        "config-model-dots", CONFIG, with_variant(modelName="iris.v1"), f"{_V}.modelName", "letters, digits and hyphens"
    ),
    refused(
        "config-instance-based",
        CONFIG,
        with_variant(serverlessConfig=None, instanceType="ml.m5.large", initialInstanceCount=1),
        f"{_V}.serverlessConfig",
        "instance-based variants are not served",
        "set serverlessConfig",
    ),
    refused(
        "config-serverless-missing",
        CONFIG,
        with_variant(serverlessConfig=None),
        f"{_V}.serverlessConfig",
        "serverlessConfig is missing",
        "memorySizeInMB",
    ),
    refused(
        "config-serverless-empty",
        CONFIG,
        with_variant(serverlessConfig={}),
        f"{_S}.memorySizeInMB",
        f"{_S}.maxConcurrency",
        REQUIRED,
    ),
    refused(
        "config-weight-negative",
        CONFIG,
        with_variant(initialVariantWeight=-1),
        f"{_V}.initialVariantWeight",
        "greater than or equal to 0",
    ),
    refused(
        "config-weight-text",
        CONFIG,
        with_variant(initialVariantWeight="1"),
        f"{_V}.initialVariantWeight",
        TYPE,
        "number",
    ),
    refused(
        "config-capture-on",
        CONFIG,
        serverless() | {"dataCaptureConfig": _CAPTURE | {"enableCapture": True}},
        "enableCapture",
        "data capture is not available",
        "false",
    ),
    refused(
        "config-async",
        CONFIG,
        serverless() | {"asyncInferenceConfig": _ASYNC},
        "spec.asyncInferenceConfig",
        "not available",
        "remove asyncInferenceConfig",
    ),
    refused(
        "config-async-empty",
        CONFIG,
        serverless() | {"asyncInferenceConfig": {}},
        "spec.asyncInferenceConfig",
        "not available",
    ),
    refused(
        "config-isolation-on",
        CONFIG,
        serverless() | {"enableNetworkIsolation": True},
        "spec.enableNetworkIsolation",
        "not available",
        "NetworkPolicy",
    ),
    refused(
        "config-vpc",
        CONFIG,
        serverless() | {"vpcConfig": {"subnets": ["subnet-1"]}},
        "spec.vpcConfig",
        "not available",
        "NetworkPolicy",
    ),
    refused(
        "config-name-64",
        CONFIG,
        serverless() | {"endpointConfigName": "c" * 64},
        "spec.endpointConfigName",
        "Too long",
        "63",
    ),
    refused(
        "config-name-slash",
        CONFIG,
        serverless() | {"endpointConfigName": "a/b"},
        "spec.endpointConfigName",
        "letters, digits and hyphens",
    ),
    refused(
        "config-metadata-name-64",
        CONFIG,
        serverless(),
        "metadata.name stands in for an absent spec.endpointConfigName",
        metadata={"name": "c" * 64},
    ),
    refused(
        "config-shadow-variants",
        CONFIG,
        serverless() | {"shadowProductionVariants": [variant()]},
        UNKNOWN,
        "spec.shadowProductionVariants",
    ),
    refused("config-explainer", CONFIG, serverless() | {"explainerConfig": {}}, UNKNOWN, "spec.explainerConfig"),
    refused("config-min-scale", CONFIG, serverless(minScale=1), UNKNOWN, "serverlessConfig.minScale"),
    refused(
        "config-capture-unknown",
        CONFIG,
        serverless() | {"dataCaptureConfig": {"enabled": False}},
        UNKNOWN,
        "spec.dataCaptureConfig.enabled",
    ),
)

_FULL: Final = serverless() | {"kmsKeyID": "key", "tags": [{"key": "team", "value": "a"}]}


def _edit(name: str, change: Json, *words: str) -> Case:
    return refused(name, CONFIG, _FULL, *words, *NEVER, change={"spec": change})


CHANGES: Final = (
    accepted(
        "config-edit-tag",
        CONFIG,
        serverless() | {"tags": [{"key": "a"}]},
        change={"spec": {"tags": [{"key": "a", "value": "b"}]}},
    ),
    accepted("config-add-tags", CONFIG, serverless(), change={"spec": {"tags": [{"key": "a"}]}}),
    _edit("config-edit-memory", serverless(memorySizeInMB=4096), "spec.productionVariants"),
    _edit("config-edit-max", serverless(maxConcurrency=20), "spec.productionVariants"),
    _edit("config-add-provisioned", serverless(provisionedConcurrency=1), "spec.productionVariants"),
    _edit("config-edit-model", with_variant(modelName="other"), "spec.productionVariants"),
    _edit("config-add-name", {"endpointConfigName": "other"}, "spec.endpointConfigName"),
    _edit("config-remove-kms", {"kmsKeyID": None}, "spec.kmsKeyID"),
    refused("config-remove-spec", CONFIG, _FULL, "spec", REQUIRED, change={"spec": None}),
)

CASES: Final = (*GOOD, *BAD, *CHANGES)
