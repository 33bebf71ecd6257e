"""The route that the controller writes, the schema that lets it through, and the route that activators read are one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from kindler.api.route import Route
from kindler.api.status import RouteStatus
from tests.unit.throttlers import route


def test_the_schema_keeps_every_field_of_a_route() -> None:
    """The API server drops, without a word, what a status schema does not know."""
    written = route(provisioned=2).to_json()

    def told(model: Any, value: dict[str, Any]) -> None:
        assert {field.alias or name for name, field in model.model_fields.items()} == set(value)

    told(RouteStatus, written)
    told(RouteStatus.model_fields["pools"].annotation, written["pools"])


def test_what_was_written_is_read_back() -> None:
    for made in (route(), route(provisioned=2), replace(route(), health_path="/health", port=9000)):
        assert Route.from_json(made.to_json()) == made
