"""An observer that logs one line per cold start and, if enabled, one line per request (the access log)."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import time
from collections.abc import Callable

from kindler.activator.endpoint.records import FinishedRequest, Identity, RejectedRequest
from kindler.activator.endpoint.requests import ColdStart

log = logging.getLogger(__name__)

FLUSH_SECONDS = 0.5
FLUSH_LINES = 500

_LINE = (
    b'{"time":%.3f,"request":%b,"namespace":"%b","endpoint":"%b","outcome":"%b","status":%d,"received":%d,"sent":%d,'
    b'"ms":%.3f,"modelMs":%.3f,"pod":"%b"}\n'
)
_PHASE_TEXTS = {
    "created": "pod created",
    "scheduled": "scheduled",
    "ip": "IP",
    "started": "container started",
    "ping": "first ping",
}


class AccessLog:
    """Logs cold starts and requests, as a RequestObserver.

    `run` writes the lines of the access log in batches, because one write per line would cost more than the request.
    """

    def __init__(self, access_log: bool, write: Callable[[bytes], object] | None = None) -> None:
        self._access_log = access_log
        self._lines: list[bytes] = []
        self._write = write or _to_stdout

    def cold_start(self, identity: Identity, pod: str, cold: ColdStart) -> None:
        """Logs that a pod started because a request needed it."""
        phases = cold.phases()
        text = " · ".join(("request 0 ms", *(f"{_PHASE_TEXTS[name]} {ms}" for name, ms in phases.items())))
        fields = {
            "event": "coldStart",
            "namespace": identity.namespace,
            "endpoint": identity.endpoint,
            "pod": pod,
            "phases": phases,
        }
        log.info("cold start of %s/%s: %s", identity.namespace, identity.endpoint, text, extra={"fields": fields})

    def finished(self, record: FinishedRequest) -> None:
        """Adds a line for a placed request that ended, if the access log is enabled."""
        if self._access_log:
            self._add_line(
                record.identity,
                record.request_id,
                (record.outcome.value, record.status, record.received, record.sent),
                record.ended - record.arrived,
                record.ended - record.placed,
                record.backend.pod,
            )

    def rejected(self, record: RejectedRequest) -> None:
        """Adds a line for a rejected request, if the access log is enabled: status 0, and the cause as its outcome."""
        if self._access_log:
            result = (record.rejection.cause.value, 0, 0, 0)
            self._add_line(record.identity, record.request_id, result, record.ended - record.arrived, 0.0, "")

    async def run(self) -> None:
        """Writes the collected lines regularly, until cancelled."""
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            self.flush()

    def flush(self) -> None:
        """Writes the collected lines now."""
        if self._lines:
            self._write(b"".join(self._lines))
            self._lines.clear()

    def _add_line(
        self,
        identity: Identity,
        request_id: bytes,
        result: tuple[str, int, int, int],
        seconds: float,
        model_seconds: float,
        pod: str,
    ) -> None:
        """Adds a line to the next batch. `result`: outcome, status, received bytes, sent bytes."""
        quoted_id = json.dumps(request_id.decode("latin-1")).encode()
        outcome, *numbers = result
        texts = (quoted_id, identity.namespace.encode(), identity.endpoint.encode(), outcome.encode())
        line = _LINE % (time.time(), *texts, *numbers, seconds * 1000, model_seconds * 1000, pod.encode())
        self._lines.append(line)
        if len(self._lines) >= FLUSH_LINES:
            self.flush()


def _to_stdout(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
