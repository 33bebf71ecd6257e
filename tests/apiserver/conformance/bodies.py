"""Objects that the cases create, as JSON."""

from __future__ import annotations

from typing import Any

from kindler.clients.cluster import API_SERVICES, AUTOSCALERS, MODELS, Object, Resource

# A kind that no controller knows, so that no controller writes to the objects of a case.
THINGS = Resource("conformance.example.com", "v1", "things", "Thing")
THINGS_CRD: Object = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "things.conformance.example.com"},
    "spec": {
        "group": THINGS.group,
        "names": {"kind": "Thing", "listKind": "ThingList", "plural": "things", "singular": "thing"},
        "scope": "Namespaced",
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "subresources": {"status": {}},
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {
                            "spec": {"type": "object", "properties": {"value": {"type": "string"}}},
                            "status": {
                                "type": "object",
                                "default": {"observedGeneration": -1},
                                "properties": {"observedGeneration": {"type": "integer", "format": "int64"}},
                            },
                        },
                    }
                },
            }
        ],
    },
}
CRDS = Resource("apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition", namespaced=False)
NAMESPACES = Resource("", "v1", "namespaces", "Namespace", namespaced=False)
CONFIG_MAPS = Resource("", "v1", "configmaps", "ConfigMap")


def thing(name: str, value: str = "c1", **metadata: Any) -> Object:
    return {
        "apiVersion": THINGS.api_version,
        "kind": "Thing",
        "metadata": {"name": name, **metadata},
        "spec": {"value": value},
    }


def model(name: str) -> Object:
    return {
        "apiVersion": MODELS.api_version,
        "kind": "Model",
        "metadata": {"name": name},
        "spec": {"primaryContainer": {"image": "a:1"}},
    }


def config_map(name: str, data: dict[str, str] | None = None, **metadata: Any) -> Object:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **metadata}, "data": data or {}}


def replica_set(name: str, replicas: int | None = None, **container: Any) -> Object:
    spec: Object = {
        "selector": {"matchLabels": {"app": name}},
        # No scheduler has this name, so the pods stay Pending on every server.
        "template": {
            "metadata": {"labels": {"app": name}},
            "spec": {"schedulerName": "nobody", "containers": [{"name": "model", "image": "a:1", **container}]},
        },
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {"name": name},
        "spec": spec | ({} if replicas is None else {"replicas": replicas}),
    }


def pod(name: str, node: str = "") -> Object:
    spec: Object = {"schedulerName": "nobody", "containers": [{"name": "model", "image": "a:1"}]} | (
        {"nodeName": node} if node else {}
    )
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


def external(value: str) -> Object:
    return {
        "type": "External",
        "external": {"metric": {"name": "m"}, "target": {"type": "AverageValue", "averageValue": value}},
    }


def about(value: str) -> Object:
    described = {"apiVersion": "serving.kindler.dev/v1alpha1", "kind": "Endpoint", "name": "e"}
    return {
        "type": "Object",
        "object": {
            "describedObject": described,
            "metric": {"name": "m"},
            "target": {"type": "AverageValue", "averageValue": value},
        },
    }


def autoscaler(**spec: Any) -> Object:
    """An autoscaler of a ReplicaSet that does not exist, so that controllers change only its status."""
    target = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "no"}
    default = {"scaleTargetRef": target, "maxReplicas": 3, "metrics": [external("1")]}
    return {
        "apiVersion": AUTOSCALERS.api_version,
        "kind": AUTOSCALERS.kind,
        "metadata": {"name": "a"},
        "spec": default | spec,
    }


def api_service(name: str, group: str, **spec: Any) -> Object:
    default = {"group": group, "version": "v1", "groupPriorityMinimum": 100, "versionPriority": 100}
    return {
        "apiVersion": API_SERVICES.api_version,
        "kind": API_SERVICES.kind,
        "metadata": {"name": name},
        "spec": default | spec,
    }
