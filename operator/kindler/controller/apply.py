"""Carries out planned writes, and reports what blocked them.

It never changes an object that the Endpoint does not own. If such an object has the name of a child, that is a blocker.
"""

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
OPTIONAL: Final = (SERVICES, AUTOSCALERS)  # the endpoint serves requests through the activator without these
FAILURES_BEFORE_REPORT: Final = 3  # failed passes in a row before a temporary error is reported to the user


class LeadershipLost(Exception):
    """This process does not lead any more, and must not write."""


class ZeroMinimumRejected(Exception):
    """HPAs of this cluster cannot have a minimum of 0.

    `done`: the writes before the rejected write. `blockers`: the blockers of these writes.
    """

    def __init__(self, done: tuple[Action, ...], blockers: tuple[Blocker, ...]) -> None:
        super().__init__()
        self.done = done
        self.blockers = blockers


class Applier:
    """`leading`: whether this process leads now. Each write checks it first, because the Lease can expire."""

    def __init__(self, cluster: Cluster, metrics: Metrics, leading: Callable[[], bool]) -> None:
        self._cluster = cluster
        self._metrics = metrics
        self._leading = leading

    async def apply(self, observed: Observed, actions: tuple[Action, ...], failures: int = 0) -> tuple[Blocker, ...]:
        """Carries the actions out in order, up to the first action that is blocked. Returns what blocked them.

        `failures`: how many passes in a row failed before. If the target of the HPA cannot be changed, the HPA
        still sizes the old target. Then this pool is not scaled, because controller and HPA would overwrite each other.

        Raises ApiError if the API server was not available and a retry may succeed, LeadershipLost, and
        ZeroMinimumRejected.
        """
        blockers: list[Blocker] = []
        still_targeted: str | None = None
        for number, action in enumerate(actions):
            if isinstance(action, Scale) and action.name == still_targeted:
                continue
            if not self._leading():
                raise LeadershipLost
            verb = type(action).__name__.lower()
            log.info("%s/%s: %s %s %s", observed.namespace, observed.name, verb, action.kind, action.name)
            self._metrics.writes.labels(action.kind, verb).inc()
            try:
                blocker = await self._write(observed, RESOURCES[action.kind], action)
            except ApiError as error:
                if _is_zero_minimum(action, error):
                    raise ZeroMinimumRejected(actions[:number], tuple(blockers)) from error
                if not _must_report(error, failures):
                    raise
                blocker = _rejected(action, error)
            if blocker:
                blockers.append(blocker)
                still_targeted = still_targeted or _still_targeted(observed, action)
                if blocker.blocking:
                    break
        return tuple(blockers)

    async def _write(self, observed: Observed, resource: Resource, action: Action) -> Blocker | None:
        cluster, namespace = self._cluster, observed.namespace
        if isinstance(action, Create):
            return await self._create(observed, resource, action)
        if isinstance(action, Apply):
            await cluster.apply(resource, namespace, action.name, dict(action.body), names.APPLIER)
        elif isinstance(action, Patch):
            body = dict(action.body)
            await cluster.merge_patch(resource, namespace, action.name, body, field_manager=names.APPLIER)
        elif isinstance(action, Scale):
            await cluster.scale(resource, namespace, action.name, action.replicas, names.SCALER)
        elif isinstance(action, Delete):
            await cluster.delete(resource, namespace, action.name, uid=action.uid)
        return None

    async def _create(self, observed: Observed, resource: Resource, action: Create) -> Blocker | None:
        try:
            await self._cluster.create(resource, observed.namespace, dict(action.body), names.CREATOR)
        except Conflict as error:
            if not error.already_exists:
                raise
            return await self._existing(observed, resource, action)
        return None

    async def _existing(self, observed: Observed, resource: Resource, action: Create) -> Blocker | None:
        """Handles an object that already has the name of the planned object.

        If the Endpoint owns the object, it was created a moment ago, or somebody removed its labels. In both cases the
        labels are written, and the next pass observes the object. Otherwise the object is a blocker.
        """
        found = await self._cluster.get(resource, observed.namespace, action.name)
        if found is None:
            raise Conflict(409, "Conflict", f"{resource.kind} {action.name} was deleted while it was read")
        if is_ours(found, observed.uid):
            labels = {"metadata": {"labels": action.body["metadata"]["labels"]}}
            if not covers(found, labels):
                await self._cluster.merge_patch(
                    resource, observed.namespace, action.name, labels, field_manager=names.APPLIER
                )
            return None
        return _name_taken(observed, resource, action.name, found)


