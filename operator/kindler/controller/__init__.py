"""When to look at an Endpoint, and in which order to act: ear (kopf), keyed queue, observe, apply, report.

Lives here: one process's shell around core's decisions. Must not live here: rules (core), traffic (activator), Kubernetes calls (clients).
"""
