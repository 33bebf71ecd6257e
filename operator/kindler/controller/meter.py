"""The loads that the controller measures itself, for Endpoints whose size no HPA can compute now.

core/autoscaling/decide.py decides which Endpoints these are.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from kindler.api.autoscaling import CustomizedMetricSpecification, ScalableTarget
from kindler.api.route import Route
from kindler.clients.cluster import Object
from kindler.clients.foreign import ForeignMetrics, MetricResult
from kindler.clients.sampler import Sampler
from kindler.controller.directory import Key
from kindler.core.autoscaling.decision import Load, ScalingDecision
from kindler.core.autoscaling.entry import entry_for
from kindler.core.autoscaling.metrics.loads import foreign, loads_of
from kindler.core.autoscaling.metrics.usage import WINDOW, NoData
from kindler.core.autoscaling.tracking import History
from kindler.core.common.timestamps import parse_timestamp

FIRST_MINUTE: Final = WINDOW + 5.0  # seconds of sampling before "no data" is reported

ForeignResults = dict[CustomizedMetricSpecification, MetricResult]


@dataclass(slots=True)
class _Measured:
    """The data of one measured Endpoint. `foreign`: the last results of its foreign metrics; `reading`: the task that
    reads them again.

    `idle`: of the loads, only a request can change the decision. The meter detects a request when the activators' load
    seconds differ from `load_seconds`, the value at the last read.
    """

    history: History
    uid: str = ""
    load_seconds: float = 0.0
    idle: bool = False
    foreign: ForeignResults = field(default_factory=dict)
    reading: asyncio.Task[ForeignResults] | None = None


class LoadMeter:
    """Remembers between passes which Endpoints are measured. While at least one is, it samples the activators.

    A pass never waits for a response: it gets what was read between the previous pass and this one. `enqueue` requests
    a pass for an Endpoint that was idle and is in use again. `clock`: epoch seconds.
    """

    def __init__(
        self,
        sampler: Sampler,
        foreign_metrics: ForeignMetrics,
        clock: Callable[[], float],
        enqueue: Callable[[Key], None],
    ) -> None:
        self._enqueue = enqueue
        self._sampler = sampler
        self._foreign_metrics = foreign_metrics
        self._clock = clock
        self._measured: dict[Key, _Measured] = {}
        self._active, self._inactive = asyncio.Event(), asyncio.Event()
        self._sampling_since = math.inf

    async def run(self) -> None:
        """Samples the activators while any Endpoint is measured. Runs until cancelled."""
        try:
            while True:
                await self._active.wait()
                self._sampling_since = self._clock()
                await _run_until(self._inactive, self._sampler.run(), self._watch_idle())
        finally:
            for key in list(self._measured):
                self.note(key, None)

    def note(self, key: Key, decision: ScalingDecision | None) -> None:
        """Stores the decision of a pass. None: there is nothing to scale."""
        if decision is not None and decision.measures_load:
            measured = self._measured.setdefault(key, _Measured(()))
            measured.history, measured.idle = decision.history, decision.idle
        elif (removed := self._measured.pop(key, None)) and removed.reading:
            removed.reading.cancel()
        on, off = (self._active, self._inactive) if self._measured else (self._inactive, self._active)
        on.set()
        off.clear()

    async def _watch_idle(self) -> None:
        """Requests a pass for each Endpoint that is not idle any more."""
        while True:
            await self._sampler.next_sample()
            for key, measured in list(self._measured.items()):
                if measured.idle and self._sampler.load_seconds(measured.uid) != measured.load_seconds:
                    measured.idle = False
                    self._enqueue(key)

    def history(self, key: Key) -> History:
        """The recommendations that the last pass stored."""
        measured = self._measured.get(key)
        return measured.history if measured else ()

    def loads(self, key: Key, endpoint: Object, next_variant: str | None) -> Mapping[str, Load]:
        """Loads by policyName. Empty if the Endpoint need not be measured, or was not measured yet.

        `next_variant`: see entry_for.
        """
        measured, parsed = self._measured.get(key), _parse(endpoint, next_variant)
        if measured is None or parsed is None:
            return {}
        target, route = parsed
        specs, metadata = foreign(target), endpoint["metadata"]
        foreign_values = self._foreign_values(key, measured, specs)
        created, uid = parse_timestamp(metadata.get("creationTimestamp")), str(metadata["uid"])
        measured.uid, measured.load_seconds = uid, self._sampler.load_seconds(uid)
        usage = self._sampler.usage(uid, math.inf if created is None else self._clock() - created)
        sampled_a_minute = self._clock() - self._sampling_since >= FIRST_MINUTE
        if len(foreign_values) < len(specs) or (isinstance(usage, NoData) and not sampled_a_minute):
            return {}
        name = str(endpoint["spec"].get("endpointName") or metadata["name"])
        return loads_of(target, route, usage, foreign_values, name)

    def _foreign_values(
        self, key: Key, measured: _Measured, specs: Mapping[str, CustomizedMetricSpecification]
    ) -> dict[str, MetricResult]:
        """The foreign metrics that were read so far, by policyName. Reads them again in the background."""
        if measured.reading and measured.reading.done():
            measured.foreign, measured.reading = measured.reading.result(), None
        if specs and measured.reading is None:
            measured.reading = asyncio.create_task(
                self._read_foreign(key.namespace, tuple(specs.values())), name=f"metrics of {'/'.join(key)}"
            )
            if not measured.foreign:
                measured.reading.add_done_callback(lambda _: self._enqueue(key))
        return {policy: measured.foreign[spec] for policy, spec in specs.items() if spec in measured.foreign}

    async def _read_foreign(self, namespace: str, specs: tuple[CustomizedMetricSpecification, ...]) -> ForeignResults:
        results = await asyncio.gather(*(self._foreign_metrics.value(namespace, spec) for spec in specs))
        return dict(zip(specs, results, strict=True))


async def _run_until(stop: asyncio.Event, *parts: Coroutine[Any, Any, None]) -> None:
    """Runs endless coroutines until `stop` is set. Raises the error of a coroutine that ends before that."""
    tasks = [asyncio.create_task(part) for part in (*parts, stop.wait())]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _parse(endpoint: Object, next_variant: str | None) -> tuple[ScalableTarget, Route] | None:
    try:
        route = Route.from_json(endpoint["status"]["route"])
        entry, _ = entry_for(endpoint, route.variant_name, next_variant)
        return (ScalableTarget.parse(dict(entry)), route) if entry else None
    except (KeyError, TypeError, ValueError):
        return None
