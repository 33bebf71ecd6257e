"""How many demand pods the current load needs."""

from __future__ import annotations


def desired_replicas(executing: int, held: int, warm_room: int, per_instance: int, max_concurrency: int) -> int:
    """Desired size of the demand pool.

    The pool must run the `executing` requests that it runs now, and the `held` requests that exceed the free slots of
    the warm pool (`warm_room`). The size is at most ceil(max_concurrency / per_instance), because no more pods can ever
    be busy.
    """
    load = executing + max(0, held - warm_room)
    return min(_ceil(load, per_instance), _ceil(max_concurrency, per_instance))


def _ceil(count: int, by: int) -> int:
    return -(-count // by)
