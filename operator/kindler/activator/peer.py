"""The peer port, on which the controller and the metrics process read the data of this activator.

Clients authenticate with a ServiceAccount token.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable

from aiohttp import web

from kindler.activator.cluster.directory import Directory
from kindler.activator.endpoint.throttler import EndpointThrottler
from kindler.activator.ownership import Ownership
from kindler.runtime.tokens import Tokens

BATCH = 50  # endpoints per piece; the event loop serves requests between two pieces


def application(
    directory: Directory, ownership: Ownership, tokens: Tokens, boot: str, synced: Callable[[], bool]
) -> web.Application:
    """Serves `GET /stats`. With `?provisioned=true` the response contains only endpoints that have a warm pool.

    `boot` identifies this run of the process.

    The status is 503 until `synced` returns True: before that, not all objects are listed, and a warm pool whose pods
    are not known yet would be reported as empty.
    """

    @web.middleware
    async def authenticated(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        denied = await tokens.check(request.headers.get("Authorization", ""))
        if denied is None:
            return await handler(request)
        challenge = {"WWW-Authenticate": "Bearer"} if denied.status == 401 else {}
        return web.json_response({"message": denied.reason}, status=denied.status, headers=challenge)

    async def stats(request: web.Request) -> web.Response:
        if not synced():
            return web.json_response({"message": "not everything is listed yet"}, status=503)
        throttlers = list(directory.throttlers.values())
        if request.query.get("provisioned") == "true":
            throttlers = [t for t in throttlers if t.pools.route is not None and t.pools.route.warm_pool]
        return web.json_response(body=await _stats(throttlers, ownership, boot))

    app = web.Application(middlewares=[authenticated])
    app.router.add_get("/stats", stats)
    return app


async def _stats(throttlers: list[EndpointThrottler], ownership: Ownership, boot: str) -> bytes:
    """Returns `Stats` as JSON, without the endpoints that have no route, because no replica serves them.

    The endpoints are encoded in batches, because the metrics process reads them once a second. To encode a thousand
    warm pools at once would delay requests by 20 ms.
    """
    entries = []
    for number, throttler in enumerate(throttlers, 1):
        if throttler.pools.route is not None:
            identity = throttler.identity
            stats = throttler.stats(ownership.owns(identity.uid)).to_json()
            entries.append(f"{json.dumps(f'{identity.namespace}/{identity.name}')}: {json.dumps(stats)}")
        if number % BATCH == 0:
            await asyncio.sleep(0)
    return f'{{"boot": {json.dumps(boot)}, "endpoints": {{{", ".join(entries)}}}}}'.encode()
