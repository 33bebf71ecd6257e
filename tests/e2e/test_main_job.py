"""The main job: three manifests, an answer, sleep, a waking request, a hard limit, and nothing left after delete."""

from __future__ import annotations

import json
from collections import Counter

from tests.e2e.support import manifests
from tests.e2e.support.gateway import JSON_TYPE, together
from tests.e2e.support.journey import Journey


def test_three_manifests_answer_sleep_and_wake(journey: Journey) -> None:
    journey.kubectl.apply(manifests.model("echo"), manifests.config("echo", idle=2), manifests.endpoint("echo"))
    journey.kubectl.wait("kep", "echo", "condition=Ready", timeout=120)
    first = journey.invoke(body={"hello": "world"})
    assert first.status == 200, first
    assert first.json()["path"] == "/invocations"

    journey.asleep()
    journey.kubectl.wait("kep", "echo", "condition=Available", timeout=5)
    status = journey.endpoint()["status"]
    assert status["endpointStatus"] == "InService", "an endpoint that sleeps is in service"

    woken = journey.invoke(body={"hello": "again"})
    assert woken.status == 200, woken
    assert "x-kindler-cold-start" in woken.headers, woken.headers
    phases = woken.headers["server-timing"]
    assert all(name in phases for name in ("created", "scheduled", "ip", "ping")), phases
    again = journey.invoke()
    assert again.status == 200
    assert "x-kindler-cold-start" not in again.headers, "a warm answer tells of no cold start"


def test_every_form_of_address_reaches_the_endpoint(journey: Journey) -> None:
    journey.serving(idle=60)
    ns, post = journey.namespace, journey.gateway.request
    body = json.dumps({"n": 1}).encode()
    answers = {
        "sagemaker": journey.gateway.invoke_sagemaker(ns, "echo"),
        "namespaced": journey.invoke(),
        **{
            host: post("POST", "/invocations", body, JSON_TYPE | {"Host": host})
            for host in (f"echo.{ns}", f"echo.{ns}.svc", f"echo.{ns}.svc.cluster.local", f"ECHO.{ns}:8080")
        },
    }
    assert {form: answer.status for form, answer in answers.items()} == dict.fromkeys(answers, 200)
    assert all("x-amzn-requestid" in answer.headers for answer in answers.values())

    alone = post("POST", "/invocations", body, {"Host": "echo"})
    assert alone.status == 404
    assert b"namespace" in alone.body, alone
    nothing = post("GET", "/somewhere/else")
    assert nothing.status == 404
    assert "/endpoints/" in nothing.body.decode(), (
        f"an unknown address is answered with the forms that exist: {nothing}"
    )
    unknown = journey.invoke("nobody")
    assert unknown.status == 404
    assert b"nobody" in unknown.body, unknown
    refused = journey.gateway.invoke_sagemaker(ns, "nobody")
    assert (refused.status, refused.headers["x-amzn-errortype"]) == (400, "ValidationError")
    assert refused.json()["message"]


def test_the_service_answers_inside_the_cluster(journey: Journey) -> None:
    """`http://echo.<namespace>/invocations` and the bare Service name, asked from a pod: the first answers, the second says what is missing."""
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


def test_thirty_at_five_are_throttled_at_once_in_both_styles(journey: Journey) -> None:
    journey.serving(idle=60, limit=5)
    for invoke, status, kind in (
        (journey.gateway.invoke, 429, None),
        (journey.gateway.invoke_sagemaker, 400, "ThrottlingException"),
    ):
        answers = together(30, lambda _: invoke(journey.namespace, "echo", {"sleep": 4}))  # noqa: B023
        assert Counter(answer.status for answer in answers) == {200: 5, status: 25}, [str(answer) for answer in answers]
        throttled = [answer for answer in answers if answer.status == status]
        served = [answer for answer in answers if answer.status == 200]
        assert max(answer.done for answer in throttled) < min(answer.done for answer in served), (
            "throttled at once: before the first of the five was done"
        )
        assert all(int(answer.headers["retry-after"]) >= 1 for answer in throttled)
        assert {answer.headers.get("x-amzn-errortype") for answer in throttled} == {kind}
        assert {answer.headers["x-echo-concurrent"] for answer in served} == {"1"}, "one request at a time in each pod"


def test_delete_leaves_nothing(journey: Journey) -> None:
    uid = journey.serving(idle=60, warm=1)["metadata"]["uid"]
    assert journey.invoke().status == 200
    kinds = {child.split("/")[0] for child in journey.children(uid)}
    assert kinds == {"replicasets", "services", "controllerrevisions"}, "what an Endpoint owns"
    journey.kubectl("delete", "kep,kepc,kmodel", "echo")
    journey.asleep()
    journey.leaves_nothing(uid)
    for kind in ("endpoints", "endpointconfigs", "models"):
        journey.api.until(kind, journey.namespace, "echo", lambda found: found is None, timeout=30)
    assert journey.invoke().status == 404
