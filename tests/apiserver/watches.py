"""Watch streams: replay from a resourceVersion, live events, bookmarks, and the ways in which a stream can fail."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.apiserver.faults import Request
from tests.apiserver.kinds import Kind
from tests.apiserver.refusal import Refused
from tests.apiserver.selectors import Match
from tests.apiserver.store import Change, Store

Event = tuple[str, dict[str, Any]]
END = None  # this item in a stream's queue ends the stream


@dataclass(slots=True, eq=False)
class Watch:
    """One open stream. While `audible` is not set, events wait and nothing is sent (like a half-open connection)."""

    request: Request
    kind: Kind
    namespace: str | None
    match: Match
    queue: asyncio.Queue[Event | None] = field(default_factory=asyncio.Queue)
    audible: asyncio.Event = field(default_factory=asyncio.Event)
    transport: asyncio.Transport | None = None
    truncate: bool = False

    def on_change(self, change: Change) -> None:
        if change.kind is self.kind and self.namespace in (None, change.new["metadata"].get("namespace")):
            event = change.seen_through(self.match)
            if event is not None:
                self.queue.put_nowait(event)


class Watches:
    """All open streams of a server."""

    def __init__(self, store: Store, bookmark_seconds: float) -> None:
        self.open: list[Watch] = []
        self._store = store
        self._bookmark_seconds = bookmark_seconds
        store.listeners.append(self._on_change)

    def _on_change(self, change: Change) -> None:
        for watch in self.open:
            watch.on_change(change)

    def of(self, resource: str = "") -> list[Watch]:
        return [w for w in self.open if resource in ("", w.kind.plural)]

    def bookmark(self, resource: str = "") -> None:
        """Sends a bookmark on each stream that allows bookmarks."""
        for watch in self.of(resource):
            if watch.request.query.get("allowWatchBookmarks") in ("true", "1"):
                watch.queue.put_nowait(("BOOKMARK", self._mark(watch.kind)))

    def cut(self, resource: str = "") -> None:
        """Aborts the connections."""
        for watch in self.of(resource):
            if watch.transport is not None:
                watch.transport.abort()

    def end(self, resource: str = "") -> None:
        """Ends the streams as the server does after their timeout."""
        for watch in self.of(resource):
            watch.queue.put_nowait(END)

    def error(self, refusal: Refused, resource: str = "") -> None:
        """Sends an ERROR event, after which the stream ends."""
        for watch in self.of(resource):
            watch.queue.put_nowait(("ERROR", refusal.status()))
            watch.queue.put_nowait(END)

    def truncate(self, resource: str = "") -> None:
        """Sends only half of the line of each stream's next event, and then ends the stream without an error."""
        for watch in self.of(resource):
            watch.truncate = True

    def hush(self, resource: str = "") -> None:
        """Stops sending on the streams that are open now. They stay open."""
        for watch in self.of(resource):
            watch.audible.clear()

    def speak(self, resource: str = "") -> None:
        """Lets the silenced streams send the events that have waited."""
        for watch in self.of(resource):
            watch.audible.set()

    async def serve(self, http: web.Request, watch: Watch) -> web.StreamResponse:
        """Serves one watch until it ends."""
        self._replay(watch)
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        response.enable_chunked_encoding()
        watch.transport = http.transport
        watch.audible.set()
        self.open.append(watch)
        try:
            await response.prepare(http)
            await self._pump(response, watch)
        except ConnectionError:
            pass
        finally:
            self.open.remove(watch)
        return response

    async def _pump(self, response: web.StreamResponse, watch: Watch) -> None:
        loop = asyncio.get_running_loop()
        ends = loop.time() + float(watch.request.query.get("timeoutSeconds") or 1800)
        marks = watch.request.query.get("allowWatchBookmarks") in ("true", "1")
        while True:
            seconds_left = ends - loop.time()
            try:
                # asyncio.wait_for is not used, because in Python 3.11 it can swallow a cancellation.
                async with asyncio.timeout(max(0.0, min(seconds_left, self._bookmark_seconds))):
                    event = await watch.queue.get()
            except TimeoutError:
                event = ("BOOKMARK", self._mark(watch.kind)) if marks else None
                if not marks and seconds_left > self._bookmark_seconds:
                    continue
            await watch.audible.wait()
            if event is END:
                return
            line = json.dumps({"type": event[0], "object": event[1]}).encode() + b"\n"
            if watch.truncate and event[0] != "BOOKMARK":
                await response.write(line[: len(line) // 2])
                return
            await response.write(line)
            if seconds_left <= 0:
                return

    def _replay(self, watch: Watch) -> None:
        """Queues the changes after the requested version; without a version, all objects as ADDED.

        A version that is too old gives an ERROR event, as on the real server.
        """
        version = watch.request.query.get("resourceVersion", "")
        if version in ("", "0"):
            for obj in self._store.all(watch.kind, watch.namespace):
                if watch.match(obj):
                    watch.queue.put_nowait(("ADDED", obj))
            return
        try:
            for change in self._store.since(watch.kind, int(version)):
                watch.on_change(change)
        except Refused as refusal:
            watch.queue.put_nowait(("ERROR", refusal.status()))
            watch.queue.put_nowait(END)

    def _mark(self, kind: Kind) -> dict[str, Any]:
        metadata = {"resourceVersion": str(self._store.version), "creationTimestamp": None}
        return {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata}
