"""Concurrency limits are exact: from zero pods, under load, and when clients disconnect."""

from __future__ import annotations

import http.client
import random
from collections import Counter

from tests.e2e.support import manifests
from tests.e2e.support.gateway import Load, together
from tests.e2e.support.journey import Journey, started


def test_a_pod_runs_one_request_and_an_endpoint_never_exceeds_its_limit(journey: Journey) -> None:
    """Ten clients send requests of different lengths to an endpoint with a limit of six, from zero pods.

    Each pod runs one request at a time, at most six pods serve, and all other requests are throttled.
    """
    journey.serving(idle=1, limit=6)
    journey.until_scaled_to_zero()
    with Load(10, lambda: journey.invoke(body={"sleep": random.choice((0, 0, 0.05, 0.3))})) as load:
        journey.until_pods(lambda pods: len(pods) == 6, timeout=90)
        journey.until_pods(lambda pods: all(started(pod) for pod in pods), timeout=90)
        assert journey.gateway.request("GET", path(journey, "ping")).status == 200, (
            "a health check must succeed while all pods are busy"
        )
    assert set(load.statuses()) <= {200, 429}, load.failed((200, 429))[:5]
    served = [response for response in load.responses if response.status == 200]
    assert {response.headers["x-echo-concurrent"] for response in served} == {"1"}
    assert len({response.headers["x-echo-hostname"] for response in served}) <= 6
    journey.until_scaled_to_zero()
    assert journey.gateway.request("GET", path(journey, "ping")).status == 503, "a health check must not start pods"
    assert not journey.pods()


def test_a_pod_runs_several_requests_if_the_config_allows_it(journey: Journey) -> None:
    journey.serving(idle=300, limit=8, per_pod=4)
    responses = together(8, lambda _: journey.invoke(body={"sleep": 3}))
    assert Counter(response.status for response in responses) == {200: 8}
    assert max(int(response.headers["x-echo-concurrent"]) for response in responses) == 4
    assert len(journey.pods()) == 2


def test_a_held_request_whose_client_disconnects_never_reaches_the_model(journey: Journey) -> None:
    journey.serving(environment={"START_SECONDS": "4"}, idle=1, limit=1)
    journey.until_scaled_to_zero()
    leaving_client = http.client.HTTPConnection(journey.gateway.host, journey.gateway.port)
    leaving_client.request("POST", path(journey, "invocations"), b"{}")
    journey.until_pods(lambda pods: len(pods) == 1)
    leaving_client.close()
    waiting_client = journey.invoke()
    assert waiting_client.status == 200, (
        "the slot of the client that left must be free at once: otherwise the limit of one would throttle this request"
    )
    assert waiting_client.json()["served"] == 0, "the model must not have run the first client's request"


def test_a_thousand_requests_to_endpoints_at_zero_pods_all_succeed(journey: Journey) -> None:
    """Each of twenty endpoints at zero pods gets fifty requests, ten at a time. All thousand must succeed.

    The limits are high enough for all requests.
    """
    names = [f"echo-{number}" for number in range(20)]
    endpoints = [manifests.endpoint(name, config="echo") for name in names]
    journey.kubectl.apply(manifests.model("echo"), manifests.config("echo", limit=20, per_pod=10, idle=3), endpoints)
    journey.kubectl("wait", "kep", "--all", "--for=condition=Ready", "--timeout=240s")
    journey.until_scaled_to_zero(None, timeout=120)
    responses = [
        response for _ in range(5) for response in together(200, lambda client: journey.invoke(names[client % 20]))
    ]
    assert Counter(response.status for response in responses) == {200: 1000}, [
        str(response) for response in responses if response.status != 200
    ][:5]


def path(journey: Journey, what: str) -> str:
    return f"/namespaces/{journey.namespace}/endpoints/echo/{what}"
