"""The bytes of a request that are kept until a backend has taken them.

A request has a HeldBody only if it must wait: for a look-up, for a free backend, or for a connect. The bytes count
towards the process's limit on held bytes. They still count while they wait in the write buffer of a pod's connection,
because they use memory there, too.
"""

from __future__ import annotations

from kindler.activator.wire.roles import RequestRouter


class HeldBody:
    """`first`: the head as it was received, with the body bytes of the same read. `rest`: later bytes of the body."""

    __slots__ = ("_reserved", "_router", "first", "rest")

    def __init__(self, router: RequestRouter, first: bytes) -> None:
        self.first = first
        self.rest = bytearray()
        self._router = router
        self._reserved = 0  # bytes

    def reserve_first(self) -> bool:
        """Reserves the bytes of `first`; call it once. False: the process's limit is reached."""
        return self._reserve(len(self.first))

    def add(self, data: bytes) -> bool:
        """Keeps more of the body. False: the process's limit is reached, and `data` is not kept."""
        if not self._reserve(len(data)):
            return False
        self.rest += data
        return True

    def written(self) -> None:
        """Drops its references to the bytes, which are now in a write buffer. They stay reserved until `release`."""
        self.first = b""
        self.rest = bytearray()

    def release(self) -> None:
        """Returns the reserved bytes, because the pod has taken them or will never take them."""
        self.written()
        self._router.reserve_bytes(-self._reserved)
        self._reserved = 0

    def _reserve(self, count: int) -> bool:
        if not self._router.reserve_bytes(count):
            return False
        self._reserved += count
        return True
