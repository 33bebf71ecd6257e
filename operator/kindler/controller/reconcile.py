"""One pass over one object: observe, plan, apply, report."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from kindler.api.settings import ControllerSettings
from kindler.controller.apply import Hand, ZeroRefused
from kindler.controller.around import Around
from kindler.controller.directory import RESOURCES, Directory, Key
from kindler.controller.measure import Meter
from kindler.controller.observe import Observer
from kindler.controller.recorder import Recorder
from kindler.controller.report import Reporter
from kindler.core import lookup
from kindler.core.acceptance import acceptance
from kindler.core.course import judge
from kindler.core.facts import Action, Course, Kind, Observed, Obstacle
from kindler.core.plan import plan
from kindler.core.podspec import pod_spec
from kindler.core.status import status
from kindler.core.telling import told

OBSTACLE_LOOK: Final = 15.0  # seconds until what stood against a write is tried again: nobody tells when a name or a quota becomes free


@dataclass(frozen=True, slots=True)
class Result:
    """How a pass ended. `again`: seconds until the next look even if nothing rings; `gone`: there is no such object any more."""

    outcome: str
    again: float | None = None
    gone: bool = False


class Reconciler:
    """Everything that a pass needs. `clock` gives epoch seconds."""

    def __init__(
        self,
        settings: ControllerSettings,
        directory: Directory,
        observer: Observer,
        hand: Hand,
        reporter: Reporter,
        recorder: Recorder,
        around: Around,
        meter: Meter,
        clock: Callable[[], float],
    ) -> None:
        self._settings = settings
        self._directory = directory
        self._observer = observer
        self._hand = hand
        self._reporter = reporter
        self._recorder = recorder
        self._around = around
        self._meter = meter
        self._clock = clock

    async def reconcile(self, key: Key, failures: int = 0) -> Result:
        """One pass, after so many `failures` in a row.

        Raises ApiError when the API server could not be asked or the facts were out of date: it is to be done again.
        """
        return await (self._endpoint(key, failures) if key.kind == "Endpoint" else self._accept(key))

    async def _endpoint(self, key: Key, failures: int) -> Result:
        seen = await self._observer.observe(key)
        if seen is None:
            self._meter.note(key, None)
            return Result("done", gone=True)
        course, obstacles = await self._carry_out(seen, failures)
        self._meter.note(key, course.provision)
        answer = status(seen, course, obstacles)
        counts = await self._reporter.report(RESOURCES[key.kind], dict(seen.endpoint), answer)
        await self._tell(seen, answer)
        obstacle = course.obstacle or (course.provision and course.provision.obstacle) or None
        again = left(course.again, self._clock() - seen.now)
        return Result(_outcome(obstacle, obstacles), _soonest(again, counts, OBSTACLE_LOOK if obstacles else None))

    async def _carry_out(self, seen: Observed, failures: int) -> tuple[Course, tuple[Obstacle, ...]]:
        """Decides and writes; returns where the Endpoint is after that, and what stood against the writes."""
        course = self._judge(seen)
        try:
            obstacles = await self._hand.act(seen, self._plan(seen, course), failures)
        except ZeroRefused as refused:
            seen = replace(seen, around=self._around.refuse_zero())
            course = self._judge(seen)
            rest = tuple(action for action in self._plan(seen, course) if action not in refused.done)
            obstacles = refused.obstacles + await self._hand.act(seen, rest, failures)
        if any(o.blocking for o in obstacles):
            course = self._judge(seen, hold=True)  # the route moves only on ground that stands
        return course, obstacles

    def _judge(self, seen: Observed, hold: bool = False) -> Course:
        return judge(seen, partial(pod_spec, settings=self._settings), self._settings.pin_image_digest, hold)

    def _plan(self, seen: Observed, course: Course) -> tuple[Action, ...]:
        return plan(seen, course, self._settings.activator_service)

    async def _accept(self, key: Key) -> Result:
        """A Model or an EndpointConfig: nothing is built for it."""
        raw = self._directory.get(key)
        if raw is None:
            return Result("done", gone=True)
        name = lookup.sagemaker_name(key.kind, raw)
        obstacle = lookup.taken(key.kind, raw, self._directory.named(key.kind, key.namespace, name)) or lookup.refused(key.kind, raw)
        users = () if obstacle else self._directory.users(key.kind, key.namespace, name)
        await self._reporter.report(RESOURCES[key.kind], raw, acceptance(key.kind, raw, obstacle, users, self._clock()))
        return Result(_outcome(obstacle, ()))

    async def _tell(self, seen: Observed, answer: Mapping[str, Any]) -> None:
        for event in told(seen.status, answer):
            await self._recorder.tell(dict(seen.endpoint), event.type, event.reason, "Reconcile", event.note)


def left(again: float | None, passed: float) -> float | None:
    """Of the seconds until the next look that were counted from the facts on, what is left after a pass that took its time."""
    return None if again is None else max(0.0, again - max(0.0, passed))


def _soonest(*moments: float | None) -> float | None:
    return min((m for m in moments if m is not None), default=None)


def _outcome(obstacle: Obstacle | None, obstacles: tuple[Obstacle, ...]) -> str:
    kinds = {o.kind for o in (obstacle, *obstacles) if o}
    return "error" if Kind.ERROR in kinds else "stalled" if Kind.STALLED in kinds else "waiting" if Kind.WAIT in kinds else "done"
