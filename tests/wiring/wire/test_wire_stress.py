"""Many clients and models with random behaviour. No client gets the response of another one, and no slot stays used."""

from __future__ import annotations

import asyncio
import random
from collections import Counter

import h11
import pytest

from tests.wiring.wire.models import Connection, reset
from tests.wiring.wire.rig import Rig, TestThrottler, post, rig

BROKEN = (ConnectionError, asyncio.IncompleteReadError, h11.RemoteProtocolError)


class StressRun:
    """The clients and models of one seed.

    `inside`: requests in each pod, from their head to the end of their response, as the pod itself sees them.
    """

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.inside: Counter[str] = Counter()
        self.peak: Counter[str] = Counter()
        self.outcomes: Counter[str] = Counter()

    def model(self, pod: str) -> object:
        async def script(connection: Connection) -> None:
            while True:
                head, _ = await connection.head()
                self.inside[pod] += 1
                self.peak[pod] = max(self.peak[pod], self.inside[pod])
                try:
                    if not await self.serve(connection, head):
                        return
                finally:
                    self.inside[pod] -= 1

        return script

    async def serve(self, connection: Connection, head: bytes) -> bool:
        """Responds in one of many ways. Returns whether the connection can carry another request."""
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        behaviour = self.random.choice(["plain"] * 6 + ["chunked", "slow", "early", "truncated", "silent", "reset"])
        if behaviour == "early":
            await connection.send(b"HTTP/1.1 403 X\r\nContent-Length: 0\r\n\r\n")
            return False
        body = await connection.reader.readexactly(length)
        if behaviour == "slow":
            await asyncio.sleep(self.random.random() * 0.02)
        elif behaviour == "silent":
            return False
        elif behaviour == "reset":
            reset(connection.writer)
            return False
        if behaviour == "truncated":
            await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body) + 10, body))
            return False
        if behaviour == "chunked":
            await connection.send(
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
            )
        else:
            await connection.respond(body)
        return True

    async def client(self, wire: Rig, name: int) -> None:
        caller = await wire.caller()
        try:
            for number in range(6):
                body = b"%d/%d " % (name, number) + b"x" * self.random.choice([0, 10, 5_000, 200_000])
                data = post(body)
                behaviour = self.random.choice(["send"] * 6 + ["pieces", "leave", "leave half", "half-close"])
                if behaviour == "leave half":
                    await caller.send(data[: len(data) // 2])
                elif behaviour == "pieces":
                    for at in range(0, len(data), 3_000):
                        await caller.send(data[at : at + 3_000])
                        await asyncio.sleep(0)
                else:
                    await caller.send(data)
                if behaviour.startswith("leave"):
                    reset(caller.writer) if self.random.random() < 0.5 else caller.close()
                    return
                if behaviour == "half-close":
                    caller.writer.write_eof()
                response = await caller.response()
                self.outcomes[str(response.status)] += 1
                assert response.status != 200 or response.body == body
                if response.fields.get("connection") == "close" or behaviour == "half-close":
                    return
        except BROKEN:
            self.outcomes["reset"] += 1
        finally:
            caller.close()


@pytest.mark.parametrize("seed", range(3))
async def test_a_stress_run_leaves_no_request_and_no_byte_behind(seed: int) -> None:
    run = StressRun(seed)
    async with rig(TestThrottler(limit=60)) as wire:
        for number in range(4):
            await wire.model(run.model(f"pod-{number}"), f"pod-{number}")
        async with asyncio.timeout(60):
            await asyncio.gather(*(run.client(wire, name) for name in range(80)))
            await wire.listener.idle()
        assert not wire.throttler.waiting
        assert not wire.throttler.running
        assert wire.router.held == 0
        assert wire.listener.streams == 0
    assert set(wire.throttler.peak.values()) == {1}
    assert run.outcomes["200"] > 20
