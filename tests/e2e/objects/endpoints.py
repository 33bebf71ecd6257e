"""Endpoints, valid and invalid."""

from __future__ import annotations

from typing import Any, Final

from tests.e2e.objects.case import REQUIRED, TYPE, UNKNOWN, Json, accepted, refused, warned

ENDPOINT: Final = "Endpoint"
_RENAME = ("spec.endpointName", "endpointName is immutable", "create a new one to rename it")


def endpoint(**spec: Any) -> Json:
    """An Endpoint's spec. A field with the value None is left out."""
    return {k: v for k, v in ({"endpointConfigName": "iris"} | spec).items() if v is not None}


_HALF: Final = {"type_": "CAPACITY_PERCENT", "value": 50}
_DEPLOYMENT: Final = {
    "autoRollbackConfiguration": {"alarms": [{"alarmName": "errors"}]},
    "blueGreenUpdatePolicy": {
        "maximumExecutionTimeoutInSeconds": 600,
        "terminationWaitInSeconds": 60,
        "trafficRoutingConfiguration": {
            "type_": "LINEAR",
            "waitIntervalInSeconds": 60,
            "canarySize": _HALF,
            "linearStepSize": _HALF,
        },
    },
    "rollingUpdatePolicy": {
        "maximumBatchSize": _HALF,
        "rollbackMaximumBatchSize": _HALF,
        "waitIntervalInSeconds": 60,
        "maximumExecutionTimeoutInSeconds": 600,
    },
}

GOOD: Final = (
    accepted("endpoint-least", ENDPOINT, endpoint()),
    accepted("endpoint-name-other", ENDPOINT, endpoint(endpointName="Iris-Endpoint")),
    accepted("endpoint-name-63", ENDPOINT, endpoint(endpointName="E" * 63)),
    accepted("endpoint-metadata-name-63", ENDPOINT, endpoint(), metadata={"name": "e" * 63}),
    accepted("endpoint-metadata-name-1", ENDPOINT, endpoint(), metadata={"name": "e"}),
    accepted("endpoint-config-capitals", ENDPOINT, endpoint(endpointConfigName="Iris-Config-1")),
    accepted("endpoint-tags", ENDPOINT, endpoint(tags=[{"key": "team", "value": "a"}, {"key": "stage", "value": ""}])),
    accepted(
        "endpoint-status-is-dropped",
        ENDPOINT,
        endpoint(),
        extra={"status": {"endpointStatus": "InService", "creationTime": "2026-01-01T00:00:00Z"}},
    ),
    accepted(
        "endpoint-ack-annotations",
        ENDPOINT,
        endpoint(),
        metadata={"annotations": {"services.k8s.aws/deletion-policy": "retain"}},
    ),
    accepted("endpoint-deployment-empty", ENDPOINT, endpoint(tags=[])),
    warned(
        "endpoint-deployment",
        ENDPOINT,
        endpoint(deploymentConfig=_DEPLOYMENT),
        "spec.deploymentConfig has no effect",
        "all at once",
    ),
    warned(
        "endpoint-deployment-newer",
        ENDPOINT,
        endpoint(
            deploymentConfig={"blueGreenUpdatePolicy": {"trafficRoutingConfiguration": {"type_": "SOMETHING_NEWER"}}}
        ),
        "spec.deploymentConfig has no effect",
    ),
)

