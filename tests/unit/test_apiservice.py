"""The choice of the API through which HPAs read Kindler's metrics, by its owner and by the chart's setting.

The controller never writes an APIService of another server.
"""

from __future__ import annotations

import base64
import itertools
from typing import Any

import pytest

from kindler.api.settings import METRICS_APIS
from kindler.core.autoscaling.decision import MetricsApi
from kindler.core.autoscaling.metrics.apiservice import (
    ALLOWED,
    CERT_MANAGER,
    ApiServiceChoice,
    ClusterApiServices,
    Holder,
    Installation,
    bundle,
    choose,
    disowned,
    holder,
    is_ours,
    manifest,
    owner_reference,
    service_names,
)

EXTERNAL, CUSTOM = "v1beta1.external.metrics.k8s.io", "v1beta2.custom.metrics.k8s.io"
NAMES = {MetricsApi.EXTERNAL: EXTERNAL, MetricsApi.CUSTOM: CUSTOM}
OWNER = owner_reference({"metadata": {"name": "kindler-metrics", "uid": "u1"}})
HOME = Installation("kindler-system", "kindler-metrics", OWNER)
PEM = "-----BEGIN CERTIFICATE-----\nTUlJ\nQg==\n-----END CERTIFICATE-----\n"
CERTIFICATES = {"kindler-metrics-0": PEM}


def ours(name: str, **metadata: Any) -> dict[str, Any]:
    made = manifest(name, HOME, CERTIFICATES)
    return made | {"metadata": made["metadata"] | {"resourceVersion": "7"} | metadata}


def foreign(name: str, service: dict[str, Any] | None = None, **metadata: Any) -> dict[str, Any]:
    made = ours(name, **{"ownerReferences": None} | metadata)
    return made | {
        "spec": made["spec"]
        | {"service": service or {"namespace": "keda", "name": "keda-metrics-apiserver", "port": 443}}
    }


def cluster(external: Holder, custom: Holder) -> dict[str, dict[str, Any]]:
    made = {Holder.OURS: ours, Holder.FOREIGN: foreign}
    return {
        name: made[whose](name) for name, whose in ((EXTERNAL, external), (CUSTOM, custom)) if whose is not Holder.FREE
    }


FREE, OURS, FOREIGN = Holder.FREE, Holder.OURS, Holder.FOREIGN


@pytest.mark.parametrize(
    ("external", "custom", "expected"),
    [
        (FREE, FREE, ApiServiceChoice(MetricsApi.EXTERNAL, make=EXTERNAL)),
        (FREE, OURS, ApiServiceChoice(MetricsApi.CUSTOM)),  # Kindler keeps its own
        (FREE, FOREIGN, ApiServiceChoice(MetricsApi.EXTERNAL, make=EXTERNAL)),
        (OURS, FREE, ApiServiceChoice(MetricsApi.EXTERNAL)),
        (OURS, OURS, ApiServiceChoice(MetricsApi.EXTERNAL, remove=(CUSTOM,))),
        (OURS, FOREIGN, ApiServiceChoice(MetricsApi.EXTERNAL)),
        (FOREIGN, FREE, ApiServiceChoice(MetricsApi.CUSTOM, make=CUSTOM)),
        (FOREIGN, OURS, ApiServiceChoice(MetricsApi.CUSTOM)),
        (FOREIGN, FOREIGN, ApiServiceChoice(MetricsApi.NONE)),
    ],
)
def test_a_free_api_is_taken_ours_is_kept_and_no_foreign_one_is_taken_over(
    external: Holder, custom: Holder, expected: ApiServiceChoice
) -> None:
    assert choose(ClusterApiServices(cluster(external, custom), CERTIFICATES), HOME, "auto") == expected


@pytest.mark.parametrize(
    ("setting", "external", "custom", "expected"),
    [
        ("external", FREE, OURS, ApiServiceChoice(MetricsApi.EXTERNAL, make=EXTERNAL, remove=(CUSTOM,))),
        ("external", FOREIGN, FREE, ApiServiceChoice(MetricsApi.NONE)),
        ("custom", OURS, FREE, ApiServiceChoice(MetricsApi.CUSTOM, make=CUSTOM, remove=(EXTERNAL,))),
        ("custom", FREE, FOREIGN, ApiServiceChoice(MetricsApi.NONE)),
    ],
)
def test_a_setting_limits_the_choice_and_ours_outside_of_it_is_removed(
    setting: str, external: Holder, custom: Holder, expected: ApiServiceChoice
) -> None:
    assert choose(ClusterApiServices(cluster(external, custom), CERTIFICATES), HOME, setting) == expected


@pytest.mark.parametrize(("setting", "external", "custom"), list(itertools.product(ALLOWED, Holder, Holder)))
def test_only_our_own_and_free_names_are_written(setting: str, external: Holder, custom: Holder) -> None:
    services = cluster(external, custom)
    choice = choose(ClusterApiServices(services, CERTIFICATES), HOME, setting)
    assert all(is_ours(services[name], HOME) for name in (choice.change, *choice.remove) if name)
    assert choice.make not in services
    assert choice.api is MetricsApi.NONE or choice.api in ALLOWED[setting]
    # After these writes a second check requests no more writes.
    after = {name: value for name, value in services.items() if name not in choice.remove} | (
        {choice.make: ours(choice.make)} if choice.make else {}
    )
    assert choose(ClusterApiServices(after, CERTIFICATES), HOME, setting) == ApiServiceChoice(choice.api)


def test_every_setting_except_none_allows_an_api() -> None:
    assert [*ALLOWED, "none"] == list(METRICS_APIS)


