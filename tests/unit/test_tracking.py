"""The HPA's rule as the controller computes it. test_hpa_and_aws.py compares it with real HPAs on about 40 series."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kindler.core.autoscaling.tracking import History, Recommendation, Rules, Tracked, recommend, replicas, thousandths


@pytest.mark.parametrize(
    ("load", "per_replica", "current", "wanted"),
    [
        (0.0, 0.7, 5, 0),
        (0.0, 0.7, 0, 0),
        (0.01, 0.7, 0, 1),  # the tolerance does not apply at size 0
        (0.7, 0.7, 1, 1),
        (0.71, 0.7, 1, 1),  # the load is less than 10 % above the target
        (0.77, 0.7, 1, 1),  # the load is exactly 10 % above the target
        (0.771, 0.7, 1, 2),
        (0.63, 0.7, 1, 1),  # the load is exactly 10 % below the target
        (12.6, 0.7, 20, 20),
        (12.59, 0.7, 20, 18),
        (15.4, 0.7, 20, 20),
        (15.401, 0.7, 20, 23),
        (5.0, 0.7, 20, 8),
        (5.0, 0.7, 8, 8),  # 0.89 of the target is outside the tolerance, but 5.0 / 0.7 rounded up is 8
        (14.0, 1.4, 5, 10),
        (200.0, 0.7, 1, 286),  # `recommend` does not apply the bounds
        (0.0004, 0.7, 0, 1),  # the load is rounded up to a thousandth, so it is not 0
    ],
)
def test_the_recommendation_for_one_load(load: float, per_replica: float, current: int, wanted: int) -> None:
    assert recommend(load, per_replica, current) == wanted


@pytest.mark.parametrize(
    ("value", "count"), [(0.7, 700), (1.4, 1400), (0.1 + 0.2, 300), (2.0, 2000), (0.0001, 1), (0.0, 0), (1e9, 10**12)]
)
def test_thousandths_are_those_of_the_written_number(value: float, count: int) -> None:
    assert thousandths(value) == count


RULES = Rules(low=1, high=10, window=60)


@pytest.mark.parametrize(
    ("loads", "current", "rules", "size"),
    [
        ((3.0,), 1, RULES, 3),
        ((3.0, 5.0), 1, RULES, 5),  # the largest recommendation of all policies counts
        ((30.0,), 1, RULES, 10),
        ((30.0,), 12, RULES, 10),  # a size above the maximum becomes the maximum, whatever the load is
        ((1.0,), 12, Rules(low=1, high=10, window=0), 10),
        ((None,), 12, RULES, 10),
        ((8.0,), 2, Rules(low=4, high=10), 4),  # a size below the minimum becomes the minimum, whatever the load is
        ((8.0,), 0, Rules(low=4, high=10), 8),  # at size 0 the load counts, although 0 is below the minimum
        ((None,), 1, Rules(low=4, high=10), 4),
        ((None,), 0, Rules(low=4, high=10), 4),
        ((None,), 5, RULES, 5),
        ((None, 3.0), 5, RULES, 5),  # a missing load prevents scale-in
        ((None, 8.0), 5, RULES, 8),  # a missing load does not prevent scale-out
        ((None, 3.0, 8.0), 5, RULES, 8),
        ((1.0,), 10, Rules(low=1, high=10, window=0), 1),  # the size is not above the maximum, so the load counts
        ((8.0,), 4, Rules(low=4, high=10), 8),
        ((1.0,), 5, RULES, 5),  # the present size counts as a recommendation, so the window holds it
        ((1.0,), 5, Rules(low=1, high=10, window=0), 1),
        ((1.0,), 5, Rules(low=1, high=10, window=0, scales_in=False), 5),
        ((1.0,), 12, Rules(low=1, high=10, window=0, scales_in=False), 10),  # the maximum applies anyway
        ((8.0,), 5, Rules(low=1, high=10, scales_out=False), 5),
        ((8.0,), 5, Rules(low=6, high=10, scales_out=False), 6),
        ((8.0,), 0, Rules(low=0, high=10, scales_out=False), 0),
        ((0.0,), 3, Rules(low=0, high=10, window=0), 0),
        ((), 3, RULES, 3),
    ],
)
def test_the_first_size(loads: tuple[float | None, ...], current: int, rules: Rules, size: int) -> None:
    assert replicas([Tracked(load, 1.0) for load in loads], current, rules, (), 0.0)[0] == size


def test_the_window_holds_the_largest_recommendation_until_it_ends() -> None:
    sizes, history, size = [], (), 1
    for now, load in ((0, 5.0), (15, 3.0), (30, 2.0), (59, 2.0), (60, 2.0), (75, 2.0), (90, 2.0)):
        size, history = replicas([Tracked(load, 1.0)], size, RULES, history, float(now))
        sizes.append(size)
    assert sizes == [5, 5, 5, 5, 3, 2, 2]


def test_without_any_load_there_is_no_recommendation() -> None:
    _, history = replicas([Tracked(5.0, 1.0)], 5, RULES, (), 0.0)
    assert replicas([Tracked(None, 1.0)], 5, RULES, history, 10.0) == (5, history)


@given(
    st.lists(st.tuples(st.floats(0.1, 30), st.one_of(st.none(), st.floats(0, 12))), max_size=60),
    st.sampled_from([0.0, 15.0, 60.0]),
    st.integers(0, 12),
)
def test_the_short_history_gives_the_same_sizes_as_the_full_one(
    steps: list[tuple[float, float | None]], window: float, size: int
) -> None:
    rules, now, whole = Rules(0, 12, window), 0.0, [(0.0, size)]
    history: History = ()
    began = False
    for passed, load in steps:
        now += passed
        if not began:
            whole, began = [(now, size)], True
        wanted = None if load is None else recommend(load, 1.0, size)
        expected = size
        if wanted is not None:
            held = max([w for at, w in whole if at > now - window], default=0)
            expected = wanted if wanted >= size else min(size, max(wanted, held))
            whole.append((now, wanted))
        size, history = replicas([Tracked(load, 1.0)], size, rules, history, now)
        assert size == min(expected, 12)
        assert len(history) <= 14
        assert [w.replicas for w in history] == sorted({w.replicas for w in history}, reverse=True)
        size = min(expected, 12)


@given(st.floats(0, 200), st.floats(0.01, 5), st.integers(0, 200))
def test_a_recommended_size_recommends_itself(load: float, per_replica: float, current: int) -> None:
    wanted = recommend(load, per_replica, current)
    assert recommend(load, per_replica, wanted) == wanted


def test_the_history_is_a_value() -> None:
    before: History = (Recommendation(0.0, 5),)
    replicas([Tracked(1.0, 1.0)], 5, RULES, before, 10.0)
    assert before == (Recommendation(0.0, 5),)


def test_recommendations_from_the_future_are_ignored() -> None:
    asks = [Tracked(0.7, 0.7)]
    _, history = replicas(asks, 8, Rules(1, 8, 300), (Recommendation(4600.0, 8),), 1000.0)
    assert replicas(asks, 8, Rules(1, 8, 300), history, 1200.0)[0] == 8, "as after a restart"
    assert replicas(asks, 8, Rules(1, 8, 300), history, 1301.0)[0] == 1