def _name_taken(observed: Observed, resource: Resource, name: str, found: Object) -> Blocker:
    blocking, child = resource not in OPTIONAL, resource.kind
    if _of_deleted_endpoint(found, observed):
        message = (
            f"Waiting for the deletion of the {resource.kind} {name} of the former Endpoint of this name. "
            f"If it is not deleted, check its finalizers."
        )
        return Blocker(BlockerKind.WAITING, conditions.NAME_TAKEN, message, blocking, child)
    message = (
        f"A {resource.kind} named {name} exists in namespace {observed.namespace} "
        f"and does not belong to this endpoint. "
        f"Delete or rename it, or create the Endpoint under another name."
    )
    return Blocker(BlockerKind.STALLED, conditions.NAME_TAKEN, message, blocking, child)


def _still_targeted(observed: Observed, rejected: Action) -> str | None:
    """The pool that the HPA still sizes, because the write that would have changed the HPA's target was rejected."""
    if rejected.kind != AUTOSCALERS.kind or observed.hpa is None:
        return None
    present: str = observed.hpa["spec"]["scaleTargetRef"]["name"]
    new = rejected.body["spec"]["scaleTargetRef"]["name"] if isinstance(rejected, Apply) else None
    return present if new != present else None


def _must_report(error: ApiError, failures: int) -> bool:
    """Whether to report an error to the user: at once if only a person can fix it, else only if it lasts.

    response                                           reported
    --------                                           --------
    400, 403, 422, other 4xx                           at once: validation, a quota, RBAC or a webhook rejects the write
    5xx that names a webhook                           at once: only the owner of the webhook can fix it
    401, 404, 409, 410, 429, other 5xx, no response    from the fourth pass in a row on
    """
    temporary = error.status in (401, 404, 409, 410, 429) or not 400 <= error.status < 500
    return not temporary or "webhook" in error.message or failures >= FAILURES_BEFORE_REPORT


def _rejected(action: Action, error: ApiError) -> Blocker:
    quota, invalid = "exceeded quota" in error.message, isinstance(error, Invalid)
    reason = "QuotaExceeded" if quota else conditions.INVALID if invalid else "FailedCreate"
    kind = BlockerKind.STALLED if invalid else BlockerKind.ERROR
    message = (
        f"The cluster refuses the {action.kind} {action.name}: {error.message.rstrip('.')}. "
        f"Fix the cause above; Kindler retries automatically."
    )
    return Blocker(kind, reason, message, RESOURCES[action.kind] not in OPTIONAL, action.kind)


def _is_zero_minimum(action: Action, error: ApiError) -> bool:
    """Whether the API server rejected an HPA because its minimum is 0. Before 1.37 it does so by default."""
    has_zero = (
        isinstance(action, Create | Apply)
        and action.kind == AUTOSCALERS.kind
        and action.body["spec"].get("minReplicas") == 0
    )
    return has_zero and isinstance(error, Invalid) and "minReplicas" in error.message


def _of_deleted_endpoint(found: Object, observed: Observed) -> bool:
    """Whether the object belonged to a deleted Endpoint of this name: the garbage collector will delete it."""
    owners = found["metadata"].get("ownerReferences") or ()
    return any(
        o.get("kind") == "Endpoint"
        and o.get("name") == observed.name
        and str(o.get("apiVersion", "")).startswith(names.GROUP)
        for o in owners
    )
