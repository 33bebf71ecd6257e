"""The API through which HPAs read our metrics. A cluster has one server for each of the two API groups.

Another product may have registered a group first. Kindler never takes such a group over.

    state of the cluster            we      API
    --------------------            --      ---
    external is ours                keep    EXTERNAL; we keep an API that we have
    else custom is ours             keep    CUSTOM
    else external is free           create  EXTERNAL
    else custom is free             create  CUSTOM
    else (both are other servers')  -       NONE: the controller computes sizes, and checks again later

A setting may allow only one of the two groups. If we have the other group, its APIServices are removed.
"""

from __future__ import annotations

import base64
import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from kindler.api import names
from kindler.core.autoscaling.decision import MetricsApi

Json = dict[str, Any]

# All versions in which a group was ever served; we serve the first one. If one version belongs to another server, the
# whole group does, because discovery would mix the versions.
VERSIONS: Final = {MetricsApi.EXTERNAL: ("v1beta1",), MetricsApi.CUSTOM: ("v1beta2", "v1beta1")}
GROUPS: Final = {MetricsApi.EXTERNAL: names.EXTERNAL_METRICS, MetricsApi.CUSTOM: names.CUSTOM_METRICS}
ALLOWED: Final = {
    "auto": (MetricsApi.EXTERNAL, MetricsApi.CUSTOM),
    "external": (MetricsApi.EXTERNAL,),
    "custom": (MetricsApi.CUSTOM,),
}
PRIORITY: Final = 100  # of the group and of the version: the value that other metrics servers use

CERT_MANAGER: Final = "cert-manager.io/inject-ca-from"


class Holder(enum.Enum):
    """Which server serves a group."""

    FREE = "free"
    OURS = "ours"
    FOREIGN = "foreign"


@dataclass(frozen=True, slots=True)
class Installation:
    """The installation that our APIService belongs to. `owner`: the ClusterRole with which the APIService is deleted.

    `certificate`: NAMESPACE/NAME of a Certificate of cert-manager, which then injects the caBundle. Empty: we write the
    caBundle.
    """

    namespace: str
    service: str
    owner: Json
    certificate: str = ""


@dataclass(frozen=True, slots=True)
class ApiServiceChoice:
    """The API, and what must be written. The strings are names of APIServices.

    `waiting`: `api` is free, but no metrics server has published a certificate yet. `make`: the APIService to create.
    `change`: our APIService, if it differs from the desired content. `remove`: our APIServices that are not desired any
    more. `disown`: APIServices that another product took over, but that still have our owner reference. The garbage
    collector would delete them together with our release.
    """

    api: MetricsApi
    waiting: bool = False
    make: str = ""
    change: str = ""
    remove: tuple[str, ...] = ()
    disown: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ClusterApiServices:
    """The existing APIServices of both groups by name, and the certificates of metrics servers by pod (PEM)."""

    services: Mapping[str, Json]
    certificates: Mapping[str, str] = field(default_factory=dict)


def service_names() -> tuple[str, ...]:
    """The names of all APIServices of both groups."""
    return tuple(name for api in VERSIONS for name in _names(api))


def is_ours(found: Json, home: Installation) -> bool:
    """Whether the APIService points to our Service. Labels do not count, because anybody can set a label."""
    service = found["spec"].get("service") or {}
    return (service.get("namespace"), service.get("name")) == (home.namespace, home.service)


def holder(api: MetricsApi, services: Mapping[str, Json], home: Installation) -> Holder:
    """Which server serves the group."""
    exists = [services[name] for name in _names(api) if name in services]
    if not all(is_ours(found, home) for found in exists):
        return Holder.FOREIGN
    return Holder.OURS if _names(api)[0] in services else Holder.FREE


