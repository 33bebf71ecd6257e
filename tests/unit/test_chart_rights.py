"""What Kindler may do to a cluster, as the chart grants it: least privilege, written per process; and pods that pass Pod Security `restricted`."""

from __future__ import annotations

from itertools import product
from types import ModuleType

import pytest

import kindler.controller.process as controller_process
import kindler.metrics.process as metrics_process
from kindler.api import names
from tests.unit.charts import Json, only, rendered

PROCESSES = ("controller", "activator", "metrics")
SECRETS_AND_OTHER_ROADS_TO_POWER = {
    "secrets",
    "serviceaccounts",
    "serviceaccounts/token",
    "roles",
    "clusterroles",
    "pods/exec",
    "pods/ephemeralcontainers",
    "nodes",
}
THE_CLUSTERS_OWN = {"system:service-account-issuer-discovery", "extension-apiserver-authentication-reader"}


def grants(objects: list[Json], process: str) -> set[tuple[str, str, str, str]]:
    """(namespace or "*", API group, resource, verb) of everything that the process's ServiceAccount may do by the chart's own roles."""
    found = set()
    for binding in objects:
        if (
            binding["kind"] not in ("RoleBinding", "ClusterRoleBinding")
            or binding["roleRef"]["name"] in THE_CLUSTERS_OWN
        ):
            continue
        if [subject["name"] for subject in binding["subjects"]] == [f"kindler-{process}"]:
            role = only(within(objects, binding), binding["roleRef"]["kind"], binding["roleRef"]["name"])
            where = binding["metadata"].get("namespace", "*")
            for rule in role["rules"]:
                named = [f"/{name}" for name in rule.get("resourceNames", ())] or [""]
                resources = [f"{resource}{name}" for resource, name in product(rule["resources"], named)]
                found |= {(where, *words) for words in product(rule["apiGroups"], resources, rule["verbs"])}
    return found


def within(objects: list[Json], binding: Json) -> list[Json]:
    """What a binding can name: roles of its own namespace, or of the cluster."""
    namespace = binding["metadata"].get("namespace") if binding["roleRef"]["kind"] == "Role" else None
    return [o for o in objects if o["metadata"].get("namespace") == namespace]


ACTIVATOR = {
    ("serving.kindler.dev", "endpoints"): "get list watch",
    ("", "pods"): "get list watch patch delete",
    ("apps", "replicasets"): "get list watch",
    ("apps", "replicasets/scale"): "patch",
}
CONTROLLER = {
    **{("serving.kindler.dev", plural): "get list watch" for plural in ("models", "endpointconfigs", "endpoints")},
    **{("serving.kindler.dev", f"{plural}/status"): "update" for plural in ("models", "endpointconfigs", "endpoints")},
    ("serving.kindler.dev", "endpoints/finalizers"): "update",
    ("apps", "replicasets"): "get list watch create patch delete",
    ("apps", "controllerrevisions"): "get list watch create patch delete",
    ("apps", "replicasets/scale"): "patch",
    ("autoscaling", "horizontalpodautoscalers"): "get list watch create patch delete",
    ("", "services"): "get list watch create patch",
    ("", "pods"): "get list watch",
    ("events.k8s.io", "events"): "create",
}
METRICS = {("serving.kindler.dev", "endpoints"): "get list watch"}
LEADING = {
    ("coordination.k8s.io", "leases"): "create",
    ("coordination.k8s.io", "leases/kindler-controller"): "get update",
    ("", "pods"): "list",
}
AT_HOME = LEADING | {("", "configmaps/kindler-metrics"): "list watch"}
METRICS_AT_HOME = {("", "pods"): "list", ("", "configmaps/kindler-metrics"): "get patch"}
METRICS_API = {
    **{
        ("apiregistration.k8s.io", f"apiservices/{version}.metrics.k8s.io"): "get create patch delete"
        for version in ("v1beta1.external", "v1beta2.custom", "v1beta1.custom")
    },
    ("rbac.authorization.k8s.io", "clusterroles/kindler-metrics"): "get",
}


