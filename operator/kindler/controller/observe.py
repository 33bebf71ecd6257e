"""Reads everything that the decisions about one Endpoint need, once, as one frozen value."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from kindler.api import names
from kindler.api.stats import Stats
from kindler.clients.cluster import AUTOSCALERS, CONTROLLER_REVISIONS, PODS, REPLICASETS, SERVICES, Object
from kindler.controller.capabilities import CapabilityDetector
from kindler.controller.children import Children
from kindler.controller.directory import Directory, Key
from kindler.controller.meter import LoadMeter
from kindler.controller.statscache import StatsCache
from kindler.core.common import pods
from kindler.core.common.blockers import Blocker
from kindler.core.endpoint import manifests, references
from kindler.core.endpoint.rollout import needs_activator_stats
from kindler.core.endpoint.state import Observed, ResolvedRefs


class Observer:
    """`clock` returns epoch seconds, because `Observed.now` is compared with the API server's timestamps."""

    def __init__(
        self,
        directory: Directory,
        children: Children,
        stats: StatsCache,
        capabilities: CapabilityDetector,
        meter: LoadMeter,
        clock: Callable[[], float],
    ) -> None:
        self._directory = directory
        self._children = children
        self._stats = stats
        self._capabilities = capabilities
        self._meter = meter
        self._clock = clock

    async def observe(self, key: Key) -> Observed | None:
        """Everything that is known of the Endpoint. None if the Endpoint does not exist."""
        endpoint = self._directory.get(key)
        if endpoint is None:
            return None
        observed = self._observed(key, endpoint, None)
        if not needs_activator_stats(observed):
            return observed
        # The Endpoint and its children may have changed while the stats were read, so they are read again.
        stats = await self._stats.read()
        endpoint = self._directory.get(key)
        return self._observed(key, endpoint, stats) if endpoint is not None else None

    def _observed(self, key: Key, endpoint: Object, stats: dict[str, Stats | None] | None) -> Observed:
        now, namespace, uid = self._clock(), key.namespace, str(endpoint["metadata"]["uid"])
        ours = {
            kind: [child for child in self._children.of(kind, namespace, key.name) if manifests.is_ours(child, uid)]
            for kind in (REPLICASETS, SERVICES, CONTROLLER_REVISIONS, AUTOSCALERS)
        }
        pools = tuple(manifests.pool_from(raw) for raw in ours[REPLICASETS])
        pool_uids = {p.uid for p in pools}
        owned = ((_owner_uid(raw), raw) for raw in self._children.of(PODS, namespace, key.name))
        stored = (manifests.stored_revision_from(raw) for raw in ours[CONTROLLER_REVISIONS])
        refs = self._refs(endpoint, namespace)
        next_variant = refs.limits.variant_name if isinstance(refs, ResolvedRefs) else None
        return Observed(
            endpoint=endpoint,
            refs=refs,
            revisions=tuple(revision for revision in stored if revision),
            revisions_found={raw["metadata"]["name"]: raw for raw in ours[CONTROLLER_REVISIONS]},
            pools=pools,
            pods=tuple((owner, pods.read(raw, now)) for owner, raw in owned if owner in pool_uids),
            service=_named(ours[SERVICES], names.service_name(key.name)),
            activators=stats,
            hpa=_named(ours[AUTOSCALERS], names.autoscaler_name(key.name)),
            capabilities=self._capabilities.current(),
            loads=self._meter.loads(key, endpoint, next_variant),
            history=self._meter.history(key),
            now=now,
        )

    def _refs(self, endpoint: Object, namespace: str) -> ResolvedRefs | Blocker:
        named = partial(self._directory.named, namespace=namespace)
        return references.resolve_refs(
            endpoint,
            lambda name: named("Endpoint", name=name),
            lambda name: named("EndpointConfig", name=name),
            lambda name: named("Model", name=name),
        )


def _named(objects: list[Object], name: str) -> Object | None:
    return next((raw for raw in objects if raw["metadata"]["name"] == name), None)


def _owner_uid(pod: Object) -> str:
    """uid of the pod's controller; empty if it has none."""
    return next(
        (str(o.get("uid", "")) for o in pod["metadata"].get("ownerReferences") or () if o.get("controller")), ""
    )
