"""The chart says what the program reads: every setting once, with the same default, described; and helm refuses what makes no sense."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from kindler.api import names
from kindler.api.settings import activator_settings, controller_settings, metrics_settings
from tests.unit.charts import CHART, environment, only, rendered, run

SETTINGS = Path(__file__).parents[2] / "operator" / "kindler" / "api" / "settings.py"
PROCESSES = ("controller", "activator", "metrics")
READ = {"controller": controller_settings, "activator": activator_settings, "metrics": metrics_settings}


def read_by_the_program() -> dict[str, set[str]]:
    """The variables that settings.py reads, per process."""
    source = SETTINGS.read_text()
    parts = {
        name: re.findall(r'"(KINDLER_\w+)"', body)
        for name, body in re.findall(r"^def (\w+)\(.*?\n(.*?)(?=^def |\Z)", source, re.M | re.S)
    }
    return {process: set(parts["_common"] + parts[f"{process}_settings"]) for process in PROCESSES}


@pytest.mark.parametrize("process", PROCESSES)
def test_the_chart_sets_every_variable_that_the_program_reads_and_no_other(process: str) -> None:
    told = environment(only(rendered(), "Deployment", f"kindler-{process}"))
    assert set(told) == read_by_the_program()[process]


@pytest.mark.parametrize("process", PROCESSES)
def test_the_charts_defaults_are_the_programs(process: str) -> None:
    told = environment(only(rendered(), "Deployment", f"kindler-{process}"))
    assert told.pop("KINDLER_POD_NAME") == "$metadata.name"
    told.pop("KINDLER_PEER_SELECTOR", None)  # more exact in the chart: the next test
    assert READ[process](told) == READ[process]({})


def test_the_peer_selector_finds_the_activators_pods_alone() -> None:
    objects = rendered(release="one")
    selector = dict(
        term.split("=")
        for term in environment(only(objects, "Deployment", "one-kindler-controller"))["KINDLER_PEER_SELECTOR"].split(
            ","
        )
    )
    labels = {
        process: only(objects, "Deployment", f"one-kindler-{process}")["spec"]["template"]["metadata"]["labels"]
        for process in PROCESSES
    }
    assert selector.items() <= labels["activator"].items()
    assert not selector.items() <= labels["controller"].items()
    other = only(rendered(release="other"), "Deployment", "other-kindler-activator")["spec"]["template"]["metadata"][
        "labels"
    ]
    assert not selector.items() <= other.items()


def leaves(value: object, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    if isinstance(value, dict) and value and path[-1:] != ("resources",):
        return [leaf for key, inner in value.items() for leaf in leaves(inner, (*path, key))]
    return [path]


# Said by Kubernetes itself: the same words as in a pod.
KUBERNETES_OWN = {
    "resources",
    "podAnnotations",
    "nodeSelector",
    "tolerations",
    "affinity",
    "priorityClassName",
    "annotations",
    "pullPolicy",
}


def test_every_value_is_described_where_it_stands() -> None:
    text = (CHART / "values.yaml").read_text().splitlines()
    for path in leaves(yaml.safe_load("\n".join(text))):
        if path[-1] in KUBERNETES_OWN:
            continue
        (line, *_) = [n for n, words in enumerate(text) if re.match(rf"\s{{{2 * (len(path) - 1)}}}{path[-1]}:", words)]
        assert text[line - 1].strip().startswith("#"), f"{'.'.join(path)} is not described"


@pytest.mark.parametrize(
    ("setting", "variable", "value"),
    [
        ("namespaces={b,a}", "KINDLER_NAMESPACES", "b,a"),
        ("defaultNamespace=models", "KINDLER_DEFAULT_NAMESPACE", "models"),
        ("activator.limits.heldBytes=1099511627776", "KINDLER_HELD_BYTES_LIMIT", "1099511627776"),
        ("activator.limits.bodyBytes=104857600", "KINDLER_BODY_LIMIT_BYTES", "104857600"),
        ("activator.probe.intervalSeconds=0.02", "KINDLER_PROBE_INTERVAL_SECONDS", "0.02"),
        ("activator.accessLog=true", "KINDLER_ACCESS_LOG", "true"),
        ("modelPods.memoryRequestRatio=0.05", "KINDLER_MEMORY_REQUEST_RATIO", "0.05"),
        ("modelPods.pinImageDigest=false", "KINDLER_PIN_IMAGE_DIGEST", "false"),
        ("autoscaling.api=custom", "KINDLER_METRICS_API", "custom"),
        (
            "autoscaling.prometheus.url=http://prometheus.monitoring:9090",
            "KINDLER_PROMETHEUS_URL",
            "http://prometheus.monitoring:9090",
        ),
        ("autoscaling.prometheus.namespaceLabel=", "KINDLER_PROMETHEUS_NAMESPACE_LABEL", "-"),
        ("autoscaling.certManager.enabled=true", "KINDLER_METRICS_CERTIFICATE", "kindler-metrics"),
        ("autoscaling.certManager.enabled=true", "KINDLER_TLS_DIRECTORY", "/var/run/secrets/kindler/tls"),
        ("clusterDomain=example.org", "KINDLER_ACTIVATOR_SERVICE", "kindler-activator.kindler-system.svc.example.org"),
    ],
)
def test_values_arrive_as_the_program_reads_them(setting: str, variable: str, value: str) -> None:
    told = {process: environment(only(rendered(setting), "Deployment", f"kindler-{process}")) for process in PROCESSES}
    assert value in {each.get(variable) for each in told.values()}
    for process in PROCESSES:
        READ[process](told[process])


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("activator.replicas=2", "/activator"),
        ("activator.limits.bodyBytes=0", "/activator/limits/bodyBytes"),
        ("namespaces={Not-A-Name}", "/namespaces/0"),
        ("namespaces={a,a}", "/namespaces"),
        ("logLevel=LOUD", "/logLevel"),
        ("logFormat=xml", "/logFormat"),
        ("modelPods.memoryRequestRatio=2", "/modelPods/memoryRequestRatio"),
        ("modelPods.cpuRequestRatio=half", "/modelPods/cpuRequestRatio"),
        ("activator.service.type=ExternalName", "/activator/service/type"),
        ("autoscaling.api=both", "/autoscaling/api"),
        ("autoscaling.externalMetrics={*}", "/autoscaling/externalMetrics/0"),
        ("autoscaling.prometheus.url=prometheus:9090", "/autoscaling/prometheus/url"),
        ("autoscaling.readers={everybody}", "/autoscaling/readers/0"),
        ("metricsServer.replicas=0", "/metricsServer/replicas"),
        ("autoscaling.certManager.issuerRef.kind=ClusterIssuer", "/autoscaling/certManager/issuerRef"),
        ("nonsense=1", "nonsense"),
    ],
)
def test_helm_refuses_what_makes_no_sense_and_names_it(setting: str, words: str) -> None:
    status, _, said = run("template", "kindler", str(CHART), "--set", setting)
    assert status != 0
    assert words in said


def test_the_release_begins_every_name() -> None:
    for release, begin in (("kindler", "kindler"), ("my-kindler", "my-kindler"), ("prod", "prod")):
        objects = rendered(release=release)
        assert {o["metadata"]["name"] for o in objects if not o["metadata"]["name"].startswith(f"{begin}-")} == set()
        full = begin if "kindler" in begin else f"{begin}-kindler"
        for process in PROCESSES:
            assert environment(only(objects, "Deployment", f"{full}-{process}"))["KINDLER_RELEASE"] == full
            assert only(objects, "ServiceAccount", f"{full}-{process}")


def test_two_installations_share_no_object() -> None:
    def keys(release: str, namespace: str) -> set[tuple[str, str, str]]:
        found = rendered(release=release, namespace=namespace)
        return {(o["kind"], o["metadata"].get("namespace", ""), o["metadata"]["name"]) for o in found}

    assert not keys("one", "system") & keys("two", "system")


def test_the_service_leads_to_the_activator_at_port_80() -> None:
    objects = rendered("activator.service.type=NodePort", "activator.service.nodePort=30080")
    service, deployment = (
        only(objects, "Service", "kindler-activator"),
        only(objects, "Deployment", "kindler-activator"),
    )
    assert service["spec"]["ports"] == [{"name": "http", "port": 80, "targetPort": "http", "nodePort": 30080}]
    assert service["spec"]["selector"] == deployment["spec"]["selector"]["matchLabels"]
    ports = {
        port["name"]: str(port["containerPort"])
        for port in deployment["spec"]["template"]["spec"]["containers"][0]["ports"]
    }
    told = environment(deployment)
    assert ports == {
        "http": told["KINDLER_PUBLIC_PORT"],
        "peer": told["KINDLER_PEER_PORT"],
        "admin": told["KINDLER_ADMIN_PORT"],
    }


def test_the_metrics_server_is_reached_where_the_controller_says_it_is() -> None:
    objects = rendered(release="one", namespace="models")
    service, deployment = (
        only(objects, "Service", "one-kindler-metrics"),
        only(objects, "Deployment", "one-kindler-metrics"),
    )
    told = environment(deployment)
    release = environment(only(objects, "Deployment", "one-kindler-controller"))["KINDLER_RELEASE"]
    assert (
        names.metrics_name(release)
        == service["metadata"]["name"]
        == only(objects, "ConfigMap", told["KINDLER_METRICS_CONFIGMAP"])["metadata"]["name"]
    )
    assert only(objects, "ClusterRole", names.metrics_name(release)), "owner of the APIService"
    assert told["KINDLER_METRICS_SERVICE"] == "one-kindler-metrics.models.svc", (
        "the name that the API server looks for in the certificate"
    )
    assert service["spec"]["ports"] == [{"name": "https", "port": 443, "targetPort": "https"}]
    assert service["spec"]["selector"] == deployment["spec"]["selector"]["matchLabels"]
    ports = {
        port["name"]: str(port["containerPort"])
        for port in deployment["spec"]["template"]["spec"]["containers"][0]["ports"]
    }
    assert ports == {"https": told["KINDLER_METRICS_API_PORT"], "admin": told["KINDLER_METRICS_PORT"]}


def test_the_metrics_server_may_be_several_on_nodes_of_their_own() -> None:
    spec = only(rendered("metricsServer.replicas=2"), "Deployment", "kindler-metrics")["spec"]
    assert spec["replicas"] == 2
    (spread,) = spec["template"]["spec"]["topologySpreadConstraints"]
    assert spread["labelSelector"]["matchLabels"] == spec["selector"]["matchLabels"]


def test_without_a_metrics_api_nothing_of_its_server_is_there() -> None:
    for settings in (
        ("autoscaling.api=none",),
        ("autoscaling.api=none", "namespaces={a}", "autoscaling.externalMetrics={q}"),
    ):
        objects = rendered(*settings)
        assert not [
            o
            for o in objects
            if "metrics" in o["metadata"]["name"]
            and o["kind"] not in ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")
        ]
        assert environment(only(objects, "Deployment", "kindler-controller"))["KINDLER_METRICS_API"] == "none"


@pytest.mark.parametrize("issuer", ["", "company"])
def test_cert_manager_issues_for_the_same_name_and_the_files_are_where_they_are_read(issuer: str) -> None:
    objects = rendered(
        "autoscaling.certManager.enabled=true",
        *([f"autoscaling.certManager.issuerRef.name={issuer}"] if issuer else []),
    )
    certificate, deployment = (
        only(objects, "Certificate", "kindler-metrics"),
        only(objects, "Deployment", "kindler-metrics"),
    )
    told, spec = environment(deployment), deployment["spec"]["template"]["spec"]
    assert (
        certificate["metadata"]["name"]
        == environment(only(objects, "Deployment", "kindler-controller"))["KINDLER_METRICS_CERTIFICATE"]
    )
    assert certificate["spec"]["dnsNames"] == [told["KINDLER_METRICS_SERVICE"]]
    (volume,) = [v for v in spec["volumes"] if "secret" in v]
    assert volume["secret"]["secretName"] == certificate["spec"]["secretName"]
    assert {"name": volume["name"], "mountPath": told["KINDLER_TLS_DIRECTORY"], "readOnly": True} in spec["containers"][
        0
    ]["volumeMounts"]
    assert certificate["spec"]["issuerRef"]["name"] == (issuer or "kindler-metrics")
    assert len([o for o in objects if o["kind"] == "Issuer"]) == (0 if issuer else 1)


def test_a_pod_has_time_to_answer_what_it_has() -> None:
    for setting, seconds in (("activator.shutdownGraceSeconds=90", 100), ("activator.shutdownGraceSeconds=12.5", 23)):
        spec = only(rendered(setting), "Deployment", "kindler-activator")["spec"]
        assert spec["template"]["spec"]["terminationGracePeriodSeconds"] == seconds
        assert (spec["replicas"], spec["strategy"]["rollingUpdate"]["maxSurge"]) == (1, 0)


def test_the_notes_name_what_to_type_next() -> None:
    status, out, said = run(
        "install", "prod", str(CHART), "-n", "system", "--dry-run=client", "--set", "namespaces={models}"
    )
    assert status == 0, said
    notes = out[out.index("NOTES:") :]
    for words in (
        "kubectl apply -n models -f examples/iris/",
        "kubectl wait -n models kep/iris",
        "http://iris.models/invocations",
        "svc/prod-kindler-activator",
        "which one prod-kindler-metrics has",
    ):
        assert words in notes


def test_the_chart_is_of_the_programs_version_and_carries_all_three_kinds() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    project = (CHART.parents[1] / "pyproject.toml").read_text()
    assert f'version = "{chart["appVersion"]}"' in project
    assert {path.name for path in (CHART / "crds").iterdir()} == {
        f"{names.GROUP}_{plural}.yaml" for plural in (names.MODELS, names.ENDPOINT_CONFIGS, names.ENDPOINTS)
    }
    assert run("lint", "--strict", str(CHART))[0] == 0
