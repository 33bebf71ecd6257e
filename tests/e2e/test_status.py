"""Endpoints reach every row of the status table: `kubectl wait` finds it, and kstatus's rules give its verdict."""

from __future__ import annotations

from typing import Any

from tests.e2e.support import manifests, rows
from tests.e2e.support.gateway import later
from tests.e2e.support.journey import Journey

SLOW = {"START_SECONDS": "6"}


def test_creating_then_in_service_then_updating(journey: Journey) -> None:
    journey.create(environment=SLOW, idle=300)
    journey.reaches("echo", rows.CREATING)
    endpoint = journey.reaches("echo", rows.IN_SERVICE)
    status = endpoint["status"]
    assert status["endpointConfigName"] == "echo"
    assert status["productionVariants"][0]["currentServerlessConfig"]["memorySizeInMB"] == 1024
    assert "failureReason" not in status
    assert "pendingDeploymentSummary" not in status

    journey.kubectl.apply(manifests.config("bigger", model="echo", memory=2048))
    journey.kubectl.patch("kep", "echo", {"spec": {"endpointConfigName": "bigger"}})
    updating = journey.reaches("echo", rows.UPDATING)
    assert updating["status"]["endpointConfigName"] == "echo", "the old configuration must serve during the update"
    assert updating["status"]["pendingDeploymentSummary"]["endpointConfigName"] == "bigger"
    updated = journey.reaches("echo", rows.IN_SERVICE)
    assert updated["status"]["endpointConfigName"] == "bigger"
    assert updated["status"]["productionVariants"][0]["currentServerlessConfig"]["memorySizeInMB"] == 2048


def test_an_update_fails_and_is_reverted(journey: Journey) -> None:
    journey.serving(idle=300)
    pods = {pod["metadata"]["uid"] for pod in journey.pods()}
    journey.kubectl.apply(
        manifests.model("broken", image="localhost:5000/echo:never-pushed"), manifests.config("broken", idle=300)
    )
    journey.kubectl.patch("kep", "echo", {"spec": {"endpointConfigName": "broken"}})
    failed = journey.reaches("echo", rows.UPDATE_FAILED, timeout=120)
    assert failed["status"]["endpointConfigName"] == "echo"
    assert "localhost:5000/echo:never-pushed" in failed["status"]["failureReason"]
    assert journey.invoke().status == 200, "the old configuration must stay in service"

    journey.kubectl.patch("kep", "echo", {"spec": {"endpointConfigName": "echo"}})
    back = journey.reaches("echo", rows.IN_SERVICE)
    assert "failureReason" not in back["status"]
    # Kindler must delete every pod of the broken revision.
    journey.until_pods(lambda objects: {pod["metadata"]["uid"] for pod in objects} == pods)


def test_an_update_waits_for_a_missing_config_and_a_missing_model(journey: Journey) -> None:
    journey.serving(idle=300)
    journey.kubectl.patch("kep", "echo", {"spec": {"endpointConfigName": "later"}})
    journey.reaches("echo", rows.UPDATE_WAITS, reason="EndpointConfigNotFound")
    journey.kubectl.apply(manifests.config("later", memory=2048))
    endpoint = journey.reaches("echo", rows.UPDATE_WAITS, reason="ModelNotFound")
    assert "later" in rows.condition(endpoint, "Ready")["message"], "the message must name the missing Model"
    assert journey.invoke().status == 200
    journey.kubectl.apply(manifests.model("later"))
    assert journey.reaches("echo", rows.IN_SERVICE)["status"]["endpointConfigName"] == "later"


def test_an_endpoint_in_service_reports_that_its_pods_cannot_start(journey: Journey) -> None:
    """While the endpoint has zero pods, a quota forbids new ones.

    After the next request the status reports the quota. It is normal again after the quota is deleted.
    """
    journey.serving(idle=1, startup=60)
    journey.until_scaled_to_zero()
    journey.kubectl.apply(
        {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "none"}, "spec": {"hard": {"pods": "0"}}}
    )
    journey.api.until(
        "resourcequotas",
        journey.namespace,
        "none",
        lambda quota: quota is not None and "hard" in quota.get("status", {}),
    )
    held = later(journey.invoke)
    endpoint = journey.reaches("echo", rows.CANNOT_START)
    assert "quota" in rows.condition(endpoint, "Ready")["message"], endpoint["status"]
    journey.kubectl.delete("resourcequota", "none")
    assert held.result().status == 200, held.result()
    journey.reaches("echo", rows.IN_SERVICE)


