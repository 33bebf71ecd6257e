"""Carries out one planned write, and says what stood against it. What is not ours is never changed: a name that is taken becomes an obstacle."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from kindler.api import conditions, names
from kindler.clients.cluster import (
    AUTOSCALERS,
    CONTROLLER_REVISIONS,
    REPLICASETS,
    SERVICES,
    ApiError,
    Cluster,
    Conflict,
    Invalid,
    Object,
    Resource,
)
from kindler.controller.metrics import Metrics
from kindler.core.common.blockers import Blocker, BlockerKind
from kindler.core.endpoint.actions import Action, Apply, Create, Delete, Patch, Scale
from kindler.core.endpoint.manifests import is_ours
from kindler.core.endpoint.plan import covers
from kindler.core.endpoint.state import Observed

log = logging.getLogger(__name__)

RESOURCES: Final[dict[str, Resource]] = {
    kind.kind: kind for kind in (REPLICASETS, SERVICES, CONTROLLER_REVISIONS, AUTOSCALERS)
}
BESIDE: Final = (SERVICES, AUTOSCALERS)  # what stands against these keeps nothing from being served
PATIENCE: Final = 3  # passes that may fail in a row before the user is told of it


class LeadershipLost(Exception):
    """This process leads no more, and must not write."""


class ZeroMinimumRejected(Exception):
    """HPAs of this cluster may have no minimum of 0. `done`: the writes before that one, `obstacles`: what stood against them."""

    def __init__(self, done: tuple[Action, ...], blockers: tuple[Blocker, ...]) -> None:
        super().__init__()
        self.done = done
        self.blockers = blockers


class Applier:
    """`leading` is asked before each write: a process that was paused must not go on where it stopped."""

    def __init__(self, cluster: Cluster, metrics: Metrics, leading: Callable[[], bool]) -> None:
        self._cluster = cluster
        self._metrics = metrics
        self._leading = leading

    async def act(self, observed: Observed, actions: tuple[Action, ...], failures: int = 0) -> tuple[Blocker, ...]:
        """Does them in order, up to the first that is blocked. `failures`: how many passes in a row failed before.

        A pool that its HPA could not be made to leave is not sized: two would, by turns.

        Raises ApiError when the API server could not be asked and the next pass may do better, LeadershipLost, and ZeroMinimumRejected.
        """
        blockers: list[Blocker] = []
        unleft: str | None = None
        for number, action in enumerate(actions):
            if isinstance(action, Scale) and action.name == unleft:
                continue
            if not self._leading():
                raise LeadershipLost
            verb = type(action).__name__.lower()
            log.info("%s/%s: %s %s %s", observed.namespace, observed.name, verb, action.kind, action.name)
            self._metrics.writes.labels(action.kind, verb).inc()
            try:
                blocker = await self._do(observed, RESOURCES[action.kind], action)
            except ApiError as error:
                if _is_about_zero(action, error):
                    raise ZeroMinimumRejected(actions[:number], tuple(blockers)) from error
                if not _to_be_told(error, failures):
                    raise
                blocker = _refused(action, error)
            if blocker:
                blockers.append(blocker)
                unleft = unleft or _unleft(observed, action)
                if blocker.blocking:
                    break
        return tuple(blockers)

    async def _do(self, observed: Observed, resource: Resource, action: Action) -> Blocker | None:
        if isinstance(action, Create):
            return await self._create(observed, resource, action)
        if isinstance(action, Apply):
            await self._cluster.apply(resource, observed.namespace, action.name, dict(action.body), names.APPLIER)
        elif isinstance(action, Patch):
            await self._cluster.merge_patch(
                resource, observed.namespace, action.name, dict(action.body), field_manager=names.APPLIER
            )
        elif isinstance(action, Scale):
            await self._cluster.scale(resource, observed.namespace, action.name, action.replicas, names.SCALER)
        elif isinstance(action, Delete):
            await self._cluster.delete(resource, observed.namespace, action.name, uid=action.uid)
        return None

    async def _create(self, observed: Observed, resource: Resource, action: Create) -> Blocker | None:
        try:
            await self._cluster.create(resource, observed.namespace, dict(action.body), names.CREATOR)
        except Conflict as error:
            if not error.already_exists:
                raise
            return await self._taken(observed, resource, action)
        return None

    async def _taken(self, observed: Observed, resource: Resource, action: Create) -> Blocker | None:
        """An object of that name exists. Ours (made a moment ago, or robbed of its labels) gets them back, and is seen again then; another's is an obstacle."""
        found = await self._cluster.get(resource, observed.namespace, action.name)
        if found is None:
            raise Conflict(409, "Conflict", f"{resource.kind} {action.name} went while it was looked at")
        if is_ours(found, observed.uid):
            labels = {"metadata": {"labels": action.body["metadata"]["labels"]}}
            if not covers(found, labels):
                await self._cluster.merge_patch(
                    resource, observed.namespace, action.name, labels, field_manager=names.APPLIER
                )
            return None
        blocking, child = resource not in BESIDE, resource.kind
        if _of_a_former(found, observed):
            going = f"Waiting until the {resource.kind} {action.name} of the former Endpoint of this name is gone. If it stays, look at its finalizers."
            return Blocker(BlockerKind.WAIT, conditions.NAME_TAKEN, going, blocking, child)
        message = (
            f"A {resource.kind} named {action.name} exists in namespace {observed.namespace} and does not belong to this endpoint. "
            f"Delete or rename it, or create the Endpoint under another name."
        )
        return Blocker(BlockerKind.STALLED, conditions.NAME_TAKEN, message, blocking, child)


