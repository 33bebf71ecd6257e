"""The stats of the activators, read once for all Endpoints that need them at the same time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from kindler.api.stats import Stats
from kindler.clients.activators import ActivatorStats
from kindler.clients.cluster import ApiError

log = logging.getLogger(__name__)

FRESH_SECONDS: Final = 0.5  # seconds; younger stats are used again


class StatsCache:
    """`clock` returns monotonic seconds: it measures the age of the stats."""

    def __init__(self, activators: ActivatorStats, clock: Callable[[], float]) -> None:
        self._activators = activators
        self._clock = clock
        self._read: tuple[float, dict[str, Stats | None] | None] = (-FRESH_SECONDS, None)
        self._lock = asyncio.Lock()

    async def read(self) -> dict[str, Stats | None] | None:
        """The stats by activator, None for an activator that did not respond.

        The result itself is None if the activators could not be listed.
        """
        async with self._lock:
            at, stats = self._read
            if self._clock() - at < FRESH_SECONDS:
                return stats
            try:
                stats = dict(await self._activators.read())
            except ApiError as error:
                log.warning("the activators cannot be listed: %s", error)
                stats = None
            self._read = (self._clock(), stats)
            return stats
