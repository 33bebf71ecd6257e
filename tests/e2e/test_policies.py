"""The activator's ServiceAccount has only the permissions that it needs.

RBAC cannot allow a change of only one annotation. Therefore the chart's admission policies restrict the activator.
"""

from __future__ import annotations

from typing import Any

import pytest

from hack.kubeapi import ApiError
from tests.e2e.support import manifests
from tests.e2e.support.journey import LABEL, Journey
from tests.e2e.support.kubectl import CommandError, Kubectl

Json = dict[str, Any]

COST = "controller.kubernetes.io/pod-deletion-cost"
OURS = {LABEL: "mine"}
TOUCH = "the activator may only touch pods of Kindler endpoints"
CHANGE = "the activator may only change a pod's deletion cost"
SCALE = "the activator may only scale pools of Kindler endpoints"
DEMAND = "the activator may only scale on-demand pools"


def pod_spec() -> Json:
    container: Json = {
        "name": "model",
        "image": manifests.ECHO,
        "resources": {"limits": {"memory": "64Mi", "cpu": "100m"}},
    }
    container["securityContext"] = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    security = {"runAsNonRoot": True, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}}
    # No scheduler gives the pod a node. So no container runs, but the pod can be patched and deleted.
    return {
        "containers": [container],
        "securityContext": security,
        "schedulerName": "nobody",
        "terminationGracePeriodSeconds": 0,
    }


def pod(name: str, labels: dict[str, str]) -> Json:
    metadata = {"name": name, "labels": labels, "annotations": {"kept": "yes"}, "finalizers": ["example.org/held"]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": pod_spec()}


def pool(name: str, labels: dict[str, str]) -> Json:
    spec = {
        "replicas": 0,
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": pod_spec()},
    }
    return {"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": name, "labels": OURS}, "spec": spec}


class Activator:
    """kubectl as the activator, in the journey's namespace."""

    def __init__(self, journey: Journey, system: Kubectl) -> None:
        deployment = system.get("deployment", "kindler-activator")
        account = deployment["spec"]["template"]["spec"]["serviceAccountName"]
        self.user = f"system:serviceaccount:{system.namespace}:{account}"
        self.who = f"--as={self.user}"
        self.journey, self.kubectl = journey, journey.kubectl

    def patch(self, kind: str, name: str, change: Json, *options: str) -> str:
        return self.kubectl.patch(kind, name, change, self.who, *options)

    def scale(self, name: str, replicas: int) -> None:
        """Sends one PATCH, as the activator does. kubectl would first read the Scale: the activator has no right to."""
        api = self.journey.api
        api.call(
            "PATCH",
            api.path("replicasets", self.journey.namespace, name, "scale"),
            {"spec": {"replicas": replicas}},
            user=self.user,
        )

    def may(self, verb: str, resource: str) -> bool:
        """The result of `kubectl auth can-i`.

        The subresource is a separate option, because kubectl takes `a/b` for a resource and a name.
        """
        plural, _, sub = resource.partition("/")
        try:
            return self.kubectl("auth", "can-i", verb, plural, f"--subresource={sub}", self.who).strip() == "yes"
        except CommandError:
            return False


@pytest.fixture
def activator(journey: Journey, system: Kubectl) -> Activator:
    journey.kubectl.apply(pod("ours", OURS | {"role": "model"}), pod("foreign", {"app": "foreign"}))
    return Activator(journey, system)


@pytest.fixture(autouse=True)
def remove_finalizers(journey: Journey, activator: Activator) -> Any:
    """Removes the finalizers that the tests added, because the namespace cannot be deleted while they exist."""
    yield
    for name in ("ours", "foreign"):
        journey.kubectl(
            "patch", "pod", name, "--type=merge", "-p", '{"metadata": {"finalizers": null}}', "--request-timeout=10s"
        )


def rejected(message: str, act: Any, *words: Any) -> None:
    with pytest.raises((CommandError, ApiError)) as caught:
        act(*words)
    assert message in str(caught.value)


