"""Carries out one planned write, and says what stood against it. What is not ours is never changed: a name that is taken becomes an obstacle."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from kindler.api import conditions, names
from kindler.clients.cluster import CONTROLLER_REVISIONS, REPLICASETS, SERVICES, ApiError, Cluster, Conflict, Forbidden, Invalid, Object, Resource
from kindler.controller.metrics import Metrics
from kindler.core.facts import Action, Apply, Create, Delete, Kind, Observed, Obstacle, Scale
from kindler.core.wanted import is_ours

log = logging.getLogger(__name__)

RESOURCES: Final[dict[str, Resource]] = {kind.kind: kind for kind in (REPLICASETS, SERVICES, CONTROLLER_REVISIONS)}


class Deposed(Exception):
    """This process leads no more, and must not write."""


class Hand:
    """`leading` is asked before each write: a process that was paused must not go on where it stopped."""

    def __init__(self, cluster: Cluster, metrics: Metrics, leading: Callable[[], bool]) -> None:
        self._cluster = cluster
        self._metrics = metrics
        self._leading = leading

    async def act(self, seen: Observed, actions: tuple[Action, ...]) -> tuple[Obstacle, ...]:
        """Does them in order, up to the first that is blocked. Raises ApiError when the API server could not be asked, and Deposed."""
        obstacles: list[Obstacle] = []
        for action in actions:
            if not self._leading():
                raise Deposed
            verb = type(action).__name__.lower()
            log.info("%s/%s: %s %s %s", seen.namespace, seen.name, verb, action.kind, action.name)
            self._metrics.writes.labels(action.kind, verb).inc()
            try:
                await self._do(seen, RESOURCES[action.kind], action)
                continue
            except Conflict as trouble:
                if not (trouble.already_exists and isinstance(action, Create)):
                    raise
                obstacle = await self._taken(seen, RESOURCES[action.kind], action)
            except (Forbidden, Invalid) as trouble:
                obstacle = _refused(action, trouble)
            if obstacle:
                obstacles.append(obstacle)
                if obstacle.blocking:
                    break
        return tuple(obstacles)

    async def _do(self, seen: Observed, resource: Resource, action: Action) -> None:
        if isinstance(action, Create):
            await self._cluster.create(resource, seen.namespace, dict(action.body), names.CREATOR)
        elif isinstance(action, Apply):
            await self._cluster.apply(resource, seen.namespace, action.name, dict(action.body), names.APPLIER)
        elif isinstance(action, Scale):
            await self._cluster.scale(resource, seen.namespace, action.name, action.replicas)
        elif isinstance(action, Delete):
            await self._cluster.delete(resource, seen.namespace, action.name, uid=action.uid)

    async def _taken(self, seen: Observed, resource: Resource, action: Create) -> Obstacle | None:
        """An object of that name exists. Ours (made a moment ago, or robbed of its label) is made to look as it should; another's is an obstacle."""
        found = await self._cluster.get(resource, seen.namespace, action.name)
        if found is None:
            raise Conflict(409, "Conflict", f"{resource.kind} {action.name} went while it was looked at")
        if is_ours(found, seen.uid):
            if _labelled(found, seen):
                return None
            body = {k: v for k, v in action.body.items() if k != "spec"} | ({"spec": _unsized(action.body["spec"])} if "spec" in action.body else {})
            await self._cluster.apply(resource, seen.namespace, action.name, body, names.APPLIER)
            return None
        if _of_a_former(found, seen):
            raise Conflict(409, "Conflict", f"{resource.kind} {action.name} of an Endpoint that was deleted is still going")
        message = (
            f"A {resource.kind} named {action.name} exists in namespace {seen.namespace} and does not belong to this endpoint. "
            f"Delete or rename it, or create the Endpoint under another name."
        )
        return Obstacle(Kind.STALLED, conditions.NAME_TAKEN, message, blocking=resource is not SERVICES)


def _refused(action: Action, trouble: ApiError) -> Obstacle:
    reason = "QuotaExceeded" if "exceeded quota" in trouble.message else "FailedCreate" if isinstance(trouble, Forbidden) else conditions.INVALID
    kind = Kind.STALLED if isinstance(trouble, Invalid) else Kind.ERROR
    return Obstacle(kind, reason, f"The cluster refuses the {action.kind} {action.name}: {trouble.message.rstrip('.')}. Mend what it names.")


def _labelled(found: Object, seen: Observed) -> bool:
    return bool((found["metadata"].get("labels") or {}).get(names.LABEL_ENDPOINT) == seen.name)


def _of_a_former(found: Object, seen: Observed) -> bool:
    """Whether it belonged to an Endpoint of this name that is gone: garbage collection is on its way."""
    owners = found["metadata"].get("ownerReferences") or ()
    return any(o.get("kind") == "Endpoint" and o.get("name") == seen.name and str(o.get("apiVersion", "")).startswith(names.GROUP) for o in owners)


def _unsized(spec: Object) -> Object:
    return {k: v for k, v in spec.items() if k != "replicas"}
