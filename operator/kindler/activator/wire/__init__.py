"""HTTP/1.1 on both sides of the activator: heads, bodies, connections from clients and connections to pods.

Belongs here: scanners of bytes, and the state machines of connections.
Does not belong here: admission, pods, Kubernetes. From other packages, the wire uses only the types of
`activator.endpoint.requests` and `api.settings`.

    grammar  head  response  chunked  body  localreply    pure: bytes in, values out
    state  heldbody                                       the states of a request; the bytes of a request that waits
    client -> stream, clientresponse -> backend           a client's connection, one request, a connection to a pod
    roles                                                 Protocols through which these modules use each other
    listener  context  sweep  sockets  writeprogress      the port, what connections share, deadlines, socket options
"""

from kindler.activator.wire.backend import close_idle
from kindler.activator.wire.listener import Listener, start

__all__ = ["Listener", "close_idle", "start"]
