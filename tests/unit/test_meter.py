"""The controller's own measurements, and the entry of spec.autoscaling to which each of them belongs."""

from __future__ import annotations

from typing import Any, cast

import pytest

from kindler.clients.foreign import ForeignMetrics
from kindler.clients.sampler import Sampler
from kindler.controller.directory import Key
from kindler.controller.meter import LoadMeter
from kindler.core.autoscaling.decision import Load, ScalingDecision
from kindler.core.autoscaling.metrics.track import ZERO
from kindler.core.autoscaling.metrics.usage import Usage
from tests.unit.autoscaling import NOW, policy, route

KEY = Key("Endpoint", "team", "iris")


class BusySampler:
    """A sampler that knows one endpoint, whose load is 3."""

    def usage(self, uid: str, age: float) -> Usage:
        return Usage(3.0, 3, 3, ZERO, 1)

    def load_seconds(self, uid: str) -> float:
        return 0.0


def endpoint(entry_for: str) -> dict[str, Any]:
    """An Endpoint that serves the variant AllTraffic during an update to another EndpointConfig."""
    entry = {"variantName": entry_for, "minCapacity": 0, "maxCapacity": 8, "scalingPolicies": [policy("busy")]}
    return {
        "metadata": {"name": "iris", "namespace": "team", "uid": "uid-iris"},
        "spec": {"endpointConfigName": "v2", "autoscaling": [entry]},
        "status": {"endpointConfigName": "v1", "route": route().to_json()},
    }


@pytest.mark.parametrize(
    ("entry_for", "next_variant", "measured"),
    [
        ("AllTraffic", None, True),
        ("AllTraffic", "Green", True),
        ("Green", "Green", True),
        ("Green", None, True),
        ("Blue", "Green", False),
    ],
)
def test_loads_are_those_of_the_entry_that_applies(entry_for: str, next_variant: str | None, measured: bool) -> None:
    meter = LoadMeter(cast(Sampler, BusySampler()), cast(ForeignMetrics, None), lambda: NOW, lambda key: None)
    meter.note(KEY, ScalingDecision(size=None, floor=0, measures_load=True))
    assert meter.loads(KEY, endpoint(entry_for), next_variant) == ({"busy": Load(3.0)} if measured else {})
