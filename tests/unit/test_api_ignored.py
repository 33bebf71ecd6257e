"""status.ignoredFields: lists the fields without effect that are set, with the reason."""

from __future__ import annotations

import pytest

from kindler.api.ignored import ignored_fields

MODEL = {
    "primaryContainer": {
        "image": "echo:1",
        "modelDataURL": "s3://bucket/model.tar.gz",
        "imageConfig": {"repositoryAccessMode": "Vpc", "repositoryAuthConfig": {}},
        "multiModelConfig": {"modelCacheSetting": "Disabled"},
    },
    "executionRoleARN": "arn:aws:iam::123456789012:role/sagemaker",
    "enableNetworkIsolation": False,
}
TRACKING = {
    "targetValue": 0.7,
    "predefinedMetricSpecification": {
        "predefinedMetricType": "SageMakerVariantProvisionedConcurrencyUtilization",
        "resourceLabel": "app/a",
    },
    "scaleOutCooldown": 60,
}
CUSTOMIZED = {
    "targetValue": 5,
    "customizedMetricSpecification": {"metricName": "depth", "namespace": "shop", "statistic": "Sum", "unit": "Count"},
}
TARGET = {
    "variantName": "AllTraffic",
    "minCapacity": 1,
    "maxCapacity": 4,
    "suspendedState": {"dynamicScalingInSuspended": True},
}
POLICY = "spec.autoscaling[0].scalingPolicies[{}].targetTrackingScalingPolicyConfiguration"
VARIANT = {
    "variantName": "AllTraffic",
    "modelName": "iris",
    "serverlessConfig": {"memorySizeInMB": 2048, "maxConcurrency": 5},
}


@pytest.mark.parametrize(
    ("kind", "spec", "fields"),
    [
        ("Model", {"primaryContainer": {"image": "echo:1"}}, []),
        (
            "Model",
            MODEL,
            [
                "spec.primaryContainer.modelDataURL",
                "spec.primaryContainer.imageConfig.repositoryAccessMode",
                "spec.executionRoleARN",
            ],
        ),
        (
            "Model",
            {"containers": [{"image": "echo:1", "containerHostname": "a"}]},
            ["spec.containers[0].containerHostname"],
        ),
        ("EndpointConfig", {"productionVariants": [VARIANT | {"initialVariantWeight": 1}]}, []),
        (
            "EndpointConfig",
            {"productionVariants": [VARIANT | {"initialVariantWeight": 0.5}]},
            ["spec.productionVariants[0].initialVariantWeight"],
        ),
        (
            "EndpointConfig",
            {
                "productionVariants": [VARIANT | {"enableSSMAccess": False}],
                "dataCaptureConfig": {"enableCapture": False},
            },
            [],
        ),
        (
            "EndpointConfig",
            {
                "productionVariants": [
                    VARIANT | {"instanceType": "ml.m5.large", "coreDumpConfig": {"destinationS3URI": "s3://b/c"}}
                ],
                "kmsKeyID": "k",
            },
            ["spec.productionVariants[0].instanceType", "spec.productionVariants[0].coreDumpConfig", "spec.kmsKeyID"],
        ),
        (
            "Endpoint",
            {"endpointConfigName": "iris", "deploymentConfig": {"rollingUpdatePolicy": {"waitIntervalInSeconds": 5}}},
            ["spec.deploymentConfig"],
        ),
        (
            "Endpoint",
            {
                "autoscaling": [
                    TARGET
                    | {
                        "scalingPolicies": [
                            {"targetTrackingScalingPolicyConfiguration": c} for c in (TRACKING, CUSTOMIZED)
                        ]
                    }
                ]
            },
            [
                f"{POLICY.format(0)}.predefinedMetricSpecification.resourceLabel",
                f"{POLICY.format(0)}.scaleOutCooldown",
                f"{POLICY.format(1)}.customizedMetricSpecification.unit",
            ],
        ),
        (
            "Endpoint",
            {
                "autoscaling": [
                    TARGET
                    | {"scalingPolicies": [{"targetTrackingScalingPolicyConfiguration": {"scaleOutCooldown": 300}}]}
                ]
            },
            [],
        ),
        ("Endpoint", {"endpointConfigName": "iris", "tags": [{"key": "a", "value": "b"}]}, []),
    ],
)
def test_fields_without_effect_are_listed_if_they_are_set(
    kind: str, spec: dict[str, object], fields: list[str]
) -> None:
    ignored = ignored_fields(kind, spec, {})
    assert [f.field for f in ignored] == fields
    assert all(f.reason for f in ignored)


def test_only_annotations_for_ack_are_listed() -> None:
    annotations = {
        "services.k8s.aws/read-only": "true",
        "services.k8s.aws/deletion-policy": "retain",
        "example.com/other": "x",
    }
    ignored = ignored_fields("Endpoint", {"endpointConfigName": "iris"}, annotations)
    assert [f.field for f in ignored] == [
        "metadata.annotations[services.k8s.aws/deletion-policy]",
        "metadata.annotations[services.k8s.aws/read-only]",
    ]
    assert ignored[0].to_json() == {"field": ignored[0].field, "reason": ignored[0].reason}


def test_another_kind_is_an_error() -> None:
    with pytest.raises(KeyError):
        ignored_fields("Pod", {}, {})
