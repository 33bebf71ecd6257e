"""The demand pods that are removed, and the time when `replicas` is lowered. Idle timeout: 60 s. Present time: 1000."""

from __future__ import annotations

import pytest

from kindler.core.dataplane.scaledown import LOW_COST, Candidate, DemandPool, Step, decide, warm_deletion_cost

NOW = 1000.0
LONG = 900.0  # the time of the last use of a pod that is idle for longer than the idle timeout
RECENT = 990.0


def pod(
    uid: str,
    idle: float | None = LONG,
    ready: bool = True,
    marked: bool = False,
    low_cost_since: float | None = None,
    removing: bool = False,
) -> Candidate:
    return Candidate(uid, idle, ready, marked or removing, low_cost_since, removing)


def pool(*pods: Candidate, replicas: int | None = None, raised_at: float = 0.0, desired: int = 0) -> DemandPool:
    return DemandPool(len(pods) if replicas is None else replicas, raised_at, desired, pods)


BUSY = pod("busy", idle=None)

ROWS: dict[str, tuple[DemandPool, Step]] = {
    "one idle pod: to zero at once": (pool(pod("a")), Step(("a",), (), 0, ("a",))),
    "all are idle: to zero at once, the longest idle first": (
        pool(pod("a", 930), pod("b", 910)),
        Step(("b", "a"), (), 0, ("b", "a")),
    ),
    "a pod that is not Ready: to zero all the same": (pool(pod("a", ready=False)), Step(("a",), (), 0, ("a",))),
    "idle for less than the idle timeout": (pool(pod("a", RECENT)), Step()),
    "idle for exactly the idle timeout": (pool(pod("a", 940)), Step(("a",), (), 0, ("a",))),
    "idle for a little less": (pool(pod("a", 940.001)), Step()),
    "after a restart nothing is removed before one idle timeout": (pool(pod("a"), raised_at=950), Step(("a",))),
    "a pod that starts keeps the pool from zero": (pool(pod("a"), pod("starts", None)), Step(("a",))),
    "already at zero": (pool(replicas=0), Step()),
    "requested but never created, no load": (pool(replicas=3), Step((), (), 0)),
    "requested just now, not yet created": (pool(replicas=3, raised_at=990), Step()),
    "requested, and held requests need it": (pool(replicas=3, desired=3), Step()),
    "the least recently used are marked, as many as exceed the load": (
        pool(pod("a", 920), pod("b", 910), BUSY, desired=2),
        Step(("b",)),
    ),
    "the load needs all of them": (pool(pod("a"), BUSY, desired=2), Step()),
    "marked, its cost not yet written": (pool(pod("a", marked=True), BUSY, desired=1), Step()),
    "marked, its cost written just now": (pool(pod("a", marked=True, low_cost_since=998.5), BUSY, desired=1), Step()),
    "marked, its cost written 2 s ago": (
        pool(pod("a", marked=True, low_cost_since=998), BUSY, desired=1),
        Step((), (), 1, ("a",)),
    ),
    "another pod is not Ready: the ReplicaSet would delete that one": (
        pool(pod("a", marked=True, low_cost_since=900), pod("busy", None, ready=False), desired=1),
        Step(),
    ),
    "the marked pod itself may be not Ready": (
        pool(pod("a", ready=False, marked=True, low_cost_since=900), BUSY, desired=1),
        Step((), (), 1, ("a",)),
    ),
    "a pod is not created yet: the ReplicaSet would not create it instead": (
        pool(pod("a", marked=True, low_cost_since=900), BUSY, replicas=3, desired=1, raised_at=990),
        Step(),
    ),
    "two costs written 2 s ago, one just now: two are removed": (
        pool(
            pod("a", marked=True, low_cost_since=900),
            pod("b", marked=True, low_cost_since=900),
            pod("c", marked=True, low_cost_since=999),
            BUSY,
            desired=1,
        ),
        Step((), (), 2, ("a", "b")),
    ),
    "load came back: unmarked": (
        pool(pod("a", marked=True, low_cost_since=900), BUSY, desired=2),
        Step((), ("a",)),
    ),
    "load needs one of two marked pods: the more recently used is unmarked": (
        pool(pod("a", 910, marked=True), pod("b", 920, marked=True), BUSY, desired=2),
        Step((), ("b",)),
    ),
    "removing, the ReplicaSet has not acted yet": (pool(pod("a", removing=True), BUSY, replicas=1, desired=1), Step()),
    "removing, and another pod was deleted": (pool(pod("a", removing=True), replicas=1), Step((), ("a",))),
    "removed": (pool(BUSY, replicas=1, desired=1), Step()),
    "removing one, another becomes idle: only marked, one step at a time": (
        pool(pod("a", removing=True), pod("b"), BUSY, replicas=2, desired=1),
        Step(("b",)),
    ),
    "more requested than created or needed: lowered to the existing pods": (
        pool(BUSY, replicas=3, desired=1),
        Step((), (), 1),
    ),
}


@pytest.mark.parametrize("row", ROWS)
def test_the_next_step_of_scale_down(row: str) -> None:
    given, expected = ROWS[row]

    assert decide(given, 60, NOW) == expected


@pytest.mark.parametrize(
    ("cost", "in_use", "last_used", "expected"),
    [
        (0, 0, 995.0, LOW_COST),
        (0, 0, 995.1, 0),
        (0, 1, 0.0, 0),
        (LOW_COST, 0, 995.1, LOW_COST),
        (LOW_COST, 0, 900.0, LOW_COST),
        (LOW_COST, 1, 900.0, 0),
    ],
)
def test_a_warm_pod_idle_for_five_seconds_carries_the_low_cost_until_it_works_again(
    cost: int, in_use: int, last_used: float, expected: int
) -> None:
    assert warm_deletion_cost(cost, in_use, last_used, NOW) == expected
