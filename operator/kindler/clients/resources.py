"""The kinds of object that Kindler uses, and their paths at the API server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from kindler.api import names
from kindler.clients.errors import NotFound


@dataclass(frozen=True, slots=True)
class Resource:
    """One kind as the API server serves it. `group` is empty for the core group."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """The value of `apiVersion` of an object."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str | None, name: str = "", subresource: str = "") -> str:
        """The URL path of an object, of a collection (no name), or of a collection in all namespaces (no namespace).

        Raises NotFound for an invalid name. Names come from hosts and paths of clients' requests, and such a name must
        never form another URL.
        """
        parts = [f"/apis/{self.group}" if self.group else "/api", self.version]
        if self.namespaced and namespace is not None:
            parts += ["namespaces", _segment(namespace)]
        parts.append(self.plural)
        if name:
            parts.append(_segment(name))
        if subresource:
            parts.append(subresource)
        return "/".join(parts)


def _segment(text: str) -> str:
    if text in ("", ".", "..") or "/" in text or "%" in text:
        raise NotFound(404, "NotFound", f"no object can be named {text!r}")
    return quote(text, safe="")


ENDPOINTS: Final = Resource(names.GROUP, names.VERSION, names.ENDPOINTS, "Endpoint")
ENDPOINT_CONFIGS: Final = Resource(names.GROUP, names.VERSION, names.ENDPOINT_CONFIGS, "EndpointConfig")
MODELS: Final = Resource(names.GROUP, names.VERSION, names.MODELS, "Model")
PODS: Final = Resource("", "v1", "pods", "Pod")
SERVICES: Final = Resource("", "v1", "services", "Service")
REPLICASETS: Final = Resource("apps", "v1", "replicasets", "ReplicaSet")
CONTROLLER_REVISIONS: Final = Resource("apps", "v1", "controllerrevisions", "ControllerRevision")
EVENTS: Final = Resource("events.k8s.io", "v1", "events", "Event")
LEASES: Final = Resource("coordination.k8s.io", "v1", "leases", "Lease")
CONFIG_MAPS: Final = Resource("", "v1", "configmaps", "ConfigMap")
AUTOSCALERS: Final = Resource("autoscaling", "v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler")
API_SERVICES: Final = Resource("apiregistration.k8s.io", "v1", "apiservices", "APIService", namespaced=False)
CLUSTER_ROLES: Final = Resource("rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole", namespaced=False)
