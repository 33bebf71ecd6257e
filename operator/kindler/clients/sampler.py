"""Asks all activators about once a second, so that the last minute of every endpoint with a warm pool is known."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable
from typing import Final

from kindler.clients.activators import ActivatorStats
from kindler.clients.cluster import ApiError
from kindler.core.autoscaling.metrics.usage import NoData, Usage, Window

log = logging.getLogger(__name__)

SECONDS: Final = (
    0.95  # from one round to the next: samples are at most a second apart, also on a loop that has other things to do
)
ANSWER_SECONDS: Final = (
    0.8  # an activator's time to answer: who is late is asked again in the next round, and its counts have lost nothing
)


class Sampler:
    """`clock`: seconds that never go back. `seconds`: from one round to the next. What it knows is from one run: when it is run again, it looks anew."""

    def __init__(self, activators: ActivatorStats, clock: Callable[[], float], seconds: float = SECONDS) -> None:
        self._activators = activators
        self._clock = clock
        self._seconds = seconds
        self._window = Window()
        self._turned = -math.inf
        self._round = asyncio.Event()  # of the round that is under way, or of the next one: set when it ends

    async def run(self) -> None:
        """Asks until cancelled."""
        self._window = Window()
        failure = ""
        while True:
            began = self._turned = self._clock()
            try:
                told = await self._activators.read(provisioned=True)
            except ApiError as error:
                if str(error) != failure:
                    failure = str(error)
                    log.warning("which activators there are is not known: %s", failure)
            else:
                failure = ""
                self._window.add(told, self._clock())
            ended, self._round = self._round, asyncio.Event()
            ended.set()
            await asyncio.sleep(max(self._seconds - (self._clock() - began), self._seconds / 4))

    def usage(self, uid: str, age: float = math.inf) -> Usage | NoData:
        """The last minute of the endpoint with this uid, which was created `age` seconds ago."""
        return self._window.usage(uid, age, self._clock())

    def counted(self, uid: str) -> float:
        """See Window.counted."""
        return self._window.counted(uid)

    async def asked(self) -> None:
        """Returns when all activators were asked after this call."""
        await self._round.wait()  # it may have begun before
        await self._round.wait()

    @property
    def silence(self) -> float:
        """Seconds since it was last known which activators there are, and they were asked; infinity before."""
        return self._clock() - self._window.last

    @property
    def turned(self) -> float:
        """Seconds since the loop last began a round, whatever came of it; infinity before."""
        return self._clock() - self._turned

    @property
    def endpoints(self) -> int:
        """How many are followed."""
        return self._window.endpoints
