"""Which demand pods may go, and when their pool may be made smaller: one row a moment. The idle timeout is 60 s, now is 1000."""

from __future__ import annotations

import pytest

from kindler.core.dataplane.scaledown import LOW_COST, Candidate, DemandPool, Step, decide, warm_deletion_cost

NOW = 1000.0
LONG = 900.0  # idle since: long enough
RECENT = 990.0


def pod(
    uid: str,
    idle: float | None = LONG,
    ready: bool = True,
    marked: bool = False,
    low_cost_since: float | None = None,
    lowered: bool = False,
) -> Candidate:
    return Candidate(uid, idle, ready, marked or lowered, low_cost_since, lowered)


def pool(*pods: Candidate, replicas: int | None = None, raised: float = 0.0, wanted: int = 0) -> DemandPool:
    return DemandPool(len(pods) if replicas is None else replicas, raised, wanted, pods)


BUSY = pod("busy", idle=None)

ROWS: dict[str, tuple[DemandPool, Step]] = {
    "one idle pod goes straight to zero": (pool(pod("a")), Step(("a",), (), 0, ("a",))),
    "all idle go straight to zero, the longest idle first": (
        pool(pod("a", 930), pod("b", 910)),
        Step(("b", "a"), (), 0, ("b", "a")),
    ),
    "to zero needs no Ready": (pool(pod("a", ready=False)), Step(("a",), (), 0, ("a",))),
    "not idle for long enough": (pool(pod("a", RECENT)), Step()),
    "one idle timeout, to the second": (pool(pod("a", 940)), Step(("a",), (), 0, ("a",))),
    "a hair less": (pool(pod("a", 940.001)), Step()),
    "after a restart nothing goes before one idle timeout": (pool(pod("a"), raised=950), Step(("a",))),
    "one that starts keeps the pool from zero": (pool(pod("a"), pod("starts", None)), Step(("a",))),
    "zero is zero": (pool(replicas=0), Step()),
    "asked for, never created, nobody waits": (pool(replicas=3), Step((), (), 0)),
    "asked for, not yet created, fresh": (pool(replicas=3, raised=990), Step()),
    "asked for, held requests want it": (pool(replicas=3, wanted=3), Step()),
    "the least recently used is chosen, as many as are not wanted": (
        pool(pod("a", 920), pod("b", 910), BUSY, wanted=2),
        Step(("b",)),
    ),
    "load wants all of them": (pool(pod("a"), BUSY, wanted=2), Step()),
    "chosen, its cost not yet written": (pool(pod("a", marked=True), BUSY, wanted=1), Step()),
    "chosen, its cost written just now": (pool(pod("a", marked=True, low_cost_since=998.5), BUSY, wanted=1), Step()),
    "chosen, its cost has settled": (pool(pod("a", marked=True, low_cost_since=998), BUSY, wanted=1), Step((), (), 1, ("a",))),
    "another pod is not Ready: it would be deleted instead": (
        pool(pod("a", marked=True, low_cost_since=900), pod("busy", None, ready=False), wanted=1),
        Step(),
    ),
    "the chosen one itself may be not Ready": (
        pool(pod("a", ready=False, marked=True, low_cost_since=900), BUSY, wanted=1),
        Step((), (), 1, ("a",)),
    ),
    "a pod is still to come: it would not be created instead": (
        pool(pod("a", marked=True, low_cost_since=900), BUSY, replicas=3, wanted=1, raised=990),
        Step(),
    ),
    "two settle, one is fresh: two go": (
        pool(
            pod("a", marked=True, low_cost_since=900),
            pod("b", marked=True, low_cost_since=900),
            pod("c", marked=True, low_cost_since=999),
            BUSY,
            wanted=1,
        ),
        Step((), (), 2, ("a", "b")),
    ),
    "load came back: the choice is taken back": (
        pool(pod("a", marked=True, low_cost_since=900), BUSY, wanted=2),
        Step((), ("a",)),
    ),
    "of two chosen one is wanted again: the more recently used": (
        pool(pod("a", 910, marked=True), pod("b", 920, marked=True), BUSY, wanted=2),
        Step((), ("b",)),
    ),
    "lowered, and the ReplicaSet has not acted": (pool(pod("a", lowered=True), BUSY, replicas=1, wanted=1), Step()),
    "lowered, and another pod was deleted": (pool(pod("a", lowered=True), replicas=1), Step((), ("a",))),
    "lowered, and gone": (pool(BUSY, replicas=1, wanted=1), Step()),
    "lowered for one, another grows idle: chosen, but one step at a time": (
        pool(pod("a", lowered=True), pod("b"), BUSY, replicas=2, wanted=1),
        Step(("b",)),
    ),
    "more asked for than there are, and wanted: trimmed to what there is": (
        pool(BUSY, replicas=3, wanted=1),
        Step((), (), 1),
    ),
}


@pytest.mark.parametrize("row", ROWS)
def test_step(row: str) -> None:
    given, wanted = ROWS[row]

    assert decide(given, 60, NOW) == wanted


@pytest.mark.parametrize(
    ("cost", "in_use", "last_used", "wanted"),
    [
        (0, 0, 995.0, LOW_COST),
        (0, 0, 995.1, 0),
        (0, 1, 0.0, 0),
        (LOW_COST, 0, 995.1, LOW_COST),
        (LOW_COST, 0, 900.0, LOW_COST),
        (LOW_COST, 1, 900.0, 0),
    ],
)
def test_a_warm_pod_idle_for_five_seconds_carries_a_low_cost_until_it_is_seen_at_work(
    cost: int, in_use: int, last_used: float, wanted: int
) -> None:
    assert warm_deletion_cost(cost, in_use, last_used, NOW) == wanted
