"""Decisions of the activator about one request and its pods: pure functions and small state machines.

Belongs here: addresses, admission, placement, scaling up and down, outlier detection.
Does not belong here: I/O and clocks, bytes, connections, tasks and writes to the cluster (activator), decisions of the
controller (core.endpoint).
"""
