"""Background tasks: how a process runs its parts, repeats failed actions, and ends.

A part is a coroutine that runs until it is cancelled. Two policies exist:

    run_until_first_ends   a part that ends also ends the process, and the kubelet restarts the container
                           (controller, metrics server)
    keep_running           a part that fails starts again after a back-off, because an exit of the process would
                           disconnect every client (activator)
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from typing import Any, Final, TypeVar

from kindler.core.common.ratelimit import backoff, is_power_of_two

log = logging.getLogger(__name__)

T = TypeVar("T")

FIRST_PAUSE: Final = 0.5  # seconds after the first failure
LONGEST_PAUSE: Final = 10.0


async def retry(
    attempt: Callable[[], Awaitable[T]],
    on: type[Exception],
    what: str,
    first_pause: float = FIRST_PAUSE,
    longest_pause: float = LONGEST_PAUSE,
) -> T:
    """Calls `attempt` until it does not raise `on`, and returns its result. Other exceptions reach the caller.

    `what`: the name of the action in the log, for example "listing Models".

    The pause doubles with each failure in a row, up to `longest_pause` seconds. It is then shortened at random by up to
    50 %. If the error has `retry_after` (seconds that the API server requested), the pause is at least that long, but
    at most `longest_pause`.
    """
    failures = 0
    while True:
        try:
            return await attempt()
        except on as error:
            failures += 1
            if is_power_of_two(failures):  # an outage must not flood the log
                log.warning("%s failed: %s; Kindler tries again", what, error)
            await asyncio.sleep(pause_after(failures, error, first_pause, longest_pause))


def pause_after(failures: int, error: Exception | None, first_pause: float, longest_pause: float) -> float:
    """Seconds to wait after `failures` in a row. `error`: the last failure. See `retry`."""
    grown = backoff(first_pause, failures, longest_pause) * random.uniform(0.5, 1)
    requested: float = getattr(error, "retry_after", None) or 0.0
    return max(grown, min(requested, longest_pause))


async def keep_running(part: Callable[[], Coroutine[Any, Any, None]], first_pause: float = 1.0) -> None:
    """Runs a part until it is cancelled.

    A part that ends or raises starts again after a back-off. If the part ran for at least LONGEST_PAUSE, the back-off
    begins again with `first_pause`.
    """
    loop = asyncio.get_running_loop()
    failures = 0
    while True:
        began = loop.time()
        try:
            await part()
        except Exception:
            log.exception("%s failed and starts again", part.__qualname__)
        failures = 1 if loop.time() - began >= LONGEST_PAUSE else failures + 1
        await asyncio.sleep(pause_after(failures, None, first_pause, LONGEST_PAUSE))


async def run_until_first_ends(parts: Mapping[str, Coroutine[Any, Any, Any]], stop: asyncio.Event) -> int:
    """Runs named parts concurrently until `stop` is set (returns 0) or until one part ends (returns 1).

    In the second case the log contains the name of that part, and why it ended.
    """
    tasks = [asyncio.create_task(part, name=name) for name, part in {**parts, "stop": stop.wait()}.items()]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await cancel_all(tasks)
    if stop.is_set():
        return 0
    for task in done:
        error = task.exception()
        log.error("%s ended: %s", task.get_name(), error or task.result(), exc_info=error)
    return 1


async def cancel_all(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancels the tasks and returns when they have ended."""
    tasks = list(tasks)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
