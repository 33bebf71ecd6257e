"""Provisioned concurrency without autoscaling: a warm pool of n, filled before InService, used first, never asleep."""

from __future__ import annotations

from tests.e2e.support import manifests, rows
from tests.e2e.support.gateway import together
from tests.e2e.support.journey import LABEL, Journey, started

POOL = "serving.kindler.dev/pool"


def test_warm_pods_are_there_before_in_service_and_used_first(journey: Journey) -> None:
    found = journey.serving(warm=2, limit=4, idle=2)
    assert found["status"]["productionVariants"][0]["currentServerlessConfig"]["provisionedConcurrency"] == 2
    warm = {
        pod["metadata"]["name"] for pod in journey.pods() if pod["metadata"]["labels"][POOL] == "warm" and started(pod)
    }
    assert len(warm) == 2, "filled before InService"

    two = together(2, lambda _: journey.invoke(body={"sleep": 1}))
    assert {answer.headers["x-echo-hostname"] for answer in two} == warm, "used first"
    assert all("x-kindler-cold-start" not in answer.headers for answer in two)
    four = together(4, lambda _: journey.invoke(body={"sleep": 10}))
    assert [answer.status for answer in four] == [200] * 4
    assert len({answer.headers["x-echo-hostname"] for answer in four} - warm) == 2, "what does not fit spills over"

    selector = f"{LABEL}=echo,{POOL}=demand"
    journey.api.until_all("pods", journey.namespace, lambda pods: not pods, selector=selector, timeout=60)
    assert {pod["metadata"]["name"] for pod in journey.pods()} == warm, "the warm pool does not sleep"


def test_more_or_less_of_it_without_a_restart(journey: Journey) -> None:
    journey.serving(warm=1, idle=300)
    first = {pod["metadata"]["uid"] for pod in journey.pods()}
    for count in (3, 1):
        journey.kubectl.apply(manifests.config(f"warm-{count}", model="echo", warm=count, idle=300))
        journey.kubectl.patch("kep", "echo", {"spec": {"endpointConfigName": f"warm-{count}"}})
        journey.reaches("echo", rows.IN_SERVICE, timeout=90)
        journey.api.until_all(
            "pods",
            journey.namespace,
            lambda pods, expected=count: len(pods) == expected,
            selector=f"{LABEL}=echo,{POOL}=warm",
        )
        assert journey.invoke().status == 200
    assert len(first) == 1
