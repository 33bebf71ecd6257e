"""Parsing of specs: JSON names, defaults, the one container and the one variant."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from kindler.api.base import json_name
from kindler.api.endpoint import EndpointSpec
from kindler.api.endpointconfig import EndpointConfigSpec
from kindler.api.model import ModelSpec

VARIANT = {
    "variantName": "AllTraffic",
    "modelName": "iris",
    "serverlessConfig": {"memorySizeInMB": 2048, "maxConcurrency": 5},
}


@pytest.mark.parametrize(
    ("attribute", "name"),
    [
        ("memory_size_in_mb", "memorySizeInMB"),
        ("model_data_url", "modelDataURL"),
        ("s3_uri", "s3URI"),
        ("s3_output_path", "s3OutputPath"),
        ("destination_s3_uri", "destinationS3URI"),
        ("kms_key_id", "kmsKeyID"),
        ("security_group_ids", "securityGroupIDs"),
        ("execution_role_arn", "executionRoleARN"),
        ("ml_reservation_arn", "mlReservationARN"),
        ("enable_ssm_access", "enableSSMAccess"),
        ("volume_size_in_gb", "volumeSizeInGB"),
        ("accept_eula", "acceptEula"),
        ("type_", "type_"),
        ("url", "url"),
    ],
)
def test_json_names_have_the_casing_of_ack(attribute: str, name: str) -> None:
    assert json_name(attribute) == name


def test_a_model_with_only_an_image_has_the_defaults_of_sagemaker() -> None:
    container = ModelSpec.parse({"primaryContainer": {"image": "echo:1"}}).container
    assert (container.image, container.command, container.args) == ("echo:1", None, ("serve",))
    assert (container.port, container.health_path, container.invocations_path) == (8080, "/ping", "/invocations")
    assert (container.drain, container.environment) == ("Connections", None)
    context = container.security_context
    assert (context.run_as_user, context.run_as_group, context.read_only_root_filesystem) == (10001, 0, False)


@pytest.mark.parametrize(
    "spec",
    [
        {"primaryContainer": {"image": "echo:1"}},
        {"primaryContainer": {"image": "echo:1"}, "containers": []},
        {"containers": [{"image": "echo:1"}]},
    ],
)
def test_the_container_is_found_in_either_field(spec: dict[str, Any]) -> None:
    assert ModelSpec.parse(spec).container.image == "echo:1"


def test_a_minimal_config_is_on_demand_with_the_limits_of_sagemaker() -> None:
    variant = EndpointConfigSpec.parse({"productionVariants": [VARIANT]}).variant
    config = variant.serverless_config
    assert (config.memory_size_in_mb, config.max_concurrency, config.provisioned_concurrency) == (2048, 5, None)
    assert (
        config.max_concurrency_per_instance,
        config.idle_timeout_in_seconds,
        config.invocation_timeout_in_seconds,
    ) == (1, 300, 60)
    assert (
        variant.model_data_download_timeout_in_seconds,
        variant.container_startup_health_check_timeout_in_seconds,
    ) == (180, 180)
    assert (variant.variant_name, variant.model_name, variant.initial_variant_weight) == ("AllTraffic", "iris", 1)


@pytest.mark.parametrize(
    ("kind", "least", "field"),
    [
        (ModelSpec, {"primaryContainer": {"image": "echo:1"}}, "modelName"),
        (EndpointConfigSpec, {"productionVariants": [VARIANT]}, "endpointConfigName"),
        (EndpointSpec, {"endpointConfigName": "iris"}, "endpointName"),
    ],
)
def test_an_absent_sagemaker_name_is_metadata_name(kind: Any, least: dict[str, Any], field: str) -> None:
    assert kind.parse(least).name("from-metadata") == "from-metadata"
    assert kind.parse(least | {field: "From-Spec"}).name("from-metadata") == "From-Spec"


def test_a_parsed_spec_is_frozen_and_comparable() -> None:
    one = EndpointSpec.parse({"endpointConfigName": "iris"})
    assert one == EndpointSpec.parse({"endpointConfigName": "iris"})
    with pytest.raises(ValidationError, match="frozen"):
        one.endpoint_config_name = "other"


def test_fields_of_a_newer_schema_are_ignored() -> None:
    assert EndpointSpec.parse({"endpointConfigName": "iris", "autoscaling": []}).endpoint_config_name == "iris"


def test_errors_about_incomplete_objects_name_the_missing_field() -> None:
    with pytest.raises(ValueError, match=r"set spec\.primaryContainer"):
        _ = ModelSpec.parse({}).container
    with pytest.raises(ValueError, match=r"set spec\.productionVariants"):
        _ = EndpointConfigSpec.parse({"productionVariants": []}).variant
