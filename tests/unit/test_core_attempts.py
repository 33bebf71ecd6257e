"""Attempts to start a revision: when an attempt counts as failed, and when the next attempt begins."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kindler.core.endpoint.attempts import NO_PROGRESS_SECONDS, retry_after
from kindler.core.endpoint.state import Attempt, Observed
from tests.unit.builders import (
    NOW,
    decide,
    endpoint,
    observed,
    pods_of,
    pool,
    route,
    stats,
    stored_revision,
)
from tests.unit.rollouts import NEW, OLD, building, demand, desired_pools


@pytest.mark.parametrize(
    ("pods", "begun", "reason"),
    [
        ({"waiting": ("ErrImagePull", "x")}, 5, None),
        ({"waiting": ("ErrImagePull", "x")}, 180, "ErrImagePull"),
        ({"waiting": ("ImagePullBackOff", "x")}, 5, "ImagePullBackOff"),
        ({"ended": ("Error", 1, 1.0), "restarts": 1}, 5, None),
        ({"ended": ("Error", 1, 1.0), "restarts": 2}, 15, "CrashLoopBackOff"),
        ({"started": NOW - 200}, 205, "PingFailing"),
        ({"started": None}, 180 + NO_PROGRESS_SECONDS - 1, None),
        ({"started": None}, 180 + NO_PROGRESS_SECONDS, "StartTimeout"),
    ],
)
def test_when_an_attempt_counts_as_failed(pods: dict[str, object], begun: int, reason: str | None) -> None:
    rollout = decide(building(begun=NOW - begun, **pods))
    assert (rollout.failure.reason if rollout.failure else None) == reason
    assert rollout.routed is not None
    assert rollout.routed.route == route(OLD)


def failed(begun: float, number: int, source: str = "1") -> Observed:
    """NEW failed `begun` seconds ago."""
    seen = building(begun=NOW - begun, attempt=number, waiting=("ImagePullBackOff", "x"))
    last = replace(
        seen.revisions[1], attempt=Attempt(number, int(NOW - begun), "v2", NEW.sources, failed=int(NOW - begun))
    )
    seen = replace(seen, revisions=(seen.revisions[0], last))
    what = replace(NEW, sources=(source,))
    reported = {
        "failedRevision": route(NEW).revision,
        "failureReason": "it was not there",
        "conditions": [{"type": "Stalled", "reason": "ImagePullBackOff"}],
    }
    return replace(seen, refs=what, endpoint=endpoint("v2", serves=OLD, **reported))


@pytest.mark.parametrize(
    ("begun", "number", "source", "attempt"),
    [
        (19, 0, "1", 0),
        (20, 0, "1", 1),
        (39, 1, "1", 1),
        (40, 1, "1", 2),
        (599, 9, "1", 9),
        (600, 9, "1", 10),
        (1, 5, "2", 0),
    ],
)
def test_retries_begin_after_growing_pauses_and_at_once_when_a_source_changed(
    begun: int, number: int, source: str, attempt: int
) -> None:
    rollout = decide(failed(begun, number, source))
    assert rollout.attempt is not None
    assert rollout.attempt.number == attempt
    assert rollout.failure is not None
    again = (begun, number) != (int(NOW - rollout.attempt.at), rollout.attempt.number)
    assert [p.revision for p in rollout.remove] == ([route(NEW).revision] if again else []), (
        "the failed pods are deleted when the next attempt begins"
    )


def test_the_pause_counts_from_the_failure_and_a_retry_begins_with_one_pod() -> None:
    """If the pause counted from the start, a retry after a failed startup timeout would begin without a pause."""
    seen = replace(building(begun=NOW - 205, started=NOW - 200), activators={"a": stats(route(OLD).revision, 5)})
    rollout = decide(seen)
    assert rollout.attempt is not None
    assert (rollout.attempt.number, rollout.attempt.failed, desired_pools(rollout)[demand(NEW)]) == (
        0,
        int(NOW),
        (5, 5),
    )
    rollout = decide(replace(seen, revisions=rollout.revisions, now=NOW + 20))
    assert rollout.attempt is not None
    assert (rollout.attempt.number, desired_pools(rollout)[demand(NEW)]) == (1, (1, 1))


def test_pauses_grow_to_ten_minutes() -> None:
    pauses = [retry_after(n) for n in range(40)]
    assert pauses[0] == 20
    assert pauses == sorted(pauses)
    assert pauses[-1] == 600


def test_a_failure_is_reported_until_the_revision_works() -> None:
    seen = failed(begun=3, number=0)
    quiet = replace(seen, pods=tuple(pods_of(seen.pools[0])))
    rollout = decide(quiet)
    assert rollout.failure is not None
    assert rollout.failure.message == "it was not there"


def test_one_cache_may_lag_behind_the_other() -> None:
    """The pool of the next attempt is observed before the ControllerRevision that stores the attempt."""
    seen = building(begun=NOW - 30)
    later = pool(NEW, of=stored_revision(NEW, at=int(NOW) - 2, attempt=1))
    assert decide(replace(seen, pools=(seen.pools[0], later))).remove == ()
    new = observed(refs=NEW, pools=(later,))
    assert decide(new).remove == ()