def choose(found: ClusterApiServices, home: Installation, setting: str) -> ApiServiceChoice:
    """The choice by the table in this module's docstring, and what must be written. `setting`: a key of ALLOWED."""
    holders = {api: holder(api, found.services, home) for api in VERSIONS}
    desired = [api for which in (Holder.OURS, Holder.FREE) for api in ALLOWED[setting] if holders[api] is which]
    api = desired[0] if desired else MetricsApi.NONE
    name = _names(api)[0] if desired else ""
    ours = {n for n in service_names() if n in found.services and is_ours(found.services[n], home)}
    # An APIService is created only if a metrics server has published a certificate. Without a server, the APIService
    # would block the deletion of every namespace.
    has_server = bool(bundle(found.certificates))
    exists = name in ours
    return ApiServiceChoice(
        api,
        waiting=bool(name) and not exists and not has_server,
        make=name if not exists and has_server else "",
        change=name
        if exists and has_server and not _is_current(found.services[name], manifest(name, home, found.certificates))
        else "",
        remove=tuple(sorted(ours - {name})),
        disown=tuple(
            sorted(n for n, service in found.services.items() if n not in ours and home.owner in _owners(service))
        ),
    )


def manifest(name: str, home: Installation, certificates: Mapping[str, str]) -> Json:
    """The manifest of our APIService."""
    version, _, group = name.partition(".")
    metadata: Json = {
        "name": name,
        "labels": {names.LABEL_MANAGED_BY: names.MANAGED_BY},
        "ownerReferences": [home.owner],
    }
    spec: Json = {
        "group": group,
        "version": version,
        "service": {"namespace": home.namespace, "name": home.service, "port": 443},
        "groupPriorityMinimum": PRIORITY,
        "versionPriority": PRIORITY,
    }
    if home.certificate:
        metadata["annotations"] = {CERT_MANAGER: home.certificate}
    elif trusted := bundle(certificates):
        spec["caBundle"] = trusted
    return {"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": metadata, "spec": spec}


def bundle(certificates: Mapping[str, str]) -> str:
    """A caBundle that trusts all certificates; empty if there is no certificate.

    Text that is not a certificate is left out, because it would make the whole bundle invalid.
    """
    blocks = {block for text in certificates.values() for block in _CERTIFICATE.findall(text)}
    return base64.b64encode("".join(f"{block}\n" for block in sorted(blocks)).encode()).decode()


def disowned(found: Json, home: Installation) -> Json:
    """The merge patch that removes our owner reference, and nothing else, from another product's APIService.

    The patch succeeds only if the object has not changed since it was read.
    """
    others = [owner for owner in _owners(found) if owner != home.owner]
    return {"metadata": {"resourceVersion": found["metadata"]["resourceVersion"], "ownerReferences": others or None}}


def owner_reference(cluster_role: Json) -> Json:
    """An owner reference to the release's ClusterRole.

    The ClusterRole is cluster-scoped like the APIService, and it is deleted with the release.
    """
    metadata = cluster_role["metadata"]
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "name": metadata["name"],
        "uid": metadata["uid"],
    }


def _names(api: MetricsApi) -> list[str]:
    return [f"{version}.{GROUPS[api]}" for version in VERSIONS[api]]


def _owners(found: Json) -> list[Json]:
    return list(found["metadata"].get("ownerReferences") or ())


def _is_current(found: Json, desired: Json) -> bool:
    """Whether the object has all desired values, and cert-manager's annotation only if that is desired."""
    metadata, spec = found["metadata"], found["spec"]
    annotations, desired_annotations = metadata.get("annotations") or {}, desired["metadata"].get("annotations", {})
    if not desired_annotations.items() <= annotations.items() or (CERT_MANAGER in annotations) != (
        CERT_MANAGER in desired_annotations
    ):
        return False
    return (
        all(owner in _owners(found) for owner in desired["metadata"]["ownerReferences"])
        and desired["spec"].items() <= spec.items()
    )


_CERTIFICATE: Final = re.compile(r"-----BEGIN CERTIFICATE-----\n[A-Za-z0-9+/=\n]+\n-----END CERTIFICATE-----")
