"""The Endpoints that scale automatically, and what the metrics API needs to know of each. A watch updates them."""

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
    """An Endpoint with scaling policies for the variant that serves.

    `created`: epoch seconds. `endpoint`: the Endpoint's SageMaker name.
    """

    namespace: str
    name: str
    uid: str
    created: float
    endpoint: str
    route: Route
    target: ScalableTarget

    def policies(self, metric: str) -> Iterator[ScalingPolicy]:
        """The policies that read this metric from our API."""
        for policy in self.target.scaling_policies or ():
            customized = policy.target_tracking_scaling_policy_configuration.customized_metric_specification is not None
            if metric == (names.METRIC_CUSTOMIZED if customized else names.METRIC_EXECUTIONS):
                yield policy


class Directory:
    """Endpoints with scaling policies, by namespace and metadata.name."""

    def __init__(self) -> None:
        self._scaled: dict[str, dict[str, ScaledEndpoint]] = {}
        self._not_scaled: dict[tuple[str, str], str] = {}  # "" if no variant with policies serves yet, else the error

    def on_event(self, old: Object | None, new: Object | None) -> None:
        """Stores a change that the informer reports."""
        metadata = (new or old or {})["metadata"]
        namespace, name = metadata.get("namespace", ""), metadata["name"]
        in_namespace = self._scaled.get(namespace, {})
        if in_namespace.pop(name, None) and not in_namespace:
            del self._scaled[namespace]
        self._not_scaled.pop((namespace, name), None)
        if new is None or not new["spec"].get("autoscaling"):
            return
        try:
            scaled = _read(new)
        except (ValueError, KeyError, TypeError) as error:  # the Endpoint was stored under an earlier CRD
            log.warning("the autoscaling of Endpoint %s/%s cannot be read: %s", namespace, name, error)
            self._not_scaled[namespace, name] = f"{type(error).__name__}: {error}"
            return
        if scaled is None:
            self._not_scaled[namespace, name] = ""
        else:
            self._scaled.setdefault(namespace, {})[name] = scaled

    def why_not_scaled(self, namespace: str, name: str) -> str | None:
        """Why an Endpoint with autoscaling has no values; None if it has values, or no autoscaling.

        The reason is the error in its entry, or "" if no variant with policies serves yet.
        """
        return self._not_scaled.get((namespace, name))

    def of(self, namespace: str, name: str = "") -> list[ScaledEndpoint]:
        """The Endpoint of this name. Without a name: all Endpoints of the namespace."""
        in_namespace = self._scaled.get(namespace, {})
        if not name:
            return list(in_namespace.values())
        return [in_namespace[name]] if name in in_namespace else []

    def __len__(self) -> int:
        return sum(len(in_namespace) for in_namespace in self._scaled.values())


def trim(value: Object) -> Object:
    """The object with only the fields that are read. Most Endpoints have no autoscaling, so they take little memory."""
    metadata = {
        key: value["metadata"].get(key) for key in ("namespace", "name", "uid", "resourceVersion", "creationTimestamp")
    }
    spec: dict[str, Any] = value.get("spec") or {}
    if not spec.get("autoscaling"):
        return {"metadata": metadata, "spec": {}}
    trimmed = {key: spec[key] for key in ("endpointName", "endpointConfigName", "autoscaling") if key in spec}
    return {
        "metadata": metadata,
        "spec": trimmed,
        "status": {
            key: (value.get("status") or {}).get(key)
            for key in ("route", "endpointConfigName", "pendingDeploymentSummary")
        },
    }


def _read(value: Object) -> ScaledEndpoint | None:
    """The Endpoint, or None while no variant with policies serves.

    Raises ValueError, KeyError or TypeError if it cannot be parsed.
    """
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
