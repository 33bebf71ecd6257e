"""The HTTP connection to the API server: configuration, authentication, TLS, JSON, errors.

kubernetes.aio provides configuration, authentication and TLS. Its request method is not used, because it writes JSON in
Python's form (see `encode`). aiohttp repeats a GET, PUT or DELETE once if an idle connection turns out to be closed. If
the first PUT had already succeeded, the second one has an old resourceVersion. It fails with Conflict, and the caller
reads again.
"""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlencode

import aiohttp
from kubernetes.aio import config as kube_config
from kubernetes.aio.client.configuration import Configuration
from kubernetes.aio.client.rest import RESTClientObject
from yarl import URL

from kindler.clients.errors import ApiError, Unavailable, from_status, no_answer

Object = dict[str, Any]

JSON = "application/json"
CONNECT_SECONDS = 10.0
REQUEST_SECONDS = 30.0


class Connection:
    """Sessions for requests and for watches. Every failed request raises ApiError (see errors.py).

    Requests share at most `max_connections` connections. Watches have connections of their own: they are long-lived and
    must never delay a write.
    """

    def __init__(self, max_connections: int) -> None:
        self._max_connections = max_connections
        self._configuration = Configuration()
        self._requests: aiohttp.ClientSession | None = None
        self._watches: aiohttp.ClientSession | None = None

    async def connect(self, kubeconfig: str | None = None) -> None:
        """Reads the configuration: the named file, else the pod's ServiceAccount, else $KUBECONFIG or ~/.kube/config.

        The ServiceAccount's token is read again every minute. This method sends no request. Raises ApiError if there is
        no usable configuration.
        """
        configuration = Configuration()
        try:
            if kubeconfig is None and "KUBERNETES_SERVICE_HOST" in os.environ:
                kube_config.load_incluster_config(client_configuration=configuration)
            else:
                file = kubeconfig or os.environ.get("KUBECONFIG") or None
                await kube_config.load_kube_config(
                    config_file=file, client_configuration=configuration, persist_config=False
                )
            tls = RESTClientObject(configuration).ssl_context
        # The library raises many types: its own exception, yaml's, OSError, or AttributeError for an empty file.
        except Exception as error:
            raise ApiError(0, "Configuration", f"no usable cluster configuration: {error}") from error
        await self.close()
        self._configuration = configuration
        self._requests, self._watches = (
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=limit, ssl=tls), trust_env=False)
            for limit in (self._max_connections, 0)
        )

    async def close(self) -> None:
        """Closes all connections; running watches end with Unavailable."""
        sessions, self._requests, self._watches = (self._requests, self._watches), None, None
        for session in sessions:
            if session is not None:
                await session.close()

    # Methods for one request

    async def _json(
        self,
        method: str,
        path: str,
        query: dict[str, str] | None = None,
        body: Object | None = None,
        content_type: str = "",
    ) -> Object:
        return parse(await self._bytes(method, path, query, body, content_type))

    async def _bytes(
        self,
        method: str,
        path: str,
        query: dict[str, str] | None = None,
        body: Object | None = None,
        content_type: str = "",
    ) -> bytes:
        timeout = aiohttp.ClientTimeout(total=REQUEST_SECONDS, sock_connect=CONNECT_SECONDS)
        async with self._request(self._requests, method, path, query, body, content_type, timeout) as response:
            return await response.read()

    @asynccontextmanager
    async def _request(
        self,
        session: aiohttp.ClientSession | None,
        method: str,
        path: str,
        query: dict[str, str] | None,
        body: Object | None,
        content_type: str,
        limits: aiohttp.ClientTimeout,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Yields a successful response whose body has not been read.

        Every failure, here or while the caller reads the body, becomes an ApiError.
        """
        if session is None:
            raise Unavailable(0, "Closed", "not connected to the API server")
        parameters = {k: v for k, v in (query or {}).items() if v}
        url = URL(
            f"{self._configuration.host.rstrip('/')}{path}{'?' + urlencode(parameters) if parameters else ''}",
            encoded=True,
        )
        data = None if body is None else encode(body)
        try:
            async with session.request(
                method,
                url,
                data=data,
                headers=await self._headers(content_type),
                timeout=limits,
                proxy=self._configuration.proxy,
                server_hostname=self._configuration.tls_server_name,
            ) as response:
                if response.status >= 400:
                    raise from_status(response.status, _parse_any(await response.read()), response.headers)
                yield response
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise no_answer(error) from error

    async def _headers(self, content_type: str) -> dict[str, str]:
        # Not every response is application/json: for example, the keys of /openid/v1/jwks have another type. The API
        # server responds 406 if a client accepts only application/json there.
        headers = {
            "Accept": "application/json, */*",
            "Content-Type": content_type or JSON,
            "User-Agent": "kindler-client",
        }
        try:
            token = await self._configuration.get_api_key_with_prefix("BearerToken")
        except (kube_config.ConfigException, OSError) as error:
            raise Unavailable(0, "Token", f"the ServiceAccount token cannot be read: {error}") from error
        return headers | ({"Authorization": token} if token else {})


def encode(body: Object) -> bytes:
    """JSON in exactly the form that the API server itself writes.

    The API server stores the `data` of a ControllerRevision as the received bytes, and compares them with its own
    encoding in a later patch. If the encodings differ, it rejects every change of the object, because the data is
    "immutable" (tested with Kubernetes 1.37). For the same reason `data` should contain no floats (1.0 becomes 1).
    """
    text = json.dumps(body, separators=(",", ":"), sort_keys=True, ensure_ascii=False)
    return text.translate(_ESCAPES).encode()


_ESCAPES = {ord(c): f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"}  # these characters occur only inside strings


async def lines(stream: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """Whole lines of any length (aiohttp's own reader has a fixed limit).

    Raises Unavailable if the stream ends without a newline, because then the last line is incomplete.
    """
    parts: list[bytes] = []
    async for chunk in stream.iter_any():
        first, *others = chunk.split(b"\n")
        parts.append(first)
        for part in others:
            line = b"".join(parts)
            parts = [part]
            if line:
                yield line
    if any(parts):
        raise Unavailable(0, "Truncated", "the stream ended inside an object")


def parse(data: bytes) -> Object:
    value = _parse_any(data)
    if not isinstance(value, dict):
        raise Unavailable(0, "BadResponse", f"not a JSON object: {data[:80]!r}")
    return value


def _parse_any(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        return None
