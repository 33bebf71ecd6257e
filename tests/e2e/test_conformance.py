"""A real API server does what the one in memory claims that it does (tests/wiring/test_apiserver_conformance.py)."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator

import pytest

from kindler.clients.cluster import LEASES, Cluster

pytest.register_assert_rewrite("tests.apiserver.conformance")

from tests.apiserver.conformance import CASES, NAMESPACES, Case, World  # noqa: E402


@pytest.fixture
async def world() -> AsyncIterator[World]:
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
