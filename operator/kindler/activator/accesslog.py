"""Writes down what happens to requests: a line for each cold start, and, if wanted, a line for each request (the access log)."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import time
from collections.abc import Callable

from kindler.activator.endpoint.pod import Pod
from kindler.activator.endpoint.requests import Backend, ColdStart, Outcome, PendingRequest, Rejection
from kindler.activator.endpoint.throttler import Identity

log = logging.getLogger(__name__)

FLUSH_SECONDS = 0.5
FLUSH_LINES = 500

_LINE = b'{"time":%.3f,"request":%b,"namespace":"%b","endpoint":"%b","outcome":"%b","status":%d,"received":%d,"sent":%d,"ms":%.3f,"modelMs":%.3f,"pod":"%b"}\n'
_WORDS = {
    "created": "pod created",
    "scheduled": "scheduled",
    "ip": "IP",
    "started": "container started",
    "ping": "first ping",
}


class AccessLog:
    """The desks' teller. Access lines are collected and written in batches by `run`: a write per line would cost more than the request."""

    def __init__(self, access_log: bool, write: Callable[[bytes], object] | None = None) -> None:
        self._access_log = access_log
        self._lines: list[bytes] = []
        self._write = write or _to_stdout

    def cold_start(self, identity: Identity, pod: Pod, cold: ColdStart) -> None:
        """A pod started because a request asked for it."""
        phases = cold.phases()
        words = " · ".join(("asked 0 ms", *(f"{_WORDS[name]} {ms}" for name, ms in phases.items())))
        told = {
            "event": "coldStart",
            "namespace": identity.namespace,
            "endpoint": identity.endpoint,
            "pod": pod.facts.name,
            "phases": phases,
        }
        log.info("cold start of %s/%s: %s", identity.namespace, identity.endpoint, words, extra={"fields": told})

    def served(
        self,
        identity: Identity,
        request: PendingRequest,
        backend: Backend,
        outcome: Outcome,
        status: int,
        received: int,
        sent: int,
        placed: float,
        now: float,
    ) -> None:
        """A request that had a place has ended."""
        if self._access_log:
            self._line(
                identity,
                request,
                outcome.value,
                status,
                received,
                sent,
                now - request.arrived,
                now - placed,
                backend.pod,
            )

    def rejected(self, identity: Identity, request: PendingRequest | None, rejection: Rejection) -> None:
        """A request was answered by us."""
        if self._access_log and request is not None:
            self._line(identity, request, rejection.cause.value, 0, 0, 0, time.monotonic() - request.arrived, 0.0, "")

    async def run(self) -> None:
        """Writes what was collected, until cancelled."""
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            self.flush()

    def flush(self) -> None:
        """Writes what was collected, now."""
        if self._lines:
            self._write(b"".join(self._lines))
            self._lines.clear()

    def _line(
        self,
        identity: Identity,
        request: PendingRequest,
        outcome: str,
        status: int,
        received: int,
        sent: int,
        took: float,
        model: float,
        pod: str,
    ) -> None:
        request_id = json.dumps(request.request_id.decode("latin-1")).encode()
        names = (identity.namespace.encode(), identity.endpoint.encode(), outcome.encode())
        self._lines.append(
            _LINE % (time.time(), request_id, *names, status, received, sent, took * 1000, model * 1000, pod.encode())
        )
        if len(self._lines) >= FLUSH_LINES:
            self.flush()


def _to_stdout(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
