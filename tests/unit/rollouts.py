"""Observed states for the tests of the rollout: one revision serves while another one starts."""

from __future__ import annotations

from kindler.core.common.blockers import Blocker, BlockerKind
from kindler.core.endpoint.state import Observed, RolloutPlan
from tests.unit.builders import (
    NOW,
    observed,
    pods_of,
    pool,
    resolved,
    route,
    serving,
    stored_revision,
)

OLD, NEW = resolved("v1"), resolved("v2", memory_size_in_mb=2048)
WARM = resolved("v3", provisioned_concurrency=4, max_concurrency_per_instance=2)
MISSING = Blocker(BlockerKind.WAITING, "ModelNotFound", "no model")


def desired_pools(rollout: RolloutPlan) -> dict[str, tuple[int, int | None]]:
    return {w.name: (w.start, w.size) for w in rollout.pools}


def demand(what: object) -> str:
    return route(what).demand_pool  # type: ignore[arg-type]


def building(ready: bool = False, begun: float = NOW - 5, attempt: int = 0, **pods: object) -> Observed:
    """OLD serves, NEW is starting."""
    base = serving(OLD, refs=NEW, config="v2")
    new = stored_revision(NEW, at=int(begun), attempt=attempt)
    coming = pool(NEW, of=new)
    made = pods_of(coming, ready=ready, **pods)  # type: ignore[arg-type]
    return observed(
        base.endpoint,
        NEW,
        revisions=(*base.revisions, new),
        pools=(*base.pools, coming),
        pods=(*base.pods, *made),
        service=base.service,
    )
