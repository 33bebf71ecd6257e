"""The metrics API that HorizontalPodAutoscalers read: how loaded each endpoint is, measured at the activators, served through the API server.

Lives here: the process, its HTTPS server, its certificate, whom it trusts. Must not live here: what a metric means (core), Kubernetes calls (clients).
"""
