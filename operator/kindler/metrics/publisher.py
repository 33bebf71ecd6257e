"""Keeps the server's certificate: of our own making or somebody else's, from mounted files; shown, and published so that the controller knows of it.

The controller tells the API server to trust what is published. Where somebody else does that, it is a sign all the same: there is a server that answers.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

from kindler.clients.cluster import CONFIG_MAPS, ApiError, Cluster
from kindler.metrics.certificate import Rotation, publication, rotated
from kindler.metrics.tls import TlsContext

log = logging.getLogger(__name__)

SECONDS: Final = 30.0  # between two looks at what is published, or mounted
FIRST_SECONDS: Final = 1.0  # the same until it is published


class Source(Protocol):
    """Where certificates come from."""

    def turn(self) -> str:
        """Shows what is due; what is to be published of it: PEM, empty for nothing."""


class SelfSignedSource:
    """Makes them. `names`: the DNS names of the server. `clock`: epoch seconds."""

    def __init__(self, names: tuple[str, ...], doorkeeper: TlsContext, clock: Callable[[], float]) -> None:
        self._names = names
        self._doorkeeper = doorkeeper
        self._clock = clock
        self._shown: Rotation | None = None

    def turn(self) -> str:
        """Makes and shows."""
        self._shown = rotated(self._shown, self._names, self._clock())
        self._doorkeeper.show(self._shown.now.certificate + self._shown.now.key)
        return self._shown.published


class MountedSource:
    """Reads tls.crt and tls.key of a directory, each time anew."""

    def __init__(self, directory: str, doorkeeper: TlsContext) -> None:
        self._directory = Path(directory)
        self._doorkeeper = doorkeeper
        self._shown = ""

    def turn(self) -> str:
        """Half-written files are not shown: a certificate and the key of another do not load."""
        try:
            certificate, key = ((self._directory / file).read_text() for file in ("tls.crt", "tls.key"))
            self._doorkeeper.show(f"{certificate}\n{key}")
            self._shown = certificate
        except (OSError, ValueError, ssl.SSLError) as error:
            log.warning("no certificate in %s: %s; the last one is shown", self._directory, error)
        return self._shown


class CertificatePublisher:
    """Turns and publishes. `pod`: our key in the ConfigMap `name`. `published`: whether it ever was. `clock`: epoch seconds."""

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
        """Until cancelled."""
        while True:
            self.turn()
            pause = FIRST_SECONDS
            try:
                if self._text:
                    await self.publish()
                    pause = SECONDS
            except ApiError as error:
                log.warning(
                    "the certificate could not be published in ConfigMap %s/%s: %s", self._namespace, self._name, error
                )
            await asyncio.sleep(pause)

    def turn(self) -> None:
        """Shows what is due."""
        self._text = self._source.turn()

    async def publish(self) -> None:
        """Publishes what belongs to what is shown. Raises ApiError when it cannot be done."""
        found = await self._cluster.get(CONFIG_MAPS, self._namespace, self._name)
        changes = publication((found or {}).get("data") or {}, self._pod, self._text, self._clock())
        if changes:
            await self._cluster.merge_patch(CONFIG_MAPS, self._namespace, self._name, {"data": changes})
        self.published = True
