"""Foreign metrics whose servers hang, respond late, or return invalid values.

No caller waits long, and no reason reveals what users must not know.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from kindler.api.autoscaling import CustomizedMetricSpecification
from kindler.api.settings import Prometheus
from kindler.clients.cluster import Cluster
from kindler.clients.foreign import FRESH_SECONDS, MAX_AGE_SECONDS, RETRY_SECONDS, ForeignMetrics, MetricResult
from kindler.core.autoscaling.metrics.usage import NoData
from tests.apiserver import ApiServer

METRIC = CustomizedMetricSpecification.model_validate(
    {"metricName": "queue", "namespace": "Mine", "statistic": "Average"}
)
PATH = "/apis/external.metrics.k8s.io/v1beta1/namespaces/team/queue"


@dataclass
class World:
    server: ApiServer
    cluster: Cluster
    now: float = 1000.0
    made: list[ForeignMetrics] = field(default_factory=list)

    def foreign(self, url: str = "", wait_seconds: float = 20.0, timeout_seconds: float = 20.0) -> ForeignMetrics:
        self.made.append(ForeignMetrics(self.cluster, Prometheus(url), lambda: self.now, wait_seconds, timeout_seconds))
        return self.made[-1]

    def serve(self, *values: str) -> None:
        self.server.raw[PATH] = json.dumps({"items": [{"value": value} for value in values]}).encode()

    @property
    def requests(self) -> int:
        return sum(request.path == PATH for request in self.server.log)


@pytest.fixture
async def w(tmp_path: Path) -> AsyncIterator[World]:
    async with ApiServer(namespaces=("team",)) as server:
        cluster = Cluster()
        await cluster.connect(server.kubeconfig(tmp_path))
        made = World(server, cluster)
        yield made
        server.faults.clear()
        for foreign in made.made:
            await foreign.close()
        assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("metric ")], (
            "nothing is left running"
        )
        await cluster.close()


def reason(answer: MetricResult) -> str:
    assert isinstance(answer, NoData), answer
    return answer.reason


async def test_one_result_serves_all_callers_at_a_time(w: World) -> None:
    foreign = w.foreign()
    w.serve("1", "500m")
    assert await asyncio.gather(*(foreign.value("team", METRIC) for _ in range(9))) == [1.5] * 9
    assert w.requests == 1
    w.now += FRESH_SECONDS
    w.serve("2")
    assert (await foreign.value("team", METRIC), w.requests) == (2.0, 2)


async def test_no_caller_waits_for_a_server_that_hangs(w: World) -> None:
    held = w.server.faults.hold(lambda request: request.path == PATH)
    foreign = w.foreign(wait_seconds=0.01, timeout_seconds=0.05)
    assert "has not answered for 'queue' yet" in reason(await foreign.value("team", METRIC))
    await held.arrived.wait()
    while "within 0.05 s" not in (reported := reason(await foreign.value("team", METRIC))):
        assert "yet" in reported
    w.now += RETRY_SECONDS - 1
    assert "within 0.05 s" in reason(await foreign.value("team", METRIC))
    assert w.requests == 1, "it is not requested again for a while"


async def test_while_a_server_is_slow_its_last_result_is_used(w: World) -> None:
    foreign = w.foreign()
    w.serve("7")
    assert await foreign.value("team", METRIC) == 7
    foreign.wait_seconds = 0.0
    w.now += 15
    held = w.server.faults.hold(lambda request: request.path == PATH)
    w.serve("8")
    assert await foreign.value("team", METRIC) == 7
    await held.arrived.wait()
    w.now += MAX_AGE_SECONDS
    assert "yet" in reason(await foreign.value("team", METRIC))


@pytest.mark.parametrize("values", [(), ("1e999",), ("1", "-1e999")])
async def test_a_value_that_is_no_number_is_no_data(w: World, values: tuple[str, ...]) -> None:
    w.serve(*values)
    assert "has no value of 'queue'" in reason(await w.foreign().value("team", METRIC))


async def test_reasons_do_not_reveal_the_address_of_prometheus(w: World) -> None:
    reported = reason(await w.foreign("http://admin:hunter2@127.0.0.1:1/deep").value("team", METRIC))
    assert reported == "the installation's Prometheus does not answer: ClientConnectorError"
