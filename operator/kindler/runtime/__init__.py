"""What every process shares: settings, signals and exit status, the HTTP server, token checks, logs, background tasks.

Belongs here: code that at least two processes run and that does not know which process it is in. Does not belong here:
rules (core) and requests to the API server (clients).
"""
