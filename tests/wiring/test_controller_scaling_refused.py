"""Autoscaling while the cluster rejects writes: the serving pool still scales, and two actors never size one pool."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.apiserver import matching
from tests.unit.builders import scaling
from tests.wiring.controlled import World, config, endpoint, model, world
from tests.wiring.test_controller_autoscaling import action, at, sized

ALWAYS = float("inf")
DENIED = 'admission webhook "x" denied the request'


@pytest.fixture
async def w(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    """An endpoint in service with 2 units of provisioned concurrency and autoscaling between 1 and 10."""
    async with world(tmp_path, monkeypatch) as made:
        made.metrics_api()
        made.apply(model(), config(limit=20, provisionedConcurrency=2), endpoint(autoscaling=[scaling(1, 10)]))
        await made.start()
        await made.reaches("echo", "InService", "True", "True")
        made.serve()
        await made.until(lambda: made.hpa() and made.warm() == 2)
        yield made


async def rejected_update(w: World) -> None:
    w.server.faults.fail(403, matching("create", "replicasets"), times=ALWAYS, message=DENIED)
    w.apply(config("bigger", memory=2048, limit=20))
    w.rename("echo", "bigger")
    await w.until(lambda: DENIED in str(w.status()["conditions"]))


async def test_a_schedule_acts_while_an_update_is_rejected(w: World) -> None:
    await rejected_update(w)
    moment = int(time.time()) + 2
    w.autoscale(scaling(1, 10, scheduledActions=[action("morning", at(moment), minCapacity=4)]))
    await w.until(lambda: w.bounds() == (4, 10))
    assert time.time() >= moment
    assert w.status()["endpointConfigName"] == "echo"


async def test_autoscaling_can_be_removed_while_an_update_is_rejected(w: World) -> None:
    await rejected_update(w)
    w.scales(5)
    w.autoscale()
    await w.until(lambda: not w.hpa() and w.warm() == 2)


async def test_a_pool_is_not_scaled_while_its_hpa_cannot_be_deleted(w: World) -> None:
    w.scales(5)
    fault = w.server.faults.fail(403, matching("delete", "horizontalpodautoscalers"), times=ALWAYS, message=DENIED)
    w.autoscale()
    await w.until(lambda: DENIED in str(w.status()["conditions"]))
    met = fault.met
    w.scales(6)
    await w.until(lambda: fault.met > met)
    assert (w.warm(), sized(w)) == (6, [])
    fault.end()
    w.patch("endpoints", "echo", {"metadata": {"labels": {"reconcile": "now"}}})
    await w.until(lambda: not w.hpa() and w.warm() == 2)
