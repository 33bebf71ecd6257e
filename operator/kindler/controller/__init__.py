"""When to reconcile an object, and in which order to act: watcher (kopf), work queue, observe, apply, report.

Belongs here: what one process does around core's decisions. Does not belong here: rules (core), traffic (activator),
Kubernetes calls (clients).
"""