def _unleft(observed: Observed, refused: Action) -> str | None:
    """The pool that the HPA goes on to size, since this write that would have led it away was refused."""
    if refused.kind != AUTOSCALERS.kind or observed.hpa is None:
        return None
    stays: str = observed.hpa["spec"]["scaleTargetRef"]["name"]
    leads_to = refused.body["spec"]["scaleTargetRef"]["name"] if isinstance(refused, Apply) else None
    return stays if leads_to != stays else None


def _to_be_told(failure: ApiError, failures: int) -> bool:
    """Whether the user is told: at once of what is refused for a reason of its own, of any other trouble when it lasts.

    answer                                             told
    ------                                             ----
    400, 403, 422, other 4xx                           at once: a rule, a quota, a right, a webhook says no
    5xx that names a webhook                           at once: nobody but its owner can mend it
    401, 404, 409, 410, 429, other 5xx, no answer      from the fourth pass in a row on
    """
    passing = failure.status in (401, 404, 409, 410, 429) or not 400 <= failure.status < 500
    return not passing or "webhook" in failure.message or failures >= PATIENCE


def _refused(action: Action, failure: ApiError) -> Blocker:
    quota, invalid = "exceeded quota" in failure.message, isinstance(failure, Invalid)
    reason = "QuotaExceeded" if quota else conditions.INVALID if invalid else "FailedCreate"
    kind = BlockerKind.STALLED if invalid else BlockerKind.ERROR
    message = f"The cluster refuses the {action.kind} {action.name}: {failure.message.rstrip('.')}. Mend what it names."
    return Blocker(kind, reason, message, RESOURCES[action.kind] not in BESIDE, action.kind)


def _is_about_zero(action: Action, failure: ApiError) -> bool:
    """Whether the API server refused an HPA for its minimum of 0: before 1.37 it does so by default."""
    asked = (
        isinstance(action, Create | Apply)
        and action.kind == AUTOSCALERS.kind
        and action.body["spec"].get("minReplicas") == 0
    )
    return asked and isinstance(failure, Invalid) and "minReplicas" in failure.message


def _of_a_former(found: Object, observed: Observed) -> bool:
    """Whether it belonged to an Endpoint of this name that is gone: garbage collection is on its way."""
    owners = found["metadata"].get("ownerReferences") or ()
    return any(
        o.get("kind") == "Endpoint"
        and o.get("name") == observed.name
        and str(o.get("apiVersion", "")).startswith(names.GROUP)
        for o in owners
    )
