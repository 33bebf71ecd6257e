"""The simulation of a day (hack/bench/simulate) loses no request and uses Kindler's own code for decisions."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hack.bench.simulate import arms, report, trace
from hack.bench.simulate.trace import Request, Trace
from hack.bench.simulate.world import Arm, Limits, World
from kindler.api.autoscaling import ScalableTarget

DOCS = Path(__file__).parents[2] / "docs"


def of(*requests: tuple[float, float], span: float = 7200.0) -> Trace:
    return Trace("test", tuple(Request(at, seconds) for at, seconds in requests), trace.MIDNIGHT.timestamp(), span)


def target(**entry: object) -> ScalableTarget:
    return ScalableTarget.model_validate({"variantName": "AllTraffic", "minCapacity": 0, "maxCapacity": 50, **entry})


def tracking(value: float, **more: object) -> list[dict[str, object]]:
    metric = {"predefinedMetricType": "SageMakerVariantProvisionedConcurrencyUtilization"}
    return [
        {
            "policyName": "p",
            "targetTrackingScalingPolicyConfiguration": {
                "targetValue": value,
                "predefinedMetricSpecification": metric,
                **more,
            },
        },
    ]


def action(name: str, schedule: str, **sets: int) -> dict[str, object]:
    return {"scheduledActionName": name, "schedule": schedule, "scalableTargetAction": sets}


LIMITS = Limits(memory_gb=1.0, max_concurrency=10, per_instance=1, idle_timeout=60.0, cold_start=5.0)


def test_one_request_at_zero_waits_for_its_pod_which_ends_after_the_idle_timeout() -> None:
    world = World(of((100.0, 2.0)), LIMITS, Arm("on demand"))
    counts = world.run()
    assert (counts.warm, counts.spilled, counts.throttled, counts.cold, counts.waits) == (0, 1, 0, 1, [5.0])
    assert (counts.demand_gb_seconds, counts.warm_gb_seconds, counts.busy_gb_seconds) == (5.0 + 2.0 + 60.0, 0.0, 2.0)


def test_a_fixed_size_exists_all_the_time_and_serves_what_fits() -> None:
    counts = World(of((100.0, 2.0), (100.5, 2.0), (101.0, 2.0)), LIMITS, Arm("fixed", 2)).run()
    assert (counts.warm, counts.spilled, counts.cold) == (
        3,
        0,
        1,
    )  # the third request starts a pod, but another pod is free earlier and serves the request
    assert counts.waits == [0.0, 0.0, 1.0]
    assert counts.warm_gb_seconds == 2 * 7200.0


def test_requests_above_the_limit_are_throttled_at_once() -> None:
    counts = World(of(*((1.0, 9.0) for _ in range(13))), LIMITS, Arm("on demand")).run()
    assert (counts.spilled, counts.throttled, counts.cold) == (10, 3, 10)


def test_an_instance_takes_as_many_requests_as_its_limit() -> None:
    limits = Limits(memory_gb=1.0, max_concurrency=10, per_instance=5, idle_timeout=60.0, cold_start=5.0)
    counts = World(of(*((1.0, 9.0) for _ in range(10))), limits, Arm("on demand")).run()
    assert (counts.spilled, counts.starts) == (10, 2)
    fixed = World(of((1.0, 1.0)), limits, Arm("fixed", 6)).run()
    assert fixed.warm_gb_seconds == 2 * 7200.0  # 6 units need two pods with 5 requests each


def test_target_tracking_follows_the_one_minute_average() -> None:
    steady = of(*((600.0 + n, 4.0) for n in range(1200)))  # concurrency 4 from minute 10 to 30
    world = World(steady, LIMITS, Arm("target", 0, target(minCapacity=1, scalingPolicies=tracking(0.5))))
    world.run()
    sizes = {round(sample.at / 60): sample.warm for sample in world.samples}
    assert sizes[9] == 1
    assert sizes[13] == 9  # requests that wait for a pod also count as load
    assert sizes[29] == sizes[34] == 8  # the cooldown is 300 s
    assert sizes[37] == 1


def test_a_schedule_acts_at_its_time() -> None:
    written = target(
        scheduledActions=[
            action("up", "cron(17 0 * * ? *)", minCapacity=3),
            action("down", "cron(47 0 * * ? *)", minCapacity=0, maxCapacity=0),
        ]
    )
    world = World(of((1.0, 1.0)), LIMITS, Arm("schedule", 0, written))
    counts = world.run()
    assert {sample.at / 60: sample.warm for sample in world.samples if sample.at / 60 in (16, 18, 46, 48)} == {
        16: 0,
        18: 3,
        46: 3,
        48: 0,
    }
    assert counts.warm_gb_seconds == 3 * 30 * 60.0


def test_busy_pods_complete_their_requests_when_the_pool_shrinks() -> None:
    written = target(
        scheduledActions=[
            action("up", "cron(1 0 * * ? *)", minCapacity=3),
            action("down", "cron(10 0 * * ? *)", minCapacity=1, maxCapacity=1),
        ]
    )
    counts = World(of((595.0, 20.0), (596.0, 20.0), span=1200.0), LIMITS, Arm("schedule", 0, written)).run()
    assert (counts.warm, counts.cold) == (2, 0)
    idle_or_finished, busy_until_615_s, stays = 2 * 540.0, 615.0 - 60.0, 1200.0 - 600.0
    assert counts.warm_gb_seconds == idle_or_finished + busy_until_615_s + stays


BURSTS = st.lists(st.tuples(st.floats(0, 3000, allow_nan=False), st.floats(0.01, 400)), min_size=1, max_size=60)
WAYS = st.sampled_from(
    [
        Arm("on demand"),
        Arm("fixed", 3),
        Arm("target", 0, target(scalingPolicies=tracking(0.7, scaleInCooldown=30))),
        Arm(
            "both",
            0,
            target(
                scalingPolicies=tracking(0.7),
                scheduledActions=[
                    action("a", "cron(0/7 * * * ? *)", minCapacity=4),
                    action("b", "rate(5 minutes)", minCapacity=0),
                ],
            ),
        ),
    ]
)


@settings(max_examples=120, deadline=None)
@given(BURSTS, WAYS, st.integers(1, 12), st.integers(1, 4))
def test_every_request_counts_once_and_every_pod_is_counted(
    requests: list[tuple[float, float]], arm: Arm, limit: int, per: int
) -> None:
    limits = Limits(memory_gb=1.0, max_concurrency=max(limit, per), per_instance=per, idle_timeout=40.0, cold_start=7.0)
    day = of(*sorted(requests), span=3600.0)
    world = World(day, limits, arm)
    counts = world.run()
    assert counts.warm + counts.spilled + counts.throttled == len(requests)
    assert len(counts.waits) == counts.warm + counts.spilled
    assert all(wait >= 0 for wait in counts.waits)
    assert counts.cold == sum(wait > 0 for wait in counts.waits)
    assert counts.busy_gb_seconds <= counts.warm_gb_seconds + counts.demand_gb_seconds + 1e-6
    assert all(pod.in_use == 0 for pods in world._pods.values() for pod in pods)
    assert all(sample.demand <= -(-limits.max_concurrency // per) for sample in world.samples)


def test_the_same_trace_gives_the_same_figures() -> None:
    day = trace.made_up(3, 60.0, 5)
    arm = next(arm for arm in arms.standard(day, LIMITS, 0.5, None) if arm.name == "both")
    assert report.figures(World(day, LIMITS, arm).run()) == report.figures(World(day, LIMITS, arm).run())


def test_sizes_and_schedules_are_made_from_the_known_day() -> None:
    known = of(*((8 * 3600.0 + n, 3.4) for n in range(3600)), span=86400.0)
    made = {arm.name: arm for arm in arms.standard(known, Limits(), 0.5, None)}
    assert made["fixed"].units == 9  # a mean concurrency of 3.4, plus three times its square root
    for name in ("schedule", "both"):
        target = made[name].target
        assert target is not None
        assert [action.scalable_target_action.min_capacity for action in target.scheduled_actions or ()] == [7, 0]


def test_the_made_up_day_has_its_documented_shape() -> None:
    minutes = trace.made_up(1, 20.0, 10).per_minute()
    hour = [sum(minutes[60 * n : 60 * n + 60]) / 60 for n in range(24)]
    assert hour[:7] == [0.0] * 7
    assert 9 < hour[9] < 11
    assert hour[12] > 2 * hour[11] > 1.5 * hour[14]
    assert hour[16] > hour[18] > hour[20] > hour[22] > 0


def test_schedules_have_the_size_that_each_hour_needs() -> None:
    minutes = [0.0] * 480 + [4.0] * 60 + [0.0] * 900
    assert arms.hours(minutes, 0.9, 0.5, 100) == [0] * 8 + [8] + [0] * 15
    actions = arms.entry(0, 20, None, arms.hours(minutes, 0.9, 0.5, 100))["scheduledActions"]
    assert [(a["schedule"], a["scalableTargetAction"]) for a in actions] == [
        ("cron(58 7 * * ? *)", {"minCapacity": 8, "maxCapacity": 8}),
        ("cron(0 9 * * ? *)", {"minCapacity": 0, "maxCapacity": 0}),
    ]


def test_the_table_in_the_docs_shows_the_committed_figures() -> None:
    numbers = json.loads((DOCS / "figures" / "day.json").read_text())["arms"]
    assert report.table(numbers) in (DOCS / "provisioned-concurrency.md").read_text(), (
        "run: make simulate, with --json and --plot"
    )


# Traces of users


def csv(folder: Path, text: str) -> Path:
    file = folder / "trace.csv"
    file.write_text(text)
    return file


def test_each_row_is_a_request(tmp_path: Path) -> None:
    day = trace.read(csv(tmp_path, "time,seconds\n3600,2.5\n3601,1\n90000,1\n"), None, 1)
    assert [(r.at, r.seconds) for r in day.requests] == [(3600.0, 2.5), (3601.0, 1.0), (90000.0, 1.0)]
    assert (day.span, day.midnight) == (2 * 86400.0, trace.MIDNIGHT.timestamp())


def test_times_may_be_dates_and_rows_may_count_several_requests(tmp_path: Path) -> None:
    day = trace.read(
        csv(tmp_path, "time,count\n2027-05-04T08:00:00Z,10\n2027-05-04T08:05:00+00:00,0\n2027-05-04T08:10:00Z,5\n"),
        2.0,
        1,
    )
    assert day.midnight == datetime(2027, 5, 4, tzinfo=UTC).timestamp()
    at = [r.at for r in day.requests]
    assert len(at) == 15
    assert [t for t in at if 28800 <= t < 29100] == at[:10]
    assert all(29400 <= t < 29700 for t in at[10:])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("when\n1\n", "is not a trace"),
        ("time,seconds\nsoon,1\n", "line 2: soon is not a time"),
        ("time,seconds\n5,1\n3,1\n", "in order"),
        ("time,seconds\n5,1\n2027-05-04T08:00:00Z,1\n", "one form"),
        ("time\n5\n", "--service"),
        ("time,seconds\n5,-1\n", "above 0"),
        ("time,seconds\n5,x\n", "line 2"),
        ("time,seconds,count\n5,1,0\n", "no request"),
    ],
)
def test_a_file_that_is_not_a_trace_is_rejected_with_its_line(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(trace.TraceError, match=words):
        trace.read(csv(tmp_path, text), None, 1)


def test_figures_become_a_table_and_a_plot(tmp_path: Path) -> None:
    world = World(of((100.0, 2.0), (101.0, 2.0)), LIMITS, Arm("fixed", 1))
    numbers = report.figures(world.run())
    assert (numbers["requests"], numbers["spilloverShare"], numbers["provisionedGBHours"]) == (2, 0.0, 2.0)
    assert "| fixed | 2.0 | 0.0 | 2 | 0.0 % | 1 | 0 |" in report.table({"fixed": numbers})
    report.draw("test", {"fixed": (numbers, world.samples)}, tmp_path / "plot.svg")
    assert (tmp_path / "plot.svg").read_text().startswith("<?xml")
