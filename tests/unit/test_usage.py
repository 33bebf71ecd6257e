"""The load of an endpoint in the last minute is exact if the whole minute was sampled. If not, it is no data."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kindler.api.stats import EndpointStats, Stats, Totals
from kindler.core.autoscaling.metrics.usage import STALE_SECONDS, NoData, Usage, Window

OLD = 1e6  # seconds: created long ago


def report(
    load_seconds: float,
    level: int = 0,
    owner: bool = True,
    allocated: int = 4,
    uid: str = "u",
    boot: str = "b",
    invocations: int = 0,
) -> Stats:
    totals = Totals(load_seconds=load_seconds, invocations=invocations, answered=invocations)
    return Stats(boot, {"n/e": EndpointStats(uid, owner, "r", level, 0, level, 0, {}, allocated, totals)})


def samples(
    window: Window,
    begin: int,
    end: int,
    load: Callable[[float], float],
    name: str = "a",
    skip: Iterable[int] = (),
    **fields: int | str | bool,
) -> None:
    """Adds the counts of one activator for each second from `begin` to `end`, without those in `skip`."""
    for second in range(begin, end + 1):
        response = None if second in set(skip) else report(load(second), **fields)  # type: ignore[arg-type]
        window.add([(name, response)], float(second))


def usage(window: Window, now: float, age: float = OLD, uid: str = "u") -> Usage:
    result = window.usage(uid, age, now)
    assert isinstance(result, Usage), result
    return result


def reason(window: Window, now: float, age: float = OLD, uid: str = "u") -> str:
    result = window.usage(uid, age, now)
    assert isinstance(result, NoData), result
    return result.reason


def test_the_average_is_exact_with_a_burst_between_two_samples() -> None:
    window = Window()
    samples(
        window, 0, 100, lambda t: 500 + 12 * (t >= 71)
    )  # 12 requests at a time, each 0.2 s, five times in a row: 12 seconds of execution between seconds 70 and 71
    assert usage(window, 100).load == pytest.approx(12 / 60)


def test_a_whole_minute_must_have_been_sampled() -> None:
    window = Window()
    samples(window, 0, 59, lambda t: 500 + t)
    assert window.usage("u", OLD, 59) == NoData(
        "it is being measured, and a whole minute has not been seen yet", retry_soon=False
    )  # the next sample cannot complete the minute, so the HPA need not retry soon
    samples(window, 60, 60, lambda t: 500 + t)
    assert usage(window, 60).load == pytest.approx(1)


def test_before_an_endpoint_existed_it_had_no_load() -> None:
    window = Window()
    samples(window, 100, 110, lambda t: 3 * (t - 95))
    assert usage(window, 110, age=20).load == pytest.approx(3 * 15 / 60)
    assert "whole minute" in reason(window, 110, age=100)


def test_counts_of_zero_are_idle_from_the_first_sample() -> None:
    window = Window()
    samples(window, 0, 0, lambda t: 0)
    assert usage(window, 0) == Usage(0.0, 0, 0, Totals(), 4)
    samples(window, 1, 40, lambda t: 0)
    assert usage(window, 40) == usage(window, 0)


def test_missed_responses_lose_nothing() -> None:
    window = Window()
    samples(window, 0, 100, lambda t: 2 * t, skip=range(50, 62))
    assert usage(window, 100).load == pytest.approx(2)
    for second in range(100, 125):  # the load is also exact if the minute begins in the gap
        samples(window, second + 1, second + 1, lambda t: 2 * t)
        assert usage(window, second + 1).load == pytest.approx(2)


def test_a_gap_that_is_too_long_is_not_interpolated() -> None:
    """There was no response from second 70 to 99, so the load of a minute that begins in this time is not known."""
    window, known = Window(), []
    for second in range(201):
        samples(window, second, second, lambda t: 2 * t, skip=range(70, 100))
        if second > 100 and isinstance(window.usage("u", OLD, second), Usage):
            known.append(second)
    assert known == [*range(101, 130), *range(160, 201)]


def test_a_late_response_counts_and_a_missing_one_is_no_data() -> None:
    window = Window()
    samples(window, 0, 100, lambda t: 2 * t, skip=range(97, 101))
    assert usage(window, 100).load == pytest.approx(2)
    samples(window, 101, 103, lambda t: 2 * t, skip=range(101, 104))
    assert reason(window, 103) == "activator a, which serves it, does not answer"


def test_before_the_first_sample_there_is_no_data() -> None:
    window = Window()
    assert "yet" in reason(window, 5)
    samples(window, 0, 100, lambda t: t)
    assert usage(window, 100 + STALE_SECONDS)
    assert reason(window, 109) == "activators cannot be asked"


def test_retry_soon_only_if_an_activator_responds() -> None:
    """Only then a retry is useful: a request that waits for one occupies one of the HPA controller's few workers."""
    window = Window()
    window.add([("a", Stats("b", {}))], 0)
    assert window.usage("u", OLD, 0) == NoData("no activator serves a warm pool of it yet", retry_soon=True)
    window.add([("a", None)], 1)
    assert window.usage("u", OLD, 1) == NoData("no activator serves a warm pool of it yet")
    window.add([], 2)
    assert window.usage("u", OLD, 2) == NoData("no activator runs")


