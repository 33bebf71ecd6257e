"""Timestamps as Kubernetes writes them: RFC 3339, UTC, whole seconds."""

from __future__ import annotations

from datetime import UTC, datetime


def parse_timestamp(text: str | None) -> float | None:
    """Epoch seconds of a timestamp; None if there is no timestamp."""
    return datetime.fromisoformat(text).timestamp() if text else None


def format_timestamp(at: float) -> str:
    """Epoch seconds as a timestamp."""
    return datetime.fromtimestamp(int(at), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
