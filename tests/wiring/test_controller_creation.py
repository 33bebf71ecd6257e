"""Creation with a strict API server: manifests in any order become an endpoint; failures are reported and retried."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.apiserver import Behaviour
from tests.wiring.controlled import NS, World, config, endpoint, model, world

IN_SERVICE = ("InService", "True", "True")
CREATING = ("Creating", "False", "False", "Reconciling")
FAILED = ("Failed", "False", "False", "Stalled")


@pytest.fixture
async def w(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    async with world(tmp_path, monkeypatch) as made:
        await made.start()
        yield made


async def test_three_manifests_become_an_endpoint(w: World) -> None:
    w.apply(model(), config(), endpoint())
    status = await w.reaches("echo", *IN_SERVICE)
    route = status["route"]
    assert route["pools"] == {"demand": f"echo-{route['revision']}-demand"}
    assert (route["maxConcurrency"], route["memorySizeInMB"], route["port"]) == (2, 1024, 8080)
    assert status["endpointConfigName"] == "echo"
    assert status["url"] == f"http://echo.{NS}/invocations"
    assert status["productionVariants"][0]["currentServerlessConfig"]["memorySizeInMB"] == 1024
    assert "pendingDeploymentSummary" not in status
    assert w.pools() == {route["pools"]["demand"]: 1}
    service = w.find("services", "echo", group="")
    assert service is not None
    assert service["spec"]["externalName"] == w.settings.activator_service
    (stored,) = w.all("controllerrevisions", "apps")
    assert stored["revision"] == 1


async def test_references_may_be_created_in_any_order(w: World) -> None:
    w.apply(endpoint())
    await w.reaches("echo", *CREATING)
    await w.until(lambda: w.reason() == "EndpointConfigNotFound")
    w.apply(config())
    await w.until(lambda: w.reason() == "ModelNotFound")
    assert w.pools() == {}
    w.apply(model())
    await w.reaches("echo", *IN_SERVICE)


async def test_a_missing_image_fails_the_creation_until_it_exists(w: World) -> None:
    w.kubelet.behave = lambda _: Behaviour.IMAGE_MISSING
    w.apply(model(image="localhost:5000/nothing:1"), config(), endpoint())
    status = await w.reaches("echo", *FAILED)
    assert "localhost:5000/nothing:1" in status["failureReason"]
    assert "make sure all images" in status["failureReason"], "SageMaker's sentence"
    assert w.reason() == "CreationFailed"
    w.kubelet.behave = lambda _: Behaviour.READY
    w.kubelet.poke()
    healed = await w.reaches("echo", *IN_SERVICE)
    assert "failureReason" not in healed
    assert "failedRevision" not in healed


async def test_a_crash_loop_fails_the_creation_and_another_config_fixes_it(w: World) -> None:
    w.kubelet.behave = lambda pod: Behaviour.CRASHES if "BAD" in str(pod["spec"]) else Behaviour.READY
    w.apply(model(environment={"BAD": "1"}), config(), endpoint())
    status = await w.reaches("echo", *FAILED)
    assert "exit code 1" in status["failureReason"]
    w.apply(model("good"), config("good", of="good"))
    w.rename("echo", "good")
    await w.reaches("echo", *IN_SERVICE)
    await w.until(lambda: len(w.pools()) == 1 and len(w.all("controllerrevisions", "apps")) == 1)


async def test_provisioned_pods_are_ready_first_and_keep_their_number(w: World) -> None:
    w.apply(model(), config(limit=5, provisionedConcurrency=3, maxConcurrencyPerInstance=2), endpoint())
    status = await w.reaches("echo", *IN_SERVICE)
    pools = status["route"]["pools"]
    assert w.pools() == {pools["warm"]: 2, pools["demand"]: 0}
    w.patch("replicasets", pools["warm"], {"spec": {"replicas": 7}}, group="apps")
    await w.until(lambda: w.pools()[pools["warm"]] == 2)
    w.patch("replicasets", pools["demand"], {"spec": {"replicas": 2}}, group="apps")
    await w.until(lambda: w.status()["productionVariants"][0]["demandInstanceCount"] == 2)
    assert w.pools()[pools["demand"]] == 2, "the activator sizes the demand pool"


async def test_models_and_configs_report_acceptance_and_users(w: World) -> None:
    w.apply(
        model(executionRoleARN="arn:aws:iam::123456789012:role/x"),
        config(),
        endpoint("one", "echo"),
        endpoint("two", "echo"),
    )
    found = await w.until(
        lambda: next(
            (
                c
                for c in w.all("endpointconfigs", "serving.kindler.dev")
                if c["status"].get("usedBy", {}).get("count") == 2
            ),
            None,
        )
    )
    assert found["status"]["usedBy"]["first"] == ["one", "two"]
    assert found["status"]["conditions"][0]["reason"] == "Accepted"
    found = await w.until(
        lambda: next(
            (m for m in w.all("models", "serving.kindler.dev") if m["status"].get("usedBy", {}).get("count") == 1), None
        )
    )
    assert "executionRoleARN" in str(found["status"]["ignoredFields"])


async def test_deletion_deletes_all_children(w: World) -> None:
    w.apply(model(), config(), endpoint())
    await w.reaches("echo", *IN_SERVICE)
    w.delete("endpoints", "echo")
    await w.until(
        lambda: (
            not w.pools() and not w.all("services") and not w.all("controllerrevisions", "apps") and not w.all("pods")
        )
    )
    w.apply(endpoint())
    await w.reaches("echo", *IN_SERVICE)


async def test_deleting_is_reported_until_the_endpoint_is_gone(w: World) -> None:
    w.apply(model(), config(), endpoint())
    await w.reaches("echo", *IN_SERVICE)
    w.patch("endpoints", "echo", {"metadata": {"finalizers": ["example.com/hold"]}})
    w.delete("endpoints", "echo")
    await w.reaches("echo", "Deleting", "False", "False", "Reconciling")
    w.delete("services", "echo", group="")
    w.patch("endpoints", "echo", {"metadata": {"labels": {"a": "b"}}})
    await w.until(
        lambda: w.status()["observedGeneration"] == (w.find("endpoints", "echo") or {})["metadata"]["generation"]
    )
    assert w.find("services", "echo", group="") is None, "no child is created again during the deletion"
    w.patch("endpoints", "echo", {"metadata": {"finalizers": None}})
    await w.until(lambda: w.find("endpoints", "echo") is None and not w.pools())
