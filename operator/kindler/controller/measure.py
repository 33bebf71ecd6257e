"""What the controller has to measure itself: the loads of Endpoints whose size no HPA can compute now (core/provisioned.py says which)."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping
from contextlib import suppress

from kindler.api.autoscaling import ScalableTarget
from kindler.api.route import Route
from kindler.clients.cluster import Object
from kindler.clients.foreign import Foreign
from kindler.clients.sampler import Sampler
from kindler.controller.directory import Key
from kindler.core.loads import foreign, loads_of
from kindler.core.pods import moment
from kindler.core.provision import Load, Provision
from kindler.core.provisioned import choose
from kindler.core.tracking import History


class Meter:
    """Activators are asked only while some Endpoint is measured. `clock` gives epoch seconds.

    Remembers from pass to pass which those are, and what their loads asked for lately.
    """

    def __init__(self, sampler: Sampler, others: Foreign, clock: Callable[[], float]) -> None:
        self._sampler = sampler
        self._others = others
        self._clock = clock
        self._histories: dict[Key, History] = {}
        self._busy = asyncio.Event()
        self._idle = asyncio.Event()

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            await self._busy.wait()
            sampling = asyncio.create_task(self._sampler.run(), name="sampler")
            try:
                await self._idle.wait()
            finally:
                sampling.cancel()
                with suppress(asyncio.CancelledError):
                    await sampling

    def note(self, key: Key, decided: Provision | None) -> None:
        """What a pass decided; None: there is nothing to decide about."""
        if decided is not None and decided.measure:
            self._histories[key] = decided.history
        else:
            self._histories.pop(key, None)
        on, off = (self._busy, self._idle) if self._histories else (self._idle, self._busy)
        on.set()
        off.clear()

    def history(self, key: Key) -> History:
        """What the loads asked for lately, as the last pass left it."""
        return self._histories.get(key, ())

    async def loads(self, key: Key, endpoint: Object) -> Mapping[str, Load]:
        """By policyName; empty where nothing has to be measured."""
        if key not in self._histories:
            return {}
        try:
            route = Route.from_json(endpoint["status"]["route"])
            entry, _ = choose(endpoint["spec"].get("autoscaling") or (), route.variant_name)
            target = ScalableTarget.parse(dict(entry)) if entry else None
        except (KeyError, TypeError, ValueError):
            return {}
        if target is None:
            return {}
        asked = foreign(target)
        told = await asyncio.gather(*(self._others.value(key.namespace, spec) for spec in asked.values()))
        meta = endpoint["metadata"]
        created = moment(meta.get("creationTimestamp"))
        usage = self._sampler.usage(str(meta["uid"]), math.inf if created is None else self._clock() - created)
        name = str(endpoint["spec"].get("endpointName") or meta["name"])
        return loads_of(target, route, usage, dict(zip(asked, told, strict=True)), name)
