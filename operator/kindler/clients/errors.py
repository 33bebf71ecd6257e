"""What can go wrong with the API server, by what a caller can do about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class ApiError(Exception):
    """The API server refused, or could not be asked.

    `status`: its HTTP status, 0 when there was no answer. `reason`: its one-word reason (`AlreadyExists`, `Conflict`, `Expired`, …). `message`: its
    sentence. `retry_after`: seconds it asked us to wait, or None.
    """

    def __init__(self, status: int, reason: str, message: str, retry_after: float | None = None) -> None:
        super().__init__(status, reason, message, retry_after)
        self.status = status
        self.reason = reason
        self.message = message
        self.retry_after = retry_after

    def __str__(self) -> str:
        return f"{self.status} {self.reason}: {self.message}" if self.status else f"{self.reason}: {self.message}"


class Forbidden(ApiError):
    """403: no right, or a quota or policy says no. The message tells which."""


class NotFound(ApiError):
    """404: no such object, namespace or kind."""


class Conflict(ApiError):
    """409: a stale resourceVersion, an unmet precondition, a field that another manager owns, or (`already_exists`) a name in use."""

    @property
    def already_exists(self) -> bool:
        return self.reason == "AlreadyExists"


class Gone(ApiError):
    """410: the history does not reach back to that resourceVersion: list again."""


class Invalid(ApiError):
    """422: the object breaks its schema or a rule of it. Nothing but another object helps."""


class Unavailable(ApiError):
    """No answer (refused, cut, too slow), 429, or 5xx: whether a write was done is unknown. Time helps."""


_BY_STATUS: dict[int, type[ApiError]] = {
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: Gone,
    422: Invalid,
    429: Unavailable,
}


def from_status(http_status: int, body: Any, headers: Mapping[str, str] | None = None) -> ApiError:
    """The error that a `Status` object (or whatever a proxy in between answered, parsed if it was JSON) means. `http_status` counts over the body's code."""
    told: dict[str, Any] = body if isinstance(body, dict) else {}
    details = told.get("details") or {}
    wait = (headers or {}).get("Retry-After") or details.get("retryAfterSeconds")
    try:
        retry_after = float(wait) if wait else None
    except ValueError:  # a date: we don't need to be that exact
        retry_after = None
    kind = _BY_STATUS.get(http_status, Unavailable if http_status >= 500 else ApiError)
    return kind(
        http_status,
        str(told.get("reason") or "Unknown"),
        str(told.get("message") or "the API server gave no message"),
        retry_after,
    )


def no_answer(failure: BaseException) -> Unavailable:
    """The error for a request that got no (whole) answer."""
    return Unavailable(0, type(failure).__name__, str(failure) or "the API server did not answer in time")
