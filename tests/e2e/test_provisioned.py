"""Provisioned concurrency without autoscaling.

The warm pool has its full size before InService, gets requests first, and never scales to zero.
"""

from __future__ import annotations

from tests.e2e.support import manifests, rows
from tests.e2e.support.gateway import together
from tests.e2e.support.journey import LABEL, Journey, started

POOL = "serving.kindler.dev/pool"


def test_warm_pods_start_before_in_service_and_get_requests_first(journey: Journey) -> None:
    endpoint = journey.serving(warm=2, limit=4, idle=2)
    assert endpoint["status"]["productionVariants"][0]["currentServerlessConfig"]["provisionedConcurrency"] == 2
    warm = {
        pod["metadata"]["name"] for pod in journey.pods() if pod["metadata"]["labels"][POOL] == "warm" and started(pod)
    }
    assert len(warm) == 2, "the warm pool must have its full size before InService"

    two = together(2, lambda _: journey.invoke(body={"sleep": 1}))
    assert {response.headers["x-echo-hostname"] for response in two} == warm, "warm pods must get requests first"
    assert all("x-kindler-cold-start" not in response.headers for response in two)
    four = together(4, lambda _: journey.invoke(body={"sleep": 10}))
    assert [response.status for response in four] == [200] * 4
    assert len({response.headers["x-echo-hostname"] for response in four} - warm) == 2, (
        "requests that do not fit into the warm pool must use demand pods"
    )

    selector = f"{LABEL}=echo,{POOL}=demand"
    journey.api.until_all("pods", journey.namespace, lambda pods: not pods, selector=selector, timeout=60)
    assert {pod["metadata"]["name"] for pod in journey.pods()} == warm, "the warm pool must not scale to zero"


def test_provisioned_concurrency_changes_without_a_restart(journey: Journey) -> None:
    journey.serving(warm=1, idle=300)
    first = {pod["metadata"]["uid"] for pod in journey.pods()}
    for count in (3, 1):
        journey.kubectl.apply(manifests.config(f"warm-{count}", model="echo", warm=count, idle=300))
        journey.kubectl.patch("kep", "echo", {"spec": {"endpointConfigName": f"warm-{count}"}})
        journey.reaches("echo", rows.IN_SERVICE, timeout=90)
        journey.api.until_all(
            "pods",
            journey.namespace,
            lambda pods, expected=count: len(pods) == expected,  # type: ignore[misc]
            selector=f"{LABEL}=echo,{POOL}=warm",
        )
        assert journey.invoke().status == 200
    assert len(first) == 1
