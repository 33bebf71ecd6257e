"""examples/provisioned: the API accepts the three manifests. In the simulation they act as their comments describe."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yaml

from hack.bench.simulate import arms
from hack.bench.simulate.trace import DAY, MIDNIGHT, Request, Trace
from hack.bench.simulate.world import Limits, World
from kindler.api import names
from kindler.api.autoscaling import CustomizedMetricSpecification
from kindler.api.kinds import KINDS
from kindler.core.autoscaling.bounds import Bounds, BoundsInForce, bounds_in_force
from kindler.core.autoscaling.metrics import catalogue
from kindler.core.autoscaling.schedule.schedule import parse

FOLDER = Path(__file__).parents[2] / "examples" / "provisioned"
NAMES = ("target", "schedule", "both")
LIMITS = Limits(memory_gb=1.0, max_concurrency=10, idle_timeout=30.0, cold_start=1.0)


@pytest.mark.parametrize("name", NAMES)
def test_each_file_is_a_model_a_config_and_an_endpoint_with_one_name(name: str) -> None:
    found: list[dict[str, Any]] = list(yaml.safe_load_all((FOLDER / f"{name}.yaml").read_text()))
    assert [(o["kind"], o["apiVersion"], o["metadata"]["name"]) for o in found] == [
        (kind, names.API_VERSION, f"echo-{name}") for kind in ("Model", "EndpointConfig", "Endpoint")
    ]
    (variant,) = found[1]["spec"]["productionVariants"]
    assert (variant["modelName"], found[2]["spec"]["endpointConfigName"]) == (f"echo-{name}",) * 2
    assert [entry["variantName"] for entry in found[2]["spec"]["autoscaling"]] == [variant["variantName"]]
    assert found[0]["spec"]["primaryContainer"]["image"] == "localhost:5000/echo:1"
    assert all(kind.spec.model_validate(o["spec"]) for kind, o in zip(KINDS, found, strict=True))


def at(name: str, clock: str) -> BoundsInForce:
    """The bounds in force at a time in Berlin, after the manifest was applied at midnight on a Tuesday in March."""
    target = arms.of_manifest(FOLDER / f"{name}.yaml").target
    assert target is not None
    midnight = datetime(2027, 3, 2, tzinfo=ZoneInfo("Europe/Berlin")).timestamp()
    memory = bounds_in_force(target, None, midnight, midnight).memory
    return bounds_in_force(
        target, memory, midnight, datetime.fromisoformat(clock).replace(tzinfo=ZoneInfo("Europe/Berlin")).timestamp()
    )


def test_the_schedule_provisions_three_on_weekdays_and_none_at_other_times() -> None:
    assert at("schedule", "2027-03-02T07:44:59").bounds == Bounds(0, 3)
    assert at("schedule", "2027-03-02T07:45:00").bounds == Bounds(3, 3)
    assert at("schedule", "2027-03-02T19:00:00").bounds == Bounds(0, 0)
    assert at("schedule", "2027-03-06T12:00:00").bounds == Bounds(0, 0)  # a Saturday
    assert at("schedule", "2027-03-29T07:45:00").bounds == Bounds(3, 3)  # in summer time


def test_both_changes_only_the_minimum() -> None:
    hours = [at("both", f"2027-03-02T{hour:02}:00:00").bounds for hour in (1, 8, 12, 15, 21)]
    assert hours == [Bounds(0, 4), Bounds(2, 4), Bounds(3, 4), Bounds(1, 4), Bounds(0, 4)]
    assert not at("both", "2027-03-02T12:00:00").failures


def test_concurrency_two_makes_target_tracking_provision_four() -> None:
    steady = tuple(Request(600.0 + 5 * n, 10.0) for n in range(48))
    world = World(Trace("two", steady, MIDNIGHT.timestamp(), DAY), LIMITS, arms.of_manifest(FOLDER / "target.yaml"))
    counts = world.run()
    assert counts.throttled == 0
    assert [
        max(s.warm for s in world.samples if low <= s.at < high) for low, high in ((0, 600), (720, 840), (960, 1100))
    ] == [1, 4, 1]


# What docs/provisioned-concurrency.md shows

PAGE = (FOLDER.parents[1] / "docs" / "provisioned-concurrency.md").read_text()


def test_the_schedules_of_the_page_are_valid() -> None:
    shown = re.findall(r"`((?:at|rate|cron)\([^`]+\))`", PAGE) + re.findall(r"schedule: (.+)", PAGE)
    assert len(shown) >= 12
    for text in shown:
        parse(text, "Europe/Berlin")


def test_the_endpoint_of_the_page_is_valid() -> None:
    (shown,) = [
        o
        for block in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
        if (o := yaml.safe_load(block)).get("kind") == "Endpoint"
    ]
    (entry,) = KINDS[2].spec.model_validate(shown["spec"]).autoscaling
    assert [action.scheduled_action_name for action in entry.scheduled_actions] == ["morning", "evening"]
    (metric,) = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(customized.*?)```", PAGE, re.DOTALL)]
    assert CustomizedMetricSpecification.model_validate(metric["customizedMetricSpecification"]).dimensions


def test_the_page_names_every_metric_of_an_endpoint() -> None:
    assert [name for name in catalogue._METRICS if f"`{name}`" not in PAGE] == []
