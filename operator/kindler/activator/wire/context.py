"""What all connections of one listener share: settings, the front door, who is connected, and counters as plain ints."""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from kindler.activator.wire.roles import RequestRouter
from kindler.api.settings import ActivatorSettings

if TYPE_CHECKING:
    from kindler.activator.wire.backend import BackendConnection
    from kindler.activator.wire.client import ClientConnection

NEVER: Final = float("inf")


class ListenerContext:
    """One per listener.

    `exchanges`: requests whose head was read and whose place, if any, is not free yet (also when their client left). `received` and `sent`: bytes from and
    to clients. `quiet` is set while there is neither a client nor an exchange.
    """

    __slots__ = (
        "_number",
        "_prefix",
        "backend_connections",
        "clients",
        "front",
        "loop",
        "quiet",
        "received",
        "sent",
        "settings",
        "streams",
        "tasks",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop, settings: ActivatorSettings, front: RequestRouter) -> None:
        self.loop = loop
        self.settings = settings
        self.front = front
        self.clients: set[ClientConnection] = set()
        self.backend_connections: set[BackendConnection] = set()
        self.tasks: set[asyncio.Task[None]] = set()  # connects under way: a loop holds its tasks but weakly
        self.streams = 0
        self.received = 0
        self.sent = 0
        self.quiet = asyncio.Event()
        self.quiet.set()
        self._prefix = str(uuid4())[:24].encode()
        self._number = itertools.count(1)

    def request_id(self) -> bytes:
        """A new id in the form of a UUID: random once per process, then counted, since chance costs as much as reading a head."""
        return b"%b%012x" % (self._prefix, next(self._number))

    def look_whether_quiet(self) -> None:
        """To be called when a client or an exchange has gone."""
        if not self.clients and not self.streams:
            self.quiet.set()
