"""A warm pool follows its load by a real HPA: out as soon as the one-minute average asks for it, in after the cooldown, and not where the user forbids it.

One minute of average is what this costs, so several endpoints live through the same minutes.
"""

from __future__ import annotations

import math
import time
from contextlib import ExitStack
from typing import Any

import pytest

from tests.e2e.support import pools, rows
from tests.e2e.support.gateway import Load
from tests.e2e.support.journey import Journey
from tests.e2e.support.manifests import scaling, tracking
from tests.e2e.support.pools import HPA, Change, Sampled, Watched

Json = dict[str, Any]

PER_POD, TARGET = 4, 0.45  # of the endpoint whose load rises and ends
LAG = 2.0  # seconds by which a sample of the metric, one a second, may be behind what the HPA has read
TWENTY = scaling(1, 20, tracking(0.7, cooldown=0))
FREE = scaling(1, 3, tracking(0.7))
HELD = {
    "keeps": (2, scaling(1, 3, tracking(0.7, keeps=True))),
    "rests": (2, scaling(1, 3, tracking(0.7), suspended=("In",))),
    "quiet": (1, scaling(1, 3, tracking(0.7), suspended=("Out",))),
}
"""Endpoints whose load asks for another size, which is forbidden: the size that they have, and why they keep it. "quiet" is busy, the others idle."""


@pytest.mark.timeout(400)  # minutes of average
def test_the_warm_pool_follows_its_load(journey: Journey) -> None:
    """1 to 4 pods while the average rises, and back to 1 after it has fallen. Beside it 20 pods go to 8 and stay, and what must not scale does not."""
    ramp = create(journey)
    with ExitStack() as stack:
        watched = stack.enter_context(Watched(journey.api, journey.namespace))
        sampled = stack.enter_context(Sampled(journey.api, journey.namespace, "ramp"))
        busy = stack.enter_context(Load(5, lambda: journey.invoke("twenty", {"sleep": 6})))
        spilling = stack.enter_context(Load(2, lambda: journey.invoke("quiet", {"sleep": 1})))
        steady = stack.enter_context(Load(1, lambda: journey.invoke("ramp", {"sleep": 0.1})))
        begin = time.monotonic()
        with Load(3, lambda: journey.invoke("ramp", {"sleep": 0.1})) as first:
            pools.reached(journey, "ramp", 2 * PER_POD)
            with Load(4, lambda: journey.invoke("ramp", {"sleep": 0.1})) as second:
                pools.reached(journey, "ramp", 4 * PER_POD)
                peak = time.monotonic()
        assert {name: watched.sizes(pools.name_of(journey.endpoint(name))) for name in HELD} == {
            "keeps": [2],
            "rests": [2],
            "quiet": [1],
        }, "forbidden"
        shrink_twenty(journey, busy)
        for name in HELD:
            journey.kubectl.patch("kep", name, {"spec": FREE})
        for name, size in (("keeps", 1), ("rests", 1), ("quiet", 3)):
            pools.sized(journey, name, size)
        pools.reached(journey, "ramp", PER_POD)
        twenty = watched.sizes(pools.name_of(journey.endpoint("twenty")))
    answers = [*steady.answers, *first.answers, *second.answers]
    pools.keep_figures(
        "autoscaling", begin, sampled, watched, ramp, {"perPod": PER_POD, "target": TARGET, "requests": len(answers)}
    )
    assert [pools.not_fitting(load.answers) for load in (steady, first, second, busy)] == [[], [], [], []], (
        "load that fits never fails or waits for a start"
    )
    assert spilling.failed() == []
    counted = pools.counted(journey, "ramp")
    assert (counted["kindler_provisioned_invocations_total"], counted["kindler_spillover_total"]) == (len(answers), 0)
    assert pools.counted(journey, "quiet")["kindler_spillover_total"] > 0
    assert twenty == [20, 8], "the right size in one step, and it stays while pods drain for a minute"
    judge_ramp(sampled, [change for change in watched.changes if change.pool == ramp], peak)
    activities = journey.endpoint("ramp")["status"]["scalingActivities"]
    assert {a["result"] for a in activities} <= {"Successful", "Overridden"}, activities
    assert any("half-busy" in a["cause"] for a in activities), activities
    told = [event["message"] for event in journey.events("ramp")]
    assert all(any(a["cause"] in message for message in told) for a in activities), (
        f"an Event for each change, with the cause: {told}"
    )


def create(journey: Journey) -> str:
    """All endpoints of the journey, in service. The ramp's warm pool."""
    journey.create(
        "ramp", limit=16, per_pod=PER_POD, warm=PER_POD, scaling=scaling(PER_POD, 4 * PER_POD, tracking(TARGET))
    )
    journey.create(
        "twenty", limit=20, warm=20, seconds=60, drain="Sleep", scaling=scaling(20, 20, tracking(0.7, cooldown=0))
    )
    for name, (warm, wanted) in HELD.items():
        journey.create(name, limit=4, warm=warm, scaling=wanted)
    for name in ("twenty", *HELD):
        journey.reaches(name, rows.IN_SERVICE, timeout=180)
    return pools.name_of(journey.reaches("ramp", rows.IN_SERVICE))


def shrink_twenty(journey: Journey, busy: Load) -> None:
    """Five of twenty are busy, and the bounds allow less from now on: the pods that go are not those five."""
    assert pools.load(journey.api, journey.namespace, "twenty") > 4.9, "a whole minute of five"  # type: ignore[operator]
    at_work = {answer.headers["x-echo-hostname"] for answer in busy.answers[-10:]}
    assert len(at_work) == 5, "the most recently used pods come first"
    journey.kubectl.patch("kep", "twenty", {"spec": TWENTY})
    pods = journey.until_pods(lambda pods: sum(map(going, pods)) >= 12, "twenty", timeout=90)
    assert not at_work & {pod["metadata"]["name"] for pod in pods if going(pod)}


def going(pod: Json) -> bool:
    return bool(pod["metadata"].get("deletionTimestamp"))


def judge_ramp(sampled: Sampled, changes: list[Change], peak: float) -> None:
    """Up once and down once, each step by the HPA, and none sooner than the average asked for it."""
    sizes = [change.replicas for change in changes]
    rising = [change for change in changes if change.at < peak]
    assert (sizes[0], rising[-1].replicas, sizes[-1]) == (1, 4, 1), sizes
    assert sizes == [*sorted(sizes[: len(rising)]), *sorted(sizes[len(rising) :], reverse=True)]
    assert {change.writer for change in changes[1:]} == {HPA}, "nobody else has written a size"
    for change in rising[1:]:
        highest = sampled.highest(change.at + LAG)
        assert math.ceil(highest / (TARGET * PER_POD)) >= change.replicas, (
            f"{change.replicas} pods at an average of {highest}"
        )
