"""Keeps the server's certificate: of our own making, published so that the controller tells the API server of it; or somebody else's, from mounted files."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Final

from kindler.clients.cluster import CONFIG_MAPS, ApiError, Cluster
from kindler.metrics.certificate import Shown, publication, turned
from kindler.metrics.tls import Doorkeeper

log = logging.getLogger(__name__)

SECONDS: Final = 30.0  # between two looks at what is published, or mounted
FIRST_SECONDS: Final = 1.0  # the same until it is published


class Own:
    """Makes, shows and publishes. `names`: the DNS names of the server. `pod`: our key in the ConfigMap `name`. `clock`: epoch seconds."""

    def __init__(
        self, cluster: Cluster, namespace: str, name: str, pod: str, names: tuple[str, ...], doorkeeper: Doorkeeper, clock: Callable[[], float]
    ) -> None:
        self._cluster = cluster
        self._namespace = namespace
        self._name = name
        self._pod = pod
        self._names = names
        self._doorkeeper = doorkeeper
        self._clock = clock
        self._shown: Shown | None = None

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            self.turn()
            try:
                await self.publish()
                pause = SECONDS
            except ApiError as trouble:
                pause = FIRST_SECONDS
                log.warning("the certificate could not be published in ConfigMap %s/%s: %s", self._namespace, self._name, trouble)
            await asyncio.sleep(pause)

    def turn(self) -> None:
        """Makes and shows what is due."""
        self._shown = turned(self._shown, self._names, self._clock())
        self._doorkeeper.show(self._shown.now.certificate + self._shown.now.key)

    async def publish(self) -> None:
        """Raises ApiError when it cannot be done."""
        assert self._shown is not None
        found = await self._cluster.get(CONFIG_MAPS, self._namespace, self._name)
        changes = publication((found or {}).get("data") or {}, self._pod, self._shown.published, self._clock())
        if changes:
            await self._cluster.merge_patch(CONFIG_MAPS, self._namespace, self._name, {"data": changes})


class Mounted:
    """Shows tls.crt and tls.key of a directory, and looks whether they changed."""

    def __init__(self, directory: str, doorkeeper: Doorkeeper) -> None:
        self._directory = Path(directory)
        self._doorkeeper = doorkeeper

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            self.turn()
            await asyncio.sleep(SECONDS if self._doorkeeper.ready else FIRST_SECONDS)

    def turn(self) -> None:
        """Shows what the files hold now. Half-written ones are not shown: a certificate and the key of another do not load."""
        try:
            self._doorkeeper.show("\n".join((self._directory / file).read_text() for file in ("tls.crt", "tls.key")))
        except (OSError, ValueError, ssl.SSLError) as trouble:
            log.warning("no certificate in %s: %s; the last one is shown", self._directory, trouble)
