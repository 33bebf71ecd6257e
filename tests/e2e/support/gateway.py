"""HTTP requests of a client: single ones, many at the same time, and steady load. All times are in seconds."""

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
class Response:
    """One response. Header names are in lower case. `sent` and `done` are readings of the monotonic clock.

    Status 0: there was no response; `body` has the reason.
    """

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
    """A client of the activator's public port, outside the cluster."""

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
    ) -> Response:
        """One request on a connection of its own.

        A broken connection gives a Response with status 0, so that Load counts it as failed.
        """
        sent = time.monotonic()
        connection = http.client.HTTPConnection(self.host, self.port, timeout=timeout)
        try:
            connection.request(method, path, body, dict(headers or {}))
            response = connection.getresponse()
            raw = response.read()
            return Response(
                response.status, {k.lower(): v for k, v in response.getheaders()}, raw, sent, time.monotonic()
            )
        except (OSError, http.client.HTTPException) as error:
            return Response(0, {}, repr(error).encode(), sent, time.monotonic())
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
    ) -> Response:
        """Kindler's form: POST /namespaces/{ns}/endpoints/{name}/invocations with a JSON body."""
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
    ) -> Response:
        """SageMaker's form: POST /endpoints/{name}/invocations. Errors have SageMaker's format."""
        raw = json.dumps({} if body is None else body).encode()
        more = JSON_TYPE | {"X-Kindler-Namespace": namespace} | dict(headers or {})
        return self.request("POST", f"/endpoints/{endpoint}/invocations", raw, more, timeout=timeout)


def together(count: int, call: Callable[[int], Response]) -> list[Response]:
    """Makes `count` calls at the same time, each in its own thread. Returns the responses in the order of the calls."""
    barrier = threading.Barrier(count)

    def one(number: int) -> Response:
        barrier.wait()
        return call(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


def later(call: Callable[[], Response]) -> Future[Response]:
    """Starts one call in the background."""
    future: Future[Response] = Future()

    def run() -> None:
        try:
            future.set_result(call())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future


class Load:
    """Clients that send one request after another until the block ends. After it, `responses` is complete."""

    def __init__(self, clients: int, call: Callable[[], Response]) -> None:
        self.responses: list[Response] = []
        self._call = call
        self._stop = threading.Event()
        self._first = threading.Event()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(clients)]

    def _run(self) -> None:
        while not self._stop.is_set():
            self.responses.append(self._call())
            self._first.set()

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        assert self._first.wait(260), "no response at all"
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(280)

    def statuses(self) -> Counter[int]:
        return Counter(response.status for response in self.responses)

    def failed(self, good: tuple[int, ...] = (200,)) -> list[str]:
        """The responses with another status than `good`, as text."""
        return [str(response) for response in self.responses if response.status not in good]
