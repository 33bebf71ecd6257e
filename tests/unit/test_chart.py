"""The chart sets every setting of the program, with the same default and a description. Helm rejects invalid values."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from kindler import __main__ as kindler_main
from kindler.api import names
from kindler.api.settings import activator_settings, controller_settings, metrics_settings
from tests.unit.charts import CHART, environment, only, rendered, run

SETTINGS = Path(__file__).parents[2] / "operator" / "kindler" / "api" / "settings.py"
PROCESSES = tuple(kindler_main.PROCESSES)
READ = {"controller": controller_settings, "activator": activator_settings, "metrics": metrics_settings}


def read_by_the_program() -> dict[str, set[str]]:
    """The environment variables that settings.py reads, by process."""
    source = SETTINGS.read_text()
    parts = {
        name: re.findall(r'"(KINDLER_\w+)"', body)
        for name, body in re.findall(r"^def (\w+)\(.*?\n(.*?)(?=^def |\Z)", source, re.M | re.S)
    }
    return {process: set(parts["_common"] + parts[f"{process}_settings"]) for process in PROCESSES}


@pytest.mark.parametrize("process", PROCESSES)
def test_the_probes_and_the_scrape_annotation_lead_to_the_admin_port(process: str) -> None:
    template = only(rendered(), "Deployment", f"kindler-{process}")["spec"]["template"]
    (container,) = template["spec"]["containers"]
    (admin,) = (port["containerPort"] for port in container["ports"] if port["name"] == "admin")
    probes = [container[f"{probe}Probe"]["httpGet"]["port"] for probe in ("liveness", "startup", "readiness")]
    assert probes == ["admin"] * 3
    assert template["metadata"]["annotations"]["prometheus.io/port"] == str(admin)
    variables = {entry["name"]: entry.get("value") for entry in container["env"]}
    read = "KINDLER_ADMIN_PORT" if process == "activator" else "KINDLER_METRICS_PORT"
    assert variables.get(read, str(admin)) == str(admin)


@pytest.mark.parametrize("process", PROCESSES)
def test_the_chart_sets_every_variable_that_the_program_reads_and_no_other(process: str) -> None:
    variables = environment(only(rendered(), "Deployment", f"kindler-{process}"))
    assert set(variables) == read_by_the_program()[process]


@pytest.mark.parametrize("process", PROCESSES)
def test_the_defaults_of_chart_and_program_are_equal(process: str) -> None:
    variables = environment(only(rendered(), "Deployment", f"kindler-{process}"))
    assert variables.pop("KINDLER_POD_NAME") == "$metadata.name"
    variables.pop("KINDLER_PEER_SELECTOR", None)  # the chart's selector has more labels, which the next test checks
    assert READ[process](variables) == READ[process]({})


def test_the_peer_selector_matches_only_pods_of_the_activator() -> None:
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


# These fields mean the same as in a pod of Kubernetes, so they need no description.
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


def test_every_value_has_a_comment_in_the_line_before() -> None:
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
def test_the_chart_passes_values_in_the_form_that_the_program_reads(setting: str, variable: str, value: str) -> None:
    variables = {
        process: environment(only(rendered(setting), "Deployment", f"kindler-{process}")) for process in PROCESSES
    }
    assert value in {each.get(variable) for each in variables.values()}
    for process in PROCESSES:
        READ[process](variables[process])


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
def test_helm_rejects_an_invalid_value_and_names_its_path(setting: str, words: str) -> None:
    status, _, errors = run("template", "kindler", str(CHART), "--set", setting)
    assert status != 0
    assert words in errors


def test_every_name_begins_with_the_release() -> None:
    for release, begin in (("kindler", "kindler"), ("my-kindler", "my-kindler"), ("prod", "prod")):
        objects = rendered(release=release)
        assert {o["metadata"]["name"] for o in objects if not o["metadata"]["name"].startswith(f"{begin}-")} == set()
        full = begin if "kindler" in begin else f"{begin}-kindler"
        for process in PROCESSES:
            assert environment(only(objects, "Deployment", f"{full}-{process}"))["KINDLER_RELEASE"] == full
            assert only(objects, "ServiceAccount", f"{full}-{process}")


def test_two_installations_share_no_object() -> None:
    def keys(release: str, namespace: str) -> set[tuple[str, str, str]]:
        objects = rendered(release=release, namespace=namespace)
        return {(o["kind"], o["metadata"].get("namespace", ""), o["metadata"]["name"]) for o in objects}

    assert not keys("one", "system") & keys("two", "system")


def test_the_service_routes_port_80_to_the_activator() -> None:
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
    variables = environment(deployment)
    assert ports == {
        "http": variables["KINDLER_PUBLIC_PORT"],
        "peer": variables["KINDLER_PEER_PORT"],
        "admin": variables["KINDLER_ADMIN_PORT"],
    }


def test_the_metrics_server_has_the_names_that_the_controller_uses() -> None:
    objects = rendered(release="one", namespace="models")
    service, deployment = (
        only(objects, "Service", "one-kindler-metrics"),
        only(objects, "Deployment", "one-kindler-metrics"),
    )
    variables = environment(deployment)
    release = environment(only(objects, "Deployment", "one-kindler-controller"))["KINDLER_RELEASE"]
    assert (
        names.metrics_name(release)
        == service["metadata"]["name"]
        == only(objects, "ConfigMap", variables["KINDLER_METRICS_CONFIGMAP"])["metadata"]["name"]
    )
    assert only(objects, "ClusterRole", names.metrics_name(release)), (
        "the ClusterRole that owns the APIService must exist"
    )
    assert variables["KINDLER_METRICS_SERVICE"] == "one-kindler-metrics.models.svc", (
        "the API server checks that the certificate has this name"
    )
    assert service["spec"]["ports"] == [{"name": "https", "port": 443, "targetPort": "https"}]
    assert service["spec"]["selector"] == deployment["spec"]["selector"]["matchLabels"]
    ports = {
        port["name"]: str(port["containerPort"])
        for port in deployment["spec"]["template"]["spec"]["containers"][0]["ports"]
    }
    assert ports == {"https": variables["KINDLER_METRICS_API_PORT"], "admin": variables["KINDLER_METRICS_PORT"]}


def test_replicas_of_the_metrics_server_are_spread_over_nodes() -> None:
    spec = only(rendered("metricsServer.replicas=2"), "Deployment", "kindler-metrics")["spec"]
    assert spec["replicas"] == 2
    (spread,) = spec["template"]["spec"]["topologySpreadConstraints"]
    assert spread["labelSelector"]["matchLabels"] == spec["selector"]["matchLabels"]


def test_without_a_metrics_api_there_are_no_objects_of_its_server() -> None:
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
def test_the_cert_manager_certificate_has_the_servers_name_and_is_mounted_where_it_is_read(issuer: str) -> None:
    objects = rendered(
        "autoscaling.certManager.enabled=true",
        *([f"autoscaling.certManager.issuerRef.name={issuer}"] if issuer else []),
    )
    certificate, deployment = (
        only(objects, "Certificate", "kindler-metrics"),
        only(objects, "Deployment", "kindler-metrics"),
    )
    variables, spec = environment(deployment), deployment["spec"]["template"]["spec"]
    assert (
        certificate["metadata"]["name"]
        == environment(only(objects, "Deployment", "kindler-controller"))["KINDLER_METRICS_CERTIFICATE"]
    )
    assert certificate["spec"]["dnsNames"] == [variables["KINDLER_METRICS_SERVICE"]]
    (volume,) = [v for v in spec["volumes"] if "secret" in v]
    assert volume["secret"]["secretName"] == certificate["spec"]["secretName"]
    assert {"name": volume["name"], "mountPath": variables["KINDLER_TLS_DIRECTORY"], "readOnly": True} in spec[
        "containers"
    ][0]["volumeMounts"]
    assert certificate["spec"]["issuerRef"]["name"] == (issuer or "kindler-metrics")
    assert len([o for o in objects if o["kind"] == "Issuer"]) == (0 if issuer else 1)


def test_the_grace_period_is_ten_seconds_longer_than_the_shutdown_grace() -> None:
    for setting, seconds in (("activator.shutdownGraceSeconds=90", 100), ("activator.shutdownGraceSeconds=12.5", 23)):
        spec = only(rendered(setting), "Deployment", "kindler-activator")["spec"]
        assert spec["template"]["spec"]["terminationGracePeriodSeconds"] == seconds
        assert (spec["replicas"], spec["strategy"]["rollingUpdate"]["maxSurge"]) == (1, 0)


def test_the_notes_show_the_next_commands() -> None:
    status, out, errors = run(
        "install", "prod", str(CHART), "-n", "system", "--dry-run=client", "--set", "namespaces={models}"
    )
    assert status == 0, errors
    notes = out[out.index("NOTES:") :]
    for words in (
        "kubectl apply -n models -f examples/iris/",
        "kubectl wait -n models kep/iris",
        "http://iris.models/invocations",
        "svc/prod-kindler-activator",
        "which one prod-kindler-metrics has",
    ):
        assert words in notes


def test_the_chart_has_the_programs_version_and_all_three_crds() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    project = (CHART.parents[1] / "pyproject.toml").read_text()
    assert f'version = "{chart["appVersion"]}"' in project
    assert {path.name for path in (CHART / "crds").iterdir()} == {
        f"{names.GROUP}_{plural}.yaml" for plural in (names.MODELS, names.ENDPOINT_CONFIGS, names.ENDPOINTS)
    }
    assert run("lint", "--strict", str(CHART))[0] == 0