def spelled(rights: dict[tuple[str, str], str], where: str) -> set[tuple[str, str, str, str]]:
    return {(where, group, resource, verb) for (group, resource), verbs in rights.items() for verb in verbs.split()}


def test_rights_in_all_namespaces() -> None:
    objects = rendered()
    assert grants(objects, "activator") == spelled(ACTIVATOR, "*")
    assert grants(objects, "controller") == spelled(CONTROLLER, "*") | spelled(AT_HOME, "kindler-system") | spelled(
        METRICS_API, "*"
    )
    assert grants(objects, "metrics") == spelled(METRICS, "*") | spelled(METRICS_AT_HOME, "kindler-system")


def test_with_a_list_of_namespaces_there_is_no_right_in_any_other() -> None:
    objects = rendered("namespaces={one,two,kindler-system}")
    places = ("one", "two", "kindler-system")

    def everywhere(rights: dict[tuple[str, str], str]) -> set[tuple[str, str, str, str]]:
        return set().union(*(spelled(rights, place) for place in places))

    assert grants(objects, "activator") == everywhere(ACTIVATOR)
    assert grants(objects, "controller") == everywhere(CONTROLLER) | spelled(AT_HOME, "kindler-system") | spelled(
        METRICS_API, "*"
    )
    assert grants(objects, "metrics") == everywhere(METRICS) | spelled(METRICS_AT_HOME, "kindler-system")
    keys = [(o["kind"], o["metadata"].get("namespace"), o["metadata"]["name"]) for o in objects]
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize(("process", "module"), [("controller", controller_process), ("metrics", metrics_process)])
def test_a_process_says_itself_what_it_needs(process: str, module: ModuleType) -> None:
    said = (module.__doc__ or "").partition("Rights")[2]
    for _, group, resource, verb in grants(rendered("autoscaling.externalMetrics={queue_length}"), process):
        assert group in said
        assert any(word in said for word in (resource.partition("/")[0], "installation allows"))
        assert verb in said


def test_without_a_metrics_api_there_is_no_right_for_it() -> None:
    objects = rendered("autoscaling.api=none")
    assert grants(objects, "controller") == spelled(CONTROLLER, "*") | spelled(LEADING, "kindler-system")
    assert grants(objects, "metrics") == set()


def test_metrics_of_others_are_read_by_name() -> None:
    objects = rendered("autoscaling.externalMetrics={queue_length,s0-prometheus}", "namespaces={one}")
    named = {
        ("external.metrics.k8s.io", "queue_length"): "get list",
        ("external.metrics.k8s.io", "s0-prometheus"): "get list",
    }
    for process in ("controller", "metrics"):
        assert {grant for grant in grants(objects, process) if grant[1] == "external.metrics.k8s.io"} == spelled(
            named, "one"
        )


def test_our_metrics_are_read_by_those_who_scale_and_by_admins() -> None:
    role = only(rendered(), "ClusterRole", "kindler-metrics-reader")
    assert {label.rpartition("-")[2] for label in role["metadata"]["labels"] if "aggregate" in label} == {"admin"}
    metrics = (names.METRIC_EXECUTIONS, names.METRIC_CUSTOMIZED)
    assert {(rule["apiGroups"][0], *rule["resources"]) for rule in role["rules"]} == {
        (names.EXTERNAL_METRICS, *metrics),
        (names.CUSTOM_METRICS, *(f"endpoints.{names.GROUP}/{metric}" for metric in metrics)),
    }
    assert only(rendered(), "ClusterRoleBinding", "kindler-metrics-reader")["subjects"] == [
        {"kind": "ServiceAccount", "name": "horizontal-pod-autoscaler", "namespace": "kube-system"}
    ]
    assert not [
        o
        for o in rendered("autoscaling.readers=null")
        if o["kind"] == "ClusterRoleBinding" and o["metadata"]["name"] == "kindler-metrics-reader"
    ]


