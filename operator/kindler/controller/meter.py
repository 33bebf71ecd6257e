"""What the controller has to measure itself: the loads of Endpoints whose size no HPA can compute now (core/autoscaling/decide.py says which)."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from kindler.api.autoscaling import CustomizedMetricSpecification, ScalableTarget
from kindler.api.route import Route
from kindler.clients.cluster import Object
from kindler.clients.foreign import Answer, ForeignMetrics
from kindler.clients.sampler import Sampler
from kindler.controller.directory import Key
from kindler.core.autoscaling.decision import Load, ScalingDecision
from kindler.core.autoscaling.entry import entry_for
from kindler.core.autoscaling.metrics.loads import foreign, loads_of
from kindler.core.autoscaling.metrics.usage import WINDOW, NoData
from kindler.core.autoscaling.tracking import History
from kindler.core.common.timestamps import parse_timestamp

FIRST_MINUTE: Final = WINDOW + 5.0  # seconds of asking until no data is news

Answers = dict[CustomizedMetricSpecification, Answer]


@dataclass(slots=True)
class _Measured:
    """One Endpoint. `told`: foreign metrics as they were asked for last; `asking`: what asks for them anew.

    `quiet`: only a request changes anything; seen by the counts of activators, which were `counted` when the loads were read.
    """

    history: History
    uid: str = ""
    counted: float = 0.0
    idle: bool = False
    told: Answers = field(default_factory=dict)
    asking: asyncio.Task[Answers] | None = None


class LoadMeter:
    """Remembers from pass to pass which Endpoints are measured; while there are any, activators are asked. `clock` gives epoch seconds.

    A pass never waits for an answer: it gets what was told since the one before. `ring`: asks for a look at a quiet Endpoint that is in use again.
    """

    def __init__(
        self, sampler: Sampler, others: ForeignMetrics, clock: Callable[[], float], ring: Callable[[Key], None]
    ) -> None:
        self._ring = ring
        self._sampler = sampler
        self._others = others
        self._clock = clock
        self._measured: dict[Key, _Measured] = {}
        self._busy, self._idle = asyncio.Event(), asyncio.Event()
        self._since = math.inf  # when activators began to be asked

    async def run(self) -> None:
        """Until it is cancelled."""
        try:
            while True:
                await self._busy.wait()
                self._since = self._clock()
                await _until(self._idle, self._sampler.run(), self._wake())
        finally:
            for key in list(self._measured):
                self.note(key, None)

    def note(self, key: Key, decided: ScalingDecision | None) -> None:
        """What a pass decided; None: there is nothing to decide about."""
        if decided is not None and decided.measures_load:
            measured = self._measured.setdefault(key, _Measured(()))
            measured.history, measured.idle = decided.history, decided.idle
        elif (gone := self._measured.pop(key, None)) and gone.asking:
            gone.asking.cancel()
        on, off = (self._busy, self._idle) if self._measured else (self._idle, self._busy)
        on.set()
        off.clear()

    async def _wake(self) -> None:
        """Rings for what is quiet no more."""
        while True:
            await self._sampler.asked()
            for key, measured in list(self._measured.items()):
                if measured.idle and self._sampler.counted(measured.uid) != measured.counted:
                    measured.idle = False
                    self._ring(key)

    def history(self, key: Key) -> History:
        """What the loads asked for lately, as the last pass left it."""
        measured = self._measured.get(key)
        return measured.history if measured else ()

    def loads(self, key: Key, endpoint: Object, next_variant: str | None) -> Mapping[str, Load]:
        """By policyName; empty where nothing has to be measured, or was measured yet. `next_variant`: see entry_for."""
        measured, read = self._measured.get(key), _read(endpoint, next_variant)
        if measured is None or read is None:
            return {}
        target, route = read
        asked, meta = foreign(target), endpoint["metadata"]
        told = self._told(key, measured, asked)
        created = parse_timestamp(meta.get("creationTimestamp"))
        measured.uid, measured.counted = str(meta["uid"]), self._sampler.counted(str(meta["uid"]))
        usage = self._sampler.usage(str(meta["uid"]), math.inf if created is None else self._clock() - created)
        if len(told) < len(asked) or (isinstance(usage, NoData) and self._clock() - self._since < FIRST_MINUTE):
            return {}
        return loads_of(target, route, usage, told, str(endpoint["spec"].get("endpointName") or meta["name"]))

    def _told(
        self, key: Key, measured: _Measured, asked: Mapping[str, CustomizedMetricSpecification]
    ) -> dict[str, Answer]:
        """By policyName, as far as it was told; asks anew in the background."""
        if measured.asking and measured.asking.done():
            measured.told, measured.asking = measured.asking.result(), None
        if asked and measured.asking is None:
            measured.asking = asyncio.create_task(
                self._ask(key.namespace, tuple(asked.values())), name=f"metrics of {'/'.join(key)}"
            )
            if not measured.told:
                measured.asking.add_done_callback(lambda _: self._ring(key))
        return {policy: measured.told[spec] for policy, spec in asked.items() if spec in measured.told}

    async def _ask(self, namespace: str, specs: tuple[CustomizedMetricSpecification, ...]) -> Answers:
        return dict(
            zip(specs, await asyncio.gather(*(self._others.value(namespace, spec) for spec in specs)), strict=True)
        )


async def _until(stop: asyncio.Event, *works: Coroutine[Any, Any, None]) -> None:
    """Does endless work until `stop`; raises what ended it before."""
    tasks = [asyncio.create_task(work) for work in (*works, stop.wait())]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _read(endpoint: Object, next_variant: str | None) -> tuple[ScalableTarget, Route] | None:
    try:
        route = Route.from_json(endpoint["status"]["route"])
        entry, _ = entry_for(endpoint, route.variant_name, next_variant)
        return (ScalableTarget.parse(dict(entry)), route) if entry else None
    except (KeyError, TypeError, ValueError):
        return None
