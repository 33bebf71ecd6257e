"""An endpoint in service whose pods do not start: whether it still serves, and what it reports."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.unit.builders import (
    NOW,
    decide,
    endpoint,
    pods_of,
    pool,
    serving,
    stored_revision,
)
from tests.unit.rollouts import OLD, WARM


@pytest.mark.parametrize(
    ("pods", "created", "degraded", "available"),
    [
        ({"ready": False, "started": None}, 5, None, True),
        ({"ready": False, "waiting": ("ImagePullBackOff", "x")}, 5, "ImagePullBackOff", False),
        ({"ready": False, "waiting": ("ErrImagePull", "x")}, 5, None, True),
        ({"ready": False, "waiting": ("ErrImagePull", "x")}, 180, "ErrImagePull", False),
    ],
)
def test_pods_that_fail_while_they_start_from_zero(
    pods: dict[str, object], created: int, degraded: str | None, available: bool
) -> None:
    seen = serving(OLD)
    failing = pods_of(seen.pools[0], created=NOW - created, **pods)  # type: ignore[arg-type]
    rollout = decide(replace(seen, pods=tuple(failing)))
    assert (rollout.degraded.reason if rollout.degraded else None, rollout.available) == (degraded, available)


def test_an_image_that_cannot_be_pulled_is_reported_without_flapping() -> None:
    seen = serving(OLD)
    reported = endpoint(serves=OLD, conditions=[{"type": "Ready", "status": "False", "reason": "CannotStart"}])
    pulling = tuple(pods_of(seen.pools[0], ready=False, waiting=("ErrImagePull", "x")))
    starting = tuple(pods_of(seen.pools[0], ready=False))
    assert decide(replace(seen, pods=pulling)).available
    assert not decide(replace(seen, endpoint=reported, pods=pulling)).available
    assert decide(replace(seen, endpoint=reported, pods=starting)).available


def test_an_evicted_pod_that_still_exists_degrades_nothing() -> None:
    at_zero = serving(OLD, replicas=0)
    evicted = pods_of(
        at_zero.pools[0],
        1,
        created=NOW - 9999,
        ready=False,
        started=None,
        phase="Failed",
        reason="Evicted",
        message="low on storage",
    )
    rollout = decide(replace(at_zero, pods=tuple(evicted)))
    assert (rollout.degraded, rollout.available) == (None, True)


def test_a_quota_is_reported_at_once_unless_a_pod_is_ready() -> None:
    failing = pool(OLD, of=stored_revision(OLD, number=1), failing="exceeded quota: none")
    without = decide(replace(serving(OLD), pools=(failing,), pods=()))
    assert (without.degraded and without.degraded.reason, without.available) == ("QuotaExceeded", False)
    assert decide(replace(serving(OLD), pools=(failing,), pods=tuple(pods_of(failing)))).degraded is None


def test_a_failing_warm_pool_is_reported_while_other_pods_are_ready() -> None:
    seen = serving(WARM)
    cold, warm = seen.pools
    pods = (*pods_of(cold), *pods_of(warm, ready=False, waiting=("ImagePullBackOff", "x")))
    rollout = decide(replace(seen, pods=pods))
    assert (rollout.degraded and rollout.degraded.reason, rollout.available) == ("ImagePullBackOff", True)
