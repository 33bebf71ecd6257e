"""A real API server does what the one in memory claims that it does (tests/wiring/test_apiserver_conformance.py)."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest
import pytest_asyncio

from kindler.clients.cluster import LEASES, Cluster, Conflict

pytest.register_assert_rewrite("tests.apiserver.conformance", "tests.apiserver.conformance_scaling")

from tests.apiserver.conformance import CRDS, NAMESPACES, THINGS_CRD, Case, World  # noqa: E402
from tests.apiserver.conformance_scaling import CASES  # noqa: E402


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def things() -> AsyncIterator[None]:
    """The kind that the cases use is there, and goes with the last of them."""
    name = THINGS_CRD["metadata"]["name"]
    cluster = Cluster()
    await cluster.connect()
    ours = True
    try:
        await cluster.create(CRDS, None, THINGS_CRD)
    except Conflict:  # another run's, perhaps made just now
        ours = False
    async with asyncio.timeout(60), aclosing(cluster.watch(CRDS, None)) as stream:
        async for _, crd in stream:
            conditions = crd.get("status", {}).get("conditions", [])
            if crd["metadata"].get("name") == name and any(
                c["type"] == "Established" and c["status"] == "True" for c in conditions
            ):
                break
    yield
    if ours:
        await cluster.delete(CRDS, None, name)
    await cluster.close()


@pytest.fixture
async def world(things: None) -> AsyncIterator[World]:
    """The cluster of $KUBECONFIG, and a namespace that goes afterwards."""
    cluster = Cluster()
    await cluster.connect()
    name = f"conformance-{uuid.uuid4().hex[:8]}"
    try:
        await cluster.create(NAMESPACES, None, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        collects = await cluster.get(LEASES, "kube-system", "kube-controller-manager") is not None
        # A real server cannot be asked to forget; but it keeps changes in memory only since it started, so that version 1 is always too old.
        yield World(cluster, None, name, collects, forget=lambda: None)
        await cluster.delete(NAMESPACES, None, name)
    finally:
        await cluster.close()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
async def test_real(case: Case, world: World) -> None:
    await case(world)
