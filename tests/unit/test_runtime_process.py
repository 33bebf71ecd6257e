"""The exit status and the last log line of every process say why the process ended."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kindler.api.settings import controller_settings
from kindler.clients.cluster import Cluster
from kindler.clients.errors import Unavailable
from kindler.runtime.process import run_process


@pytest.fixture(autouse=True)
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A kubeconfig of a cluster that does not exist. The processes of these tests send no request to it."""
    body = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "none",
        "clusters": [{"name": "none", "cluster": {"server": "http://127.0.0.1:9"}}],
        "contexts": [{"name": "none", "context": {"cluster": "none", "user": "test"}}],
        "users": [{"name": "test", "user": {"token": "test"}}],
    }
    file = tmp_path / "kubeconfig"
    file.write_text(json.dumps(body))
    for name in [name for name in os.environ if name.startswith("KINDLER_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("KUBECONFIG", str(file))
    monkeypatch.setenv("KINDLER_LOG_FORMAT", "json")
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    yield
    root.handlers[:] = before
    root.setLevel(level)


def ends(capsys: pytest.CaptureFixture[str], how: Exception | int) -> tuple[int, list[dict[str, Any]], str]:
    """The exit status, the log lines and the text on standard error of a process that returns or raises `how`."""

    async def life(settings: object, cluster: Cluster, stop: asyncio.Event) -> int:
        if isinstance(how, Exception):
            raise how
        return how

    status = run_process("meter", controller_settings, life)
    output, errors = capsys.readouterr()
    return status, [json.loads(line) for line in output.splitlines()], errors


def test_it_exits_with_the_status_of_its_work(capsys: pytest.CaptureFixture[str]) -> None:
    assert ends(capsys, 7) == (7, [], "")


@pytest.mark.parametrize(
    "error", [OSError(98, "address already in use"), Unavailable(0, "Unreachable", "no route to host")], ids=repr
)
def test_an_error_of_the_environment_is_one_line(capsys: pytest.CaptureFixture[str], error: Exception) -> None:
    status, (line,), errors = ends(capsys, error)
    assert (status, errors) == (1, "")
    assert line["message"] == f"the meter ends: {error}" and "traceback" not in line


def test_a_bug_is_one_line_with_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    status, (line,), errors = ends(capsys, KeyError("spec"))
    assert (status, errors) == (1, "")
    assert (line["level"], line["message"]) == ("CRITICAL", "the meter failed")
    assert line["traceback"].endswith("KeyError: 'spec'")


def test_a_setting_that_cannot_be_used_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KINDLER_LOG_FORMAT", "xml")
    status, lines, errors = ends(capsys, 0)
    assert (status, lines) == (2, [])
    assert errors.startswith("kindler meter: KINDLER_LOG_FORMAT")


def test_a_missing_cluster_configuration_ends_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "absent"))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    status, (*_, line), errors = ends(capsys, 0)
    assert (status, line["level"], errors) == (1, "ERROR", ""), line
    assert line["message"].startswith("the meter ends: "), line


def test_sigterm_ends_the_work(capsys: pytest.CaptureFixture[str]) -> None:
    async def life(settings: object, cluster: Cluster, stop: asyncio.Event) -> int:
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(stop.wait(), 10)
        return 0

    assert run_process("meter", controller_settings, life) == 0