def test_one_foreign_version_makes_the_whole_group_foreign() -> None:
    old = "v1beta1.custom.metrics.k8s.io"
    assert set(service_names()) == {EXTERNAL, CUSTOM, old}
    adapter = {old: foreign(old)}
    assert holder(MetricsApi.CUSTOM, adapter, HOME) is FOREIGN
    assert holder(MetricsApi.CUSTOM, adapter | {CUSTOM: ours(CUSTOM)}, HOME) is FOREIGN
    mixed = ClusterApiServices({EXTERNAL: foreign(EXTERNAL), CUSTOM: ours(CUSTOM)} | adapter, CERTIFICATES)
    assert choose(mixed, HOME, "auto") == ApiServiceChoice(MetricsApi.NONE, remove=(CUSTOM,)), (
        "our version next to a foreign version would only disturb the foreign server"
    )


def test_an_api_service_without_a_service_is_foreign() -> None:
    local = foreign(EXTERNAL)
    del local["spec"]["service"]
    assert holder(MetricsApi.EXTERNAL, {EXTERNAL: local}, HOME) is FOREIGN
    assert not is_ours(foreign(EXTERNAL, {"namespace": "other", "name": "kindler-metrics"}), HOME), "another release's"


def test_nothing_is_created_or_changed_before_a_metrics_server_has_published_its_certificate() -> None:
    assert choose(ClusterApiServices({}), HOME, "auto") == ApiServiceChoice(MetricsApi.EXTERNAL, waiting=True)
    issued = Installation("kindler-system", "kindler-metrics", OWNER, "kindler-system/c")
    assert choose(ClusterApiServices({}), issued, "auto") == ApiServiceChoice(MetricsApi.EXTERNAL, waiting=True), (
        "cert-manager may never issue one"
    )
    assert choose(ClusterApiServices({}, CERTIFICATES), issued, "auto") == ApiServiceChoice(
        MetricsApi.EXTERNAL, make=EXTERNAL
    )
    assert choose(ClusterApiServices({EXTERNAL: ours(EXTERNAL, ownerReferences=[])}), HOME, "auto") == ApiServiceChoice(
        MetricsApi.EXTERNAL
    ), "the old caBundle stays"


@pytest.mark.parametrize(
    "wrong",
    [
        {"spec": {"caBundle": "b2xk"}},
        {"spec": {"groupPriorityMinimum": 1}},
        {"spec": {"service": {"namespace": "kindler-system", "name": "kindler-metrics", "port": 8443}}},
        {"metadata": {"ownerReferences": []}},
        {"metadata": {"annotations": {CERT_MANAGER: "kindler-system/c"}}},
    ],
)
def test_our_api_service_is_updated(wrong: dict[str, Any]) -> None:
    found = ours(EXTERNAL)
    found = {key: value | wrong.get(key, {}) if isinstance(value, dict) else value for key, value in found.items()}
    assert choose(ClusterApiServices({EXTERNAL: found}, CERTIFICATES), HOME, "auto") == ApiServiceChoice(
        MetricsApi.EXTERNAL, change=EXTERNAL
    )


def test_additions_of_others_to_ours_stay() -> None:
    found = ours(EXTERNAL, labels={"a": "b"}, annotations={"c": "d"}, finalizers=["e"])
    assert choose(ClusterApiServices({EXTERNAL: found}, CERTIFICATES), HOME, "auto") == ApiServiceChoice(
        MetricsApi.EXTERNAL
    )


def test_with_cert_manager_the_annotation_is_set_and_no_bundle() -> None:
    home = Installation("kindler-system", "kindler-metrics", OWNER, "kindler-system/kindler-metrics")
    made = manifest(EXTERNAL, home, {})
    assert "caBundle" not in made["spec"] and made["metadata"]["annotations"] == {
        CERT_MANAGER: "kindler-system/kindler-metrics"
    }
    injected = made | {"spec": made["spec"] | {"caBundle": "eA=="}}
    assert choose(ClusterApiServices({EXTERNAL: injected}, CERTIFICATES), home, "auto") == ApiServiceChoice(
        MetricsApi.EXTERNAL
    )
    assert choose(ClusterApiServices({EXTERNAL: ours(EXTERNAL)}, CERTIFICATES), home, "auto") == ApiServiceChoice(
        MetricsApi.EXTERNAL, change=EXTERNAL
    )


def test_an_api_service_that_others_took_over_survives_our_release() -> None:
    other = {"apiVersion": "v1", "kind": "Namespace", "name": "keda", "uid": "u2"}
    taken = foreign(EXTERNAL, ownerReferences=[OWNER, other])
    choice = choose(ClusterApiServices({EXTERNAL: taken}, CERTIFICATES), HOME, "auto")
    assert choice == ApiServiceChoice(MetricsApi.CUSTOM, make=CUSTOM, disown=(EXTERNAL,))
    assert disowned(taken, HOME) == {"metadata": {"resourceVersion": "7", "ownerReferences": [other]}}
    assert disowned(foreign(EXTERNAL, ownerReferences=[OWNER]), HOME)["metadata"]["ownerReferences"] is None


def test_a_bundle_contains_every_certificate_once_in_a_fixed_order_and_nothing_else() -> None:
    other = PEM.replace("TUlJ", "TUlK")
    key = "-----BEGIN PRIVATE KEY-----\nTUlJ\n-----END PRIVATE KEY-----\n"
    both = bundle({"b": other, "a": PEM, "c": PEM})
    assert base64.b64decode(both).decode() == PEM + other
    assert both == bundle({"a": f"{PEM}{other}"}) == bundle({"a": PEM, "x": "nonsense", "b": other + key})
    assert bundle({}) == bundle({"a": "nonsense", "b": key}) == ""
