"""The preStop hook of a model pod finds open connections, with and without the program `sleep`. Real shells run it."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
import struct
from collections.abc import AsyncIterator

import pytest

from kindler.core.endpoint.podspec import drain_script

SHELLS = [path for name in ("dash", "bash") if (path := shutil.which(name))]


@contextlib.asynccontextmanager
async def connected() -> AsyncIterator[tuple[int, asyncio.Server, asyncio.StreamWriter]]:
    """A server's port, the server, and a client's end of one connection to it."""
    ends: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(lambda _, writer: ends.append(writer), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield port, server, writer
    finally:
        for end in (writer, *ends):
            end.close()
        server.close()
        await server.wait_closed()


@contextlib.asynccontextmanager
async def draining(shell: str, port: int, path: str) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        shell, "-c", drain_script(port, 600), env={"PATH": path}, stderr=asyncio.subprocess.PIPE
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


@pytest.mark.parametrize("path", ["/usr/bin:/bin", "/nonexistent"], ids=["with sleep", "without sleep"])
@pytest.mark.parametrize("shell", SHELLS)
async def test_the_hook_lasts_as_long_as_a_connection_is_open(shell: str, path: str) -> None:
    async with connected() as (port, _, client), draining(shell, port, path) as process:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(process.wait(), 2)
        client.close()
        await client.wait_closed()
        async with asyncio.timeout(30):
            _, output = await process.communicate()
        assert process.returncode == 0
        assert len(output) < 200, "the kubelet stores the output of a hook"


@pytest.mark.parametrize("shell", SHELLS)
async def test_the_hook_finds_the_connection_while_others_open_and_close(shell: str) -> None:
    """The kernel's list changes while the hook reads it.

    If one read missed the connection, the hook would end, and the kubelet would end the pod with its request.
    """
    async with (
        connected() as (port, _, _),
        connected() as (busy_port, _, _),
        draining(shell, port, "/nonexistent") as process,
    ):
        for _ in range(200):
            for passing in [await asyncio.open_connection("127.0.0.1", busy_port) for _ in range(20)]:
                passing[1].transport.get_extra_info("socket").setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
                )  # SO_LINGER 0: the close leaves no connection in TIME_WAIT
                passing[1].close()
        assert process.returncode is None


async def test_the_hook_ends_when_nothing_is_connected() -> None:
    async with connected() as (port, server, client):
        client.close()
        await client.wait_closed()
        server.close()
    async with draining("sh", port, "/usr/bin:/bin") as process, asyncio.timeout(30):
        assert await process.wait() == 0
