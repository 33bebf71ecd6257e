"""What the activator reads from the cluster and writes to it.

Belongs here: watch events for the throttlers, look-ups of Endpoints, probes of pods, and the one gate for writes
(writer).

Does not belong here: decisions (core.dataplane, activator.endpoint) and bytes of requests (activator.wire).
"""
