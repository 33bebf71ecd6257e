"""One process's life around the cluster: its settings, its log, its connection, and the signals that end it."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Protocol, TypeVar

import uvloop

from kindler.api.settings import Common, SettingsError
from kindler.clients.cluster import ApiError, Cluster

log = logging.getLogger(__name__)


class Settings(Protocol):
    """What the settings of every process hold."""

    @property
    def common(self) -> Common: ...


S = TypeVar("S", bound=Settings)


def live(
    process: str, read: Callable[[Mapping[str, str]], S], life: Callable[[S, Cluster, asyncio.Event], Awaitable[int]]
) -> int:
    """The exit status of `life`, which ends soon after the event (SIGTERM, SIGINT) is set; 1 without cluster or port, 2 for settings that cannot be used."""
    try:
        settings = read(os.environ)
    except SettingsError as error:
        print(f"kindler {process}: {error}", file=sys.stderr)
        return 2
    logging.basicConfig(level=settings.common.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_connected(settings, life))


async def _connected(settings: S, life: Callable[[S, Cluster, asyncio.Event], Awaitable[int]]) -> int:
    cluster, stop, loop = Cluster(), asyncio.Event(), asyncio.get_running_loop()
    try:
        await cluster.connect()
        for sign in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(sign, stop.set)
        return await life(settings, cluster, stop)
    except (ApiError, OSError) as error:
        log.error("%s", error)
        return 1
    finally:
        with suppress(ApiError):
            await cluster.close()
