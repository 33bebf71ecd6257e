"""The errors of the API server, grouped by what a caller can do about them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class ApiError(Exception):
    """The API server rejected a request or could not be reached.

    `status`: HTTP status, 0 if there was no response. `reason`: the API server's reason in one word (`AlreadyExists`,
    `Conflict`, `Expired`, …). `message`: the API server's sentence. `retry_after`: for how many seconds the API server
    requested to wait before a retry, or None.
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
    """403: RBAC, a quota or an admission policy forbids the request. The message says which of them."""


class NotFound(ApiError):
    """404: the object, namespace or kind does not exist."""


class Conflict(ApiError):
    """409: a stale resourceVersion, an unmet precondition, another manager's field, or a name in use.

    `already_exists`: True if the name is in use.
    """

    @property
    def already_exists(self) -> bool:
        return self.reason == "AlreadyExists"


class Gone(ApiError):
    """410: the API server does not keep that old resourceVersion any more; list again."""


class Invalid(ApiError):
    """422: the object violates its schema or a validation rule. The same object will always be rejected."""


class Unavailable(ApiError):
    """No response (connection refused, connection lost, too slow), 429, or 5xx. A later retry may succeed.

    If the request was a write, it is unknown whether the API server carried it out.
    """


_BY_STATUS: dict[int, type[ApiError]] = {
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: Gone,
    422: Invalid,
    429: Unavailable,
}


def from_status(http_status: int, body: Any, headers: Mapping[str, str] | None = None) -> ApiError:
    """The error for a response: a `Status` object, or any body that a proxy sent.

    `body`: the parsed JSON; None if the body was not JSON. `http_status` takes precedence over the code in the body.
    """
    fields: dict[str, Any] = body if isinstance(body, dict) else {}
    details = fields.get("details") or {}
    delay = (headers or {}).get("Retry-After") or details.get("retryAfterSeconds")
    try:
        retry_after = float(delay) if delay else None
    except ValueError:  # Retry-After as a date: the default pause is good enough
        retry_after = None
    kind = _BY_STATUS.get(http_status, Unavailable if http_status >= 500 else ApiError)
    return kind(
        http_status,
        str(fields.get("reason") or "Unknown"),
        str(fields.get("message") or "the API server gave no message"),
        retry_after,
    )


def no_answer(failure: BaseException) -> Unavailable:
    """The error for a request that got no response, or only a part of the response."""
    return Unavailable(0, type(failure).__name__, str(failure) or "the API server did not answer in time")
