"""Background tasks: how a process runs its parts, repeats what failed, and ends.

A part is a coroutine that runs until it is cancelled. Two policies exist:

    run_until_first_ends   a part that ends also ends the process, and the kubelet restarts the container
                           (controller, metrics server)
    keep_running           a part that fails starts again after a back-off: an exit would cut off every client
                           (activator)
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from typing import Any, Final, TypeVar

from kindler.core.common.ratelimit import backoff

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
    """The result of `attempt`, repeated until it does not raise `on`; any other exception passes.

    `what`: named in the log, "the three kinds".

    The pause doubles with each failure in a row, up to `longest_pause` seconds, with up to 50 % taken off at random. An
    error that carries `retry_after` (seconds, as the API server asks for) is waited for at least so long, up to
    `longest_pause`.
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
    """Seconds to wait after `failures` in a row, the last of them `error`. See `retry`."""
    grown = backoff(first_pause, failures, longest_pause) * random.uniform(0.5, 1)
    asked: float = getattr(error, "retry_after", None) or 0.0
    return max(grown, min(asked, longest_pause))


async def keep_running(part: Callable[[], Coroutine[Any, Any, None]], first_pause: float = 1.0) -> None:
    """Runs a part for ever.

    A part that ends or raises starts again after a back-off; a part that ran for LONGEST_PAUSE begins with the first
    pause.
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
    """Runs named parts side by side until `stop` is set (0) or until one of them ends (1, and the log says which and
    why).
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


def is_power_of_two(count: int) -> bool:
    """Whether the count-th failure in a row is worth a line in the log: the 1st, 2nd, 4th, 8th ..."""
    return count & (count - 1) == 0
