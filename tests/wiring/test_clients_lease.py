"""Leader election: at any time at most one candidate leads, and a successor follows within the Lease's times."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from kindler.clients.cluster import Cluster, Object
from kindler.clients.lease import Lease, LeaseTimes
from tests.apiserver import ApiServer, Change, matching

TIMES = LeaseTimes(lease=2, renew=1.2, retry=0.4)
WRITES = matching("update", "leases")


@dataclass
class Watched:
    """A server, and each change of the Lease's holder with its time at the server."""

    server: ApiServer
    folder: Path
    holders: list[tuple[float, str]] = field(default_factory=list)

    def on_event(self, change: Change) -> None:
        if change.kind.plural == "leases" and not change.deleted:
            self.holders.append((time.monotonic(), change.new["spec"].get("holderIdentity", "")))

    def lease(self) -> Object | None:
        return self.server.store.find(self.server.store.kind("leases"), "default", "leader")

    async def until_held_by(self, identity: str) -> None:
        async with asyncio.timeout(30):
            await self.server.until(lambda: self.holders and self.holders[-1][1] == identity)

    async def renewed(self, times: int = 2) -> None:
        count = len(self.holders)
        async with asyncio.timeout(30):
            await self.server.until(lambda: len(self.holders) >= count + times)

    def gap(self) -> float:
        """Seconds from the last write of the former holder to the first write of the present holder."""
        present = self.holders[-1][1]
        first = next(i for i, (_, holder) in enumerate(self.holders) if holder == present)
        return self.holders[first][0] - self.holders[first - 1][0]


@pytest.fixture
async def watched(tmp_path: Path) -> AsyncIterator[Watched]:
    async with ApiServer() as server:
        watched = Watched(server, tmp_path)
        server.store.listeners.append(watched.on_event)
        yield watched


