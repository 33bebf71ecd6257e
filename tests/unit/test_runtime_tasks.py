"""Background tasks: a failed task is repeated after a growing pause, and the process notices when a part ends."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Iterator

import pytest

from kindler.clients.errors import Unavailable
from kindler.runtime import logs, tasks


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Records the requested pauses. A pause takes no time in the test."""
    found: list[float] = []
    real = asyncio.sleep

    async def sleep(seconds: float) -> None:
        found.append(seconds)
        await real(0)

    monkeypatch.setattr("kindler.runtime.tasks.asyncio.sleep", sleep)
    monkeypatch.setattr("kindler.runtime.tasks.random.uniform", lambda low, high: high)
    return found


def failing(times: int, retry_after: float | None = None) -> Callable[[], asyncio.Future[str]]:
    left = iter(range(times))

    async def attempt() -> str:
        if next(left, None) is not None:
            raise Unavailable(503, "Unavailable", "not now", retry_after)
        return "done"

    return attempt  # type: ignore[return-value]


async def test_what_failed_is_repeated_and_the_pause_doubles_up_to_its_bound(pauses: list[float]) -> None:
    assert await tasks.retry(failing(6), Unavailable, "a list", 1.0, 8.0) == "done"
    assert pauses == [1.0, 2.0, 4.0, 8.0, 8.0, 8.0]


async def test_the_api_server_may_ask_for_a_longer_pause_within_the_bound(pauses: list[float]) -> None:
    await tasks.retry(failing(1, retry_after=3.0), Unavailable, "a list", 1.0, 8.0)
    await tasks.retry(failing(1, retry_after=99.0), Unavailable, "a list", 1.0, 8.0)
    assert pauses == [3.0, 8.0]


async def test_a_long_outage_is_logged_at_the_1st_2nd_4th_and_8th_failure(
    pauses: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    await tasks.retry(failing(9), Unavailable, "a list")
    assert len(caplog.records) == 4
    assert "a list failed: 503 Unavailable: not now" in caplog.text


async def test_any_other_error_passes(pauses: list[float]) -> None:
    async def broken() -> None:
        raise KeyError("a")

    with pytest.raises(KeyError):
        await tasks.retry(broken, Unavailable, "a list")


async def test_a_part_that_fails_starts_again_after_a_pause_that_grows(
    pauses: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    starts: Iterator[int] = iter(range(100))
    enough = asyncio.Event()

    async def part() -> None:
        if next(starts) == 4:
            enough.set()
            await asyncio.Event().wait()
        raise RuntimeError("no")

    running = asyncio.ensure_future(tasks.keep_running(part, 1.0))
    await enough.wait()
    await tasks.cancel_all([running])
    assert pauses == [1.0, 2.0, 4.0, 8.0]
    assert caplog.text.count("failed and starts again") == 4


async def test_parts_end_with_the_first_of_them_and_the_log_says_which(caplog: pytest.LogCaptureFixture) -> None:
    cancelled = asyncio.Event()

    async def endless() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    async def broken() -> None:
        await asyncio.sleep(0)
        raise RuntimeError("out of order")

    assert await tasks.run_until_first_ends({"informer": endless(), "sampler": broken()}, asyncio.Event()) == 1
    assert cancelled.is_set()
    assert "sampler ended: out of order" in caplog.text


async def test_parts_end_with_status_zero_when_the_process_is_stopped() -> None:
    stop = asyncio.Event()
    stop.set()
    assert await tasks.run_until_first_ends({"informer": asyncio.Event().wait()}, stop) == 0


@pytest.mark.parametrize(
    ("log_format", "terminal", "is_json"),
    [("json", True, True), ("text", False, False), ("auto", True, False), ("auto", False, True)],
)
def test_logs_are_json_lines_unless_a_person_reads_them(
    log_format: str,
    terminal: bool,
    is_json: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    monkeypatch.setattr("sys.stdout.isatty", lambda: terminal)
    try:
        logs.configure("INFO", log_format)
        logging.getLogger("kindler.test").info("pod %s is ready", "a", extra={"fields": {"event": "ready"}})
        logging.getLogger("kindler.test").debug("nobody reads this")
    finally:
        root.handlers[:], root.level = handlers, level
    (line,) = capsys.readouterr().out.splitlines()
    if is_json:
        fields = json.loads(line)
        assert fields.pop("time").endswith("+00:00")
        assert fields == {
            "level": "INFO",
            "logger": "kindler.test",
            "message": "pod a is ready",
            "event": "ready",
        }
    else:
        assert line.endswith("INFO kindler.test: pod a is ready")
