"""Exact concurrency, at zero, under load and with clients that leave."""

from __future__ import annotations

import http.client
import random
from collections import Counter

from tests.e2e.support import manifests
from tests.e2e.support.gateway import Load, together
from tests.e2e.support.journey import Journey, started


def test_never_two_requests_in_a_pod_and_never_more_than_the_limit(journey: Journey) -> None:
    """Ten clients on a limit of six, from zero, with requests of every length: what is answered ran alone, the rest was throttled."""
    journey.serving(idle=1, limit=6)
    journey.asleep()
    with Load(10, lambda: journey.invoke(body={"sleep": random.choice((0, 0, 0.05, 0.3))})) as load:
        journey.until_pods(lambda pods: len(pods) == 6, timeout=90)
        journey.until_pods(lambda pods: all(started(pod) for pod in pods), timeout=90)
        assert journey.gateway.request("GET", path(journey, "ping")).status == 200, (
            "pods that are all at work are there nevertheless"
        )
    assert set(load.statuses()) <= {200, 429}, load.failed((200, 429))[:5]
    served = [answer for answer in load.answers if answer.status == 200]
    assert {answer.headers["x-echo-concurrent"] for answer in served} == {"1"}
    assert len({answer.headers["x-echo-hostname"] for answer in served}) <= 6
    journey.asleep()
    assert journey.gateway.request("GET", path(journey, "ping")).status == 503, "a health check wakes nothing"
    assert not journey.pods()


def test_several_in_a_pod_when_the_config_says_so(journey: Journey) -> None:
    journey.serving(idle=300, limit=8, per_pod=4)
    answers = together(8, lambda _: journey.invoke(body={"sleep": 3}))
    assert Counter(answer.status for answer in answers) == {200: 8}
    assert max(int(answer.headers["x-echo-concurrent"]) for answer in answers) == 4
    assert len(journey.pods()) == 2


def test_a_client_that_leaves_while_held_never_reaches_the_model(journey: Journey) -> None:
    journey.serving(environment={"START_SECONDS": "4"}, idle=1, limit=1)
    journey.asleep()
    leaver = http.client.HTTPConnection(journey.gateway.host, journey.gateway.port)
    leaver.request("POST", path(journey, "invocations"), b"{}")
    journey.until_pods(lambda pods: len(pods) == 1)
    leaver.close()
    stayer = journey.invoke()
    assert stayer.status == 200, (
        "the place of the one who left is free at once: with a limit of one this is not throttled"
    )
    assert stayer.json()["served"] == 0, "nothing ran before"


def test_a_storm_at_zero_fails_and_throttles_nothing(journey: Journey) -> None:
    """Twenty endpoints asleep, ten clients each, a thousand requests at the same moment, limits wide: all are answered."""
    names = [f"echo-{number}" for number in range(20)]
    endpoints = [manifests.endpoint(name, config="echo") for name in names]
    journey.kubectl.apply(manifests.model("echo"), manifests.config("echo", limit=20, per_pod=10, idle=3), endpoints)
    journey.kubectl("wait", "kep", "--all", "--for=condition=Ready", "--timeout=240s")
    journey.asleep(None, timeout=120)
    rounds = [answer for _ in range(5) for answer in together(200, lambda client: journey.invoke(names[client % 20]))]
    assert Counter(answer.status for answer in rounds) == {200: 1000}, [
        str(answer) for answer in rounds if answer.status != 200
    ][:5]


def path(journey: Journey, what: str) -> str:
    return f"/namespaces/{journey.namespace}/endpoints/echo/{what}"
