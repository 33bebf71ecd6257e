"""Cases: leases, events, and paths that belong to no kind."""

from __future__ import annotations

import pytest

from kindler.clients.cluster import EVENTS, LEASES, Conflict, Invalid, NotFound
from tests.apiserver.conformance.bodies import THINGS, thing
from tests.apiserver.conformance.world import World, case


@case
async def a_lease_is_updated_only_with_the_current_version(world: World) -> None:
    spec = {
        "holderIdentity": "a",
        "leaseDurationSeconds": 15,
        "renewTime": "2026-11-24T10:00:00.123456Z",
        "leaseTransitions": 0,
    }
    body = {"apiVersion": LEASES.api_version, "kind": "Lease", "metadata": {"name": "l"}, "spec": spec}
    first = await world.cluster.create(LEASES, world.namespace, body)
    second = await world.cluster.update(LEASES, world.namespace, "l", first | {"spec": spec | {"holderIdentity": "b"}})
    assert second["spec"]["renewTime"] == "2026-11-24T10:00:00.123456Z"
    with pytest.raises(Conflict):
        await world.cluster.update(LEASES, world.namespace, "l", first | {"spec": spec | {"holderIdentity": "c"}})
    with pytest.raises(Invalid):
        await world.cluster.update(LEASES, world.namespace, "l", body)


@case
async def an_event_about_an_object_is_stored(world: World) -> None:
    made = await world.cluster.create(THINGS, world.namespace, thing("e"))
    regarding = {
        "apiVersion": THINGS.api_version,
        "kind": "Thing",
        "name": "e",
        "namespace": world.namespace,
        "uid": made["metadata"]["uid"],
    }
    body = {
        "apiVersion": EVENTS.api_version,
        "kind": "Event",
        "metadata": {"name": "e.1"},
        "eventTime": "2026-11-24T10:00:00.123456Z",
        "reportingController": "serving.kindler.dev/controller",
        "reportingInstance": "controller-0",
        "action": "Create",
        "reason": "Ready",
        "type": "Normal",
        "note": "serves",
        "regarding": regarding,
    }
    stored = await world.cluster.create(EVENTS, world.namespace, body)
    assert stored["regarding"] == regarding and stored["note"] == "serves"


@case
async def paths_outside_the_resources_can_be_read(world: World) -> None:
    assert b"keys" in await world.cluster.raw_get("/openid/v1/jwks")
    with pytest.raises(NotFound):
        await world.cluster.raw_get("/no/such/path")