def test_no_wildcard_no_secret_no_road_to_more_power() -> None:
    for role in (o for o in rendered() if o["kind"] in ("Role", "ClusterRole")):
        for rule in role["rules"]:
            assert "*" not in (*rule["apiGroups"], *rule["resources"], *rule["verbs"])
            powerful = SECRETS_AND_OTHER_ROADS_TO_POWER & set(rule["resources"])
            assert not powerful or (powerful, rule["verbs"], rule["resourceNames"]) == (
                {"clusterroles"},
                ["get"],
                ["kindler-metrics"],
            )
            assert not {"escalate", "bind", "impersonate"} & set(rule["verbs"])


def test_users_get_the_three_kinds_by_the_clusters_own_roles() -> None:
    kinds = {names.MODELS, names.ENDPOINT_CONFIGS, names.ENDPOINTS}
    for name, into in (("view", {"view", "edit", "admin"}), ("edit", {"edit", "admin"})):
        role = only(rendered(), "ClusterRole", f"kindler-{name}")
        assert {label.rpartition("-")[2] for label in role["metadata"]["labels"] if "aggregate" in label} == into
        assert {resource for rule in role["rules"] for resource in rule["resources"] if "/" not in resource} == kinds
        assert all({"create", "patch", "delete"} <= set(rule["verbs"]) for rule in role["rules"]) == (name == "edit")


@pytest.mark.parametrize("process", PROCESSES)
def test_pods_pass_pod_security_restricted(process: str) -> None:
    spec = only(rendered(), "Deployment", f"kindler-{process}")["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    assert spec["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 10001,
        "runAsGroup": 0,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["args"] == [process]
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec)
    assert container["resources"]["limits"]["memory"]


@pytest.mark.parametrize("process", PROCESSES)
def test_the_peer_token_is_for_the_peer_port_alone(process: str) -> None:
    spec = only(rendered(), "Deployment", f"kindler-{process}")["spec"]["template"]["spec"]
    (volume,) = spec["volumes"]
    (source,) = volume["projected"]["sources"]
    assert source["serviceAccountToken"]["audience"] == names.PEER_AUDIENCE
    (mount,) = spec["containers"][0]["volumeMounts"]
    assert f"{mount['mountPath']}/{source['serviceAccountToken']['path']}" == "/var/run/secrets/kindler/peer/token"


def test_policies_hold_the_controller_to_its_own() -> None:
    objects = rendered(release="prod", namespace="models")
    policies = [
        o
        for o in objects
        if o["kind"] == "ValidatingAdmissionPolicy" and o["metadata"]["name"].startswith("prod-kindler-controller-")
    ]
    who = "request.userInfo.username == 'system:serviceaccount:models:prod-kindler-controller'"
    for policy in policies:
        assert [condition["expression"] for condition in policy["spec"]["matchConditions"]] == [who]
        assert only(objects, "ValidatingAdmissionPolicyBinding", policy["metadata"]["name"])["spec"][
            "validationActions"
        ] == ["Deny"]
    narrowed = {
        resource
        for policy in policies
        for rule in policy["spec"]["matchConstraints"]["resourceRules"]
        for resource in rule["resources"]
    }
    assert narrowed == {
        "replicasets",
        "controllerrevisions",
        "services",
        "horizontalpodautoscalers",
        "replicasets/scale",
        "apiservices",
    }
    text = str(policies)
    assert f".endsWith('-{names.WARM}')" in text
    assert "service.name == 'prod-kindler-metrics' && object.spec.service.namespace == 'models'" in text


def test_policies_bind_the_activator_of_this_release_and_nobody_else() -> None:
    objects = rendered(release="prod", namespace="models")
    for name in ("prod-kindler-activator-pods", "prod-kindler-activator-scale"):
        policy = only(objects, "ValidatingAdmissionPolicy", name)
        assert policy["spec"]["failurePolicy"] == "Fail"
        assert [c["expression"] for c in policy["spec"]["matchConditions"]] == [
            "request.userInfo.username == 'system:serviceaccount:models:prod-kindler-activator'"
        ]
        assert only(objects, "ValidatingAdmissionPolicyBinding", name)["spec"]["validationActions"] == ["Deny"]
    text = str(objects)
    for label in (names.LABEL_ENDPOINT, names.ANNOTATION_DELETION_COST, f"-{names.DEMAND}"):
        assert f"'{label}" in text
