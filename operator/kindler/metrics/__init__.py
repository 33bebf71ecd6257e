"""The metrics API that HPAs read through the API server: the load of each endpoint, measured at the activators.

Belongs here: the process, its HTTPS server, its certificate, its authentication of clients. Does not belong here: the
meaning of a metric (core) and requests to Kubernetes (clients).
"""
