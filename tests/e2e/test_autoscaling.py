"""A real HPA scales a warm pool with its load.

It scales out as soon as the average load requires it, and scales in after the cooldown. If the user forbids scale-out
or scale-in, it does not happen. Each average needs a minute, so one journey observes several endpoints at the same
time.
"""

from __future__ import annotations

import math
import time
from contextlib import ExitStack
from typing import Any

from tests.e2e.support import pools, rows
from tests.e2e.support.gateway import Load
from tests.e2e.support.journey import Journey
from tests.e2e.support.manifests import scaling, tracking
from tests.e2e.support.pools import HPA, Change, Sampled, Watched

Json = dict[str, Any]

PER_POD, TARGET = 4, 0.45  # of the endpoint "ramp", whose load rises and then ends
LAG = 2.0  # seconds: the metric is sampled once a second, so a sample can be older than the value that the HPA has read
TWENTY = scaling(1, 20, tracking(0.7, cooldown=0))
FREE = scaling(1, 3, tracking(0.7))
MUST_NOT_SCALE = {
    "disabled-in": (2, scaling(1, 3, tracking(0.7, disable_scale_in=True))),
    "suspended-in": (2, scaling(1, 3, tracking(0.7), suspended=("In",))),
    "suspended-out": (1, scaling(1, 3, tracking(0.7), suspended=("Out",))),
}
"""Endpoints whose load requires another size, but whose spec forbids it: their size, and the spec that forbids the
change.

"suspended-out" is busy; the others are idle.
"""


def test_the_warm_pool_follows_its_load(journey: Journey) -> None:
    """One pool grows from 1 to 4 pods while the average load rises, and shrinks to 1 after the load has fallen.

    At the same time, a pool of 20 pods shrinks to 8, and pools that must not scale keep their size.
    """
    ramp = create(journey)
    with ExitStack() as stack:
        watched = stack.enter_context(Watched(journey.api, journey.namespace))
        sampled = stack.enter_context(Sampled(journey.api, journey.namespace, "ramp"))
        busy = stack.enter_context(Load(5, lambda: journey.invoke("twenty", {"sleep": 6})))
        spilling = stack.enter_context(Load(2, lambda: journey.invoke("suspended-out", {"sleep": 1})))
        steady = stack.enter_context(Load(1, lambda: journey.invoke("ramp", {"sleep": 0.1})))
        begin = time.monotonic()
        with Load(3, lambda: journey.invoke("ramp", {"sleep": 0.1})) as first:
            pools.reached(journey, "ramp", 2 * PER_POD)
            with Load(4, lambda: journey.invoke("ramp", {"sleep": 0.1})) as second:
                pools.reached(journey, "ramp", 4 * PER_POD)
                peak = time.monotonic()
        assert {name: watched.sizes(pools.name_of(journey.endpoint(name))) for name in MUST_NOT_SCALE} == {
            "disabled-in": [2],
            "suspended-in": [2],
            "suspended-out": [1],
        }, "pools whose spec forbids scaling must keep their size"
        shrink_twenty(journey, busy)
        for name in MUST_NOT_SCALE:
            journey.kubectl.patch("kep", name, {"spec": FREE})
        for name, size in (("disabled-in", 1), ("suspended-in", 1), ("suspended-out", 3)):
            pools.until_sized(journey, name, size)
        pools.reached(journey, "ramp", PER_POD)
        twenty = watched.sizes(pools.name_of(journey.endpoint("twenty")))
    responses = [*steady.responses, *first.responses, *second.responses]
    pools.save_figures(
        "autoscaling", begin, sampled, watched, ramp, {"perPod": PER_POD, "target": TARGET, "requests": len(responses)}
    )
    assert [pools.not_served_warm(load.responses) for load in (steady, first, second, busy)] == [[], [], [], []], (
        "requests that fit into the warm pool must not fail or wait for a pod to start"
    )
    assert spilling.failed() == []
    endpoint_metrics = pools.endpoint_metrics(journey, "ramp")
    assert (endpoint_metrics["kindler_provisioned_invocations_total"], endpoint_metrics["kindler_spillover_total"]) == (
        len(responses),
        0,
    )
    assert pools.endpoint_metrics(journey, "suspended-out")["kindler_spillover_total"] > 0
    assert twenty == [20, 8], "the HPA must reach the right size in one step, and keep it while pods drain for a minute"
    check_ramp(sampled, [change for change in watched.changes if change.pool == ramp], peak)
    activities = journey.endpoint("ramp")["status"]["scalingActivities"]
    assert {a["result"] for a in activities} <= {"Successful", "Overridden"}, activities
    assert any("half-busy" in a["cause"] for a in activities), activities
    messages = [event["message"] for event in journey.events("ramp")]
    assert all(any(a["cause"] in message for message in messages) for a in activities), (
        f"each change needs an Event with its cause: {messages}"
    )


def create(journey: Journey) -> str:
    """Creates all endpoints and waits until they are in service. Returns the warm pool of "ramp"."""
    journey.create(
        "ramp", limit=16, per_pod=PER_POD, warm=PER_POD, scaling=scaling(PER_POD, 4 * PER_POD, tracking(TARGET))
    )
    journey.create(
        "twenty", limit=20, warm=20, seconds=60, drain="Sleep", scaling=scaling(20, 20, tracking(0.7, cooldown=0))
    )
    for name, (warm, spec) in MUST_NOT_SCALE.items():
        journey.create(name, limit=4, warm=warm, scaling=spec)
    for name in ("twenty", *MUST_NOT_SCALE):
        journey.reaches(name, rows.IN_SERVICE, timeout=180)
    return pools.name_of(journey.reaches("ramp", rows.IN_SERVICE))


def shrink_twenty(journey: Journey, busy: Load) -> None:
    """Five of twenty pods are busy. After the minimum is lowered, only pods that are not busy may be deleted."""
    average = pools.load(journey.api, journey.namespace, "twenty")
    assert average is not None and average > 4.9, "the average must contain a whole minute with five busy pods"
    busy_pods = {response.headers["x-echo-hostname"] for response in busy.responses[-10:]}
    assert len(busy_pods) == 5, "requests must go to the most recently used pods"
    journey.kubectl.patch("kep", "twenty", {"spec": TWENTY})
    pods = journey.until_pods(lambda pods: sum(map(being_deleted, pods)) >= 12, "twenty", timeout=90)
    assert not busy_pods & {pod["metadata"]["name"] for pod in pods if being_deleted(pod)}


def being_deleted(pod: Json) -> bool:
    return bool(pod["metadata"].get("deletionTimestamp"))


def check_ramp(sampled: Sampled, changes: list[Change], peak: float) -> None:
    """Only the HPA changed the size, first up and then down, and never before the average load required it."""
    sizes = [change.replicas for change in changes]
    rising = [change for change in changes if change.at < peak]
    assert (sizes[0], rising[-1].replicas, sizes[-1]) == (1, 4, 1), sizes
    assert sizes == [*sorted(sizes[: len(rising)]), *sorted(sizes[len(rising) :], reverse=True)]
    assert {change.writer for change in changes[1:]} == {HPA}, "only the HPA may write a size"
    for change in rising[1:]:
        highest = sampled.highest(change.at + LAG)
        assert math.ceil(highest / (TARGET * PER_POD)) >= change.replicas, (
            f"{change.replicas} pods, but the average was only {highest}"
        )
