"""Which endpoints scale themselves: what the metrics API must know of each Endpoint, kept as its watch tells it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from kindler.api import names
from kindler.api.autoscaling import ScalableTarget, ScalingPolicy
from kindler.api.route import Route
from kindler.clients.cluster import Object
from kindler.core.autoscaling.entry import entry_for, next_variant_of
from kindler.core.common.timestamps import parse_timestamp

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ScaledEndpoint:
    """An Endpoint with scaling policies for the variant that serves. `created`: epoch seconds. `endpoint`: SageMaker's name of it."""

    namespace: str
    name: str
    uid: str
    created: float
    endpoint: str
    route: Route
    target: ScalableTarget

    def policies(self, metric: str) -> Iterator[ScalingPolicy]:
        """Those that read this metric of our API."""
        for policy in self.target.scaling_policies or ():
            customized = policy.target_tracking_scaling_policy_configuration.customized_metric_specification is not None
            if metric == (names.METRIC_CUSTOMIZED if customized else names.METRIC_EXECUTIONS):
                yield policy


class Directory:
    """Endpoints with scaling policies, by namespace and metadata.name; of those that have autoscaling and are not followed, why."""

    def __init__(self) -> None:
        self._followed: dict[str, dict[str, ScaledEndpoint]] = {}
        self._others: dict[tuple[str, str], str] = {}  # empty: it does not serve yet; else what cannot be read

    def hear(self, old: Object | None, new: Object | None) -> None:
        """A change, as an informer tells it."""
        metadata = (new or old or {})["metadata"]
        namespace, name = metadata.get("namespace", ""), metadata["name"]
        known = self._followed.get(namespace, {})
        if known.pop(name, None) and not known:
            del self._followed[namespace]
        self._others.pop((namespace, name), None)
        if new is None or not new["spec"].get("autoscaling"):
            return
        try:
            followed = _read(new)
        except (ValueError, KeyError, TypeError) as error:  # written before the CRD said what it says now
            log.warning("the autoscaling of Endpoint %s/%s cannot be read: %s", namespace, name, error)
            self._others[namespace, name] = f"{type(error).__name__}: {error}"
            return
        if followed is None:
            self._others[namespace, name] = ""
        else:
            self._followed.setdefault(namespace, {})[name] = followed

    def missing(self, namespace: str, name: str) -> str | None:
        """Of an Endpoint that has autoscaling and is not followed: what cannot be read of it; empty: no variant with policies serves yet. Else None."""
        return self._others.get((namespace, name))

    def of(self, namespace: str, name: str = "") -> list[ScaledEndpoint]:
        """The Endpoint of this name, or all of the namespace."""
        known = self._followed.get(namespace, {})
        return [found for found in (known.get(name),) if found is not None] if name else list(known.values())

    def __len__(self) -> int:
        return sum(len(known) for known in self._followed.values())


def keep(value: Object) -> Object:
    """What is read of an Endpoint: most of them have no autoscaling, and cost next to nothing."""
    metadata = {
        key: value["metadata"].get(key) for key in ("namespace", "name", "uid", "resourceVersion", "creationTimestamp")
    }
    spec: dict[str, Any] = value.get("spec") or {}
    if not spec.get("autoscaling"):
        return {"metadata": metadata, "spec": {}}
    kept = {key: spec[key] for key in ("endpointName", "endpointConfigName", "autoscaling") if key in spec}
    return {
        "metadata": metadata,
        "spec": kept,
        "status": {
            key: (value.get("status") or {}).get(key)
            for key in ("route", "endpointConfigName", "pendingDeploymentSummary")
        },
    }


def _read(value: Object) -> ScaledEndpoint | None:
    """None while no variant with policies serves. Raises ValueError, KeyError or TypeError when it cannot be read."""
    metadata, spec, route = value["metadata"], value["spec"], value["status"]["route"]
    if not route:
        return None
    serving = Route.from_json(route)
    target, _ = entry_for(value, serving.variant_name, next_variant_of(value["status"]))
    if target is None or not target.get("scalingPolicies"):
        return None
    return ScaledEndpoint(
        metadata["namespace"],
        metadata["name"],
        metadata["uid"],
        parse_timestamp(metadata["creationTimestamp"]) or 0.0,
        spec.get("endpointName") or metadata["name"],
        serving,
        ScalableTarget.parse(dict(target)),
    )
