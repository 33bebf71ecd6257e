"""HTTP as a client sends it: single requests, many at the same moment, and steady load. Times in seconds."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

JSON_TYPE = {"Content-Type": "application/json"}


@dataclass(frozen=True)
class Answer:
    """One answer, header names in lower case. `sent` and `done` are monotonic moments. Status 0: none came, `body` holds the reason."""

    status: int
    headers: dict[str, str]
    body: bytes
    sent: float
    done: float

    @property
    def seconds(self) -> float:
        return self.done - self.sent

    def json(self) -> Any:
        return json.loads(self.body)

    def __str__(self) -> str:
        return (
            f"{self.status} {self.headers.get('x-amzn-errortype', '')} {self.body[:300]!r} after {self.seconds:.3f} s"
        )


class Gateway:
    """The activator's public port, seen from outside the cluster."""

    def __init__(self, url: str) -> None:
        at = urlsplit(url)
        self.host, self.port = at.hostname or "127.0.0.1", at.port or 80

    def request(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        *,
        timeout: float = 260,
    ) -> Answer:
        """One request on a connection of its own. A broken connection is an Answer of status 0, so that load counts it as failed."""
        sent = time.monotonic()
        connection = http.client.HTTPConnection(self.host, self.port, timeout=timeout)
        try:
            connection.request(method, path, body, dict(headers or {}))
            answer = connection.getresponse()
            raw = answer.read()
            return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, raw, sent, time.monotonic())
        except (OSError, http.client.HTTPException) as error:
            return Answer(0, {}, repr(error).encode(), sent, time.monotonic())
        finally:
            connection.close()

    def invoke(
        self,
        namespace: str,
        endpoint: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        *,
        timeout: float = 260,
    ) -> Answer:
        """The plain form: POST /namespaces/{ns}/endpoints/{name}/invocations with a JSON body."""
        raw = json.dumps({} if body is None else body).encode()
        return self.request(
            "POST",
            f"/namespaces/{namespace}/endpoints/{endpoint}/invocations",
            raw,
            JSON_TYPE | dict(headers or {}),
            timeout=timeout,
        )

    def invoke_sagemaker(
        self,
        namespace: str,
        endpoint: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        *,
        timeout: float = 260,
    ) -> Answer:
        """SageMaker's form: POST /endpoints/{name}/invocations; errors come in SageMaker's style."""
        raw = json.dumps({} if body is None else body).encode()
        more = JSON_TYPE | {"X-Kindler-Namespace": namespace} | dict(headers or {})
        return self.request("POST", f"/endpoints/{endpoint}/invocations", raw, more, timeout=timeout)


def together(count: int, call: Callable[[int], Answer]) -> list[Answer]:
    """Makes `count` calls at the same moment, each in a thread of its own; answers in the order of their numbers."""
    barrier = threading.Barrier(count)

    def one(number: int) -> Answer:
        barrier.wait()
        return call(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


def later(call: Callable[[], Answer]) -> Future[Answer]:
    """Starts one call in the background."""
    future: Future[Answer] = Future()

    def run() -> None:
        try:
            future.set_result(call())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future


class Load:
    """Clients that send one request after another until the block ends. `answers` are complete after it."""

    def __init__(self, clients: int, call: Callable[[], Answer]) -> None:
        self.answers: list[Answer] = []
        self._call = call
        self._stop = threading.Event()
        self._first = threading.Event()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(clients)]

    def _run(self) -> None:
        while not self._stop.is_set():
            self.answers.append(self._call())
            self._first.set()

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        assert self._first.wait(260), "no answer at all"
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(280)

    def statuses(self) -> Counter[int]:
        return Counter(answer.status for answer in self.answers)

    def failed(self, good: tuple[int, ...] = (200,)) -> list[str]:
        """The answers that are not as they should be, readable."""
        return [str(answer) for answer in self.answers if answer.status not in good]
