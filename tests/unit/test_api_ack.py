"""Kindler's three kinds have every field of AWS's controller (ACK), with the same type.

The table was read from ACK's CRDs. A list is `[…]`, an object is a dict, and the type names are those of JSON Schema.
"""

from __future__ import annotations

from typing import Any

import pytest

from kindler.api.crd import schema
from kindler.api.ignored import SPECS
from tests.e2e.objects.ack import MANIFESTS

TAGS = [{"key": "string", "value": "string"}]
VPC = {"securityGroupIDs": ["string"], "subnets": ["string"]}
CONTAINER = {
    "containerHostname": "string",
    "environment": {"*": "string"},
    "image": "string",
    "imageConfig": {
        "repositoryAccessMode": "string",
        "repositoryAuthConfig": {"repositoryCredentialsProviderARN": "string"},
    },
    "inferenceSpecificationName": "string",
    "mode": "string",
    "modelDataSource": {
        "s3DataSource": {
            "compressionType": "string",
            "modelAccessConfig": {"acceptEula": "boolean"},
            "s3DataType": "string",
            "s3URI": "string",
        },
    },
    "modelDataURL": "string",
    "modelPackageName": "string",
    "multiModelConfig": {"modelCacheSetting": "string"},
}
SIZE = {"type_": "string", "value": "integer"}

ACK: dict[str, dict[str, Any]] = {
    "Model": {
        "containers": [CONTAINER],
        "enableNetworkIsolation": "boolean",
        "executionRoleARN": "string",
        "inferenceExecutionConfig": {"mode": "string"},
        "modelName": "string",
        "primaryContainer": CONTAINER,
        "tags": TAGS,
        "vpcConfig": VPC,
    },
    "EndpointConfig": {
        "asyncInferenceConfig": {
            "clientConfig": {"maxConcurrentInvocationsPerInstance": "integer"},
            "outputConfig": {
                "kmsKeyID": "string",
                "notificationConfig": {
                    "errorTopic": "string",
                    "includeInferenceResponseIn": ["string"],
                    "successTopic": "string",
                },
                "s3FailurePath": "string",
                "s3OutputPath": "string",
            },
        },
        "dataCaptureConfig": {
            "captureContentTypeHeader": {"csvContentTypes": ["string"], "jsonContentTypes": ["string"]},
            "captureOptions": [{"captureMode": "string"}],
            "destinationS3URI": "string",
            "enableCapture": "boolean",
            "initialSamplingPercentage": "integer",
            "kmsKeyID": "string",
        },
        "enableNetworkIsolation": "boolean",
        "endpointConfigName": "string",
        "executionRoleARN": "string",
        "kmsKeyID": "string",
        "productionVariants": [
            {
                "acceleratorType": "string",
                "capacityReservationConfig": {"capacityReservationPreference": "string", "mlReservationARN": "string"},
                "containerStartupHealthCheckTimeoutInSeconds": "integer",
                "coreDumpConfig": {"destinationS3URI": "string", "kmsKeyID": "string"},
                "enableSSMAccess": "boolean",
                "initialInstanceCount": "integer",
                "initialVariantWeight": "number",
                "instanceType": "string",
                "managedInstanceScaling": {
                    "maxInstanceCount": "integer",
                    "minInstanceCount": "integer",
                    "status": "string",
                },
                "modelDataDownloadTimeoutInSeconds": "integer",
                "modelName": "string",
                "routingConfig": {"routingStrategy": "string"},
                "serverlessConfig": {
                    "maxConcurrency": "integer",
                    "memorySizeInMB": "integer",
                    "provisionedConcurrency": "integer",
                },
                "variantName": "string",
                "volumeSizeInGB": "integer",
            }
        ],
        "tags": TAGS,
        "vpcConfig": VPC,
    },
    "Endpoint": {
        "deploymentConfig": {
            "autoRollbackConfiguration": {"alarms": [{"alarmName": "string"}]},
            "blueGreenUpdatePolicy": {
                "maximumExecutionTimeoutInSeconds": "integer",
                "terminationWaitInSeconds": "integer",
                "trafficRoutingConfiguration": {
                    "canarySize": SIZE,
                    "linearStepSize": SIZE,
                    "type_": "string",
                    "waitIntervalInSeconds": "integer",
                },
            },
            "rollingUpdatePolicy": {
                "maximumBatchSize": SIZE,
                "maximumExecutionTimeoutInSeconds": "integer",
                "rollbackMaximumBatchSize": SIZE,
                "waitIntervalInSeconds": "integer",
            },
        },
        "endpointConfigName": "string",
        "endpointName": "string",
        "tags": TAGS,
    },
}


def _types(node: dict[str, Any]) -> Any:
    """A schema in the form of the table ACK."""
    if "additionalProperties" in node:
        return {"*": _types(node["additionalProperties"])}
    if "properties" in node:
        return {name: _types(below) for name, below in node["properties"].items()}
    return [_types(node["items"])] if "items" in node else node["type"]


def _differences(theirs: Any, ours: Any, path: str) -> list[str]:
    """The paths of ACK's fields that are missing in Kindler's schema or have another type in it."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        return [
            text for name, below in theirs.items() for text in _differences(below, ours.get(name), f"{path}.{name}")
        ]
    if isinstance(theirs, list) and isinstance(ours, list):
        return _differences(theirs[0], ours[0], f"{path}[]")
    return [] if theirs == ours else [f"{path}: {ours} instead of {theirs}"]


@pytest.mark.parametrize("kind", ACK)
def test_kindler_has_every_field_of_ack_with_its_type(kind: str) -> None:
    assert _differences(ACK[kind], _types(schema(SPECS[kind])), "spec") == []


def _paths(value: Any, path: str) -> set[str]:
    if isinstance(value, dict) and value:
        return set().union(*(_paths(below, f"{path}.{name}") for name, below in value.items()))
    if isinstance(value, list) and value:
        return set().union(*(_paths(below, f"{path}[]") for below in value))
    return {path}


@pytest.mark.parametrize("kind", ACK)
def test_the_ack_manifests_use_every_field(kind: str) -> None:
    """Two fields are exceptions: asyncInferenceConfig is not allowed, and primaryContainer replaces containers."""
    used = set().union(*(_paths(m["spec"], "spec") for m in MANIFESTS if m["kind"] == kind))
    expected = _paths({k: v for k, v in ACK[kind].items() if k not in ("asyncInferenceConfig", "containers")}, "spec")
    plain = {path.replace("environment.A", "environment.*") for path in used}
    covered = plain | {f"{path}[]" for path in used}
    assert expected - covered == set()
