"""A real API server passes the same cases as the one in memory (tests/wiring/test_apiserver_conformance.py)."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest
import pytest_asyncio

from kindler.clients.cluster import LEASES, Cluster, Conflict

pytest.register_assert_rewrite("tests.apiserver.conformance")

from tests.apiserver.conformance import CASES, Case, World  # noqa: E402
from tests.apiserver.conformance.bodies import CRDS, NAMESPACES, THINGS_CRD  # noqa: E402


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def things() -> AsyncIterator[None]:
    """Creates the kind that the cases use, and deletes it after the last case."""
    name = THINGS_CRD["metadata"]["name"]
    cluster = Cluster()
    await cluster.connect()
    created = True
    try:
        await cluster.create(CRDS, None, THINGS_CRD)
    except Conflict:  # another run created it, perhaps just now
        created = False
    async with asyncio.timeout(60), aclosing(cluster.watch(CRDS, None)) as stream:
        async for _, crd in stream:
            conditions = crd.get("status", {}).get("conditions", [])
            if crd["metadata"].get("name") == name and any(
                c["type"] == "Established" and c["status"] == "True" for c in conditions
            ):
                break
    yield
    if created:
        await cluster.delete(CRDS, None, name)
    await cluster.close()


@pytest.fixture
async def world(things: None) -> AsyncIterator[World]:
    """The cluster of $KUBECONFIG, with a new namespace that is deleted afterwards."""
    cluster = Cluster()
    await cluster.connect()
    name = f"conformance-{uuid.uuid4().hex[:8]}"
    try:
        await cluster.create(NAMESPACES, None, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        has_collector = await cluster.get(LEASES, "kube-system", "kube-controller-manager") is not None
        # No request makes a real server drop its history. But its history has only the changes since it started, so
        # version 1 is always too old.
        yield World(cluster, None, name, has_collector, drop_history=lambda: None)
        await cluster.delete(NAMESPACES, None, name)
    finally:
        await cluster.close()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
async def test_case_passes_on_a_real_server(case: Case, world: World) -> None:
    await case(world)
