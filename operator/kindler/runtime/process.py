"""Starts and ends a process: settings, log, connection to the API server, signals, exit status."""

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
from kindler.clients.cluster import PAGE, ApiError, Cluster
from kindler.runtime import logs

log = logging.getLogger(__name__)


class Settings(Protocol):
    """The settings of one process. The settings of every process contain the common settings."""

    @property
    def common(self) -> Common: ...


S = TypeVar("S", bound=Settings)
Life = Callable[[S, Cluster, asyncio.Event], Awaitable[int]]


def run_process(
    name: str, read_settings: Callable[[Mapping[str, str]], S], life: Life[S], page_size: int = PAGE
) -> int:
    """Runs `life(settings, cluster, stop)` and returns the exit status of the process.

    SIGTERM and SIGINT set `stop`; then `life` must end soon. `page_size`: objects per page of a list from the API
    server.

    exit status   when
    -----------   ----
    that of life  `life` ended by itself or after a signal
    1             there is no usable cluster configuration, a port is in use, or `life` raised another error
    2             a setting is invalid; standard error names the variable, its value and how to correct it
    """
    try:
        settings = read_settings(os.environ)
    except SettingsError as error:
        print(f"kindler {name}: {error}", file=sys.stderr)
        return 2
    logs.configure(settings.common.log_level, settings.common.log_format)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_connected(name, settings, life, page_size))


async def _connected(name: str, settings: S, life: Life[S], page_size: int) -> int:
    cluster, stop, loop = Cluster(page_size=page_size), asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        await cluster.connect()
        return await life(settings, cluster, stop)
    except (ApiError, OSError) as error:
        log.error("the %s ends: %s", name, error)
        return 1
    except Exception:
        log.critical("the %s failed", name, exc_info=True)
        return 1
    finally:
        with suppress(ApiError):
            await cluster.close()
