"""Code that all processes share: settings, signals, exit status, HTTP server, token checks, logs, background tasks.

Belongs here: code that at least two processes run and that does not know which process it is in. Does not belong here:
rules (core) and requests to the API server (clients).
"""
