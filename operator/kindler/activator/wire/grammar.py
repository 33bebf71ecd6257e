"""The common parts of request and response heads: the grammar of fields, and the framings of a body. Pure."""

from __future__ import annotations

from typing import Final

TOKEN: Final = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]"
FIELDS: Final = rb"(?:" + TOKEN + rb"++:[\t\x20-\x7e\x80-\xff]*+\r\n)*+\r\n"

# How the end of a body is known (its framing).
NO_BODY: Final = 0
LENGTH: Final = 1  # Content-Length
CHUNKED: Final = 2
UNTIL_CLOSE: Final = 3  # the body ends when the connection closes; only for responses