@asynccontextmanager
async def candidate(watched: Watched, identity: str) -> AsyncIterator[asyncio.subprocess.Process]:
    seconds = [str(s) for s in (TIMES.lease, TIMES.renew, TIMES.retry)]
    environ = os.environ | {"KUBECONFIG": watched.server.kubeconfig(watched.folder)}
    script = str(Path(__file__).with_name("lease_candidate.py"))
    process = await asyncio.create_subprocess_exec(
        sys.executable, script, identity, *seconds, env=environ, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert await output(process) == "candidate"
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def output(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    async with asyncio.timeout(30):
        return (await process.stdout.readline()).decode().strip()


@asynccontextmanager
async def here(watched: Watched, identity: str = "here") -> AsyncIterator[Lease]:
    """A candidate in this process."""
    cluster = Cluster()
    await cluster.connect(watched.server.kubeconfig(watched.folder))
    try:
        yield Lease(cluster, "default", "leader", identity, TIMES)
    finally:
        await cluster.close()


# Two processes


async def test_a_killed_leader_is_replaced_when_its_lease_expires(watched: Watched) -> None:
    async with candidate(watched, "a") as a, candidate(watched, "b") as b:
        await watched.renewed(4)
        first, second, follower = (a, b, "b") if watched.holders[-1][1] == "a" else (b, a, "a")
        assert {holder for _, holder in watched.holders} == {watched.holders[0][1]}, "one leads, the other waits"
        assert await output(first) == "leading"
        first.send_signal(signal.SIGKILL)
        await watched.until_held_by(follower)
        assert await output(second) == "leading"
        # The follower leads only after the Lease has expired, and at most one check later, or two on a busy machine.
        assert TIMES.lease <= watched.gap() <= TIMES.lease + 2 * TIMES.retry
        lease = watched.lease()
        assert (
            lease is not None and lease["spec"]["leaseTransitions"] == 1 and lease["spec"]["leaseDurationSeconds"] == 2
        )


async def test_a_leader_that_leaves_is_replaced_at_the_next_check(watched: Watched) -> None:
    async with candidate(watched, "a") as a:
        assert await output(a) == "leading"
        async with candidate(watched, "b") as b:
            await watched.renewed()
            a.send_signal(signal.SIGTERM)
            assert await a.wait() == 0
            await watched.until_held_by("b")
            assert await output(b) == "leading"
            assert list(dict.fromkeys(holder for _, holder in watched.holders)) == ["a", "", "b"], (
                "released, then taken"
            )
            assert watched.gap() <= 2 * TIMES.retry


async def test_a_paused_leader_detects_that_it_has_lost_and_stops_writing(watched: Watched) -> None:
    async with candidate(watched, "a") as a:
        assert await output(a) == "leading"
        async with candidate(watched, "b") as b:
            await watched.renewed()
            a.send_signal(signal.SIGSTOP)
            await watched.until_held_by("b")
            assert await output(b) == "leading"
            a.send_signal(signal.SIGCONT)
            assert (await output(a)).startswith("lost") and await a.wait() == 3
            await watched.renewed()
            since = next(i for i, (_, holder) in enumerate(watched.holders) if holder == "b")
            assert {holder for _, holder in watched.holders[since:]} == {"b"}


# One process, and a failing server


async def test_an_outage_ends_leadership_before_another_may_start(watched: Watched) -> None:
    async with here(watched) as lease, lease.hold() as lost:
        await watched.renewed()
        last = watched.holders[-1][0]
        await watched.server.down()
        reason = await lost
        assert "could not be renewed for 1.2 s" in reason and not lease.leading
        assert time.monotonic() - last < TIMES.lease
        await watched.server.up()
    assert watched.holders[-1][1] == "here", "what was lost is not released: it may be another's"


async def test_a_server_that_hangs_ends_leadership_as_well(watched: Watched) -> None:
    async with here(watched) as lease, lease.hold() as lost:
        await watched.renewed()
        last = watched.holders[-1][0]
        held = watched.server.faults.hold(WRITES, times=float("inf"))
        await lost
        assert not lease.leading and time.monotonic() - last < TIMES.lease and held.met == 1
        held.end()


async def test_a_short_outage_does_not_end_leadership(watched: Watched) -> None:
    async with here(watched) as lease, lease.hold() as lost:
        await watched.renewed()
        faults = watched.server.faults
        for make in (lambda: faults.fail(500, WRITES), lambda: faults.drop(WRITES), lambda: faults.fail(429, WRITES)):
            fault = make()
            await watched.renewed()
            assert fault.met
        assert lease.leading and not lost.done()


async def test_a_renewal_whose_response_was_lost_does_not_end_leadership(watched: Watched) -> None:
    async with here(watched) as lease, lease.hold() as lost:
        watched.server.faults.lose(WRITES)
        await watched.renewed(4)
        assert lease.leading and not lost.done()


async def test_a_creation_whose_response_was_lost_is_recognised(watched: Watched) -> None:
    watched.server.faults.lose(matching("create", "leases"))
    async with here(watched) as lease, lease.hold():
        assert lease.leading
        (first, _), (second, holder) = watched.holders[:2]
        assert holder == "here" and second - first < TIMES.lease, "it does not wait for its own lease to run out"


async def test_a_lease_that_others_label_or_delete_stays_ours(watched: Watched) -> None:
    leases = watched.server.store.kind("leases")
    async with here(watched) as lease, lease.hold() as lost:
        watched.server.store.merge_patch(leases, "default", "leader", {"metadata": {"labels": {"a": "b"}}})
        await watched.renewed()
        kept = watched.lease()
        assert kept is not None and kept["metadata"]["labels"] == {"a": "b"}
        watched.server.store.delete(leases, "default", "leader")
        await watched.renewed()
        assert lease.leading and not lost.done()


async def test_a_standby_leaves_a_deleted_lease_to_its_holder(watched: Watched) -> None:
    async with here(watched, "a") as first, here(watched, "b") as second, first.hold() as lost:
        waiting = asyncio.create_task(second.hold().__aenter__())
        await watched.server.until(
            lambda: [r for r in watched.server.log if matching("get", "leases")(r)][2:]
        )  # the standby has read the Lease
        watched.server.faults.fail(500, WRITES)  # the holder cannot renew, so the standby checks first
        watched.server.store.delete(watched.server.store.kind("leases"), "default", "leader")
        await watched.renewed()
        assert first.leading and not lost.done() and {holder for _, holder in watched.holders} == {"a"}
        waiting.cancel()
        await asyncio.wait([waiting])


async def test_a_lease_taken_by_another_is_lost_at_once(watched: Watched) -> None:
    async with here(watched) as lease, lease.hold() as lost:
        await watched.renewed()
        watched.server.store.merge_patch(
            watched.server.store.kind("leases"), "default", "leader", {"spec": {"holderIdentity": "thief"}}
        )
        assert "another" in await lost and not lease.leading
    assert watched.holders[-1][1] == "thief"


async def test_a_standby_waits_through_an_outage(watched: Watched) -> None:
    watched.server.faults.fail(503, matching(resource="leases"), times=3)
    watched.server.faults.drop(matching(resource="leases"), times=2)
    async with here(watched) as lease, lease.hold():
        assert lease.leading


@pytest.mark.parametrize("times", [(2, 2, 1), (2, 1, 1), (2, 1, 0)])
def test_invalid_times_are_rejected(times: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="lease > renew > retry > 0"):
        LeaseTimes(*times)
