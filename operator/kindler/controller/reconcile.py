"""One pass over one object: observe, plan, apply, report."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from kindler.api.settings import ControllerSettings
from kindler.controller.apply import Applier, ZeroMinimumRejected
from kindler.controller.capabilities import CapabilityDetector
from kindler.controller.directory import RESOURCES, Directory, Key
from kindler.controller.meter import LoadMeter
from kindler.controller.observe import Observer
from kindler.controller.recorder import Recorder
from kindler.controller.report import Reporter
from kindler.core.common.blockers import Blocker, BlockerKind
from kindler.core.endpoint import references
from kindler.core.endpoint.acceptance import acceptance
from kindler.core.endpoint.actions import Action
from kindler.core.endpoint.events import events_of
from kindler.core.endpoint.plan import plan
from kindler.core.endpoint.podspec import pod_spec
from kindler.core.endpoint.rollout import decide
from kindler.core.endpoint.state import Observed, RolloutPlan
from kindler.core.endpoint.status import status

BLOCKER_LOOK: Final = (
    15.0  # seconds until what stood against a write is tried again: nobody tells when a name or a quota becomes free
)


@dataclass(frozen=True, slots=True)
class Result:
    """How a pass ended. `again`: seconds until the next look even if nothing rings; `gone`: there is no such object any more."""

    outcome: str
    requeue_after: float | None = None
    gone: bool = False


class Reconciler:
    """Everything that a pass needs. `clock` gives epoch seconds."""

    def __init__(
        self,
        settings: ControllerSettings,
        directory: Directory,
        observer: Observer,
        hand: Applier,
        reporter: Reporter,
        recorder: Recorder,
        capabilities: CapabilityDetector,
        meter: LoadMeter,
        clock: Callable[[], float],
    ) -> None:
        self._settings = settings
        self._directory = directory
        self._observer = observer
        self._hand = hand
        self._reporter = reporter
        self._recorder = recorder
        self._capabilities = capabilities
        self._meter = meter
        self._clock = clock

    async def reconcile(self, key: Key, failures: int = 0) -> Result:
        """One pass, after so many `failures` in a row.

        Raises ApiError when the API server could not be asked or the facts were out of date: it is to be done again.
        """
        return await (self._endpoint(key, failures) if key.kind == "Endpoint" else self._accept(key))

    async def _endpoint(self, key: Key, failures: int) -> Result:
        observed = await self._observer.observe(key)
        if observed is None:
            self._meter.note(key, None)
            return Result("done", gone=True)
        rollout, blockers = await self._carry_out(observed, failures)
        self._meter.note(key, rollout.scaling)
        answer = status(observed, rollout, blockers)
        counts = await self._reporter.report(RESOURCES[key.kind], dict(observed.endpoint), answer)
        await self._tell(observed, answer)
        blocker = rollout.blocker or (rollout.scaling and rollout.scaling.blocker) or None
        again = left(rollout.requeue_after, self._clock() - observed.now)
        return Result(_outcome(blocker, blockers), _soonest(again, counts, BLOCKER_LOOK if blockers else None))

    async def _carry_out(self, observed: Observed, failures: int) -> tuple[RolloutPlan, tuple[Blocker, ...]]:
        """Decides and writes; returns where the Endpoint is after that, and what stood against the writes."""
        rollout = self._judge(observed)
        try:
            blockers = await self._hand.act(observed, self._plan(observed, rollout), failures)
        except ZeroMinimumRejected as refused:
            observed = replace(observed, capabilities=self._capabilities.refuse_zero())
            rollout = self._judge(observed)
            rest = tuple(action for action in self._plan(observed, rollout) if action not in refused.done)
            blockers = refused.blockers + await self._hand.act(observed, rest, failures)
        if any(o.blocking for o in blockers):
            rollout = self._judge(observed, hold=True)  # the route moves only on ground that stands
        return rollout, blockers

    def _judge(self, observed: Observed, hold: bool = False) -> RolloutPlan:
        return decide(observed, partial(pod_spec, settings=self._settings), self._settings.pin_image_digest, hold)

    def _plan(self, observed: Observed, rollout: RolloutPlan) -> tuple[Action, ...]:
        return plan(observed, rollout, self._settings.activator_service)

    async def _accept(self, key: Key) -> Result:
        """A Model or an EndpointConfig: nothing is built for it."""
        raw = self._directory.get(key)
        if raw is None:
            return Result("done", gone=True)
        name = references.sagemaker_name(key.kind, raw)
        blocker = references.name_conflict(
            key.kind, raw, self._directory.named(key.kind, key.namespace, name)
        ) or references.invalid_spec(key.kind, raw)
        users = () if blocker else self._directory.users(key.kind, key.namespace, name)
        await self._reporter.report(RESOURCES[key.kind], raw, acceptance(key.kind, raw, blocker, users, self._clock()))
        return Result(_outcome(blocker, ()))

    async def _tell(self, observed: Observed, answer: Mapping[str, Any]) -> None:
        for event in events_of(observed.status, answer):
            await self._recorder.tell(dict(observed.endpoint), event.type, event.reason, "Reconcile", event.note)


def left(again: float | None, passed: float) -> float | None:
    """Of the seconds until the next look that were counted from the facts on, what is left after a pass that took its time."""
    return None if again is None else max(0.0, again - max(0.0, passed))


def _soonest(*moments: float | None) -> float | None:
    return min((m for m in moments if m is not None), default=None)


def _outcome(blocker: Blocker | None, blockers: tuple[Blocker, ...]) -> str:
    kinds = {o.kind for o in (blocker, *blockers) if o}
    return (
        "error"
        if BlockerKind.ERROR in kinds
        else "stalled"
        if BlockerKind.STALLED in kinds
        else "waiting"
        if BlockerKind.WAIT in kinds
        else "done"
    )
