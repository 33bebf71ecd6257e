"""Models that run a script for each connection, on real sockets."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import h11

HOST = "127.0.0.1"

Script = Callable[["Connection"], Awaitable[None]]


def reset(writer: asyncio.StreamWriter) -> None:
    """Closes the connection with RST."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def reads_body_after(read: asyncio.Event, length: int) -> Script:
    """A model that reads the head at once, and the body of `length` bytes after `read` is set. It responds "all"."""

    async def script(connection: Connection) -> None:
        await connection.head()
        connection.writer.transport.pause_reading()
        await read.wait()
        connection.writer.transport.resume_reading()
        await connection.reader.readexactly(length)
        await connection.respond(b"all")

    return script


@dataclass
class Request:
    """A request that a model got. `head`: its raw bytes. `body`: the decoded bytes."""

    head: bytes
    method: str
    target: str
    fields: dict[str, str]
    body: bytes


class Connection:
    """One connection to a model, as its script uses it."""

    def __init__(self, model: Model, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.model = model
        self.reader = reader
        self.writer = writer

    async def head(self) -> tuple[bytes, h11.Request]:
        """Reads the head of one request, and no body. Raises IncompleteReadError if it is cut off."""
        raw = await self.reader.readuntil(b"\r\n\r\n")
        parser = h11.Connection(h11.SERVER)
        parser.receive_data(raw)
        event = parser.next_event()
        assert isinstance(event, h11.Request)
        return raw, event

    async def request(self) -> Request:
        """Reads exactly one complete request. h11 parses its head."""
        raw, event = await self.head()
        fields = {name.decode(): value.decode() for name, value in event.headers}
        body = b""
        if "content-length" in fields:
            body = await self.reader.readexactly(int(fields["content-length"]))
        elif "transfer-encoding" in fields:
            while size := int((await self.reader.readuntil(b"\r\n")).split(b";")[0], 16):
                body += (await self.reader.readexactly(size + 2))[:-2]
            while await self.reader.readuntil(b"\r\n") != b"\r\n":
                pass
        request = Request(raw, event.method.decode(), event.target.decode(), fields, body)
        self.model.requests.put_nowait(request)
        return request

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def respond(self, body: bytes = b"ok", status: int = 200, fields: bytes = b"") -> None:
        await self.send(b"HTTP/1.1 %d X\r\n%bContent-Length: %d\r\n\r\n%b" % (status, fields, len(body), body))

    async def closed(self) -> bytes:
        """Reads until the wire closes the connection. Returns all bytes that it read."""
        return await self.reader.read()


async def echo(connection: Connection) -> None:
    """The simplest model: responds to each request with its body."""
    while True:
        request = await connection.request()
        await connection.respond(request.body)


class Model:
    """A server that runs `script` for each connection."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.requests: asyncio.Queue[Request] = asyncio.Queue()
        self.connections = 0
        self.failure: BaseException | None = None
        self._tasks: set[asyncio.Task[Any]] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, HOST, 0, limit=1 << 20)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self.script(Connection(self, reader, writer))
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        except BaseException as failure:
            self.failure = failure
        finally:
            self._tasks.discard(task)
            writer.close()

    async def stop(self) -> None:
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self.failure is not None:
            raise self.failure
