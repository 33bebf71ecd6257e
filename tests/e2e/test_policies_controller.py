"""The controller's ServiceAccount has only the permissions that the controller needs.

It can change only objects that belong to an Endpoint.
"""

from __future__ import annotations

from typing import Any

import pytest

from hack.kubeapi import ApiError
from tests.e2e.support.journey import LABEL, Journey
from tests.e2e.support.kubectl import Kubectl
from tests.e2e.test_policies import pool, rejected

Json = dict[str, Any]

OWNED = "the controller may only make, change and delete what an Endpoint owns"
NAMES = "the controller's Services may only be names of the activator"
SCALE = "the controller may only scale pools of Kindler endpoints"
WARM = "the controller's HorizontalPodAutoscalers may only size warm pools"
LEADS = "the controller may only make, change and delete APIServices that lead to its own metrics server"
DISOWN = "the controller may only take owners out of APIServices that lead elsewhere"
OURS = {LABEL: "mine"}
OWNER = {
    "apiVersion": "serving.kindler.dev/v1alpha1",
    "kind": "Endpoint",
    "name": "gone",
    "uid": "00000000-0000-0000-0000-000000000000",
}


class Controller:
    """kubectl as the controller, in the journey's namespace."""

    def __init__(self, journey: Journey, system: Kubectl) -> None:
        account = system.get("deployment", "kindler-controller")["spec"]["template"]["spec"]["serviceAccountName"]
        self.user = f"system:serviceaccount:{system.namespace}:{account}"
        self.who = f"--as={self.user}"
        self.journey, self.kubectl, self.api = journey, journey.kubectl, journey.api

    def create(self, plural: str, body: Json) -> None:
        """Sends one POST as a dry run.

        Without a dry run the garbage collector would delete the object, because its owner does not exist.
        """
        self.api.call("POST", f"{self.api.path(plural, self.journey.namespace)}?dryRun=All", body, user=self.user)

    def apply(self, name: str, spec: Json) -> None:
        """Applies an APIService with server-side apply, as the controller does, but as a dry run."""
        version, _, group = name.partition(".")
        body = {"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": {"name": name}}
        body["spec"] = {"group": group, "version": version, "groupPriorityMinimum": 100, "versionPriority": 100} | spec
        path = f"{self.api.path('apiservices', None, name)}?fieldManager=kindler&force=true&dryRun=All"
        self.api.call("PATCH", path, body, content_type="application/apply-patch+yaml", user=self.user)

    def scale(self, name: str, replicas: int) -> None:
        self.api.call(
            "PATCH",
            self.api.path("replicasets", self.journey.namespace, name, "scale"),
            {"spec": {"replicas": replicas}},
            user=self.user,
        )


@pytest.fixture
def controller(journey: Journey, system: Kubectl) -> Controller:
    return Controller(journey, system)


def owned(value: Json) -> Json:
    return value | {"metadata": value["metadata"] | {"ownerReferences": [OWNER]}}


def service(**spec: Any) -> Json:
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "mine"}, "spec": spec}


def test_the_controller_may_create_only_objects_that_an_endpoint_owns(controller: Controller) -> None:
    controller.create("replicasets", owned(pool("mine-1-demand", OURS)))
    rejected(OWNED, controller.create, "replicasets", pool("mine-1-demand", OURS))
    controller.create("services", owned(service(type="ExternalName", externalName="activator.example")))
    rejected(OWNED, controller.create, "services", service(type="ExternalName", externalName="activator.example"))
    rejected(NAMES, controller.create, "services", owned(service(ports=[{"port": 80}], selector={"app": "foreign"})))


def test_the_controller_may_not_change_scale_or_delete_foreign_objects(
    journey: Journey, controller: Controller
) -> None:
    journey.kubectl.apply(pool("other", {"app": "foreign"}))
    for change in (OURS, {"own": "x"}):
        rejected(
            OWNED, controller.kubectl.patch, "replicaset", "other", {"metadata": {"labels": change}}, controller.who
        )
    rejected(
        OWNED,
        controller.kubectl.patch,
        "replicaset",
        "other",
        {"metadata": {"ownerReferences": [OWNER]}},
        controller.who,
    )
    rejected(OWNED, controller.kubectl, "delete", "replicaset", "other", "--wait=false", controller.who)
    rejected(SCALE, controller.scale, "other", 1)
    obj = journey.kubectl.get("replicaset", "other")
    assert (obj["spec"]["replicas"], obj["metadata"].get("ownerReferences")) == (0, None)


