"""One endpoint on one activator: admission, held requests, pods and pools, counters.

Belongs here: state, and methods that never await. Does not belong here: bytes (activator.wire), requests to the
cluster (activator.cluster) and pure decisions (core.dataplane).
"""
