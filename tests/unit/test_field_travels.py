"""Each field of `serverlessConfig` changes either the pod or the limits, and appears in the status of the Endpoint.

If `pod_shape_of`, `limits_of` or `serverless_config` did not read a new field, the field would have no effect.
"""

from __future__ import annotations

import pytest

from kindler.api.base import json_name
from kindler.api.endpointconfig import EndpointConfigSpec, ProductionVariant, ServerlessConfig
from kindler.api.model import ModelSpec
from kindler.api.status import ServerlessConfigStatus
from kindler.core.endpoint.revision import limits_of, pod_shape_of, route_of
from kindler.core.endpoint.variants import serverless_config

MODEL = ModelSpec.parse({"primaryContainer": {"image": "registry.local/iris:1"}})
# Each field with a value that is not its default.
OTHER = {
    "memorySizeInMB": 4096,
    "maxConcurrency": 9,
    "provisionedConcurrency": 2,
    "maxConcurrencyPerInstance": 3,
    "idleTimeoutInSeconds": 77,
    "invocationTimeoutInSeconds": 88,
}
FIELDS = sorted(map(json_name, ServerlessConfig.model_fields))


def variant(**fields: int) -> ProductionVariant:
    config = {"memorySizeInMB": 2048, "maxConcurrency": 5} | fields
    spec = {"productionVariants": [{"variantName": "A", "modelName": "m", "serverlessConfig": config}]}
    return EndpointConfigSpec.parse(spec).variant


def test_each_field_has_a_value_here() -> None:
    assert sorted(OTHER) == FIELDS


@pytest.mark.parametrize("field", FIELDS)
def test_a_field_changes_the_pod_or_the_limits(field: str) -> None:
    before, after = variant(), variant(**{field: OTHER[field]})
    shapes = pod_shape_of(MODEL, before), pod_shape_of(MODEL, after)
    limits = limits_of(before), limits_of(after)
    new_revision, new_limits = shapes[0] != shapes[1], limits[0] != limits[1]
    assert new_revision != new_limits, "exactly one: a new revision, or new limits for the same revision"


@pytest.mark.parametrize("field", FIELDS)
def test_a_field_is_in_the_status(field: str) -> None:
    changed = variant(**{field: OTHER[field]})
    route = route_of("iris", pod_shape_of(MODEL, changed), limits_of(changed))
    assert serverless_config(route, None)[field] == OTHER[field]
    assert field in map(json_name, ServerlessConfigStatus.model_fields)


def test_the_status_has_no_field_of_its_own() -> None:
    changed = variant(**OTHER)
    route = route_of("iris", pod_shape_of(MODEL, changed), limits_of(changed))
    assert sorted(serverless_config(route, None)) == FIELDS
    assert sorted(map(json_name, ServerlessConfigStatus.model_fields)) == FIELDS
