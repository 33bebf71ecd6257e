"""When to reconcile an object, and in which order to act: watcher (kopf), work queue, observe, apply, report.

Belongs here: what the controller does before and after core's decisions. Does not belong here: rules (core), requests
to models (activator), requests to Kubernetes (clients).
"""
