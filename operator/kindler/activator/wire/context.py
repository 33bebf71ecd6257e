"""What all connections of one listener share: settings, the router, the open connections, and counters."""

from __future__ import annotations

import asyncio
import itertools
from typing import Final
from uuid import uuid4

from kindler.activator.wire.roles import BackendHandle, ClientHandle, RequestRouter
from kindler.api.settings import ActivatorSettings

NEVER: Final = float("inf")  # the deadline if there is no deadline


class ListenerContext:
    """The context of one listener.

    `streams`: requests whose head was read and that are not over, including requests whose client has left.
    `received`, `sent`: numbers of bytes from and to clients. `idle` is set while there is no client and no stream.
    """

    __slots__ = (
        "_id_number",
        "_id_prefix",
        "backend_connections",
        "clients",
        "connects",
        "idle",
        "loop",
        "received",
        "router",
        "sent",
        "settings",
        "streams",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop, settings: ActivatorSettings, router: RequestRouter) -> None:
        self.loop = loop
        self.settings = settings
        self.router = router
        self.clients: set[ClientHandle] = set()
        self.backend_connections: set[BackendHandle] = set()
        self.connects: set[asyncio.Task[None]] = set()  # running connects; the event loop has only weak references
        self.streams = 0
        self.received = 0
        self.sent = 0
        self.idle = asyncio.Event()
        self.idle.set()
        self._id_prefix = str(uuid4())[:24].encode()
        self._id_number = itertools.count(1)

    def request_id(self) -> bytes:
        """A new ID in the form of a UUID: a random prefix of this listener, and a counter.

        To create a random ID for each request would cost as much as to read its head.
        """
        return b"%b%012x" % (self._id_prefix, next(self._id_number))

    def check_idle(self) -> None:
        """Sets `idle` if no client and no stream is left. Call it when a client or a stream has ended."""
        if not self.clients and not self.streams:
            self.idle.set()
