"""The peer port: what the controller (and later other replicas) ask of this one. Whoever calls shows a ServiceAccount token."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable

from aiohttp import web

from kindler.activator.ownership import Ownership
from kindler.activator.routes import Directory
from kindler.activator.tokens import Tokens
from kindler.api.stats import Stats


def application(directory: Directory, ownership: Ownership, tokens: Tokens, boot: str) -> web.Application:
    """`GET /stats`. `boot` names this process's life."""

    @web.middleware
    async def authenticated(request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> web.StreamResponse:
        denied = await tokens.check(request.headers.get("Authorization", ""))
        if denied is None:
            return await handler(request)
        challenge = {"WWW-Authenticate": "Bearer"} if denied.status == 401 else {}
        return web.json_response({"message": denied.reason}, status=denied.status, headers=challenge)

    async def stats(_: web.Request) -> web.Response:
        return web.json_response(body=json.dumps(_stats(directory, ownership, boot).to_json()).encode())

    app = web.Application(middlewares=[authenticated])
    app.router.add_get("/stats", stats)
    return app


def _stats(directory: Directory, ownership: Ownership, boot: str) -> Stats:
    """Endpoints that have a route: of others this replica serves nothing."""
    desks = directory.desks.values()
    known = {f"{d.identity.namespace}/{d.identity.name}": d.stats(ownership.owns(d.identity.uid)) for d in desks if d.pools.route is not None}
    return Stats(boot, known)
