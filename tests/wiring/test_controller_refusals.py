"""Rejected writes: the status reports them for every HTTP status code, and the controller's other work continues."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kindler.controller.directory import Key
from tests.apiserver import matching
from tests.wiring.controlled import NS, World, config, endpoint, model, world

IN_SERVICE = ("InService", "True", "True")
CREATING = ("Creating", "False", "False", "Reconciling")
ALWAYS = float("inf")


@pytest.fixture
async def w(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    async with world(tmp_path, monkeypatch) as made:
        await made.start()
        yield made


@pytest.mark.parametrize(
    ("status", "message", "at_once"),
    [
        (400, 'admission webhook "policy.example.com" denied the request: no owner is named', True),
        (500, 'Internal error occurred: failed calling webhook "policy.example.com": connection refused', True),
        (500, "etcdserver: no space left", False),
        (404, "the server could not find the requested resource", False),
    ],
)
async def test_a_rejection_of_any_kind_is_reported_and_retried(
    w: World, status: int, message: str, at_once: bool
) -> None:
    fault = w.server.faults.fail(status, matching("create", "replicasets"), times=ALWAYS, message=message)
    w.apply(model(), config(), endpoint())
    await w.until(lambda: message in str(w.status().get("conditions")))
    assert w.row() == CREATING
    assert (fault.met == 1) is at_once, "an error that may be temporary is not reported at its first occurrence"
    fault.end()
    await w.reaches("echo", *IN_SERVICE)


async def test_a_child_of_a_former_endpoint_that_is_not_deleted_is_reported(w: World) -> None:
    w.apply(model(), config(), endpoint())
    status = await w.reaches("echo", *IN_SERVICE)
    pool = status["route"]["pools"]["demand"]
    w.patch("replicasets", pool, {"metadata": {"finalizers": ["example.com/hold"]}}, group="apps")
    w.delete("endpoints", "echo")
    w.apply(endpoint())
    await w.until(lambda: f"{pool} of the former Endpoint" in str(w.status().get("conditions")))
    assert w.row() == CREATING
    w.patch("replicasets", pool, {"metadata": {"finalizers": None}}, group="apps")
    await w.reaches("echo", *IN_SERVICE)
    assert w.find("replicasets", pool, NS, "apps")


async def test_a_rejected_service_blocks_neither_creation_nor_update(w: World) -> None:
    message = 'services "echo" is forbidden: exceeded quota: none, requested: services=1'
    fault = w.server.faults.fail(403, matching("create", "services"), times=ALWAYS, message=message)
    w.apply(model(), config(), config("bigger", memory=2048), endpoint())
    await w.reaches("echo", "InService", "False", "True")
    assert w.reason() == "QuotaExceeded"
    assert "url" not in w.status(), "no Service of Kindler has that name"
    w.rename("echo", "bigger")
    await w.until(lambda: w.status()["endpointConfigName"] == "bigger")
    fault.end()
    w.controllers[0][0].enqueue(Key("Endpoint", NS, "echo"))
    await w.reaches("echo", *IN_SERVICE)


async def test_a_blocked_update_is_reported_and_does_not_change_the_route(w: World) -> None:
    w.apply(model(), config(), config("bigger", memory=2048), endpoint())
    before = (await w.reaches("echo", *IN_SERVICE))["route"]
    fault = w.server.faults.fail(403, matching("patch", "controllerrevisions"), times=ALWAYS, message="not today")
    w.rename("echo", "bigger")
    await w.until(lambda: "not today" in str(w.status()["conditions"]))
    assert w.row() == ("Updating", "Unknown", "True", "Reconciling")
    assert w.status()["route"] == before
    fault.end()
    w.controllers[0][0].enqueue(Key("Endpoint", NS, "echo"))
    await w.until(lambda: w.status()["endpointConfigName"] == "bigger")
