"""Model pods in a namespace that enforces Pod Security `restricted`, and the requests that they get."""

from __future__ import annotations

from tests.e2e.support import manifests
from tests.e2e.support.journey import Journey


def test_a_pod_has_the_documented_spec(journey: Journey) -> None:
    journey.serving(environment={"MODEL_FLAVOUR": "plain"}, memory=3072, idle=300)
    (pod,) = journey.pods()
    spec = pod["spec"]
    (container,) = spec["containers"]
    assert container["args"] == ["serve"]
    assert "command" not in container
    assert {item["name"]: item.get("value") for item in container["env"]}["MODEL_FLAVOUR"] == "plain"
    assert {item["name"]: item.get("value") for item in container["env"]}["HOME"] == "/tmp"
    assert container["resources"]["limits"]["memory"] == "3Gi"
    assert container["resources"]["limits"]["ephemeral-storage"] == "5Gi"
    assert container["startupProbe"]["httpGet"]["path"] == "/ping"
    assert "readinessProbe" not in container
    assert "livenessProbe" not in container
    assert container["securityContext"]["capabilities"]["drop"] == ["ALL"]
    assert spec["automountServiceAccountToken"] is False
    assert spec["enableServiceLinks"] is False
    assert (
        spec["securityContext"] | {"runAsUser": 10001, "runAsGroup": 0, "runAsNonRoot": True} == spec["securityContext"]
    )
    response = journey.invoke(body={"echo": True})
    assert response.status == 200
    image = container["image"]
    assert image.startswith("localhost:5000/echo@sha256:") or image == manifests.ECHO
    (deployed,) = journey.endpoint()["status"]["productionVariants"][0]["deployedImages"]
    assert deployed["specifiedImage"] == manifests.ECHO
    assert deployed["resolvedImage"].startswith("localhost:5000/echo@sha256:")


def test_twenty_four_pods_of_the_largest_size_run(journey: Journey) -> None:
    journey.serving(memory=6144, warm=24, limit=24, idle=300)
    pods = journey.pods()
    assert len(pods) == 24
    assert all(pod["status"]["phase"] == "Running" for pod in pods)


def test_requests_and_responses_pass_without_change(journey: Journey) -> None:
    """Bodies of all kinds and sizes, streams and the model's own errors pass without change.

    The activator removes hop-by-hop and forged headers.
    """
    journey.serving(idle=300)
    at = f"/namespaces/{journey.namespace}/endpoints/echo/invocations"
    post = journey.gateway.request
    raw = bytes(range(256)) * 4096
    same = post("POST", at + "?echo=true", raw, {"Content-Type": "application/x-own", "X-Echo-Echo": "true"})
    assert (same.status, same.headers["content-type"], same.body) == (200, "application/x-own", raw)
    large = post("POST", at, b"", {"X-Echo-Size": str(20 * 2**20)})
    assert (large.status, len(large.body)) == (200, 20 * 2**20)
    stream = post("POST", at, b"", {"X-Echo-Chunks": "5", "X-Echo-Interval": "0.05"})
    assert stream.headers["transfer-encoding"] == "chunked"
    assert stream.body.decode().splitlines() == [f"chunk {n}" for n in range(5)]
    seen = post(
        "POST",
        at,
        b"{}",
        {"X-Forwarded-For": "1.2.3.4", "X-Kindler-Forged": "1", "X-Amzn-SageMaker-Custom-Attributes": "a=b"},
    ).json()["headers"]
    assert "x-forwarded-for" not in seen
    assert "x-kindler-forged" not in seen
    assert seen["x-amzn-sagemaker-custom-attributes"] == "a=b"
    assert post("POST", at, b"", {"X-Echo-Status": "418"}).status == 418
    model_error = journey.gateway.invoke_sagemaker(journey.namespace, "echo", {"status": 500})
    assert (model_error.status, model_error.headers["x-amzn-errortype"]) == (424, "ModelError")
    assert post("POST", at, b"x" * (4 * 2**20 + 1)).status == 413
    cut = post("POST", at, b"", {"X-Echo-Size": "1000", "X-Echo-Truncate": "true"})
    assert cut.status in (0, 502), f"a truncated response must not look complete: {cut}"
    crashed = post("POST", at, b"", {"X-Echo-Crash": "true"})
    assert crashed.status == 502, crashed
    assert post("POST", at, b"{}").status == 200, "the crashed pod must be replaced or restarted"


def test_the_invocation_timeout_limits_the_model(journey: Journey) -> None:
    journey.serving(idle=300, seconds=2, limit=1)
    late = journey.invoke(body={"sleep": 5})
    assert late.status == 504, late
    assert journey.invoke().status == 200
