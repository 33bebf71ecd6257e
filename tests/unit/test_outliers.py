"""Outlier detection, and rate limits with back-off."""

from __future__ import annotations

import pytest

from kindler.core.common import pods
from kindler.core.common.ratelimit import TokenBucket, backoff
from kindler.core.dataplane import outliers
from tests.unit import builders


@pytest.mark.parametrize(("failures", "seconds"), [(0, 0), (1, 0), (2, 0.1), (3, 0.2), (5, 0.8), (50, 10)])
def test_a_pod_stays_ejected_longer_with_each_failure_and_the_first_has_no_delay(failures: int, seconds: float) -> None:
    assert outliers.ejection_seconds(failures) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("waited", "cannot_start", "pause"),
    [(0, False, 0.015), (3, False, 0.015), (10, False, 0.05), (50, False, 0.25), (1e6, False, 0.25), (0, True, 0.25)],
)
def test_a_pod_is_pinged_less_often_the_longer_it_starts(waited: float, cannot_start: bool, pause: float) -> None:
    assert outliers.probe_interval(waited, cannot_start, 0.015) == pytest.approx(pause)
    assert outliers.probe_interval(waited, cannot_start, 0.5) == 0.5, "never more often than the setting"


@pytest.mark.parametrize(
    ("facts", "in_use", "unanswered", "expected"),
    [
        ({}, 0, 191, True),
        ({}, 0, 190, False),
        ({}, 1, 500, False),  # a request still runs in the pod
        ({"deleting": True}, 0, 500, False),
        ({"ip": None}, 0, 500, False),  # the pod has no address yet, so the cause is not the pod
        ({"started": None}, 0, 500, False),  # the container has not started: an image pull or a crash back-off
        ({"ready": False}, 0, 191, True),
    ],
)
def test_a_stuck_pod_is_replaced_after_its_startup_time(
    facts: dict[str, object], in_use: int, unanswered: float, expected: bool
) -> None:
    pod = pods.read(builders.pod(**facts), builders.NOW)  # type: ignore[arg-type]

    assert outliers.is_stuck(pod, in_use, unanswered, 180) is expected


def test_a_pool_cannot_start_only_if_none_of_its_pods_can() -> None:
    def read(reason: str | None) -> pods.PodFacts:
        waiting = (reason, "details") if reason else None
        return pods.read(builders.pod(ready=False, started=None, waiting=waiting), builders.NOW)

    final, temporary, starting = read("ImagePullBackOff"), read("ErrImagePull"), read(None)

    def result(*facts: pods.PodFacts, answered: bool = False) -> pods.PodFailure | None:
        return outliers.cannot_start((one, answered) for one in facts)

    assert result(final, final) == final.failure
    assert result() is None
    assert result(final, temporary) is None
    assert result(starting, final) is None
    assert result(final, answered=True) is None
    assert outliers.cannot_start([(final, True), (final, False)]) is None


def test_a_token_bucket_allows_a_burst_and_then_the_rate() -> None:
    bucket = TokenBucket(rate=2, burst=3)
    bucket.since = 100.0

    assert [bucket.take(100.0) for _ in range(4)] == [True, True, True, False]
    assert not bucket.take(100.4)
    assert bucket.take(100.5)
    assert [bucket.take(1000.0) for _ in range(4)] == [True, True, True, False], "it never holds more than the burst"
    assert not bucket.take(999.0), "a clock that steps back adds no tokens"


def test_back_off_doubles_up_to_the_maximum() -> None:
    assert [backoff(0.5, n, 3) for n in (0, 1, 2, 3, 4, 5000)] == [0.5, 0.5, 1, 2, 3, 3]
