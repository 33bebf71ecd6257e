"""The HPA's spec, as the API server stores it."""

from __future__ import annotations

import copy
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kindler.api import names
from kindler.api.autoscaling import ScalableTarget
from kindler.core.autoscaling import hpa
from kindler.core.autoscaling.decision import MetricsApi
from kindler.core.autoscaling.tracking import Rules
from kindler.core.endpoint.plan import covers
from tests.apiserver.autoscalers import complete
from tests.apiserver.quantities import exact
from tests.unit.autoscaling import hpa as autoscaler
from tests.unit.autoscaling import policy, route, target


def spec_of(
    scales: ScalableTarget, low: int = 1, high: int = 8, api: MetricsApi = MetricsApi.EXTERNAL, per: int = 1
) -> dict[str, Any]:
    policies = scales.scaling_policies or ()
    rules = hpa.rules_of(scales, policies, low, high)
    return hpa.spec("iris", "iris-abc-warm", [(p, hpa.per_replica(p, route(per=per))) for p in policies], rules, api)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.7, "700m"),
        (0.7 * 2, "1400m"),
        (2.0, "2"),
        (10.0, "10"),
        (100.0, "100"),
        (1000.0, "1k"),
        (1500.0, "1500"),
        (2000.0, "2k"),
        (0.001, "1m"),
        (0.0005, "1m"),
        (0.1 + 0.2, "300m"),
        (33.333, "33333m"),
        (1e6, "1M"),
        (1e9, "1G"),
        (2e11, "200G"),
        (1_000_001.0, "1000001"),
    ],
)
def test_quantities_have_one_canonical_form(value: float, text: str) -> None:
    assert hpa.quantity(value) == text
    assert exact(text) == text


@given(st.decimals("0.001", "999999999", places=3))
def test_quantities_are_exact_and_written_as_stored(value: Decimal) -> None:
    text = hpa.quantity(float(value))
    assert exact(text) == text == exact(str(value))


@pytest.mark.parametrize(("text", "value"), [("700m", 0.7), ("2", 2.0), ("1k", 1000.0), ("0", 0.0)])
def test_the_average_in_a_status(text: str, value: float) -> None:
    assert hpa.average_value(autoscaler(averages=(text,))["status"]["currentMetrics"][0]) == pytest.approx(value)


@pytest.mark.parametrize("metric", [{"type": ""}, {}, {"external": {"current": {}}}, {"object": None}])
def test_a_status_without_an_average(metric: dict[str, Any]) -> None:
    assert hpa.average_value(metric) is None


@pytest.mark.parametrize("api", MetricsApi)
@pytest.mark.parametrize("low", [0, 1, 8])
@pytest.mark.parametrize("suspended", ["", "in", "out", "in out"])
@pytest.mark.parametrize(
    "policies",
    [
        (policy(),),
        (policy(at=0.333, cooldown=0), policy("Größe", 1000.0, 3600, metric="Invocations")),
        (policy(keeps=True),),
    ],
)
def test_the_api_server_stores_the_spec_unchanged(
    api: MetricsApi, low: int, suspended: str, policies: tuple[dict[str, Any], ...]
) -> None:
    spec = spec_of(target(1, 8, *policies, suspended=suspended), low=low, api=api, per=3)
    stored = {"metadata": {"name": "iris-warm"}, "spec": copy.deepcopy(spec)}
    complete(stored)
    assert stored["spec"] == spec  # the API server added no default and changed no quantity
    assert covers(stored["spec"], spec)


def test_the_external_metric() -> None:
    [metric] = spec_of(target(1, 8, policy("half busy", 0.5)), per=2)["metrics"]
    labels = {names.LABEL_ENDPOINT: "iris", names.LABEL_POLICY: names.policy_key("half busy")}
    assert metric == {
        "type": "External",
        "external": {
            "metric": {"name": "concurrent-executions", "selector": {"matchLabels": labels}},
            "target": {"type": "AverageValue", "averageValue": "1"},
        },
    }


def test_the_custom_metric_describes_the_endpoint() -> None:
    [metric] = spec_of(target(1, 8, policy(metric="Invocations")), api=MetricsApi.CUSTOM)["metrics"]
    assert metric["type"] == "Object"
    assert metric["object"]["describedObject"] == {
        "apiVersion": "serving.kindler.dev/v1alpha1",
        "kind": "Endpoint",
        "name": "iris",
    }
    assert metric["object"]["metric"]["name"] == "customized-metric"
    assert metric["object"]["target"] == {"type": "AverageValue", "averageValue": "700m"}


@pytest.mark.parametrize(
    ("policies", "suspended", "rules"),
    [
        ((policy(cooldown=60),), "", Rules(1, 8, 60, True, True)),
        ((policy(cooldown=60), policy("b", cooldown=10)), "", Rules(1, 8, 60, True, True)),
        (
            (policy(cooldown=60, keeps=True), policy("b", cooldown=10)),
            "",
            Rules(1, 8, 10, True, True),
        ),  # the cooldown is that of the policies that may scale in
        ((policy(cooldown=60, keeps=True), policy("b", cooldown=10, keeps=True)), "", Rules(1, 8, 60, False, True)),
        ((policy(),), "in", Rules(1, 8, 300, False, True)),
        ((policy(),), "out", Rules(1, 8, 300, True, False)),
        ((policy(),), "in out", Rules(1, 8, 300, False, False)),
        ((policy(),), "scheduled", Rules(1, 8, 300, True, True)),
        ((), "", Rules(1, 8, 0, False, True)),
    ],
)
def test_the_scaling_rules_of_a_target(policies: tuple[dict[str, Any], ...], suspended: str, rules: Rules) -> None:
    scales = target(1, 8, *policies, suspended=suspended)
    assert hpa.rules_of(scales, scales.scaling_policies or (), 1, 8) == rules


def test_the_behavior_fields_of_the_spec() -> None:
    behaviour = spec_of(target(1, 8, policy(cooldown=45), suspended="out"))["behavior"]
    assert behaviour["scaleUp"] == {
        "stabilizationWindowSeconds": 0,
        "selectPolicy": "Disabled",
        "policies": [{"type": "Pods", "value": 200, "periodSeconds": 15}],
    }
    assert behaviour["scaleDown"]["stabilizationWindowSeconds"] == 45
    assert behaviour["scaleDown"]["selectPolicy"] == "Max"


def test_which_pool_the_hpa_targets() -> None:
    assert hpa.targets_pool(autoscaler(targets_pool="a"), "a")
    assert not hpa.targets_pool(autoscaler(targets_pool="a"), "b")
    assert not hpa.targets_pool({}, None)
