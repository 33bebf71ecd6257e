"""The metrics API that HPAs read: the load of each endpoint, measured at the activators, served through the API server.

Belongs here: the process, its HTTPS server, its certificate, its authentication of clients. Does not belong here: the
meaning of a metric (core) and requests to Kubernetes (clients).
"""
