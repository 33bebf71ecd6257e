"""What happens to one request: route, admit, hold, wake, place, forward, account.

Lives here: the data plane's process. Must not live here: rules (core), the shape of pods (controller through core), Kubernetes calls (clients).
"""
