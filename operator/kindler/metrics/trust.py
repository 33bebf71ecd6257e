"""Authentication of the API port: only the API server may call, with its front-proxy client certificate.

The API server has checked the user's rights before it forwards a request. The cluster publishes the CA of that
certificate, and its allowed common names, in the ConfigMap kube-system/extension-apiserver-authentication.
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
PERIOD_SECONDS: Final = 60.0  # between two reads
FIRST_PERIOD_SECONDS: Final = 2.0  # the period until the first successful read


class FrontProxy:
    """Sets the client CA of the TlsContext, and stores the allowed names."""

    def __init__(self, cluster: Cluster, tls: TlsContext) -> None:
        self._cluster = cluster
        self._tls = tls
        self._names: frozenset[str] = frozenset()
        self._known = False

    async def run(self) -> None:
        """Reads periodically until cancelled. If a read fails, the last values stay in use."""
        while True:
            try:
                await self.read()
            except (ApiError, ValueError, ssl.SSLError) as error:
                log.warning("ConfigMap %s/%s does not define which clients may call: %s", NAMESPACE, NAME, error)
            await asyncio.sleep(PERIOD_SECONDS if self._known else FIRST_PERIOD_SECONDS)

    async def read(self) -> None:
        """Reads the ConfigMap. Raises ApiError, ValueError or ssl.SSLError if it cannot be read or is invalid."""
        config_map = await self._cluster.get(CONFIG_MAPS, NAMESPACE, NAME)
        data: dict[str, str] = (config_map or {}).get("data") or {}
        client_ca = data.get("requestheader-client-ca-file", "")
        if not client_ca:
            raise ValueError(
                "it has no requestheader-client-ca-file: "
                "the API server has no front-proxy certificate (--requestheader-client-ca-file)"
            )
        names = json.loads(data.get("requestheader-allowed-names") or "null") or []  # Go writes an empty list as null
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise ValueError(f"its requestheader-allowed-names are no list of names: {names!r}")
        self._tls.trust_client_ca(client_ca)
        self._names, self._known = frozenset(names), True

    def rejection(self, certificate: Any) -> str | None:
        """Why a client with this certificate is rejected; None for the API server. ssl has verified the certificate."""
        name = next(
            (value for part in (certificate or {}).get("subject", ()) for key, value in part if key == "commonName"), ""
        )
        if not certificate or not self._known:
            return "only the API server may ask here, with its front-proxy client certificate"
        # An empty list allows any name that the CA signed.
        return (
            f"{name!r} may not ask here: the cluster allows {', '.join(sorted(self._names))}"
            if self._names and name not in self._names
            else None
        )
