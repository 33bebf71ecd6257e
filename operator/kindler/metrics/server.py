"""The API port: HTTPS for the API server only. The API server forwards the requests of HPAs and admins."""

from __future__ import annotations

import hashlib
import json
import logging
from datetime import UTC, datetime
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from kindler.api import names
from kindler.metrics import discovery, responses
from kindler.metrics.admin import RequestMetrics
from kindler.metrics.discovery import CUSTOM, ENDPOINTS, EXTERNAL
from kindler.metrics.responses import StatusError
from kindler.metrics.tls import TlsContext
from kindler.metrics.trust import FrontProxy
from kindler.metrics.values import Values, parse_selector

log = logging.getLogger(__name__)


def application(values: Values, trust: FrontProxy, tls: TlsContext, metrics: RequestMetrics) -> web.Application:
    """Serves all paths of the two metrics APIs."""

    async def external(request: web.Request) -> web.Response:
        path = request.match_info
        found = await values.of(
            path["namespace"], path["metric"], parse_selector(request.query.get("labelSelector", ""))
        )
        return _json(responses.external(found, _now()))

    async def custom(request: web.Request) -> web.Response:
        path = request.match_info
        name = "" if path["name"] == "*" else path["name"]
        if not name and request.query.get("labelSelector"):
            raise StatusError(
                400, "labelSelector would pick Endpoints by their labels, which is not served: use metricLabelSelector"
            )
        found = await values.of(
            path["namespace"], path["metric"], parse_selector(request.query.get("metricLabelSelector", "")), name
        )
        return _json(responses.custom(found, _now()))

    app = web.Application(middlewares=[_with_status(trust, tls, metrics)])
    app.router.add_get(f"/apis/{names.EXTERNAL_METRICS}/{EXTERNAL}/namespaces/{{namespace}}/{{metric}}", external)
    app.router.add_get(
        f"/apis/{names.CUSTOM_METRICS}/{CUSTOM}/namespaces/{{namespace}}/{ENDPOINTS}/{{name}}/{{metric}}", custom
    )
    for path, document in discovery.documents().items():
        app.router.add_get(path, _serve(document))
    return app


def _with_status(trust: FrontProxy, tls: TlsContext, metrics: RequestMetrics) -> Middleware:
    """Rejects other callers than the API server, turns each failure into a Status, and counts each response."""

    @web.middleware
    async def respond_with_status(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            if tls.is_outdated(request.get_extra_info("ssl_object")):
                raise StatusError(403, "the cluster has another front proxy by now")
            if (rejection := trust.rejection(request.get_extra_info("peercert"))) is not None:
                raise StatusError(403, rejection)
            response = await handler(request)
        except StatusError as error:
            response = _json(error.body(), error.code)
            if error.code == 403:
                response.force_close()
        except web.HTTPException as error:
            response = _json(
                StatusError(error.status, f"{request.method} {request.path}: {error.reason}").body(), error.status
            )
        except Exception:
            log.exception("%s failed", request.path)
            response = _json(
                StatusError(500, "the answer could not be made: Kindler's metrics process logs why").body(), 500
            )
        metrics.count(_api(request.path), response.status)
        return response

    return respond_with_status


def _serve(document: dict[str, Any]) -> Handler:
    body = json.dumps(document).encode()
    tag = f'"{hashlib.sha256(body).hexdigest()}"'

    async def handler(request: web.Request) -> web.Response:
        if request.headers.get("If-None-Match") == tag:
            return web.Response(status=304, headers={"ETag": tag})
        return web.Response(body=body, content_type="application/json", headers={"ETag": tag})

    return handler


def _json(body: dict[str, Any], status: int = 200) -> web.Response:
    return web.Response(body=json.dumps(body).encode(), status=status, content_type="application/json")


def _api(path: str) -> str:
    """The name of the API of a path; "discovery" for all paths that return no values."""
    for api in (names.EXTERNAL_METRICS, names.CUSTOM_METRICS):
        if path.startswith(f"/apis/{api}/") and "/namespaces/" in path:
            return api.partition(".")[0]
    return "discovery"


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
