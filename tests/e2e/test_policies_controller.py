"""What the controller's ServiceAccount may do is what it needs and no more: it touches only what Endpoints own."""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.support.journey import LABEL, Journey
from tests.e2e.support.kubectl import Kubectl
from tests.e2e.test_policies import pool, refused

Json = dict[str, Any]

OWNED = "the controller may only make, change and delete what an Endpoint owns"
NAMES = "the controller's Services may only be names of the activator"
SCALE = "the controller may only scale pools of Kindler endpoints"
OURS = {LABEL: "mine"}
OWNER = {"apiVersion": "serving.kindler.dev/v1alpha1", "kind": "Endpoint", "name": "gone", "uid": "00000000-0000-0000-0000-000000000000"}


class Controller:
    """kubectl as the controller, in the journey's namespace."""

    def __init__(self, journey: Journey, system: Kubectl) -> None:
        account = system.get("deployment", "kindler-controller")["spec"]["template"]["spec"]["serviceAccountName"]
        self.user = f"system:serviceaccount:{system.namespace}:{account}"
        self.who = f"--as={self.user}"
        self.journey, self.kubectl, self.api = journey, journey.kubectl, journey.api

    def create(self, plural: str, body: Json) -> None:
        """By one bare POST, which is not kept: an owner that does not exist would have it collected."""
        self.api.call("POST", f"{self.api.path(plural, self.journey.namespace)}?dryRun=All", body, user=self.user)

    def scale(self, name: str, replicas: int) -> None:
        self.api.call("PATCH", self.api.path("replicasets", self.journey.namespace, name, "scale"), {"spec": {"replicas": replicas}}, user=self.user)


@pytest.fixture
def controller(journey: Journey, system: Kubectl) -> Controller:
    return Controller(journey, system)


def owned(value: Json) -> Json:
    return value | {"metadata": value["metadata"] | {"ownerReferences": [OWNER]}}


def service(**spec: Any) -> Json:
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "mine"}, "spec": spec}


def test_it_makes_only_what_an_endpoint_owns(controller: Controller) -> None:
    controller.create("replicasets", owned(pool("mine-1-demand", OURS)))
    refused(OWNED, controller.create, "replicasets", pool("mine-1-demand", OURS))
    controller.create("services", owned(service(type="ExternalName", externalName="activator.example")))
    refused(OWNED, controller.create, "services", service(type="ExternalName", externalName="activator.example"))
    refused(NAMES, controller.create, "services", owned(service(ports=[{"port": 80}], selector={"app": "somebody"})))


def test_it_changes_scales_and_deletes_nothing_of_others(journey: Journey, controller: Controller) -> None:
    journey.kubectl.apply(pool("other", {"app": "somebody"}))
    for change in (OURS, {"own": "x"}):
        refused(OWNED, controller.kubectl.patch, "replicaset", "other", {"metadata": {"labels": change}}, controller.who)
    refused(OWNED, controller.kubectl.patch, "replicaset", "other", {"metadata": {"ownerReferences": [OWNER]}}, controller.who)
    refused(OWNED, controller.kubectl, "delete", "replicaset", "other", "--wait=false", controller.who)
    refused(SCALE, controller.scale, "other", 1)
    found = journey.kubectl.get("replicaset", "other")
    assert (found["spec"]["replicas"], found["metadata"].get("ownerReferences")) == (0, None)
