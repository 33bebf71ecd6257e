"""The status table, row by row: reached on the cluster, found by `kubectl wait`, judged by kstatus's rules."""

from __future__ import annotations

from typing import Any

from tests.e2e.support import manifests, rows
from tests.e2e.support.gateway import later
from tests.e2e.support.journey import Journey

SLOW = {"START_SECONDS": "6"}


def test_creating_then_in_service_then_updating(journey: Journey) -> None:
    journey.create(environment=SLOW, idle=300)
    journey.reaches("echo", rows.CREATING)
    found = journey.reaches("echo", rows.IN_SERVICE)
    status = found["status"]
    assert status["endpointConfigName"] == "echo"
    assert status["productionVariants"][0]["currentServerlessConfig"]["memorySizeInMB"] == 1024
    assert "failureReason" not in status
    assert "pendingDeploymentSummary" not in status

    journey.kubectl.apply(manifests.config("bigger", model="echo", memory=2048))
    journey.kubectl.patch("kep", "echo", {"spec": {"endpointConfigName": "bigger"}})
    updating = journey.reaches("echo", rows.UPDATING)
    assert updating["status"]["endpointConfigName"] == "echo", "the old one still serves"
    assert updating["status"]["pendingDeploymentSummary"]["endpointConfigName"] == "bigger"
    updated = journey.reaches("echo", rows.IN_SERVICE)
    assert updated["status"]["endpointConfigName"] == "bigger"
    assert updated["status"]["productionVariants"][0]["currentServerlessConfig"]["memorySizeInMB"] == 2048


def test_a_failed_update_and_the_way_back(journey: Journey) -> None:
    journey.serving(idle=300)
    pods = {pod["metadata"]["uid"] for pod in journey.pods()}
    journey.kubectl.apply(
        manifests.model("broken", image="localhost:5000/echo:never-pushed"), manifests.config("broken", idle=300)
    )
    journey.kubectl.patch("kep", "echo", {"spec": {"endpointConfigName": "broken"}})
    failed = journey.reaches("echo", rows.UPDATE_FAILED, timeout=120)
    assert failed["status"]["endpointConfigName"] == "echo"
    assert "localhost:5000/echo:never-pushed" in failed["status"]["failureReason"]
    assert journey.invoke().status == 200, "the old one serves on"

    journey.kubectl.patch("kep", "echo", {"spec": {"endpointConfigName": "echo"}})
    back = journey.reaches("echo", rows.IN_SERVICE)
    assert "failureReason" not in back["status"]
    journey.until_pods(
        lambda found: {pod["metadata"]["uid"] for pod in found} == pods
    )  # nothing of the broken one stays


def test_an_update_that_names_what_is_missing_waits_for_it(journey: Journey) -> None:
    journey.serving(idle=300)
    journey.kubectl.patch("kep", "echo", {"spec": {"endpointConfigName": "later"}})
    journey.reaches("echo", rows.UPDATE_WAITS, reason="EndpointConfigNotFound")
    journey.kubectl.apply(manifests.config("later", memory=2048))
    found = journey.reaches("echo", rows.UPDATE_WAITS, reason="ModelNotFound")
    assert "later" in rows.condition(found, "Ready")["message"], "names the model that is missing"
    assert journey.invoke().status == 200
    journey.kubectl.apply(manifests.model("later"))
    assert journey.reaches("echo", rows.IN_SERVICE)["status"]["endpointConfigName"] == "later"


def test_in_service_but_pods_cannot_start_when_woken(journey: Journey) -> None:
    """Quota takes the room away while the endpoint sleeps: it says so, and is well again when the quota goes."""
    journey.serving(idle=1, startup=60)
    journey.asleep()
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
    found = journey.reaches("echo", rows.CANNOT_WAKE)
    assert "quota" in rows.condition(found, "Ready")["message"], found["status"]
    journey.kubectl.delete("resourcequota", "none")
    assert held.result().status == 200, held.result()
    journey.reaches("echo", rows.IN_SERVICE)


def test_autoscaling_that_cannot_work_is_told_and_disturbs_nothing(journey: Journey) -> None:
    """What the API server cannot know: the config's variant, the metrics there are, the time zones there are."""
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
        found = journey.reaches("echo", rows.SCALING_INVALID, reason="InvalidAutoscaling")
        message = rows.condition(found, "Ready")["message"]
        assert wrong in message, message
        assert right in message, message
        assert journey.invoke().status == 200
    journey.kubectl.patch("kep", "echo", {"spec": {"autoscaling": None}})
    journey.reaches("echo", rows.IN_SERVICE)


def test_a_taken_sagemaker_name_and_a_taken_child(journey: Journey) -> None:
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
    assert not journey.children(younger["metadata"]["uid"]), "the younger one gets nothing"
    assert rows.seen(journey.endpoint("first")) == rows.IN_SERVICE, "the older one is not disturbed"

    second = journey.reaches("second", rows.UPDATE_FAILED, reason="NameTaken", timeout=120)
    assert "second" in rows.condition(second, "Ready")["message"]
    assert journey.invoke("second").status == 200, "serving goes on without the Service"
    assert journey.kubectl.get("service", "second")["spec"]["externalName"] == "example.invalid", (
        "what is not ours is not touched"
    )

    journey.kubectl.delete("kep", "first")
    journey.kubectl.delete("service", "second")
    journey.reaches("younger", rows.IN_SERVICE, timeout=120)
    journey.reaches("second", rows.IN_SERVICE)


def test_deleting_is_seen_under_foreground_deletion(journey: Journey) -> None:
    journey.serving(idle=300)
    running = later(lambda: journey.invoke(body={"sleep": 6}))
    journey.until_pods(lambda pods: len(pods) == 1)
    journey.kubectl("delete", "kep", "echo", "--cascade=foreground", "--wait=false")
    found = journey.api.until(
        "endpoints", journey.namespace, "echo", lambda kep: kep is None or kep["status"]["endpointStatus"] == "Deleting"
    )
    assert rows.seen(found) == rows.DELETING
    assert running.result().status == 200, "a request in flight gets its answer"
    journey.api.until("endpoints", journey.namespace, "echo", lambda kep: kep is None)


def test_model_and_config_say_that_they_are_accepted_and_used(journey: Journey) -> None:
    journey.kubectl.apply(
        manifests.model("echo", executionRoleARN="arn:aws:iam::123456789012:role/x"), manifests.config("echo", idle=300)
    )
    for kind, name, count in (("kmodel", "models", 1), ("kepc", "endpointconfigs", 0)):
        journey.kubectl.wait(kind, "echo", "condition=Ready")
        journey.api.until(name, journey.namespace, "echo", lambda found: used_by(found) == count)  # noqa: B023
    journey.kubectl.apply(manifests.endpoint("one", config="echo"), manifests.endpoint("two", config="echo"))
    config = journey.api.until("endpointconfigs", journey.namespace, "echo", lambda found: used_by(found) == 2)
    assert config is not None
    assert config["status"]["usedBy"]["first"] == ["one", "two"]
    model = journey.api.get("models", journey.namespace, "echo")
    assert model is not None
    assert "executionRoleARN" in str(model["status"]["ignoredFields"])


def used_by(found: dict[str, Any] | None) -> int | None:
    """How many objects name this one; None until it says."""
    count: int | None = (found or {}).get("status", {}).get("usedBy", {}).get("count")
    return count
