"""Details of requests to the API server: paths, JSON, lines of any length, and the kinds of errors."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest
from aiohttp.base_protocol import BaseProtocol

from kindler.clients.cluster import ENDPOINTS, PODS, Resource
from kindler.clients.connection import encode
from kindler.clients.connection import lines as read_lines
from kindler.clients.errors import ApiError, NotFound, Unavailable, from_status, no_answer


@pytest.mark.parametrize(
    ("resource", "arguments", "path"),
    [
        (PODS, ("n",), "/api/v1/namespaces/n/pods"),
        (PODS, (None,), "/api/v1/pods"),
        (PODS, ("n", "p", "status"), "/api/v1/namespaces/n/pods/p/status"),
        (ENDPOINTS, ("n", "e"), "/apis/serving.kindler.dev/v1alpha1/namespaces/n/endpoints/e"),
        (
            ENDPOINTS,
            ("n", "e?x=y#z é"),
            "/apis/serving.kindler.dev/v1alpha1/namespaces/n/endpoints/e%3Fx%3Dy%23z%20%C3%A9",
        ),
        (Resource("", "v1", "namespaces", "Namespace", namespaced=False), (None, "n"), "/api/v1/namespaces/n"),
    ],
)
def test_paths(resource: Resource, arguments: tuple[str | None, ...], path: str) -> None:
    assert resource.path(*arguments) == path


@pytest.mark.parametrize("name", ["..", ".", "a/b", "a%2fb", "../../secrets/s"])
def test_a_name_that_would_change_the_path_is_not_found(name: str) -> None:
    for arguments in (("n", name), (name, "e"), (name,)):
        with pytest.raises(NotFound):
            ENDPOINTS.path(*arguments)
    with pytest.raises(NotFound):
        ENDPOINTS.path("", "e")


def test_json_is_encoded_as_go_encodes_it() -> None:
    body = {"b": 1, "a": {"z": "<é>&\u2028", "y": [True, None, 10**12]}}
    assert encode(body) == '{"a":{"y":[true,null,1000000000000],"z":"\\u003cé\\u003e\\u0026\\u2028"},"b":1}'.encode()


@pytest.mark.parametrize(
    ("chunks", "lines"),
    [
        ([b"a\nb\n"], [b"a", b"b"]),
        ([b"a", b"b", b"\n", b"c\n"], [b"ab", b"c"]),
        ([b"\n\na\n\n"], [b"a"]),
        ([b"x" * 2**20] * 5 + [b"\n"], [b"x" * 5 * 2**20]),
        ([], []),
    ],
)
async def test_lines_of_any_length(chunks: list[bytes], lines: list[bytes]) -> None:
    assert [line async for line in read_lines(stream(chunks))] == lines


async def test_an_unfinished_line_is_unavailable() -> None:
    lines = read_lines(stream([b"a\n{", b'"b']))
    assert await anext(lines) == b"a"
    with pytest.raises(Unavailable, match="inside an object"):
        await anext(lines)


@pytest.mark.parametrize(
    ("body", "headers", "reported"),
    [
        ({"reason": "R", "message": "M"}, {}, ("R", "M", None)),
        ({"reason": "R", "message": "M", "details": {"retryAfterSeconds": 3}}, {}, ("R", "M", 3)),
        ({"details": None}, {"Retry-After": "1.5"}, ("Unknown", "the API server gave no message", 1.5)),
        (None, {"Retry-After": "Tue, 24 Nov 2026 10:00:00 GMT"}, ("Unknown", "the API server gave no message", None)),
        ("<html>", {}, ("Unknown", "the API server gave no message", None)),
    ],
)
def test_every_response_becomes_an_error_with_a_message(
    body: Any, headers: dict[str, str], reported: tuple[str, str, float | None]
) -> None:
    error = from_status(503, body, headers)
    assert isinstance(error, Unavailable) and (error.reason, error.message, error.retry_after) == reported
    assert "503" in str(error)


def test_a_missing_response_has_a_message_too() -> None:
    assert str(no_answer(TimeoutError())) == "TimeoutError: the API server did not answer in time"
    assert isinstance(no_answer(OSError("refused")), ApiError)


def stream(chunks: list[bytes]) -> aiohttp.StreamReader:
    loop = asyncio.get_running_loop()
    reader = aiohttp.StreamReader(BaseProtocol(loop), limit=2**30, loop=loop)
    for chunk in chunks:
        reader.feed_data(chunk)
    reader.feed_eof()
    return reader
