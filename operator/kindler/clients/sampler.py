"""Samples all activators about once a second, so that the last minute of every endpoint with a warm pool is known."""

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

# Seconds between the starts of two samples. The value is below 1, so that a busy event loop also samples every second.
PERIOD_SECONDS: Final = 0.95
# Timeout of one activator. A late activator is read again in the next sample. Nothing is lost, because it keeps its
# counts.
TIMEOUT_SECONDS: Final = 0.8


class Sampler:
    """Samples the activators. `clock`: monotonic seconds. `seconds`: the period. Each run starts without data."""

    def __init__(self, activators: ActivatorStats, clock: Callable[[], float], seconds: float = PERIOD_SECONDS) -> None:
        self._activators = activators
        self._clock = clock
        self._seconds = seconds
        self._window = Window()
        self._loop_started = -math.inf
        self._sample_taken = asyncio.Event()  # set when the sample in progress, or else the next one, ends

    async def run(self) -> None:
        """Samples until cancelled."""
        self._window = Window()
        failure = ""
        while True:
            began = self._loop_started = self._clock()
            try:
                stats = await self._activators.read(provisioned=True)
            except ApiError as error:
                if str(error) != failure:
                    failure = str(error)
                    log.warning("the activators cannot be listed: %s", failure)
            else:
                failure = ""
                self._window.add(stats, self._clock())
            ended, self._sample_taken = self._sample_taken, asyncio.Event()
            ended.set()
            await asyncio.sleep(max(self._seconds - (self._clock() - began), self._seconds / 4))

    def usage(self, uid: str, age: float = math.inf) -> Usage | NoData:
        """The last minute of the endpoint with this uid, which was created `age` seconds ago."""
        return self._window.usage(uid, age, self._clock())

    def load_seconds(self, uid: str) -> float:
        """The load seconds that activators have counted for an endpoint: see Window.load_seconds."""
        return self._window.load_seconds(uid)

    async def next_sample(self) -> None:
        """Waits until a sample has ended that began after this call."""
        await self._sample_taken.wait()  # this sample may have begun before the call
        await self._sample_taken.wait()

    @property
    def sample_age(self) -> float:
        """Seconds since the last sample; infinity before the first.

        While the API server does not list the activators, there is no sample.
        """
        return self._clock() - self._window.last

    @property
    def loop_age(self) -> float:
        """Seconds since the loop last started a sample, even one that failed; infinity before the first sample."""
        return self._clock() - self._loop_started

    @property
    def endpoints(self) -> int:
        """How many endpoints are tracked."""
        return self._window.endpoints
