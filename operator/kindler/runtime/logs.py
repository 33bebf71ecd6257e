"""Logs of every process, on standard output: JSON lines in the cluster, plain text at a terminal."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any, Final

TEXT_FORMAT: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class JsonFormatter(logging.Formatter):
    """One JSON object per line.

    Its keys: time, level, logger, message, those of `extra={"fields": {...}}`, and traceback if there is an exception.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line of JSON, without a newline at its end."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= getattr(record, "fields", {})
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


def configure(level: str, log_format: str) -> None:
    """Sends all logging to standard output. `level`: a name of the logging module; an unknown name means INFO.

    `log_format`: json, text, or auto (text if standard output is a terminal, else json).
    """
    as_text = log_format == "text" or (log_format == "auto" and sys.stdout.isatty())
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(logging.Formatter(TEXT_FORMAT) if as_text else JsonFormatter())
    levels = logging.getLevelNamesMapping()
    logging.basicConfig(level=levels.get(level.upper(), logging.INFO), handlers=[handler], force=True)
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)