def test_an_endpoint_created_in_the_future_tells_nothing_about_the_past() -> None:
    """The creation time is in the future because the clocks of this process and of the API server differ."""
    window = Window()
    window.add([("a", report(2400))], 1000)
    assert "whole minute" in reason(window, 1000, age=-60)
    assert usage(window, 1000, age=-1).load > 0, "clocks differ a little"


def test_an_unknown_endpoint_is_no_data() -> None:
    window = Window()
    samples(window, 0, 100, lambda t: t)
    assert window.usage("other", OLD, 100) == NoData("no activator serves a warm pool of it yet", retry_soon=True)
    window.add([], 101.0)
    assert reason(window, 101) == "no activator runs"
    window.add([("a", None)], 110.0)
    assert reason(window, 110, uid="other") == "activator a does not answer"


def test_a_restarted_activator_counts_from_zero_and_its_old_counts_remain() -> None:
    window = Window()
    samples(window, 0, 80, lambda t: 2 * t)
    samples(window, 81, 100, lambda t: 2 * (t - 80), boot="b2")
    assert usage(window, 100).load == pytest.approx(2)
    assert usage(window, 100).increase.load_seconds == pytest.approx(120)


def test_an_activator_starts_and_another_one_ends() -> None:
    window = Window()
    samples(window, 0, 70, lambda t: 3 * t, name="old")
    for second in range(71, 101):
        going = [("old", report(3 * second if second < 80 else 240, owner=False))] if second < 90 else []
        window.add([*going, ("young", report(3 * max(0, second - 80), boot="y"))], float(second))
    assert usage(window, 100).load == pytest.approx(3)
    # An activator in the first sample may have counted since long before that sample.
    window = Window()
    samples(window, 0, 30, lambda t: 1000 + t)
    assert "whole minute" in reason(window, 30)


def test_a_new_activator_is_exact_although_it_responds_late() -> None:
    window = Window()
    samples(window, 0, 70, lambda t: 3 * t, name="old")
    for second in range(71, 75):
        window.add([("old", report(3 * second)), ("young", None)], float(second))
    for second in range(75, 120):
        window.add([("old", report(3 * second)), ("young", report(second - 73, boot="y"))], float(second))
    assert usage(window, 119).load == pytest.approx(3 + 46 / 60)


def test_another_activator_took_over_from_a_silent_one() -> None:
    window = Window()
    for second in range(70):
        window.add([("a", report(second)), ("b", report(0, owner=False))], float(second))
    for second in range(70, 90):
        window.add([("a", None), ("b", report(max(0, second - 72), owner=second > 72))], float(second))
        result = window.usage("u", OLD, float(second))
        assert isinstance(result, NoData) == (69 + STALE_SECONDS < second <= 72), second
    assert usage(window, 89).load == pytest.approx((69 - 29 + 17) / 60)


def test_two_activators_served_and_one_is_silent() -> None:
    window = Window()
    for second in range(80):
        window.add([("a", report(second)), ("b", None if second > 70 else report(second))], float(second))
    assert "activator b" in reason(window, 79)


def test_a_silent_activator_is_never_forgotten_while_it_is_listed() -> None:
    window = Window()
    for second in range(300):
        window.add([("a", report(second)), ("b", None if second > 70 else report(second))], float(second))
    assert "activator b" in reason(window, 299)


def test_a_warm_pool_is_removed_and_created_again() -> None:
    window = Window()
    samples(window, 0, 80, lambda t: t)
    window.add([("a", Stats("b", {}))], 81.0)
    assert reason(window, 81) == "no activator serves a warm pool of it yet"
    samples(window, 82, 100, lambda t: t)
    assert usage(window, 100).load == pytest.approx(1)


def test_an_activator_missing_in_one_list_has_not_restarted() -> None:
    window = Window()
    for second in range(100):
        listed = [("a", Stats("b", {}))] if second != 90 else []
        window.add(listed, float(second))
    samples(window, 100, 110, lambda t: 5000 + t)
    assert "whole minute" in reason(window, 110)


def test_a_new_throttler_counts_from_zero() -> None:
    window = Window()
    samples(window, 0, 80, lambda t: 2 * t, invocations=0)
    samples(window, 81, 100, lambda t: 2 * (t - 80))
    assert usage(window, 100).load == pytest.approx(2)


def test_a_warm_pool_added_to_an_old_endpoint_is_measured_from_then_on() -> None:
    window = Window()
    for second in range(50):
        window.add([("a", Stats("b", {}))], float(second))
    samples(window, 50, 105, lambda t: 5000 + t)
    assert "whole minute" in reason(window, 105)
    samples(window, 106, 110, lambda t: 5000 + t)
    assert usage(window, 110).load == pytest.approx(1)


def test_levels_and_counts() -> None:
    window = Window()
    for second in range(101):
        level = {60: 7, 80: 1}.get(second, 3)
        window.add([("a", report(3 * second, level, invocations=2 * second))], float(second))
    result = usage(window, 100)
    assert (result.highest, result.lowest, result.increase.invocations) == (7, 1, 120)


