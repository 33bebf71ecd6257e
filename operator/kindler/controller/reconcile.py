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

# Seconds until a blocked write is tried again, because no event reports that a name or a quota becomes available.
BLOCKER_RETRY_SECONDS: Final = 15.0


@dataclass(frozen=True, slots=True)
class Result:
    """How a pass ended. `outcome`: a label of the metric. `gone`: the object does not exist.

    `requeue_after`: seconds until the next pass even if no event causes one.
    """

    outcome: str
    requeue_after: float | None = None
    gone: bool = False


@dataclass(frozen=True, slots=True)
class ReconcilerParts:
    """The parts of a Reconciler. Each part does one step of a pass."""

    directory: Directory
    observer: Observer
    applier: Applier
    reporter: Reporter
    recorder: Recorder
    capabilities: CapabilityDetector
    meter: LoadMeter


class Reconciler:
    """Runs one pass per call. `clock` returns epoch seconds."""

    def __init__(self, settings: ControllerSettings, parts: ReconcilerParts, clock: Callable[[], float]) -> None:
        self._settings = settings
        self._parts = parts
        self._clock = clock

    async def reconcile(self, key: Key, failures: int = 0) -> Result:
        """One pass, after `failures` failed passes in a row.

        Raises ApiError if the API server was not available or the observed state was out of date. Then retry the pass.
        """
        return await (self._endpoint(key, failures) if key.kind == "Endpoint" else self._accept(key))

    async def _endpoint(self, key: Key, failures: int) -> Result:
        parts = self._parts
        observed = await parts.observer.observe(key)
        if observed is None:
            parts.meter.note(key, None)
            return Result("done", gone=True)
        rollout, blockers = await self._apply(observed, failures)
        parts.meter.note(key, rollout.scaling)
        new = status(observed, rollout, blockers)
        counts_due = await parts.reporter.report(RESOURCES[key.kind], dict(observed.endpoint), new)
        await self._record_events(observed, new)
        blocker = rollout.blocker or (rollout.scaling and rollout.scaling.blocker) or None
        rollout_due = remaining(rollout.requeue_after, self._clock() - observed.now)
        retry = BLOCKER_RETRY_SECONDS if blockers else None
        return Result(_outcome(blocker, blockers), _soonest(rollout_due, counts_due, retry))

    async def _apply(self, observed: Observed, failures: int) -> tuple[RolloutPlan, tuple[Blocker, ...]]:
        """Decides and writes. Returns the rollout after the writes, and what blocked the writes."""
        parts = self._parts
        rollout = self._decide(observed)
        try:
            blockers = await parts.applier.apply(observed, self._plan(observed, rollout), failures)
        except ZeroMinimumRejected as rejected:
            observed = replace(observed, capabilities=parts.capabilities.reject_zero_minimum())
            rollout = self._decide(observed)
            rest = tuple(action for action in self._plan(observed, rollout) if action not in rejected.done)
            blockers = rejected.blockers + await parts.applier.apply(observed, rest, failures)
        if any(blocker.blocking for blocker in blockers):
            rollout = self._decide(observed, hold=True)  # keeps the route, because a write before it is blocked
        return rollout, blockers

    def _decide(self, observed: Observed, hold: bool = False) -> RolloutPlan:
        return decide(observed, partial(pod_spec, settings=self._settings), self._settings.pin_image_digest, hold)

    def _plan(self, observed: Observed, rollout: RolloutPlan) -> tuple[Action, ...]:
        return plan(observed, rollout, self._settings.activator_service)

    async def _accept(self, key: Key) -> Result:
        """A pass over a Model or an EndpointConfig, which have no children: only the status is written."""
        directory = self._parts.directory
        raw = directory.get(key)
        if raw is None:
            return Result("done", gone=True)
        name = references.sagemaker_name(key.kind, raw)
        claimants = directory.named(key.kind, key.namespace, name)
        blocker = references.name_conflict(key.kind, raw, claimants) or references.invalid_spec(key.kind, raw)
        users = () if blocker else directory.users(key.kind, key.namespace, name)
        new = acceptance(key.kind, raw, blocker, users, self._clock())
        await self._parts.reporter.report(RESOURCES[key.kind], raw, new)
        return Result(_outcome(blocker, ()))

    async def _record_events(self, observed: Observed, new: Mapping[str, Any]) -> None:
        for event in events_of(observed.status, new):
            await self._parts.recorder.event(dict(observed.endpoint), event.type, event.reason, "Reconcile", event.note)


def remaining(requeue_after: float | None, passed: float) -> float | None:
    """The rest of `requeue_after`. It counts from the observation, which was `passed` seconds ago."""
    return None if requeue_after is None else max(0.0, requeue_after - max(0.0, passed))


def _soonest(*seconds: float | None) -> float | None:
    return min((s for s in seconds if s is not None), default=None)


def _outcome(blocker: Blocker | None, blockers: tuple[Blocker, ...]) -> str:
    """The outcome for the metric: the outcome of the most serious blocker, or "done" without a blocker."""
    kinds = {b.kind for b in (blocker, *blockers) if b}
    for kind, outcome in (
        (BlockerKind.ERROR, "error"),
        (BlockerKind.STALLED, "stalled"),
        (BlockerKind.WAITING, "waiting"),
    ):
        if kind in kinds:
            return outcome
    return "done"