def test_the_activator_may_change_only_the_deletion_cost_of_a_pod(journey: Journey, activator: Activator) -> None:
    before = journey.kubectl.get("pod", "ours")
    (container,) = before["spec"]["containers"]
    other = [container | {"image": "example.org/evil:1"}]
    for change in (
        {"spec": {"containers": other}},
        {"metadata": {"labels": {"role": "other"}}},
        {"metadata": {"labels": {LABEL: None}}},
        {"metadata": {"labels": None}},
        {"metadata": {"annotations": {"own": "x"}}},
        {"metadata": {"annotations": {"kept": "no"}}},
        {"metadata": {"annotations": {"kept": None}}},
        {"metadata": {"annotations": {COST: "1", "own": "x"}}},
        {"metadata": {"finalizers": None}},
        {
            "metadata": {
                "ownerReferences": [
                    {"apiVersion": "v1", "kind": "Pod", "name": "foreign", "uid": before["metadata"]["uid"]}
                ]
            }
        },
        {"spec": {"activeDeadlineSeconds": 1}},
    ):
        rejected(CHANGE, activator.patch, "pod", "ours", change)
    after = journey.kubectl.get("pod", "ours")
    assert (after["metadata"]["resourceVersion"], after["spec"]) == (
        before["metadata"]["resourceVersion"],
        before["spec"],
    )
    for value in ("-100", "100", None):
        activator.patch("pod", "ours", {"metadata": {"annotations": {COST: value}}})
        assert journey.kubectl.get("pod", "ours")["metadata"]["annotations"].get(COST) == value


def test_the_activator_may_not_change_or_delete_foreign_pods(journey: Journey, activator: Activator) -> None:
    rejected(TOUCH, activator.patch, "pod", "foreign", {"metadata": {"annotations": {COST: "1"}}})
    rejected(TOUCH, activator.patch, "pod", "foreign", {"metadata": {"labels": OURS}})
    rejected(TOUCH, activator.kubectl, "delete", "pod", "foreign", "--wait=false", activator.who)
    assert "deletionTimestamp" not in journey.kubectl.get("pod", "foreign")["metadata"]
    activator.kubectl("delete", "pod", "ours", "--wait=false", activator.who)
    assert "deletionTimestamp" in journey.kubectl.get("pod", "ours")["metadata"]


def test_the_activator_may_scale_only_demand_pools_of_endpoints(journey: Journey, activator: Activator) -> None:
    lookalike = {f"x{LABEL}": "mine"}
    journey.kubectl.apply(
        pool("mine-1-demand", OURS),
        pool("mine-1-warm", OURS),
        pool("other-demand", {"app": "foreign"}),
        pool("lookalike-demand", lookalike),
    )
    rejected(DEMAND, activator.scale, "mine-1-warm", 1)
    rejected(SCALE, activator.scale, "other-demand", 1)
    rejected(SCALE, activator.scale, "lookalike-demand", 1)
    rejected("cannot patch resource", activator.patch, "replicaset", "mine-1-demand", {"spec": {"replicas": 1}})
    activator.scale("mine-1-demand", 1)
    expected = {"mine-1-demand": 1, "mine-1-warm": 0, "other-demand": 0, "lookalike-demand": 0}
    assert {name: journey.kubectl.get("replicaset", name)["spec"]["replicas"] for name in expected} == expected
    activator.scale("mine-1-demand", 0)


def test_the_policies_do_not_restrict_other_users(journey: Journey) -> None:
    journey.kubectl.patch("pod", "foreign", {"metadata": {"labels": {"changed": "by-its-owner"}}})
    journey.kubectl.patch("pod", "ours", {"metadata": {"annotations": {"own": "x"}}})
    assert journey.kubectl.get("pod", "foreign")["metadata"]["labels"]["changed"] == "by-its-owner"
    assert journey.kubectl.get("pod", "ours")["metadata"]["annotations"]["own"] == "x"


def test_the_activator_cannot_get_more_permissions(activator: Activator) -> None:
    for verb, resource in (
        ("get", "pods"),
        ("patch", "pods"),
        ("delete", "pods"),
        ("patch", "replicasets/scale"),
        ("watch", "endpoints.serving.kindler.dev"),
    ):
        assert activator.may(verb, resource), f"{verb} {resource}"
    for verb, resource in (
        ("create", "pods"),
        ("create", "pods/exec"),
        ("patch", "pods/ephemeralcontainers"),
        ("patch", "pods/status"),
        ("update", "pods"),
        ("deletecollection", "pods"),
        ("get", "secrets"),
        ("patch", "replicasets"),
        ("create", "replicasets"),
        ("patch", "endpoints.serving.kindler.dev"),
        ("patch", "endpoints.serving.kindler.dev/status"),
        ("patch", "deployments"),
        ("create", "serviceaccounts/token"),
    ):
        assert not activator.may(verb, resource), f"{verb} {resource}"
