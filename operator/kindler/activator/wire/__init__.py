"""Bytes: HTTP/1.1 heads, bodies and connections on both sides of the activator.

Lives here: scanners and the two connection state machines. Must not live here: admission, pods, Kubernetes; the wire knows `activator.calls` alone.

    head  response  chunked  body  answers      pure: bytes in, values out
    client -> exchange -> upstream              a client's connection, one request, a connection to a pod
    listener  sweep  shared  sockets            the port, its clock, what all connections share, what the kernel is asked
"""

from kindler.activator.wire.backend import close_idle
from kindler.activator.wire.listener import Listener, start

__all__ = ["Listener", "close_idle", "start"]
