"""Operations on a connection's socket that asyncio transports do not offer."""

from __future__ import annotations

import asyncio
import fcntl
import socket
import struct
import sys
import termios
from typing import Final

_LINGER_ZERO: Final = struct.pack("ii", 1, 0)  # close sends RST instead of FIN


def reset(transport: asyncio.Transport) -> None:
    """Closes with RST. With FIN, a response that ends when the connection closes would look complete to the client."""
    sock = transport.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
    transport.abort()


def unsent(transport: asyncio.Transport) -> int:
    """Bytes that the peer's kernel has not acknowledged: bytes in the transport and, on Linux, bytes in our kernel.

    In our kernel a pending FIN counts as one byte.
    """
    count = transport.get_write_buffer_size()
    sock = transport.get_extra_info("socket")
    if sock is None or sys.platform != "linux":
        return count
    try:
        (queued,) = struct.unpack("i", fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, b"\0\0\0\0"))
    except OSError:
        return count
    return count + int(queued)


def enable_keepalive(sock: socket.socket) -> None:
    """Enables TCP keepalive to detect clients that vanish without FIN or RST.

    The held request of such a client must not reach a model. Set the option on the listening socket. On Linux, accepted
    connections inherit it, so it costs nothing per connection.
    """
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if sys.platform == "linux":
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 15)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 5)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)
