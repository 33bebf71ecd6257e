"""The peer port: what the controller and the metrics process (and later other replicas) ask of this one. Whoever calls shows a ServiceAccount token."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable

from aiohttp import web

from kindler.activator.ownership import Ownership
from kindler.activator.routes import Directory
from kindler.activator.tokens import Tokens
from kindler.api.stats import EndpointStats, Stats


def application(directory: Directory, ownership: Ownership, tokens: Tokens, boot: str) -> web.Application:
    """`GET /stats`, with `?provisioned=true` of endpoints with a warm pool alone. `boot` names this process's life."""

    @web.middleware
    async def authenticated(request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> web.StreamResponse:
        denied = await tokens.check(request.headers.get("Authorization", ""))
        if denied is None:
            return await handler(request)
        challenge = {"WWW-Authenticate": "Bearer"} if denied.status == 401 else {}
        return web.json_response({"message": denied.reason}, status=denied.status, headers=challenge)

    async def stats(request: web.Request) -> web.Response:
        told = _stats(directory, ownership, boot, request.query.get("provisioned") == "true")
        return web.json_response(body=json.dumps(told.to_json()).encode())

    app = web.Application(middlewares=[authenticated])
    app.router.add_get("/stats", stats)
    return app


def _stats(directory: Directory, ownership: Ownership, boot: str, provisioned: bool) -> Stats:
    """Endpoints that have a route: of others this replica serves nothing."""
    told: dict[str, EndpointStats] = {}
    for desk in directory.desks.values():
        route, identity = desk.pools.route, desk.identity
        if route is not None and (route.warm_pool or not provisioned):
            told[f"{identity.namespace}/{identity.name}"] = desk.stats(ownership.owns(identity.uid))
    return Stats(boot, told)
