"""The main purpose of Kindler: three manifests make an endpoint that serves requests.

It scales to zero, scales up for a request, and never exceeds its limit. After its deletion no object of it is left.
"""

from __future__ import annotations

import json
from collections import Counter

from tests.e2e.support import manifests
from tests.e2e.support.gateway import JSON_TYPE, together
from tests.e2e.support.journey import Journey


def test_three_manifests_serve_scale_to_zero_and_scale_up_again(journey: Journey) -> None:
    journey.kubectl.apply(manifests.model("echo"), manifests.config("echo", idle=2), manifests.endpoint("echo"))
    journey.kubectl.wait("kep", "echo", "condition=Ready", timeout=120)
    first = journey.invoke(body={"hello": "world"})
    assert first.status == 200, first
    assert first.json()["path"] == "/invocations"

    journey.until_scaled_to_zero()
    journey.kubectl.wait("kep", "echo", "condition=Available", timeout=5)
    status = journey.endpoint()["status"]
    assert status["endpointStatus"] == "InService", "an endpoint at zero pods is in service"

    cold = journey.invoke(body={"hello": "again"})
    assert cold.status == 200, cold
    assert "x-kindler-cold-start" in cold.headers, cold.headers
    phases = cold.headers["server-timing"]
    assert all(name in phases for name in ("created", "scheduled", "ip", "ping")), phases
    again = journey.invoke()
    assert again.status == 200
    assert "x-kindler-cold-start" not in again.headers, (
        "a response without a cold start must not have the cold start header"
    )


def test_every_form_of_address_reaches_the_endpoint(journey: Journey) -> None:
    journey.serving(idle=60)
    ns, post = journey.namespace, journey.gateway.request
    body = json.dumps({"n": 1}).encode()
    responses = {
        "sagemaker": journey.gateway.invoke_sagemaker(ns, "echo"),
        "namespaced": journey.invoke(),
        **{
            host: post("POST", "/invocations", body, JSON_TYPE | {"Host": host})
            for host in (f"echo.{ns}", f"echo.{ns}.svc", f"echo.{ns}.svc.cluster.local", f"ECHO.{ns}:8080")
        },
    }
    assert {form: response.status for form, response in responses.items()} == dict.fromkeys(responses, 200)
    assert all("x-amzn-requestid" in response.headers for response in responses.values())

    alone = post("POST", "/invocations", body, {"Host": "echo"})
    assert alone.status == 404
    assert b"namespace" in alone.body, alone
    nothing = post("GET", "/somewhere/else")
    assert nothing.status == 404
    assert "/endpoints/" in nothing.body.decode(), (
        f"the response to an unknown path must list the paths that exist: {nothing}"
    )
    unknown = journey.invoke("nobody")
    assert unknown.status == 404
    assert b"nobody" in unknown.body, unknown
    rejected = journey.gateway.invoke_sagemaker(ns, "nobody")
    assert (rejected.status, rejected.headers["x-amzn-errortype"]) == (400, "ValidationError")
    assert rejected.json()["message"]


def test_the_service_can_be_invoked_inside_the_cluster(journey: Journey) -> None:
    """A pod in the cluster can invoke the endpoint by the URL in its status, `http://echo.<namespace>/invocations`."""
    journey.serving(idle=60)
    url = journey.endpoint()["status"]["url"]
    assert url == f"http://echo.{journey.namespace}/invocations"
    script = f"import urllib.request as u; print(u.urlopen(u.Request({url!r}, data=b'[]'), timeout=60).status)"
    restricted = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    container = {
        "name": "client",
        "image": manifests.ECHO,
        "command": ["python3", "-c", script],
        "securityContext": restricted,
    }
    journey.kubectl.apply(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "client"},
            "spec": {"restartPolicy": "Never", "containers": [container]},
        }
    )
    done = journey.api.until(
        "pods",
        journey.namespace,
        "client",
        lambda pod: pod is not None and pod["status"]["phase"] in ("Succeeded", "Failed"),
        60,
    )
    assert journey.kubectl("logs", "client").strip() == "200", done


def test_requests_above_the_limit_are_throttled_at_once_in_both_styles(journey: Journey) -> None:
    journey.serving(idle=60, limit=5)
    for invoke, status, kind in (
        (journey.gateway.invoke, 429, None),
        (journey.gateway.invoke_sagemaker, 400, "ThrottlingException"),
    ):
        responses = together(30, lambda _: invoke(journey.namespace, "echo", {"sleep": 4}))  # noqa: B023
        assert Counter(response.status for response in responses) == {200: 5, status: 25}, [
            str(response) for response in responses
        ]
        throttled = [response for response in responses if response.status == status]
        served = [response for response in responses if response.status == 200]
        assert max(response.done for response in throttled) < min(response.done for response in served), (
            "requests above the limit must be throttled before the first of the five completes"
        )
        assert all(int(response.headers["retry-after"]) >= 1 for response in throttled)
        assert {response.headers.get("x-amzn-errortype") for response in throttled} == {kind}
        assert {response.headers["x-echo-concurrent"] for response in served} == {"1"}, (
            "each pod must run one request at a time"
        )


def test_deletion_leaves_nothing_behind(journey: Journey) -> None:
    uid = journey.serving(idle=60, warm=1)["metadata"]["uid"]
    assert journey.invoke().status == 200
    kinds = {child.split("/")[0] for child in journey.children(uid)}
    assert kinds == {"replicasets", "services", "controllerrevisions"}, "the children of an Endpoint"
    journey.kubectl("delete", "kep,kepc,kmodel", "echo")
    journey.until_scaled_to_zero()
    journey.until_nothing_is_left(uid)
    for kind in ("endpoints", "endpointconfigs", "models"):
        journey.api.until(kind, journey.namespace, "echo", lambda obj: obj is None, timeout=30)
    assert journey.invoke().status == 404
