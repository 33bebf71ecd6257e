"""Which pod takes the next request: warm before demand, each most recently used first, so that the rest grow idle and can go.

A small state machine without I/O or clock over seats (pods that answer). A seat is free while it has room: its `in_use` is below the limit per instance.
"""

from __future__ import annotations

from typing import Generic, Protocol, TypeVar


class PlacementBackend(Protocol):
    """What placement needs of a pod. `in_use`: requests now in it, counted here alone."""

    in_use: int


S = TypeVar("S", bound=PlacementBackend)


class Placement(Generic[S]):
    """The usable pods of one revision. Dicts serve as ordered sets: the last key is the most recently used seat, and comes first."""

    __slots__ = ("demand", "free_demand", "free_warm", "per_instance", "warm")

    def __init__(self, per_instance: int) -> None:
        self.per_instance = per_instance
        self.warm: dict[S, None] = {}
        self.demand: dict[S, None] = {}
        self.free_warm: dict[S, None] = {}
        self.free_demand: dict[S, None] = {}

    def add(self, backend: S, warm: bool) -> None:
        """A pod is usable from now on; as the least recently used, so that a newcomer does not push a busy pod into idleness."""
        (self.warm if warm else self.demand)[backend] = None
        free = self.free_warm if warm else self.free_demand
        if backend.in_use < self.per_instance:
            others = list(free)
            free.clear()
            free.update(dict.fromkeys([backend, *others]))

    def remove(self, backend: S) -> None:
        """No new request for this pod; those in it go on. Nothing happens if it is not here."""
        for backends in (self.warm, self.demand, self.free_warm, self.free_demand):
            backends.pop(backend, None)

    def take(self) -> S | None:
        """A seat for one request, counted in at once; None when all are full."""
        free = self.free_warm or self.free_demand
        if not free:
            return None
        backend, _ = free.popitem()
        backend.in_use += 1
        if backend.in_use < self.per_instance:
            free[backend] = None
        return backend

    def give_back(self, backend: S) -> None:
        """One request left the seat; it is now the most recently used one."""
        backend.in_use -= 1
        free = self.free_warm if backend in self.warm else self.free_demand if backend in self.demand else None
        if free is not None and backend.in_use < self.per_instance:
            free.pop(backend, None)
            free[backend] = None

    def limit(self, per_instance: int) -> None:
        """Changes how many requests a pod takes; seats above it take none until they are below."""
        self.per_instance = per_instance
        for backends, free in ((self.warm, self.free_warm), (self.demand, self.free_demand)):
            order = [*(s for s in backends if s not in free), *free]
            free.clear()
            free.update(dict.fromkeys(s for s in order if s.in_use < per_instance))

    @property
    def allocated(self) -> int:
        """How many requests the seats of the warm pool take, free or not."""
        return len(self.warm) * self.per_instance

    def room(self, warm: bool) -> int:
        """How many more requests the free seats of a pool would take."""
        return sum(self.per_instance - s.in_use for s in (self.free_warm if warm else self.free_demand))
