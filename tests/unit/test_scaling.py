"""How many demand pods the load needs: one row per load."""

from __future__ import annotations

import pytest

from kindler.core.dataplane.scaling import desired_replicas


@pytest.mark.parametrize(
    ("executing", "held", "warm_room", "per_instance", "limit", "pods"),
    [
        (0, 0, 0, 1, 5, 0),
        (0, 1, 0, 1, 5, 1),
        (2, 1, 0, 1, 5, 3),
        (0, 3, 2, 1, 5, 1),  # requests that fit into the warm pool need no demand pod
        (1, 2, 5, 1, 5, 1),
        (0, 5, 0, 2, 5, 3),
        (4, 1, 0, 4, 8, 2),
        (9, 0, 0, 1, 5, 5),  # the 9 requests began under an earlier, larger limit; the new limit needs only 5 pods
        (0, 200, 0, 1, 200, 200),
        (0, 7, 0, 10, 5, 1),
    ],
)
def test_desired_replicas(executing: int, held: int, warm_room: int, per_instance: int, limit: int, pods: int) -> None:
    assert desired_replicas(executing, held, warm_room, per_instance, limit) == pods
