"""Many clients and models at once that do whatever they like: afterwards nothing may be left, and nobody may have got another one's answer."""

from __future__ import annotations

import asyncio
import random
from collections import Counter

import h11
import pytest

from tests.wiring.wire.models import Connection, reset
from tests.wiring.wire.rig import Rig, TestDesk, post, rig

BROKEN = (ConnectionError, asyncio.IncompleteReadError, h11.RemoteProtocolError)


class Storm:
    """One seed's clients and models. `inside` counts requests in each pod between their head and the end of their answer, as the pod itself sees it."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.inside: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        self.outcomes: Counter[str] = Counter()

    def model(self, pod: str) -> object:
        async def script(connection: Connection) -> None:
            while True:
                head, _ = await connection.head()
                self.inside[pod] += 1
                self.most[pod] = max(self.most[pod], self.inside[pod])
                try:
                    if not await self.serve(connection, head):
                        return
                finally:
                    self.inside[pod] -= 1

        return script

    async def serve(self, connection: Connection, head: bytes) -> bool:
        """Answers in one of many ways; whether the connection lives on."""
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        way = self.dice.choice(["plain"] * 6 + ["chunked", "slow", "early", "truncated", "silent", "reset"])
        if way == "early":
            await connection.send(b"HTTP/1.1 403 X\r\nContent-Length: 0\r\n\r\n")
            return False
        body = await connection.reader.readexactly(length)
        if way == "slow":
            await asyncio.sleep(self.dice.random() * 0.02)
        elif way == "silent":
            return False
        elif way == "reset":
            reset(connection.writer)
            return False
        if way == "truncated":
            await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body) + 10, body))
            return False
        if way == "chunked":
            await connection.send(
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
            )
        else:
            await connection.answer(body)
        return True

    async def client(self, wire: Rig, name: int) -> None:
        caller = await wire.request()
        try:
            for number in range(6):
                body = b"%d/%d " % (name, number) + b"x" * self.dice.choice([0, 10, 5_000, 200_000])
                data = post(body)
                way = self.dice.choice(["ask"] * 6 + ["pieces", "leave", "leave half", "half-close"])
                if way == "leave half":
                    await caller.send(data[: len(data) // 2])
                elif way == "pieces":
                    for at in range(0, len(data), 3_000):
                        await caller.send(data[at : at + 3_000])
                        await asyncio.sleep(0)
                else:
                    await caller.send(data)
                if way.startswith("leave"):
                    reset(caller.writer) if self.dice.random() < 0.5 else caller.close()
                    return
                if way == "half-close":
                    caller.writer.write_eof()
                answer = await caller.answer()
                self.outcomes[str(answer.status)] += 1
                assert answer.status != 200 or answer.body == body
                if answer.fields.get("connection") == "close" or way == "half-close":
                    return
        except BROKEN:
            self.outcomes["cut"] += 1
        finally:
            caller.close()


@pytest.mark.parametrize("seed", range(3))
async def test_a_storm_leaves_nothing_behind(seed: int) -> None:
    storm = Storm(seed)
    async with rig(TestDesk(limit=60)) as wire:
        for number in range(4):
            await wire.model(storm.model(f"pod-{number}"), f"pod-{number}")
        async with asyncio.timeout(60):
            await asyncio.gather(*(storm.client(wire, name) for name in range(80)))
            await wire.listener.idle()
        assert not wire.throttler.waiting
        assert not wire.throttler.running
        assert wire.front.held == 0
        assert wire.listener.streams == 0
    assert set(wire.throttler.most.values()) == {1}
    assert storm.outcomes["200"] > 20
