"""TLS of the API port: the certificate and the client CA. Both can change while the server runs."""

from __future__ import annotations

import os
import ssl
from weakref import WeakSet


class TlsContext:
    """`context`: the SSL context of the listening server. A new connection uses the current certificate and client CA.

    Until both are known, no connection is accepted. The handshake fails for a client without a certificate of the CA,
    so other clients that reach the port cannot occupy it. Sessions are not resumed. So each new connection is verified
    by the current CA, and `is_outdated` detects connections that were verified by an earlier CA.
    """

    def __init__(self) -> None:
        self.context = _context()
        self.context.sni_callback = self._select_context  # ssl calls it even if the client names no server
        self._current: ssl.SSLContext | None = None
        self._pair = ""
        self._client_ca = ""
        self._contexts_in_force: WeakSet[ssl.SSLContext] = WeakSet()

    @property
    def ready(self) -> bool:
        """Whether connections are accepted."""
        return self._current is not None

    def is_outdated(self, connection: ssl.SSLObject) -> bool:
        """Whether the client was verified by a CA that is not trusted any more."""
        return connection.context not in self._contexts_in_force

    def use_certificate(self, pair: str) -> None:
        """Uses a certificate and its key. `pair`: the PEM text of both, one after the other.

        Raises ssl.SSLError if they are invalid; then the previous pair stays in use.
        """
        self._update(pair, self._client_ca)

    def trust_client_ca(self, client_ca: str) -> None:
        """Trusts clients of this CA (PEM). Raises ssl.SSLError if it is invalid; then the previous CA stays in use."""
        self._update(self._pair, client_ca)

    def _update(self, pair: str, client_ca: str) -> None:
        if (pair, client_ca) == (self._pair, self._client_ca):
            return
        current = None
        if pair:
            current = _context()
            _load(current, pair)
            _load(self.context, pair)
            if client_ca:
                current.load_verify_locations(cadata=client_ca)
        if client_ca != self._client_ca:
            self._contexts_in_force.clear()
        self._pair, self._client_ca = pair, client_ca
        self._current = current if client_ca else None
        if self._current is not None:
            self._contexts_in_force.add(self._current)

    def _select_context(self, connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> int | None:
        if self._current is None:
            return ssl.ALERT_DESCRIPTION_INTERNAL_ERROR
        connection.context = self._current
        return None


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.num_tickets = 0
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def _load(context: ssl.SSLContext, pair: str) -> None:
    """Loads a pair from a file in memory, because Python loads keys only from files. The file is closed at the end."""
    descriptor = os.memfd_create("certificate")
    try:
        os.write(descriptor, pair.encode())
        context.load_cert_chain(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)
