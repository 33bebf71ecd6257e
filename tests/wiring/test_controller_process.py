"""The controller as a process of its own: `python -m kindler controller`, its signals, exit status and metrics port."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from pathlib import Path

import aiohttp
import pytest

from tests.wiring.controlled import config, endpoint, model, world


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


async def start(environ: dict[str, str]) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "kindler",
        "controller",
        env=environ,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def test_it_reconciles_serves_metrics_and_ends_on_sigterm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world(tmp_path, monkeypatch) as w:
        port = free_port()
        names = {
            "KUBECONFIG": str(tmp_path / "kubeconfig"),
            "KINDLER_METRICS_PORT": str(port),
            "KINDLER_PEER_PORT": str(w.settings.peer_port),
            "HOME": "/tmp",
        }
        process = await start(names)
        try:
            w.apply(model(), config(), endpoint())
            await w.reaches("echo", "InService", "True", "True")
            assert await fetch(port, "/healthz") == (200, "ok\n")
            assert await fetch(port, "/readyz") == (200, "ok\n")
            status, text = await fetch(port, "/metrics")
            assert status == 200
            written = 'kindler_controller_writes_total{kind="ReplicaSet",verb="create"} 1.0'
            api = 'kindler_controller_metrics_api{api="none"} 1.0'
            for line in ("kindler_controller_leader 1.0", "kindler_controller_queue_depth", written, api):
                assert line in text
            process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(15):
                _, errors = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert process.returncode == 0, errors.decode()
        assert b"Traceback" not in errors
        (lease,) = w.all("leases", "coordination.k8s.io", "kindler-system")
        assert lease["spec"]["holderIdentity"] == "", "the next leader takes the Lease at once"


async def test_without_a_metrics_api_everything_else_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with world(tmp_path, monkeypatch, metrics_api="none") as w:
        controller = await w.start()
        w.apply(model(), config(limit=20), endpoint())
        await w.reaches("echo", "InService", "True", "True")
        assert await w.stop(controller) == 0


async def fetch(port: int, path: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}{path}") as response:
        return response.status, await response.text()


async def test_an_invalid_setting_is_named() -> None:
    process = await start({"KINDLER_RESYNC_SECONDS": "often"})
    _, errors = await process.communicate()
    assert process.returncode == 2
    assert "KINDLER_RESYNC_SECONDS='often' is not a number" in errors.decode()
