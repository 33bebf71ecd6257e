"""The kinds of the server: the built-in ones that Kindler uses, and those of the CRD files."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

CRDS = Path(__file__).parents[2] / "crds"


@dataclass(frozen=True, slots=True, eq=False)
class Kind:
    """One kind.

    `unconditional`: PUT without a resourceVersion is allowed. `generation`: metadata.generation counts the changes
    outside metadata and status.
    """

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True
    status: bool = False
    scale: bool = False
    generation: bool = False
    unconditional: bool = True
    custom: bool = False
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    schema: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def qualified(self) -> str:
        """The kind's name in error messages, for example `replicasets.apps`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural


def builtin() -> list[Kind]:
    return [
        Kind("", "v1", "namespaces", "Namespace", namespaced=False, status=True),
        Kind("", "v1", "pods", "Pod", status=True, generation=True),
        Kind("", "v1", "services", "Service", status=True),
        Kind("", "v1", "events", "Event"),
        Kind("", "v1", "configmaps", "ConfigMap"),
        Kind("apps", "v1", "replicasets", "ReplicaSet", status=True, scale=True, generation=True),
        Kind("apps", "v1", "controllerrevisions", "ControllerRevision"),
        Kind("events.k8s.io", "v1", "events", "Event"),
        Kind("coordination.k8s.io", "v1", "leases", "Lease", unconditional=False),
        Kind("autoscaling", "v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler", status=True, generation=True),
        Kind(
            "apiregistration.k8s.io",
            "v1",
            "apiservices",
            "APIService",
            namespaced=False,
            status=True,
            unconditional=False,
        ),
        Kind("rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole", namespaced=False),
    ]


@cache  # parsing takes half a second, and tests create many servers
def custom(folder: Path = CRDS) -> list[Kind]:
    """The kinds of all CRD files in a folder, one per served version."""
    return [
        kind
        for file in sorted(folder.glob("*.yaml"))
        for crd in yaml.safe_load_all(file.read_text())
        for kind in defined(crd)
    ]


def defined(crd: dict[str, Any]) -> list[Kind]:
    """The kinds of one CRD."""
    return [_custom(crd["spec"], version) for version in crd["spec"]["versions"] if version["served"]]


def _custom(spec: dict[str, Any], version: dict[str, Any]) -> Kind:
    names = spec["names"]
    return Kind(
        spec["group"],
        version["name"],
        names["plural"],
        names["kind"],
        namespaced=spec["scope"] == "Namespaced",
        status="status" in version.get("subresources", {}),
        generation=True,
        unconditional=False,
        custom=True,
        short_names=tuple(names.get("shortNames", ())),
        categories=tuple(names.get("categories", ())),
        schema=version["schema"]["openAPIV3Schema"],
    )
