"""The keyed queue, in virtual time: no key twice, none lost, failures come again after growing pauses, a busy key is held to its rate."""

from __future__ import annotations

import asyncio

import pytest

from kindler.controller.reconcile import left
from kindler.controller.workqueue import BURST, FIRST_PAUSE, LONGEST_PAUSE, RATE, WorkQueue


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def queue() -> tuple[WorkQueue[str], Clock]:
    clock = Clock()
    return WorkQueue(clock), clock


def taken(work: WorkQueue[str]) -> list[str]:
    """All keys that are ready now, taken in order."""
    work._promote()
    keys = []
    while work.depth:
        coroutine = work.take()
        try:
            coroutine.send(None)
        except StopIteration as end:
            keys.append(end.value)
    return keys


async def test_a_key_waits_once_and_in_order() -> None:
    work, _ = queue()
    for key in "abab":
        work.ring(key)
    assert work.depth == 2
    assert taken(work) == ["a", "b"]


async def test_rung_while_worked_on_comes_once_more() -> None:
    work, _ = queue()
    work.ring("a")
    assert taken(work) == ["a"]
    work.ring("a")
    work.ring("a")
    assert taken(work) == []
    work.done("a")
    assert taken(work) == ["a"]
    work.done("a")
    assert taken(work) == []


async def test_failures_pause_longer_each_time_until_success() -> None:
    work, clock = queue()
    work.ring("a")
    pauses = []
    for _ in range(12):
        assert taken(work) == ["a"]
        pauses.append(work.failed("a"))
        clock.now += pauses[-1] - 0.001
        assert taken(work) == []
        clock.now += 0.002
    assert pauses[0] == FIRST_PAUSE
    assert pauses == sorted(pauses)
    assert pauses[-1] == LONGEST_PAUSE
    assert taken(work) == ["a"]
    work.done("a")
    work.ring("a")
    assert taken(work) == ["a"]
    assert work.failed("a") == FIRST_PAUSE


async def test_a_failing_key_that_rings_meanwhile_still_pauses() -> None:
    work, clock = queue()
    work.ring("a")
    taken(work)
    work.ring("a")
    pause = work.failed("a")
    assert taken(work) == []
    clock.now += pause
    assert taken(work) == ["a"]


async def test_the_api_servers_wish_to_wait_is_kept() -> None:
    work, _ = queue()
    work.ring("a")
    taken(work)
    assert work.failed("a", retry_after=7.0) == 7.0


async def test_a_sooner_look_overtakes_a_later_one() -> None:
    work, clock = queue()
    work.ring("a", after=60)
    work.ring("a", after=5)
    work.ring("a", after=30)
    clock.now += 5
    assert taken(work) == ["a"]
    work.done("a")
    clock.now += 100
    assert taken(work) == []


async def test_forgotten_keys_leave_nothing_unless_they_rang() -> None:
    work, _ = queue()
    work.ring("a")
    taken(work)
    work.forget("a")
    assert work._states == {}
    work.ring("b")
    taken(work)
    work.ring("b")
    work.forget("b")
    assert taken(work) == ["b"]


async def test_a_key_that_always_rings_is_held_to_its_rate_and_starves_no_other() -> None:
    work, clock = queue()
    looks = 0
    for _ in range(1000):  # 10 seconds in steps of 10 ms
        work.ring("busy")
        for key in taken(work):
            looks += key == "busy"
            work.done(key)
        clock.now += 0.01
    assert BURST <= looks <= BURST + RATE * 10 + 1
    work.ring("calm")
    assert "calm" in taken(work)


async def test_a_worker_wakes_for_a_ring_and_for_a_timer() -> None:
    work: WorkQueue[str] = WorkQueue(asyncio.get_running_loop().time)
    worker = asyncio.create_task(work.take())
    await asyncio.sleep(0)
    work.ring("now")
    assert await worker == "now"
    worker = asyncio.create_task(work.take())
    await asyncio.sleep(0)
    work.ring("later", after=0.01)
    assert await worker == "later"


async def test_the_age_of_the_oldest_is_told() -> None:
    work, clock = queue()
    assert work.age == 0
    work.ring("a")
    clock.now += 3
    work.ring("b")
    assert work.age == 3


async def test_a_ring_while_a_failing_key_is_worked_on_shortens_its_pause() -> None:
    """The user may have mended just that."""
    work, clock = queue()
    work.ring("a")
    for _ in range(9):
        assert taken(work) == ["a"]
        clock.now += work.failed("a", retry_after=3600)
    assert taken(work) == ["a"]
    work.ring("a")
    assert work.failed("a") == FIRST_PAUSE
    clock.now += FIRST_PAUSE
    assert taken(work) == ["a"]
    assert work.failed("a", retry_after=3600) == LONGEST_PAUSE, "whatever the API server asks for"


@pytest.mark.parametrize(
    ("again", "passed", "rests"), [(None, 3.0, None), (5.0, 0.5, 4.5), (1.0, 3.0, 0.0), (5.0, -9.0, 5.0)]
)
def test_a_pass_that_takes_long_makes_the_next_moment_no_later(
    again: float | None, passed: float, rests: float | None
) -> None:
    assert left(again, passed) == rests
