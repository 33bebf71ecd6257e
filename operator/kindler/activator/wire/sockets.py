"""What the wire asks of the kernel about a connection, beside what a transport offers."""

from __future__ import annotations

import asyncio
import fcntl
import socket
import struct
import sys
import termios
from typing import Final

_RESET: Final = struct.pack("ii", 1, 0)


def reset(transport: asyncio.Transport) -> None:
    """Cuts the connection so that the peer sees it: after a plain close, an answer that ends with the connection would look complete."""
    sock = transport.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    transport.abort()


def unsent(transport: asyncio.Transport) -> int:
    """Bytes that the peer's kernel has not acknowledged: those in the transport and, on Linux, those in our kernel, where our FIN counts for one."""
    count = transport.get_write_buffer_size()
    sock = transport.get_extra_info("socket")
    if sock is None or sys.platform != "linux":
        return count
    try:
        (queued,) = struct.unpack("i", fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, b"\0\0\0\0"))
    except OSError:
        return count
    return count + int(queued)


def notice_lost_peers(sock: socket.socket) -> None:
    """Lets the kernel find out that a client is not there any more of whom nothing is heard, not even that it left: its held request must not reach a model.

    Connections inherit this from the listening socket (on Linux), so that it costs nothing per connection.
    """
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if sys.platform == "linux":
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 15)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 5)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)
