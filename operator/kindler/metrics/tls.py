"""The TLS of the API port: which certificate is shown, and from whose clients it takes connections. Both change while it runs."""

from __future__ import annotations

import os
import ssl
from weakref import WeakSet


class TlsContext:
    """`context` is what the server listens with; each new connection is handled by what is right then. Until both are known, none is taken.

    A client without a certificate of the authorities does not come through the handshake: whoever else reaches the port can hold nothing. Sessions are not
    resumed, so that each connection is judged by the authorities of its day; `outdated` tells those of another day.
    """

    def __init__(self) -> None:
        self.context = _context()
        self.context.sni_callback = self._choose  # also called where the client names no server
        self._present: ssl.SSLContext | None = None
        self._shown = ""
        self._authorities = ""
        self._valid: WeakSet[ssl.SSLContext] = WeakSet()

    @property
    def ready(self) -> bool:
        """Whether connections can be taken."""
        return self._present is not None

    def outdated(self, connection: ssl.SSLObject) -> bool:
        """Whether its client was judged by authorities that are in force no more."""
        return connection.context not in self._valid

    def show(self, pair: str) -> None:
        """The certificate and its key, PEM one after the other. Raises ssl.SSLError when they are none; what was shown before then stays."""
        self._renew(pair, self._authorities)

    def trust(self, authorities: str) -> None:
        """Whose clients may call: PEM. Raises ssl.SSLError when they are none; who was trusted before then stays so."""
        self._renew(self._shown, authorities)

    def _renew(self, pair: str, authorities: str) -> None:
        if (pair, authorities) == (self._shown, self._authorities):
            return
        present = None
        if pair:
            present = _context()
            _load(present, pair)
            _load(self.context, pair)
            if authorities:
                present.load_verify_locations(cadata=authorities)
        if authorities != self._authorities:
            self._valid.clear()
        self._shown, self._authorities = pair, authorities
        self._present = present if authorities else None
        if self._present is not None:
            self._valid.add(self._present)

    def _choose(self, connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> int | None:
        if self._present is None:
            return ssl.ALERT_DESCRIPTION_INTERNAL_ERROR
        connection.context = self._present
        return None


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.num_tickets = 0
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def _load(context: ssl.SSLContext, pair: str) -> None:
    """Python loads keys from files alone: this one is in memory, and gone before the function returns."""
    descriptor = os.memfd_create("certificate")
    try:
        os.write(descriptor, pair.encode())
        context.load_cert_chain(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)
