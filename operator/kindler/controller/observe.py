"""Gathers everything that matters for one Endpoint, once, as one frozen value."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import Final

from kindler.api import names
from kindler.api.stats import Stats
from kindler.clients.activators import ActivatorStats
from kindler.clients.cluster import AUTOSCALERS, CONTROLLER_REVISIONS, PODS, REPLICASETS, SERVICES, ApiError, Object
from kindler.controller.capabilities import CapabilityDetector
from kindler.controller.children import Children
from kindler.controller.directory import Directory, Key
from kindler.controller.meter import LoadMeter
from kindler.core.common import pods
from kindler.core.endpoint import manifests, references
from kindler.core.endpoint.rollout import needs_activator_stats
from kindler.core.endpoint.state import Observed, ResolvedRefs

log = logging.getLogger(__name__)

FRESH_SECONDS: Final = 0.5  # one question to the activators answers for all Endpoints that ask at the same time


class Observer:
    """`clock` gives epoch seconds, which timestamps of the API server are compared with; `monotonic` what the age of answers is measured by."""

    def __init__(
        self,
        directory: Directory,
        children: Children,
        activators: ActivatorStats,
        capabilities: CapabilityDetector,
        meter: LoadMeter,
        clock: Callable[[], float],
        monotonic: Callable[[], float],
    ) -> None:
        self._directory = directory
        self._children = children
        self._activators = activators
        self._capabilities = capabilities
        self._meter = meter
        self._clock = clock
        self._monotonic = monotonic
        self._told: tuple[float, dict[str, Stats | None] | None] = (-FRESH_SECONDS, None)
        self._asking = asyncio.Lock()

    async def observe(self, key: Key) -> Observed | None:
        """The facts; None when there is no such Endpoint (any more)."""
        endpoint = self._directory.get(key)
        if endpoint is None:
            return None
        observed = self._found(key, endpoint, None)
        if not needs_activator_stats(observed):
            return observed
        # The answer first, then the rest anew: what was seen before it may have changed meanwhile.
        told = await self._ask()
        endpoint = self._directory.get(key)
        return self._found(key, endpoint, told) if endpoint is not None else None

    def _found(self, key: Key, endpoint: Object, told: dict[str, Stats | None] | None) -> Observed:
        now, namespace, uid = self._clock(), key.namespace, str(endpoint["metadata"]["uid"])
        ours = {
            kind: [child for child in self._children.of(kind, namespace, key.name) if manifests.is_ours(child, uid)]
            for kind in (REPLICASETS, SERVICES, CONTROLLER_REVISIONS, AUTOSCALERS)
        }
        pools = tuple(manifests.pool_from(raw) for raw in ours[REPLICASETS])
        uids = {p.uid for p in pools}
        owned = ((_owner(raw), raw) for raw in self._children.of(PODS, namespace, key.name))
        services = (raw for raw in ours[SERVICES] if raw["metadata"]["name"] == names.service_name(key.name))
        autoscalers = (raw for raw in ours[AUTOSCALERS] if raw["metadata"]["name"] == names.autoscaler_name(key.name))
        kept = (manifests.stored_revision_from(raw) for raw in ours[CONTROLLER_REVISIONS])
        named = partial(self._directory.named, namespace=namespace)
        refs = references.resolve_refs(
            endpoint,
            lambda n: named("Endpoint", name=n),
            lambda n: named("EndpointConfig", name=n),
            lambda n: named("Model", name=n),
        )
        return Observed(
            endpoint=endpoint,
            refs=refs,
            revisions=tuple(k for k in kept if k),
            revisions_found={raw["metadata"]["name"]: raw for raw in ours[CONTROLLER_REVISIONS]},
            pools=pools,
            pods=tuple((owner, pods.read(raw, now)) for owner, raw in owned if owner in uids),
            service=next(services, None),
            activators=told,
            hpa=next(autoscalers, None),
            capabilities=self._capabilities.look(),
            loads=self._meter.loads(
                key, endpoint, refs.limits.variant_name if isinstance(refs, ResolvedRefs) else None
            ),
            history=self._meter.history(key),
            now=now,
        )

    async def _ask(self) -> dict[str, Stats | None] | None:
        async with self._asking:
            at, told = self._told
            if self._monotonic() - at < FRESH_SECONDS:
                return told
            try:
                told = dict(await self._activators.read())
            except ApiError as error:
                log.warning("which activators there are is not known: %s", error)
                told = None
            self._told = (self._monotonic(), told)
            return told


def _owner(pod: Object) -> str:
    """uid of the pod's controller."""
    return next(
        (str(o.get("uid", "")) for o in pod["metadata"].get("ownerReferences") or () if o.get("controller")), ""
    )
