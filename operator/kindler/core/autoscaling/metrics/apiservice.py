"""By which API HPAs read our metrics. A cluster has one server for each of the two groups, others may have come first, and nothing is ever taken from them.

    what is in the cluster        ours    what is done
    ----------------------        ----    ------------
    external is ours              keep    EXTERNAL; what we hold we keep
    else custom is ours           keep    CUSTOM
    else external is free         make    EXTERNAL
    else custom is free           make    CUSTOM
    else (both are others')       -       NONE: the controller computes sizes, and looks again

A setting may narrow that to one of the two; if we hold the other, it is given back.
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

# Every version in which a group was ever served; ours is the first. One that is another's makes the whole group another's: discovery would mix them.
VERSIONS: Final = {MetricsApi.EXTERNAL: ("v1beta1",), MetricsApi.CUSTOM: ("v1beta2", "v1beta1")}
GROUPS: Final = {MetricsApi.EXTERNAL: names.EXTERNAL_METRICS, MetricsApi.CUSTOM: names.CUSTOM_METRICS}
ALLOWED: Final = {
    "auto": (MetricsApi.EXTERNAL, MetricsApi.CUSTOM),
    "external": (MetricsApi.EXTERNAL,),
    "custom": (MetricsApi.CUSTOM,),
}
PRIORITY: Final = 100  # of group and version, as other metrics servers ask for: no client chooses between these groups

CERT_MANAGER: Final = "cert-manager.io/inject-ca-from"


class Holder(enum.Enum):
    """Whose a group is."""

    FREE = "free"
    OURS = "ours"
    FOREIGN = "foreign"


@dataclass(frozen=True, slots=True)
class Installation:
    """What an APIService of ours says of where it comes from. `owner`: the ClusterRole that takes it along when the release is removed.

    `certificate`: NAMESPACE/NAME of cert-manager's Certificate, which then writes the caBundle; empty: we do.
    """

    namespace: str
    service: str
    owner: Json
    certificate: str = ""


@dataclass(frozen=True, slots=True)
class ApiServiceChoice:
    """What follows from what was found. Names of APIServices.

    `waiting`: `api` is free, but no metrics server has published a certificate yet. `make`: it is not there. `change`: it is ours, and says something else
    than it should. `remove`: ours, and no longer wanted. `disown`: somebody made it theirs with our owner reference in it, by which it would go with our
    release.
    """

    api: MetricsApi
    waiting: bool = False
    make: str = ""
    change: str = ""
    remove: tuple[str, ...] = ()
    disown: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ClusterApiServices:
    """The APIServices of both groups by name (those that are there), and the certificates that the metrics servers published (PEM, by pod)."""

    services: Mapping[str, Json]
    certificates: Mapping[str, str] = field(default_factory=dict)


def service_names() -> tuple[str, ...]:
    """Every APIService that matters."""
    return tuple(name for api in VERSIONS for name in _names(api))


def is_ours(found: Json, home: Installation) -> bool:
    """By what it leads to, and nothing else: a label can be put on anything."""
    service = found["spec"].get("service") or {}
    return (service.get("namespace"), service.get("name")) == (home.namespace, home.service)


def holder(api: MetricsApi, services: Mapping[str, Json], home: Installation) -> Holder:
    """Whose the group is."""
    there = [services[name] for name in _names(api) if name in services]
    if not all(is_ours(found, home) for found in there):
        return Holder.FOREIGN
    return Holder.OURS if _names(api)[0] in services else Holder.FREE


def choose(found: ClusterApiServices, home: Installation, setting: str) -> ApiServiceChoice:
    """The table above, and what is to be written. `setting`: a key of ALLOWED."""
    holders = {api: holder(api, found.services, home) for api in VERSIONS}
    wanted = [api for which in (Holder.OURS, Holder.FREE) for api in ALLOWED[setting] if holders[api] is which]
    api = wanted[0] if wanted else MetricsApi.NONE
    name = _names(api)[0] if wanted else ""
    ours = {n for n in service_names() if n in found.services and is_ours(found.services[n], home)}
    # Not before somebody answers: an APIService that nobody answers for holds up the removal of every namespace in the cluster.
    answered = bool(bundle(found.certificates))
    there = name in ours
    return ApiServiceChoice(
        api,
        waiting=bool(name) and not there and not answered,
        make=name if not there and answered else "",
        change=name
        if there and answered and not _says(found.services[name], manifest(name, home, found.certificates))
        else "",
        remove=tuple(sorted(ours - {name})),
        disown=tuple(
            sorted(n for n, service in found.services.items() if n not in ours and home.owner in _owners(service))
        ),
    )


def manifest(name: str, home: Installation, certificates: Mapping[str, str]) -> Json:
    """An APIService of ours, as it is made and applied."""
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
    """A caBundle that trusts each of them; empty for none. What is no certificate is left out: it would spoil the others."""
    blocks = {block for text in certificates.values() for block in _CERTIFICATE.findall(text)}
    return base64.b64encode("".join(f"{block}\n" for block in sorted(blocks)).encode()).decode()


def disowned(found: Json, home: Installation) -> Json:
    """The merge patch that takes our owner reference out of what is another's, and nothing else, if it is still as it was found."""
    left = [owner for owner in _owners(found) if owner != home.owner]
    return {"metadata": {"resourceVersion": found["metadata"]["resourceVersion"], "ownerReferences": left or None}}


def owner_reference(cluster_role: Json) -> Json:
    """To the release's ClusterRole: cluster-scoped, as what it owns, and removed with the release."""
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


def _says(found: Json, wanted: Json) -> bool:
    """Whether all that we say stands there, and cert-manager is asked only if we say so."""
    metadata, spec = found["metadata"], found["spec"]
    annotations, wanted_annotations = metadata.get("annotations") or {}, wanted["metadata"].get("annotations", {})
    if not wanted_annotations.items() <= annotations.items() or (CERT_MANAGER in annotations) != (
        CERT_MANAGER in wanted_annotations
    ):
        return False
    return (
        all(owner in _owners(found) for owner in wanted["metadata"]["ownerReferences"])
        and wanted["spec"].items() <= spec.items()
    )


_CERTIFICATE: Final = re.compile(r"-----BEGIN CERTIFICATE-----\n[A-Za-z0-9+/=\n]+\n-----END CERTIFICATE-----")
