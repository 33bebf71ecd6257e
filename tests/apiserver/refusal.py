"""Error responses of the API server."""

from __future__ import annotations

from typing import Any


class Refused(Exception):
    """Raised to send a Status object as the response."""

    def __init__(self, code: int, reason: str, message: str, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.code, self.reason, self.message, self.retry_after = code, reason, message, retry_after

    def status(self) -> dict[str, Any]:
        details = {} if self.retry_after is None else {"retryAfterSeconds": self.retry_after}
        content = {
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            "details": details,
            "code": self.code,
        }
        return {"kind": "Status", "apiVersion": "v1", "metadata": {}, **content}


def bad_request(message: str) -> Refused:
    return Refused(400, "BadRequest", message)


def not_found(what: str, name: str) -> Refused:
    return Refused(404, "NotFound", f'{what} "{name}" not found')


def already_exists(what: str, name: str) -> Refused:
    return Refused(409, "AlreadyExists", f'{what} "{name}" already exists')


def conflict(
    what: str,
    name: str,
    why: str = "the object has been modified; please apply your changes to the latest version and try again",
) -> Refused:
    return Refused(409, "Conflict", f'Operation cannot be fulfilled on {what} "{name}": {why}')


def expired(version: str) -> Refused:
    return Refused(410, "Expired", f"too old resource version: {version}")


def invalid(kind: str, name: str, why: str) -> Refused:
    return Refused(422, "Invalid", f'{kind} "{name}" is invalid: {why}')
