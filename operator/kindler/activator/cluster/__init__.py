"""What the activator reads from the cluster and writes to it.

Belongs here: watches brought to the throttlers, look-ups, probes of pods, and the one gate for writes.
Does not belong here: decisions (core.dataplane) and bytes of requests (activator.wire).
"""
