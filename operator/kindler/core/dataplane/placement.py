"""Which backend takes the next request: a warm backend before a demand backend, the most recently used backend first.

So the other backends become idle and can be removed. This module is a small state machine without I/O or clock. Its
backends are pods that answer. A backend has a free slot if its `in_use` is below the limit per instance.
"""

from __future__ import annotations

from typing import Generic, Protocol, TypeVar


class PlacementBackend(Protocol):
    """What placement needs to know of a backend. `in_use`: requests that it runs now; only Placement changes it."""

    in_use: int


B = TypeVar("B", bound=PlacementBackend)


class Placement(Generic[B]):
    """The usable backends of one revision.

    Dicts serve as ordered sets: the last key is the most recently used backend, and is taken first.
    """

    __slots__ = ("demand", "free_demand", "free_warm", "per_instance", "warm")

    def __init__(self, per_instance: int) -> None:
        self.per_instance = per_instance
        self.warm: dict[B, None] = {}
        self.demand: dict[B, None] = {}
        self.free_warm: dict[B, None] = {}
        self.free_demand: dict[B, None] = {}

    def add(self, backend: B, warm: bool) -> None:
        """Adds a usable backend as the least recently used one, so that the other backends stay in use."""
        (self.warm if warm else self.demand)[backend] = None
        free = self.free_warm if warm else self.free_demand
        if backend.in_use < self.per_instance:
            others = list(free)
            free.clear()
            free.update(dict.fromkeys([backend, *others]))

    def remove(self, backend: B) -> None:
        """Removes a backend, so that it gets no new request. Requests in it continue. Ignores an unknown backend."""
        for backends in (self.warm, self.demand, self.free_warm, self.free_demand):
            backends.pop(backend, None)

    def take(self) -> B | None:
        """A backend with a free slot; the slot counts as used at once. None if all backends are full."""
        free = self.free_warm or self.free_demand
        if not free:
            return None
        backend, _ = free.popitem()
        backend.in_use += 1
        if backend.in_use < self.per_instance:
            free[backend] = None
        return backend

    def give_back(self, backend: B) -> None:
        """Frees the slot of a request that left `backend`. The backend is now the most recently used one."""
        backend.in_use -= 1
        free = self.free_warm if backend in self.warm else self.free_demand if backend in self.demand else None
        if free is not None and backend.in_use < self.per_instance:
            free.pop(backend, None)
            free[backend] = None

    def limit(self, per_instance: int) -> None:
        """Changes how many requests a backend takes.

        A backend at or above the new limit takes no request until it is below the limit.
        """
        self.per_instance = per_instance
        for backends, free in ((self.warm, self.free_warm), (self.demand, self.free_demand)):
            order = [*(b for b in backends if b not in free), *free]
            free.clear()
            free.update(dict.fromkeys(b for b in order if b.in_use < per_instance))

    @property
    def allocated(self) -> int:
        """How many requests the backends of the warm pool can run together; used and free slots count."""
        return len(self.warm) * self.per_instance

    def room(self, warm: bool) -> int:
        """Free slots in a pool."""
        return sum(self.per_instance - b.in_use for b in (self.free_warm if warm else self.free_demand))
