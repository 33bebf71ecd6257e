"""What the activator reads from the cluster and writes to it.

Belongs here: watch events for the throttlers, look-ups of Endpoints, probes of pods, and the writer, which does all
writes.

Does not belong here: decisions (core.dataplane, activator.endpoint) and bytes of requests (activator.wire).
"""
