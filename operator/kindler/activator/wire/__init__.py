"""Bytes: HTTP/1.1 heads, bodies and connections on both sides of the activator.

Lives here: scanners and the two connection state machines. Must not live here: admission, pods, Kubernetes; the wire knows `activator.calls` alone.
"""
