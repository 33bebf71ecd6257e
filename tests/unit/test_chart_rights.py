"""The permissions that the chart grants: least privilege for each process. The pods pass Pod Security `restricted`."""

from __future__ import annotations

from itertools import product
from types import ModuleType

import pytest

import kindler.controller.process as controller_process
import kindler.metrics.process as metrics_process
from kindler import __main__ as kindler_main
from kindler.api import names
from tests.unit.charts import Json, only, rendered

PROCESSES = tuple(kindler_main.PROCESSES)
PRIVILEGED_RESOURCES = {
    "secrets",
    "serviceaccounts",
    "serviceaccounts/token",
    "roles",
    "clusterroles",
    "pods/exec",
    "pods/ephemeralcontainers",
    "nodes",
}
BUILT_IN_ROLES = {"system:service-account-issuer-discovery", "extension-apiserver-authentication-reader"}


def grants(objects: list[Json], process: str) -> set[tuple[str, str, str, str]]:
    """All permissions that the chart's own roles grant to the process's ServiceAccount.

    Each is (namespace or "*", API group, resource, verb).
    """
    granted = set()
    for binding in objects:
        if binding["kind"] not in ("RoleBinding", "ClusterRoleBinding") or binding["roleRef"]["name"] in BUILT_IN_ROLES:
            continue
        if [subject["name"] for subject in binding["subjects"]] == [f"kindler-{process}"]:
            role = only(within(objects, binding), binding["roleRef"]["kind"], binding["roleRef"]["name"])
            where = binding["metadata"].get("namespace", "*")
            for rule in role["rules"]:
                named = [f"/{name}" for name in rule.get("resourceNames", ())] or [""]
                resources = [f"{resource}{name}" for resource, name in product(rule["resources"], named)]
                granted |= {(where, *permission) for permission in product(rule["apiGroups"], resources, rule["verbs"])}
    return granted


def within(objects: list[Json], binding: Json) -> list[Json]:
    """The objects that a binding can refer to: those of its own namespace, or cluster-scoped ones."""
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
LEADER_ELECTION = {
    ("coordination.k8s.io", "leases"): "create",
    ("coordination.k8s.io", "leases/kindler-controller"): "get update",
    ("", "pods"): "list",
}
IN_SYSTEM_NAMESPACE = LEADER_ELECTION | {("", "configmaps/kindler-metrics"): "list watch"}
METRICS_IN_SYSTEM_NAMESPACE = {("", "pods"): "list", ("", "configmaps/kindler-metrics"): "get patch"}
METRICS_API = {
    **{
        ("apiregistration.k8s.io", f"apiservices/{version}.metrics.k8s.io"): "get create patch delete"
        for version in ("v1beta1.external", "v1beta2.custom", "v1beta1.custom")
    },
    ("rbac.authorization.k8s.io", "clusterroles/kindler-metrics"): "get",
}


def expanded(rights: dict[tuple[str, str], str], where: str) -> set[tuple[str, str, str, str]]:
    return {(where, group, resource, verb) for (group, resource), verbs in rights.items() for verb in verbs.split()}


def test_permissions_in_all_namespaces() -> None:
    objects = rendered()
    assert grants(objects, "activator") == expanded(ACTIVATOR, "*")
    assert grants(objects, "controller") == expanded(CONTROLLER, "*") | expanded(
        IN_SYSTEM_NAMESPACE, "kindler-system"
    ) | expanded(METRICS_API, "*")
    assert grants(objects, "metrics") == expanded(METRICS, "*") | expanded(
        METRICS_IN_SYSTEM_NAMESPACE, "kindler-system"
    )


def test_with_a_list_of_namespaces_there_are_no_permissions_in_others() -> None:
    objects = rendered("namespaces={one,two,kindler-system}")
    namespaces = ("one", "two", "kindler-system")

    def in_each_namespace(rights: dict[tuple[str, str], str]) -> set[tuple[str, str, str, str]]:
        return set().union(*(expanded(rights, namespace) for namespace in namespaces))

    assert grants(objects, "activator") == in_each_namespace(ACTIVATOR)
    assert grants(objects, "controller") == in_each_namespace(CONTROLLER) | expanded(
        IN_SYSTEM_NAMESPACE, "kindler-system"
    ) | expanded(METRICS_API, "*")
    assert grants(objects, "metrics") == in_each_namespace(METRICS) | expanded(
        METRICS_IN_SYSTEM_NAMESPACE, "kindler-system"
    )
    keys = [(o["kind"], o["metadata"].get("namespace"), o["metadata"]["name"]) for o in objects]
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize(("process", "module"), [("controller", controller_process), ("metrics", metrics_process)])
def test_the_docstring_of_a_process_lists_its_permissions(process: str, module: ModuleType) -> None:
    documented = (module.__doc__ or "").partition("Rights")[2]
    for _, group, resource, verb in grants(rendered("autoscaling.externalMetrics={queue_length}"), process):
        assert group in documented
        assert any(name in documented for name in (resource.partition("/")[0], "installation allows"))
        assert verb in documented


def test_without_a_metrics_api_there_are_no_permissions_for_it() -> None:
    objects = rendered("autoscaling.api=none")
    assert grants(objects, "controller") == expanded(CONTROLLER, "*") | expanded(LEADER_ELECTION, "kindler-system")
    assert grants(objects, "metrics") == set()


def test_external_metrics_are_read_only_by_name() -> None:
    objects = rendered("autoscaling.externalMetrics={queue_length,s0-prometheus}", "namespaces={one}")
    named = {
        ("external.metrics.k8s.io", "queue_length"): "get list",
        ("external.metrics.k8s.io", "s0-prometheus"): "get list",
    }
    for process in ("controller", "metrics"):
        assert {grant for grant in grants(objects, process) if grant[1] == "external.metrics.k8s.io"} == expanded(
            named, "one"
        )


def test_only_the_hpa_controller_and_admins_may_read_kindlers_metrics() -> None:
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


def test_no_role_has_wildcards_secrets_or_privilege_escalation() -> None:
    for role in (o for o in rendered() if o["kind"] in ("Role", "ClusterRole")):
        for rule in role["rules"]:
            assert "*" not in (*rule["apiGroups"], *rule["resources"], *rule["verbs"])
            privileged = PRIVILEGED_RESOURCES & set(rule["resources"])
            assert not privileged or (privileged, rule["verbs"], rule["resourceNames"]) == (
                {"clusterroles"},
                ["get"],
                ["kindler-metrics"],
            )
            assert not {"escalate", "bind", "impersonate"} & set(rule["verbs"])


def test_the_built_in_view_and_edit_roles_include_the_three_kinds() -> None:
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
def test_the_peer_token_has_the_audience_of_the_peer_port(process: str) -> None:
    spec = only(rendered(), "Deployment", f"kindler-{process}")["spec"]["template"]["spec"]
    (volume,) = spec["volumes"]
    (source,) = volume["projected"]["sources"]
    assert source["serviceAccountToken"]["audience"] == names.PEER_AUDIENCE
    (mount,) = spec["containers"][0]["volumeMounts"]
    assert f"{mount['mountPath']}/{source['serviceAccountToken']['path']}" == "/var/run/secrets/kindler/peer/token"


def test_policies_restrict_the_controller_to_its_own_objects() -> None:
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


def test_policies_restrict_only_the_activator_of_this_release() -> None:
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
