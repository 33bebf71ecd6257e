"""The peer port: what the controller and the metrics process (and later other replicas) ask of this one. Whoever calls shows a ServiceAccount token."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable

from aiohttp import web

from kindler.activator.cluster.directory import Directory
from kindler.activator.endpoint.throttler import EndpointThrottler
from kindler.activator.ownership import Ownership
from kindler.runtime.tokens import Tokens

AT_ONCE = 50  # endpoints: the loop serves requests between two pieces


def application(
    directory: Directory, ownership: Ownership, tokens: Tokens, boot: str, synced: Callable[[], bool]
) -> web.Application:
    """`GET /stats`, with `?provisioned=true` of endpoints with a warm pool alone. `boot` names this process's life.

    503 before all is listed (`synced`): a warm pool whose pods are not known yet would be told as empty.
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
            throttlers = [
                throttler
                for throttler in throttlers
                if throttler.pools.route is not None and throttler.pools.route.warm_pool
            ]
        return web.json_response(body=await _stats(throttlers, ownership, boot))

    app = web.Application(middlewares=[authenticated])
    app.router.add_get("/stats", stats)
    return app


async def _stats(throttlers: list[EndpointThrottler], ownership: Ownership, boot: str) -> bytes:
    """`Stats` as JSON, of endpoints that have a route: of others this replica serves nothing.

    Written in pieces: a thousand warm pools in one go would hold up requests for 20 ms, and the metrics process asks once a second.
    """
    told = []
    for number, throttler in enumerate(throttlers, 1):
        if throttler.pools.route is not None:
            identity = throttler.identity
            told.append(
                f"{json.dumps(f'{identity.namespace}/{identity.name}')}: {json.dumps(throttler.stats(ownership.owns(identity.uid)).to_json())}"
            )
        if number % AT_ONCE == 0:
            await asyncio.sleep(0)
    return f'{{"boot": {json.dumps(boot)}, "endpoints": {{{", ".join(told)}}}}}'.encode()
