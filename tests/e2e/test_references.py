"""References by name, manifests in any order, and objects with the same SageMaker name."""

from __future__ import annotations

from tests.e2e.support import manifests, rows
from tests.e2e.support.journey import Journey


def test_manifests_can_be_applied_in_any_order(journey: Journey) -> None:
    journey.kubectl.apply(manifests.endpoint("echo"))
    missing = journey.reaches("echo", rows.CREATING, reason="EndpointConfigNotFound")
    assert "echo" in rows.condition(missing, "Ready")["message"]
    journey.kubectl.apply(manifests.config("echo", idle=300))
    journey.reaches("echo", rows.CREATING, reason="ModelNotFound")
    journey.kubectl.apply(manifests.model("echo"))
    journey.reaches("echo", rows.IN_SERVICE)
    assert journey.invoke().status == 200


def test_references_use_sagemaker_names(journey: Journey) -> None:
    journey.kubectl.apply(
        manifests.model("object-a", modelName="My-Model"),
        manifests.config("object-b", model="My-Model", endpointConfigName="My-Config", idle=300),
        manifests.endpoint("object-c", config="My-Config", endpointName="My-Endpoint"),
    )
    journey.reaches("object-c", rows.IN_SERVICE)
    assert journey.invoke("My-Endpoint").status == 200
    assert (
        journey.gateway.request("POST", "/invocations", b"{}", {"Host": f"object-c.{journey.namespace}"}).status == 200
    )
    assert journey.invoke("my-endpoint").status == 404, "the name of an endpoint in a request is case-sensitive"


def test_an_endpoint_keeps_serving_when_its_model_and_config_are_deleted_or_replaced(journey: Journey) -> None:
    before = journey.serving(idle=300)
    pods = {pod["metadata"]["uid"] for pod in journey.pods()}
    journey.kubectl("delete", "kmodel,kepc", "echo")
    assert journey.reaches("echo", rows.IN_SERVICE)["status"]["route"] == before["status"]["route"]
    assert journey.invoke().status == 200
    journey.kubectl.apply(
        manifests.model("echo", environment={"OTHER": "1"}), manifests.config("echo", memory=3072, idle=300)
    )
    journey.wait_for_a_later_timestamp("models", "echo")
    journey.api.until(
        "endpointconfigs",
        journey.namespace,
        "echo",
        lambda obj: obj is not None and obj["status"].get("observedGeneration") == 1,
    )
    assert journey.invoke().status == 200
    after = journey.reaches("echo", rows.IN_SERVICE)
    assert after["status"]["route"] == before["status"]["route"], (
        "the route must not change before spec.endpointConfigName does"
    )
    assert {pod["metadata"]["uid"] for pod in journey.pods()} == pods


def test_the_oldest_object_owns_a_name_until_it_is_deleted(journey: Journey) -> None:
    journey.kubectl.apply(manifests.model("echo", modelName="shared"))
    journey.wait_for_a_later_timestamp("models", "echo")
    journey.kubectl.apply(manifests.model("younger", modelName="shared", environment={"OTHER": "1"}))
    journey.kubectl.wait("kmodel", "younger", "condition=Stalled=True")
    assert rows.condition(journey.api.get("models", journey.namespace, "younger"), "Stalled")["reason"] == "NameTaken"
    journey.kubectl.wait("kmodel", "echo", "condition=Ready")
    journey.kubectl.delete("kmodel", "echo")
    journey.kubectl.wait("kmodel", "younger", "condition=Ready")
