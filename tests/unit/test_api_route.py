"""The route that the controller writes, its schema, and the route that activators read have the same fields."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from kindler.api.route import Route
from kindler.api.status import RouteStatus
from tests.unit.throttlers import route


def test_the_schema_keeps_every_field_of_a_route() -> None:
    """The API server silently drops fields that the schema of status does not have."""
    written = route(provisioned=2).to_json()

    def has_all_fields(model: Any, value: dict[str, Any]) -> None:
        assert {field.alias or name for name, field in model.model_fields.items()} == set(value)

    has_all_fields(RouteStatus, written)
    has_all_fields(RouteStatus.model_fields["pools"].annotation, written["pools"])


def test_a_route_can_be_read_from_its_own_json() -> None:
    for original in (route(), route(provisioned=2), replace(route(), health_path="/health", port=9000)):
        assert Route.from_json(original.to_json()) == original
