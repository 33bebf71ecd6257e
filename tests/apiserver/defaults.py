"""Defaults and canonical forms that the API server writes into an object before it stores it.

A controller that compares its desired object with the stored one must handle these differences. Only the kinds and
fields that Kindler writes are here.
"""

from __future__ import annotations

from typing import Any

from tests.apiserver import apiservices, autoscalers
from tests.apiserver.kinds import Kind
from tests.apiserver.quantities import rounded
from tests.apiserver.refusal import invalid


def complete(kind: Kind, obj: dict[str, Any]) -> None:
    """Fills in defaults, in place. Raises Refused (400, 422) for invalid objects."""
    if kind.kind == "ReplicaSet":
        _replicaset(obj)
    elif kind.kind == "Pod":
        _pod_spec(obj["spec"])
    elif kind.kind == "Service":
        _service(obj["spec"])
    elif kind.kind == "HorizontalPodAutoscaler":
        autoscalers.complete(obj)
    elif kind.kind == "APIService":
        apiservices.complete(obj)


def unchangeable(kind: Kind, old: dict[str, Any], new: dict[str, Any]) -> None:
    """Raises Refused (422) for a change of an immutable field."""
    name = new["metadata"]["name"]
    if kind.kind == "ReplicaSet" and old["spec"]["selector"] != new["spec"]["selector"]:
        raise invalid(kind.kind, name, "spec.selector: field is immutable")
    if kind.kind == "ControllerRevision" and old.get("data") != new.get("data"):
        raise invalid(kind.kind, name, "data: field is immutable")


def _replicaset(obj: dict[str, Any]) -> None:
    spec, name = obj.get("spec") or {}, obj["metadata"]["name"]
    selector = (spec.get("selector") or {}).get("matchLabels")
    if not selector:
        raise invalid("ReplicaSet", name, "spec.selector: Required value")
    labels = ((spec.get("template") or {}).get("metadata") or {}).get("labels") or {}
    if not selector.items() <= labels.items():
        raise invalid(
            "ReplicaSet",
            name,
            "spec.template.metadata.labels: Invalid value: `selector` does not match template `labels`",
        )
    spec.setdefault("replicas", 1)
    if spec["replicas"] < 0:
        raise invalid("ReplicaSet", name, "spec.replicas: Invalid value: must be greater than or equal to 0")
    _pod_spec(spec["template"]["spec"])


def _pod_spec(spec: dict[str, Any]) -> None:
    _fill(
        spec,
        restartPolicy="Always",
        terminationGracePeriodSeconds=30,
        dnsPolicy="ClusterFirst",
        schedulerName="default-scheduler",
    )
    spec.setdefault("securityContext", {})
    for container in spec.get("initContainers", []) + spec.get("containers", []):
        _container(container)


def _container(container: dict[str, Any]) -> None:
    image = container.get("image", "")
    latest = image.endswith(":latest") or (":" not in image.rpartition("/")[2] and "@" not in image)
    _fill(container, terminationMessagePath="/dev/termination-log", terminationMessagePolicy="File")
    _fill(container, imagePullPolicy="Always" if latest else "IfNotPresent")
    for port in container.get("ports", []):
        port.setdefault("protocol", "TCP")
    for probe in (container[p] for p in ("startupProbe", "readinessProbe", "livenessProbe") if p in container):
        _fill(probe, timeoutSeconds=1, periodSeconds=10, successThreshold=1, failureThreshold=3)
        if "httpGet" in probe:
            probe["httpGet"].setdefault("scheme", "HTTP")
    for env in container.get("env", []):
        if "fieldRef" in env.get("valueFrom", {}):
            env["valueFrom"]["fieldRef"].setdefault("apiVersion", "v1")
    resources = container.setdefault("resources", {})
    for side in ("limits", "requests"):
        if side in resources:
            resources[side] = {k: rounded(str(v)) for k, v in resources[side].items()}
    for name, value in resources.get("limits", {}).items():
        resources.setdefault("requests", {}).setdefault(name, value)


def _fill(obj: dict[str, Any], **values: str | int) -> None:
    for key, value in values.items():
        obj.setdefault(key, value)


def _service(spec: dict[str, Any]) -> None:
    spec.setdefault("type", "ClusterIP")
    spec.setdefault("sessionAffinity", "None")
    if spec["type"] != "ExternalName":
        spec.setdefault("internalTrafficPolicy", "Cluster")
    for port in spec.get("ports", []):
        port.setdefault("protocol", "TCP")
        port.setdefault("targetPort", port["port"])
