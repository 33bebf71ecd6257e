"""Faults that a test injects, and the log of requests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from tests.apiserver.refusal import Refused


@dataclass(slots=True)
class Request:
    """One request that the server received.

    `status`: the status of its response; None before the response; 0 if the server dropped the connection instead.
    """

    method: str
    path: str
    query: dict[str, str]
    content_type: str = ""
    user_agent: str = ""
    token: str = ""
    group: str = ""
    resource: str = ""
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    body: Any = None
    status: int | None = None

    @property
    def verb(self) -> str:
        """get, list, watch, create, update, patch or delete. Requests that are not about objects also count as get."""
        if self.method == "GET":
            return (
                "watch"
                if self.query.get("watch") in ("true", "1")
                else "get"
                if self.name or not self.resource
                else "list"
            )
        return {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}[self.method]

    @property
    def write(self) -> bool:
        return self.method != "GET"


When = Callable[[Request], bool]
Effect = Literal["fail", "drop", "lose", "hold", "truncate"]


def matching(
    verb: str = "", resource: str = "", name: str = "", subresource: str | None = None, namespace: str = ""
) -> When:
    """A predicate for requests. An empty argument matches everything."""

    def when(request: Request) -> bool:
        return (
            verb in ("", request.verb)
            and resource in ("", request.resource)
            and name in ("", request.name)
            and namespace in ("", request.namespace)
            and subresource in (None, request.subresource)
        )

    return when


@dataclass(slots=True, eq=False)
class Fault:
    """A fault for the next `times` requests that match. `met` counts the requests with the fault.

    Setting `released` lets held requests continue.
    """

    effect: Effect
    when: When
    times: float
    refusal: Refused | None = None
    met: int = 0
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    released: asyncio.Event = field(default_factory=asyncio.Event)

    def end(self) -> None:
        """Ends the fault: it affects no further request, and held requests continue."""
        self.times = 0
        self.released.set()


class Faults:
    """Faults in the order of their creation. The first fault that matches a request applies to it.

    fail      the server responds with this status and does not execute the request
    drop      the server closes the connection and does not execute the request
    lose      the server executes the request, and closes the connection without a response
    hold      the server waits until `released` is set, and then executes the request; `arrived` is set when the first
              request is held
    truncate  the server sends the response (of a watch: the next event) only up to the middle of a line
    """

    def __init__(self) -> None:
        self._active: list[Fault] = []

    def fail(
        self,
        status: int,
        when: When | None = None,
        times: float = 1,
        reason: str = "",
        message: str = "",
        retry_after: int | None = None,
    ) -> Fault:
        name = reason or {
            403: "Forbidden",
            404: "NotFound",
            409: "Conflict",
            410: "Expired",
            422: "Invalid",
            429: "TooManyRequests",
        }.get(status, "InternalError")
        return self._add(
            Fault(
                "fail",
                when or matching(),
                times,
                Refused(status, name, message or f"a fault that a test injected: {status}", retry_after),
            )
        )

    def drop(self, when: When | None = None, times: float = 1) -> Fault:
        return self._add(Fault("drop", when or matching(), times))

    def lose(self, when: When | None = None, times: float = 1) -> Fault:
        return self._add(Fault("lose", when or matching(), times))

    def hold(self, when: When | None = None, times: float = 1) -> Fault:
        return self._add(Fault("hold", when or matching(), times))

    def truncate(self, when: When | None = None, times: float = 1) -> Fault:
        return self._add(Fault("truncate", when or matching(), times))

    def clear(self) -> None:
        """Ends all faults."""
        for fault in self._active:
            fault.end()
        self._active.clear()

    def of(self, request: Request) -> Fault | None:
        """The fault for this request, or None. Counts the request in the fault's `met`."""
        for fault in self._active:
            if fault.met < fault.times and fault.when(request):
                fault.met += 1
                fault.arrived.set()
                return fault
        return None

    def _add(self, fault: Fault) -> Fault:
        self._active.append(fault)
        return fault
