"""How many pods a number of concurrent requests needs."""

from __future__ import annotations

from kindler.api.route import Route


def instances(concurrency: int, route: Route) -> int:
    """The number of pods that `concurrency` simultaneous requests need."""
    return -(-concurrency // route.max_concurrency_per_instance)
