"""Whom the API port believes: the API server alone, by its front-proxy client certificate. It has applied the user's rights before it asks us.

The cluster says in the ConfigMap kube-system/extension-apiserver-authentication who signs that certificate, and which common names it may have.
"""

from __future__ import annotations

import asyncio
import json
import logging
import ssl
from typing import Any, Final

from kindler.clients.cluster import CONFIG_MAPS, ApiError, Cluster
from kindler.metrics.tls import TlsContext

log = logging.getLogger(__name__)

NAMESPACE: Final = "kube-system"
NAME: Final = "extension-apiserver-authentication"
SECONDS: Final = 60.0  # between two looks
FIRST_SECONDS: Final = 2.0  # the same until it was read once


class FrontProxy:
    """Tells the doorkeeper whose clients may call, and knows their names."""

    def __init__(self, cluster: Cluster, doorkeeper: TlsContext) -> None:
        self._cluster = cluster
        self._doorkeeper = doorkeeper
        self._names: frozenset[str] = frozenset()
        self._known = False

    async def run(self) -> None:
        """Reads now and again until cancelled. What was read last stays in force while it cannot be read."""
        while True:
            try:
                await self.read()
            except (ApiError, ValueError, ssl.SSLError) as error:
                log.warning("ConfigMap %s/%s says not who may call: %s", NAMESPACE, NAME, error)
            await asyncio.sleep(SECONDS if self._known else FIRST_SECONDS)

    async def read(self) -> None:
        """Raises ApiError, ValueError or ssl.SSLError when it cannot be read."""
        found = await self._cluster.get(CONFIG_MAPS, NAMESPACE, NAME)
        told: dict[str, str] = (found or {}).get("data") or {}
        authorities = told.get("requestheader-client-ca-file", "")
        if not authorities:
            raise ValueError(
                "it has no requestheader-client-ca-file: the API server has no front-proxy certificate (--requestheader-client-ca-file)"
            )
        names = (
            json.loads(told.get("requestheader-allowed-names") or "null") or []
        )  # Go writes an empty list as null, too
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise ValueError(f"its requestheader-allowed-names are no list of names: {names!r}")
        self._doorkeeper.trust(authorities)
        self._names, self._known = frozenset(names), True

    def refuses(self, certificate: Any) -> str | None:
        """Why a client with this certificate (as ssl tells it, verified) is not believed; None for the API server."""
        name = next(
            (value for part in (certificate or {}).get("subject", ()) for key, value in part if key == "commonName"), ""
        )
        if not certificate or not self._known:
            return "only the API server may ask here, with its front-proxy client certificate"
        # An empty list allows any name that the authorities signed.
        return (
            f"{name!r} may not ask here: the cluster allows {', '.join(sorted(self._names))}"
            if self._names and name not in self._names
            else None
        )
