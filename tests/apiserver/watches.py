"""Streams of changes: replay from a resourceVersion, live events, bookmarks, and the ways in which a stream goes wrong."""

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
END = None  # of a stream, in a queue


@dataclass(slots=True, eq=False)
class Watch:
    """One open stream. `hushed`: its events wait, nothing is sent (a half-open connection)."""

    request: Request
    kind: Kind
    namespace: str | None
    match: Match
    queue: asyncio.Queue[Event | None] = field(default_factory=asyncio.Queue)
    audible: asyncio.Event = field(default_factory=asyncio.Event)
    transport: asyncio.Transport | None = None
    truncate: bool = False

    def hear(self, change: Change) -> None:
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
        store.listeners.append(self._hear)

    def _hear(self, change: Change) -> None:
        for watch in self.open:
            watch.hear(change)

    def of(self, resource: str = "") -> list[Watch]:
        return [w for w in self.open if resource in ("", w.kind.plural)]

    def bookmark(self, resource: str = "") -> None:
        """Sends a bookmark on each stream that allows it."""
        for watch in self.of(resource):
            if watch.request.query.get("allowWatchBookmarks") in ("true", "1"):
                watch.queue.put_nowait(("BOOKMARK", self._mark(watch.kind)))

    def cut(self, resource: str = "") -> None:
        """Breaks the connections off."""
        for watch in self.of(resource):
            if watch.transport is not None:
                watch.transport.abort()

    def end(self, resource: str = "") -> None:
        """Ends the streams as the server does when their time is over."""
        for watch in self.of(resource):
            watch.queue.put_nowait(END)

    def error(self, refusal: Refused, resource: str = "") -> None:
        """Sends an ERROR event, after which the stream ends."""
        for watch in self.of(resource):
            watch.queue.put_nowait(("ERROR", refusal.status()))
            watch.queue.put_nowait(END)

    def truncate(self, resource: str = "") -> None:
        """The next event of each stream is cut in the middle of its line, and the stream ends as if all were well."""
        for watch in self.of(resource):
            watch.truncate = True

    def hush(self, resource: str = "") -> None:
        """Nothing is sent any more on the streams that are open now, and they stay open."""
        for watch in self.of(resource):
            watch.audible.clear()

    def speak(self, resource: str = "") -> None:
        """Hushed streams send what has waited."""
        for watch in self.of(resource):
            watch.audible.set()

    async def serve(self, http: web.Request, watch: Watch) -> web.StreamResponse:
        """Answers one watch until it ends."""
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
            left = ends - loop.time()
            try:
                async with asyncio.timeout(
                    max(0.0, min(left, self._bookmark_seconds))
                ):  # wait_for of 3.11 may swallow a cancellation
                    event = await watch.queue.get()
            except TimeoutError:
                event = ("BOOKMARK", self._mark(watch.kind)) if marks else None
                if not marks and left > self._bookmark_seconds:
                    continue
            await watch.audible.wait()
            if event is END:
                return
            line = json.dumps({"type": event[0], "object": event[1]}).encode() + b"\n"
            if watch.truncate and event[0] != "BOOKMARK":
                await response.write(line[: len(line) // 2])
                return
            await response.write(line)
            if left <= 0:
                return

    def _replay(self, watch: Watch) -> None:
        """What happened since the version asked for; all objects as new ones when none was. Too old: an ERROR event, as the real server says it."""
        version = watch.request.query.get("resourceVersion", "")
        if version in ("", "0"):
            for obj in self._store.all(watch.kind, watch.namespace):
                if watch.match(obj):
                    watch.queue.put_nowait(("ADDED", obj))
            return
        try:
            for change in self._store.since(watch.kind, int(version)):
                watch.hear(change)
        except Refused as refusal:
            watch.queue.put_nowait(("ERROR", refusal.status()))
            watch.queue.put_nowait(END)

    def _mark(self, kind: Kind) -> dict[str, Any]:
        metadata = {"resourceVersion": str(self._store.version), "creationTimestamp": None}
        return {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata}