BAD: Final = (
    refused("endpoint-no-spec", ENDPOINT, None, "spec", REQUIRED),
    refused("endpoint-config-missing", ENDPOINT, {}, "spec.endpointConfigName", REQUIRED),
    refused(
        "endpoint-config-empty",
        ENDPOINT,
        endpoint(endpointConfigName=""),
        "spec.endpointConfigName",
        "letters, digits and hyphens",
    ),
    refused(
        "endpoint-config-64",
        ENDPOINT,
        endpoint(endpointConfigName="c" * 64),
        "spec.endpointConfigName",
        "Too long",
        "63",
    ),
    refused(
        "endpoint-config-dots",
        ENDPOINT,
        endpoint(endpointConfigName="iris.v1"),
        "spec.endpointConfigName",
        "letters, digits and hyphens",
    ),
    refused(
        "endpoint-config-other-namespace",
        ENDPOINT,
        endpoint(endpointConfigName="team-a/iris"),
        "spec.endpointConfigName",
        "letters, digits and hyphens",
    ),
    refused(
        "endpoint-config-number", ENDPOINT, endpoint(endpointConfigName=1), "spec.endpointConfigName", TYPE, "string"
    ),
    refused("endpoint-name-64", ENDPOINT, endpoint(endpointName="e" * 64), "spec.endpointName", "Too long", "63"),
    refused(
        "endpoint-name-slash",
        ENDPOINT,
        endpoint(endpointName="a/b"),
        "spec.endpointName",
        "letters, digits and hyphens",
        "choose such a name",
    ),
    refused(
        "endpoint-name-hyphen-last",
        ENDPOINT,
        endpoint(endpointName="iris-"),
        "spec.endpointName",
        "begin and end with a letter or digit",
    ),
    refused(
        "endpoint-metadata-name-64",
        ENDPOINT,
        endpoint(),
        "metadata.name names the endpoint's Service",
        "at most 63",
        metadata={"name": "e" * 64},
    ),
    refused(
        "endpoint-metadata-name-digit",
        ENDPOINT,
        endpoint(),
        "metadata.name names the endpoint's Service",
        "beginning with a letter",
        metadata={"name": "1st"},
    ),
    refused(
        "endpoint-metadata-name-dots",
        ENDPOINT,
        endpoint(),
        "metadata.name names the endpoint's Service",
        "spec.endpointName",
        metadata={"name": "iris.v1"},
    ),
    refused(
        "endpoint-metadata-name-capitals", ENDPOINT, endpoint(), "metadata.name", "lower", metadata={"name": "Iris"}
    ),
    refused("endpoint-tags-text", ENDPOINT, endpoint(tags="team"), "spec.tags", TYPE, "array"),
    refused(
        "endpoint-deployment-unknown",
        ENDPOINT,
        endpoint(deploymentConfig={"canary": {}}),
        UNKNOWN,
        "spec.deploymentConfig.canary",
    ),
    refused(
        "endpoint-deployment-type-misspelt",
        ENDPOINT,
        endpoint(deploymentConfig={"blueGreenUpdatePolicy": {"trafficRoutingConfiguration": {"type": "CANARY"}}}),
        UNKNOWN,
        "trafficRoutingConfiguration.type",
    ),
    refused("endpoint-scaling-misspelt", ENDPOINT, endpoint(autoScaling=[]), UNKNOWN, "spec.autoScaling"),
    refused("endpoint-replicas", ENDPOINT, endpoint(replicas=3), UNKNOWN, "spec.replicas"),
    refused(
        "endpoint-ref",
        ENDPOINT,
        endpoint(endpointConfigName=None, endpointConfigRef={"name": "iris"}),
        UNKNOWN,
        "spec.endpointConfigRef",
    ),
)

CHANGES: Final = (
    accepted("endpoint-update", ENDPOINT, endpoint(), change={"spec": {"endpointConfigName": "iris-2"}}),
    accepted("endpoint-edit-tags", ENDPOINT, endpoint(), change={"spec": {"tags": [{"key": "a"}]}}),
    accepted("endpoint-say-own-name", ENDPOINT, endpoint(), change={"spec": {"endpointName": "endpoint-say-own-name"}}),
    accepted(
        "endpoint-unsay-own-name",
        ENDPOINT,
        endpoint(endpointName="endpoint-unsay-own-name"),
        change={"spec": {"endpointName": None}},
    ),
    warned(
        "endpoint-add-deployment",
        ENDPOINT,
        endpoint(),
        "spec.deploymentConfig has no effect",
        change={"spec": {"deploymentConfig": _DEPLOYMENT}},
    ),
    refused(
        "endpoint-rename", ENDPOINT, endpoint(endpointName="iris"), *_RENAME, change={"spec": {"endpointName": "other"}}
    ),
    refused(
        "endpoint-rename-casing",
        ENDPOINT,
        endpoint(endpointName="iris"),
        *_RENAME,
        change={"spec": {"endpointName": "Iris"}},
    ),
    refused("endpoint-add-name", ENDPOINT, endpoint(), *_RENAME, change={"spec": {"endpointName": "other"}}),
    refused(
        "endpoint-remove-name",
        ENDPOINT,
        endpoint(endpointName="iris"),
        *_RENAME,
        change={"spec": {"endpointName": None}},
    ),
    refused(
        "endpoint-remove-config",
        ENDPOINT,
        endpoint(),
        "spec.endpointConfigName",
        REQUIRED,
        change={"spec": {"endpointConfigName": None}},
    ),
    refused("endpoint-remove-spec", ENDPOINT, endpoint(), "spec", REQUIRED, change={"spec": None}),
)

CASES: Final = (*GOOD, *BAD, *CHANGES)