def test_invalid_autoscaling_is_reported_and_does_not_disturb_serving(journey: Journey) -> None:
    """Kindler reports errors that the API server cannot detect: unknown variant, unknown metric, unknown time zone."""
    journey.serving(warm=1)
    evening = {
        "scheduledActionName": "evening",
        "schedule": "cron(0 19 * * ? *)",
        "timezone": "Europe/Atlantis",
        "scalableTargetAction": {"maxCapacity": 1},
    }
    unknown = {"metricName": "CPUUtilization", "namespace": "AWS/SageMaker", "statistic": "Average"}
    policy = {
        "policyName": "cpu",
        "targetTrackingScalingPolicyConfiguration": {"targetValue": 60, "customizedMetricSpecification": unknown},
    }
    other = manifests.scaling(1, 2)["autoscaling"][0] | {"variantName": "Blue"}
    for entries, wrong, right in (
        ([other], "'Blue'", "AllTraffic"),
        (
            manifests.scaling(1, 2, policy)["autoscaling"],
            "CPUUtilization",
            "ServerlessProvisionedConcurrencyUtilization",
        ),
        (manifests.scaling(1, 2, actions=(evening,))["autoscaling"], "Europe/Atlantis", "Europe/"),
    ):
        journey.kubectl.patch("kep", "echo", {"spec": {"autoscaling": entries}})
        endpoint = journey.reaches("echo", rows.SCALING_INVALID, reason="InvalidAutoscaling")
        message = rows.condition(endpoint, "Ready")["message"]
        assert wrong in message, message
        assert right in message, message
        assert journey.invoke().status == 200
    journey.kubectl.patch("kep", "echo", {"spec": {"autoscaling": None}})
    journey.reaches("echo", rows.IN_SERVICE)


def test_a_used_sagemaker_name_and_a_used_child_name_are_reported(journey: Journey) -> None:
    journey.serving("first", idle=300)
    foreign = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "second"},
        "spec": {"type": "ExternalName", "externalName": "example.invalid"},
    }
    journey.kubectl.apply(
        foreign,
        manifests.endpoint("younger", config="first", endpointName="First"),
        manifests.endpoint("second", config="first"),
    )

    younger = journey.reaches("younger", rows.FAILED, reason="NameTaken")
    assert "first" in younger["status"]["failureReason"]
    assert not journey.children(younger["metadata"]["uid"]), "the younger Endpoint must have no children"
    assert rows.seen(journey.endpoint("first")) == rows.IN_SERVICE, "the older Endpoint must stay in service"

    second = journey.reaches("second", rows.UPDATE_FAILED, reason="NameTaken", timeout=120)
    assert "second" in rows.condition(second, "Ready")["message"]
    assert journey.invoke("second").status == 200, "the endpoint must serve without its Service"
    assert journey.kubectl.get("service", "second")["spec"]["externalName"] == "example.invalid", (
        "Kindler must not change a foreign Service"
    )

    journey.kubectl.delete("kep", "first")
    journey.kubectl.delete("service", "second")
    journey.reaches("younger", rows.IN_SERVICE, timeout=120)
    journey.reaches("second", rows.IN_SERVICE)


def test_foreground_deletion_shows_deleting(journey: Journey) -> None:
    journey.serving(idle=300)
    running = later(lambda: journey.invoke(body={"sleep": 6}))
    journey.until_pods(lambda pods: len(pods) == 1)
    journey.kubectl("delete", "kep", "echo", "--cascade=foreground", "--wait=false")
    obj = journey.api.until(
        "endpoints", journey.namespace, "echo", lambda kep: kep is None or kep["status"]["endpointStatus"] == "Deleting"
    )
    assert rows.seen(obj) == rows.DELETING
    assert running.result().status == 200, "a request in flight must complete"
    journey.api.until("endpoints", journey.namespace, "echo", lambda kep: kep is None)


def test_model_and_config_report_that_they_are_accepted_and_used(journey: Journey) -> None:
    journey.kubectl.apply(
        manifests.model("echo", executionRoleARN="arn:aws:iam::123456789012:role/x"), manifests.config("echo", idle=300)
    )
    for kind, name, count in (("kmodel", "models", 1), ("kepc", "endpointconfigs", 0)):
        journey.kubectl.wait(kind, "echo", "condition=Ready")
        journey.api.until(name, journey.namespace, "echo", lambda obj: used_by(obj) == count)  # noqa: B023
    journey.kubectl.apply(manifests.endpoint("one", config="echo"), manifests.endpoint("two", config="echo"))
    config = journey.api.until("endpointconfigs", journey.namespace, "echo", lambda obj: used_by(obj) == 2)
    assert config is not None
    assert config["status"]["usedBy"]["first"] == ["one", "two"]
    model = journey.api.get("models", journey.namespace, "echo")
    assert model is not None
    assert "executionRoleARN" in str(model["status"]["ignoredFields"])


def used_by(obj: dict[str, Any] | None) -> int | None:
    """The number of objects that refer to this object. None while status does not show a number."""
    count: int | None = (obj or {}).get("status", {}).get("usedBy", {}).get("count")
    return count
