"""A process rejects invalid settings when it starts, so that they cannot cause errors later."""

from __future__ import annotations

import pytest

from kindler.api.settings import SettingsError, controller_settings, metrics_settings

SIZE = "KINDLER_EPHEMERAL_STORAGE_REQUEST"


@pytest.mark.parametrize("size", ["64Mi", "1Gi", "67108864", "500M"])
def test_a_valid_size_is_accepted_unchanged(size: str) -> None:
    assert controller_settings({SIZE: size}).ephemeral_storage_request == size


@pytest.mark.parametrize("size", ["64 Mi", "64MB", "lots", "-1Gi", "0"])
def test_an_invalid_size_is_rejected(size: str) -> None:
    with pytest.raises(SettingsError, match=SIZE):
        controller_settings({SIZE: size})


@pytest.mark.parametrize("url", ["http://prometheus.monitoring:9090", "https://mimir.example.org/prometheus/", ""])
def test_a_prometheus_url_is_accepted(url: str) -> None:
    assert metrics_settings({"KINDLER_PROMETHEUS_URL": url}).prometheus.url == url.rstrip("/")


@pytest.mark.parametrize("url", ["prometheus:9090", "file:///etc/passwd", "http://", "http://x/?query=up"])
def test_an_invalid_prometheus_url_is_rejected(url: str) -> None:
    with pytest.raises(SettingsError, match="KINDLER_PROMETHEUS_URL"):
        metrics_settings({"KINDLER_PROMETHEUS_URL": url})


def test_queries_are_restricted_to_the_namespace_by_default() -> None:
    label = "KINDLER_PROMETHEUS_NAMESPACE_LABEL"
    assert metrics_settings({}).prometheus.namespace_label == "namespace"
    assert metrics_settings({label: "kubernetes_namespace"}).prometheus.namespace_label == "kubernetes_namespace"
    assert metrics_settings({label: "-"}).prometheus.namespace_label == ""
    with pytest.raises(SettingsError, match=label):
        metrics_settings({label: 'x"}'})


def test_names_of_the_metrics_process_begin_with_the_release() -> None:
    settings = metrics_settings({"KINDLER_RELEASE": "two", "KINDLER_SYSTEM_NAMESPACE": "there"})
    assert (settings.service, settings.config_map) == ("two-metrics.there.svc", "two-metrics")


def test_an_invalid_choice_is_rejected_with_the_options() -> None:
    assert controller_settings({}).metrics_api == "auto"
    assert controller_settings({"KINDLER_METRICS_API": "custom"}).metrics_api == "custom"
    with pytest.raises(SettingsError, match="KINDLER_METRICS_API='both' is not one of auto, external, custom, none"):
        controller_settings({"KINDLER_METRICS_API": "both"})