def autoscaler(target: str, kind: str = "ReplicaSet") -> Json:
    spec = {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": kind, "name": target}, "maxReplicas": 1}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "mine-warm"},
        "spec": spec,
    }


def test_the_controllers_autoscalers_may_scale_only_warm_pools_of_endpoints(
    journey: Journey, controller: Controller
) -> None:
    controller.create("horizontalpodautoscalers", owned(autoscaler("mine-1-warm")))
    rejected(OWNED, controller.create, "horizontalpodautoscalers", autoscaler("mine-1-warm"))
    for target, kind in (("mine-1-demand", "ReplicaSet"), ("foreign-warm", "Deployment")):
        rejected(WARM, controller.create, "horizontalpodautoscalers", owned(autoscaler(target, kind)))
    journey.kubectl.apply(autoscaler("other-1-warm") | {"metadata": {"name": "other"}})
    rejected(OWNED, controller.kubectl.patch, "hpa", "other", {"spec": {"maxReplicas": 2}}, controller.who)
    rejected(OWNED, controller.kubectl, "delete", "hpa", "other", controller.who)


def test_the_controllers_api_services_may_only_use_its_own_metrics_server(
    controller: Controller, system: Kubectl
) -> None:
    ours = {"service": {"namespace": system.namespace, "name": "kindler-metrics", "port": 443}}
    foreign = {"service": {"namespace": controller.journey.namespace, "name": "kindler-metrics", "port": 443}}
    controller.apply("v1beta2.custom.metrics.k8s.io", ours)
    rejected(LEADS, controller.apply, "v1beta2.custom.metrics.k8s.io", foreign)
    rejected(LEADS, controller.apply, "v1beta1.external.metrics.k8s.io", foreign)
    for name in ("v1beta1.metrics.k8s.io", "v1.apps"):
        rejected("cannot patch resource", controller.apply, name, ours)
    rejected("cannot create resource", controller.create, "apiservices", {})


def test_the_controller_may_only_remove_owners_from_a_foreign_api_service(controller: Controller) -> None:
    group = "v1beta1.custom.metrics.k8s.io"
    spec = {
        "group": "custom.metrics.k8s.io",
        "version": "v1beta1",
        "groupPriorityMinimum": 1,
        "versionPriority": 1,
        "insecureSkipTLSVerify": True,
    }
    service = {"namespace": controller.journey.namespace, "name": "adapter", "port": 443}
    path = controller.api.path("apiservices", None, group)
    body = {"metadata": {"name": group, "annotations": {"a": "b"}}, "spec": spec | {"service": service}}
    controller.api.call("POST", controller.api.path("apiservices"), body)
    forbidden: tuple[Json, ...] = (
        # This owner does not exist, so after a real write the garbage collector would delete the APIService.
        {"ownerReferences": [OWNER]},
        {"annotations": {"cert-manager.io/inject-ca-from": "x/y"}},
        {"annotations": {"a": None}},
        {"labels": {"app": "mine"}},
        {"finalizers": ["example.com/mine"]},
    )
    try:
        for metadata in forbidden:
            with pytest.raises(ApiError, match=DISOWN):
                controller.api.call("PATCH", path, {"metadata": metadata}, user=controller.user)
        controller.api.call("PATCH", path, {"metadata": {"ownerReferences": None}}, user=controller.user)
        rejected(
            LEADS,
            controller.apply,
            group,
            {"service": {"namespace": "kindler-system", "name": "kindler-metrics", "port": 443}},
        )
        with pytest.raises(ApiError, match=LEADS):
            controller.api.call("DELETE", path, user=controller.user)
    finally:
        controller.api.call("DELETE", path)
