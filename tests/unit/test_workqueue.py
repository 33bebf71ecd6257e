"""The work queue in virtual time: no key is queued twice or lost, failures back off, a busy key is rate limited."""

from __future__ import annotations

import asyncio

import pytest

from kindler.controller.reconcile import remaining
from kindler.controller.workqueue import BURST, FIRST_PAUSE, LONGEST_PAUSE, RATE, WorkQueue


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def queue() -> tuple[WorkQueue[str], Clock]:
    clock = Clock()
    return WorkQueue(clock), clock


def ready_keys(work: WorkQueue[str]) -> list[str]:
    """Gets all keys that are ready now, in order."""
    work._promote()
    keys = []
    while work.depth:
        coroutine = work.get()
        try:
            coroutine.send(None)
        except StopIteration as end:
            keys.append(end.value)
    return keys


async def test_a_key_is_queued_once_and_in_order() -> None:
    work, _ = queue()
    for key in "abab":
        work.add(key)
    assert work.depth == 2
    assert ready_keys(work) == ["a", "b"]


async def test_a_key_that_is_added_while_it_is_processed_is_queued_once_more() -> None:
    work, _ = queue()
    work.add("a")
    assert ready_keys(work) == ["a"]
    work.add("a")
    work.add("a")
    assert ready_keys(work) == []
    work.done("a")
    assert ready_keys(work) == ["a"]
    work.done("a")
    assert ready_keys(work) == []


async def test_the_pause_grows_with_each_failure_until_success() -> None:
    work, clock = queue()
    work.add("a")
    pauses = []
    for _ in range(12):
        assert ready_keys(work) == ["a"]
        pauses.append(work.retry("a"))
        clock.now += pauses[-1] - 0.001
        assert ready_keys(work) == []
        clock.now += 0.002
    assert pauses[0] == FIRST_PAUSE
    assert pauses == sorted(pauses)
    assert pauses[-1] == LONGEST_PAUSE
    assert ready_keys(work) == ["a"]
    work.done("a")
    work.add("a")
    assert ready_keys(work) == ["a"]
    assert work.retry("a") == FIRST_PAUSE


async def test_a_failed_key_that_was_added_meanwhile_still_pauses() -> None:
    work, clock = queue()
    work.add("a")
    ready_keys(work)
    work.add("a")
    pause = work.retry("a")
    assert ready_keys(work) == []
    clock.now += pause
    assert ready_keys(work) == ["a"]


async def test_a_pause_that_the_api_server_requests_is_respected() -> None:
    work, _ = queue()
    work.add("a")
    ready_keys(work)
    assert work.retry("a", retry_after=7.0) == 7.0


async def test_an_earlier_timer_replaces_a_later_one() -> None:
    work, clock = queue()
    work.add_after("a", 60)
    work.add_after("a", 5)
    work.add_after("a", 30)
    clock.now += 5
    assert ready_keys(work) == ["a"]
    work.done("a")
    clock.now += 100
    assert ready_keys(work) == []


async def test_forget_drops_the_state_of_a_key_unless_it_was_added_meanwhile() -> None:
    work, _ = queue()
    work.add("a")
    ready_keys(work)
    work.forget("a")
    assert work._states == {}
    work.add("b")
    ready_keys(work)
    work.add("b")
    work.forget("b")
    assert ready_keys(work) == ["b"]


async def test_a_key_that_is_always_added_is_rate_limited_and_starves_no_other() -> None:
    work, clock = queue()
    passes = 0
    for _ in range(1000):  # 10 seconds in steps of 10 ms
        work.add("busy")
        for key in ready_keys(work):
            passes += key == "busy"
            work.done(key)
        clock.now += 0.01
    assert BURST <= passes <= BURST + RATE * 10 + 1
    work.add("calm")
    assert "calm" in ready_keys(work)


async def test_a_waiting_worker_gets_an_added_key_and_a_due_key() -> None:
    work: WorkQueue[str] = WorkQueue(asyncio.get_running_loop().time)
    worker = asyncio.create_task(work.get())
    await asyncio.sleep(0)
    work.add("now")
    assert await worker == "now"
    worker = asyncio.create_task(work.get())
    await asyncio.sleep(0)
    work.add_after("later", 0.01)
    assert await worker == "later"


async def test_age_is_the_waiting_time_of_the_first_key() -> None:
    work, clock = queue()
    assert work.age == 0
    work.add("a")
    clock.now += 3
    work.add("b")
    assert work.age == 3


async def test_a_change_while_a_failing_key_is_processed_shortens_its_pause() -> None:
    """The change may have fixed the failure."""
    work, clock = queue()
    work.add("a")
    for _ in range(9):
        assert ready_keys(work) == ["a"]
        clock.now += work.retry("a", retry_after=3600)
    assert ready_keys(work) == ["a"]
    work.add("a")
    assert work.retry("a") == FIRST_PAUSE
    clock.now += FIRST_PAUSE
    assert ready_keys(work) == ["a"]
    assert work.retry("a", retry_after=3600) == LONGEST_PAUSE, "even if the API server requests a longer pause"


@pytest.mark.parametrize(
    ("requeue_after", "passed", "rest"), [(None, 3.0, None), (5.0, 0.5, 4.5), (1.0, 3.0, 0.0), (5.0, -9.0, 5.0)]
)
def test_a_long_pass_does_not_delay_the_next_one(
    requeue_after: float | None, passed: float, rest: float | None
) -> None:
    assert remaining(requeue_after, passed) == rest
