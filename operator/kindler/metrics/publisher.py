"""Uses and publishes the server's certificate: a self-signed certificate, or a certificate from mounted files.

The controller configures the API server to trust the published certificate. If another component does that, for
example cert-manager, the published certificate still shows that a metrics server runs.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

from kindler.clients.cluster import CONFIG_MAPS, ApiError, Cluster
from kindler.metrics.certificate import Rotation, next_rotation, publication
from kindler.metrics.tls import TlsContext

log = logging.getLogger(__name__)

PERIOD_SECONDS: Final = 30.0  # between two checks of the published and the mounted certificate
FIRST_PERIOD_SECONDS: Final = 1.0  # the period until the certificate is published for the first time


class Source(Protocol):
    """A source of certificates."""

    def rotate(self) -> str:
        """Uses the certificate that is due. Returns the certificates to publish as PEM, or "" if there are none."""


class SelfSignedSource:
    """Creates certificates. `names`: the server's DNS names. `clock`: epoch seconds."""

    def __init__(self, names: tuple[str, ...], tls: TlsContext, clock: Callable[[], float]) -> None:
        self._names = names
        self._tls = tls
        self._clock = clock
        self._in_use: Rotation | None = None

    def rotate(self) -> str:
        """Creates the next certificate when it is due, and uses the current one. Returns both."""
        self._in_use = next_rotation(self._in_use, self._names, self._clock())
        self._tls.use_certificate(self._in_use.current.certificate + self._in_use.current.key)
        return self._in_use.published


class MountedSource:
    """Reads tls.crt and tls.key of a directory again at each check."""

    def __init__(self, directory: str, tls: TlsContext) -> None:
        self._directory = Path(directory)
        self._tls = tls
        self._in_use = ""

    def rotate(self) -> str:
        """Reads both files and uses them if they fit together. Returns the certificate in use.

        While the files are being replaced, one may be new and the other old. Such a pair does not load, and the
        previous certificate stays in use.
        """
        try:
            certificate, key = ((self._directory / file).read_text() for file in ("tls.crt", "tls.key"))
            self._tls.use_certificate(f"{certificate}\n{key}")
            self._in_use = certificate
        except (OSError, ValueError, ssl.SSLError) as error:
            log.warning("no usable certificate in %s: %s; the last certificate stays in use", self._directory, error)
        return self._in_use


class CertificatePublisher:
    """Rotates the certificate and publishes it.

    `pod`: our key in the ConfigMap `name`. `published`: whether a certificate was ever published. `clock`: epoch
    seconds.
    """

    def __init__(
        self, source: Source, cluster: Cluster, namespace: str, name: str, pod: str, clock: Callable[[], float]
    ) -> None:
        self.published = False
        self._source = source
        self._cluster = cluster
        self._namespace = namespace
        self._name = name
        self._pod = pod
        self._clock = clock
        self._text = ""

    async def run(self) -> None:
        """Rotates and publishes the certificate periodically, until cancelled."""
        while True:
            self.rotate()
            pause = FIRST_PERIOD_SECONDS
            try:
                if self._text:
                    await self.publish()
                    pause = PERIOD_SECONDS
            except ApiError as error:
                log.warning(
                    "the certificate could not be published in ConfigMap %s/%s: %s", self._namespace, self._name, error
                )
            await asyncio.sleep(pause)

    def rotate(self) -> None:
        """Uses the certificate that is due."""
        self._text = self._source.rotate()

    async def publish(self) -> None:
        """Publishes the certificates of the current rotation. Raises ApiError."""
        config_map = await self._cluster.get(CONFIG_MAPS, self._namespace, self._name)
        changes = publication((config_map or {}).get("data") or {}, self._pod, self._text, self._clock())
        if changes:
            await self._cluster.merge_patch(CONFIG_MAPS, self._namespace, self._name, {"data": changes})
        self.published = True
