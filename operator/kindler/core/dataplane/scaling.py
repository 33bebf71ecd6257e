"""How many demand pods the present load needs: `wanted`."""

from __future__ import annotations


def desired_replicas(executing: int, held: int, warm_room: int, per_instance: int, max_concurrency: int) -> int:
    """Pods of the demand pool that `executing` requests in it and `held` ones need, beyond what free places of the warm pool will take.

    Never more than what the endpoint's limit can fill: ceil(max_concurrency / per_instance).
    """
    load = executing + max(0, held - warm_room)
    return min(_ceil(load, per_instance), _ceil(max_concurrency, per_instance))


def _ceil(count: int, by: int) -> int:
    return -(-count // by)