def test_levels_of_two_activators_are_added_per_sample_and_their_pods_are_the_same() -> None:
    window = Window()
    for second in range(101):
        window.add([("a", report(second, second % 2 * 4)), ("b", report(second, (second + 1) % 2 * 4))], float(second))
    result = usage(window, 100)
    assert (result.highest, result.lowest, result.allocated, result.load) == (4, 4, 4, pytest.approx(2))


def test_allocated_is_what_the_owner_reports() -> None:
    window = Window()
    for second in range(61):
        window.add([("a", report(0, allocated=3)), ("b", report(0, owner=False, allocated=9))], float(second))
    assert usage(window, 60).allocated == 3


def test_an_activator_that_ended_has_no_level() -> None:
    window = Window()
    for second in range(101):
        window.add(
            [("a", report(0))] + ([("b", report(2 * second, 2, owner=False))] if second < 80 else []), float(second)
        )
    assert (usage(window, 100).lowest, usage(window, 100).highest) == (0, 2)
    window = Window()
    for second in range(101):
        window.add([("a", report(5 * (second == 40), 5 * (second == 40)))], float(second))
    assert usage(window, 100).highest == 0  # the last minute begins after second 40


def test_load_seconds_change_with_each_request() -> None:
    window = Window()
    assert window.load_seconds("u") == 0
    samples(window, 0, 50, lambda t: min(t, 20))
    before = window.load_seconds("u")
    samples(window, 51, 400, lambda t: 20)
    assert window.load_seconds("u") == before == 20
    samples(window, 401, 401, lambda t: 20.001)  # a request of a millisecond ran between two samples
    assert window.load_seconds("u") > before


def test_memory_is_bounded_by_what_happens_in_a_minute() -> None:
    window = Window()
    samples(window, 0, 5000, lambda t: t)
    (endpoint,) = window._endpoints.values()
    (track,) = endpoint.tracks.values()
    assert len(track._readings) < 80 and len(window._sampled) < 80
    samples(window, 5001, 6000, lambda t: 5000)
    assert len(track._readings) == 2
    for second in range(6001, 6200):
        window.add([], float(second))
    assert window.endpoints == 0 and not window._replicas


# Compared with the integral over all requests


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[tuple[float, float, int]], list[float]]:
    """Requests as (begin, end, activator), and times of samples at most a second apart."""
    requests = draw(st.lists(st.tuples(st.floats(0, 200), st.floats(0.001, 40), st.integers(0, 1)), max_size=40))
    gaps = draw(st.lists(st.floats(0.5, 1.0), min_size=300, max_size=300))
    times, now = [], 0.0
    for gap in gaps:
        now += gap
        times.append(now)
    return [(begin, begin + length, who) for begin, length, who in requests], times


def counted(requests: list[tuple[float, float, int]], who: int, now: float) -> float:
    return sum(max(0.0, min(end, now) - begin) for begin, end, activator in requests if activator == who)


@settings(max_examples=60, deadline=None)
@given(histories(), st.integers(90, 299))
def test_the_window_is_the_integral_of_all_requests(
    history: tuple[list[tuple[float, float, int]], list[float]], stop: int
) -> None:
    requests, times = history
    window = Window()
    for now in times[: stop + 1]:
        window.add([(str(who), report(counted(requests, who, now))) for who in (0, 1)], now)
    now = times[stop]
    if now < 61:
        return
    begin = max(m for m in times if m <= now - 60)
    edges = sorted({begin, now, *(e for r in requests for e in r[:2] if begin < e < now)})
    area = sum((high - low) * sum(r[0] <= low and r[1] >= high for r in requests) for low, high in pairwise(edges))
    assert usage(window, now).load == pytest.approx(area / (now - begin), abs=1e-6)
    assert math.isclose(now - begin, 60, abs_tol=1.01)


@settings(max_examples=60, deadline=None)
@given(histories(), st.sets(st.integers(60, 250), max_size=60))
def test_missed_responses_change_the_average_by_no_more_than_one_interval(
    history: tuple[list[tuple[float, float, int]], list[float]], missed: set[int]
) -> None:
    requests, times = history
    window = Window()
    for number, now in enumerate(times):
        window.add([("a", None if number in missed else report(counted(requests, 0, now)))], now)
    result = window.usage("u", OLD, times[-1])
    if isinstance(result, NoData):  # only after a gap of more than 15 s, which may still last
        answered = [now for number, now in enumerate(times) if number not in missed]
        assert max(later - earlier for earlier, later in pairwise(answered)) > 15
        return
    begin = max(m for m in times if m <= times[-1] - 60)
    exact = (counted(requests, 0, times[-1]) - counted(requests, 0, begin)) / (times[-1] - begin)
    answered = sorted(now for number, now in enumerate(times) if number not in missed)
    capabilities = [later - earlier for earlier, later in pairwise(answered) if earlier <= begin < later] or [0]
    assert abs(result.load - exact) <= capabilities[0] * len(requests) / 60 + 1e-6
