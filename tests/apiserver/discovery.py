"""The discovery API: lists the kinds of the server for clients such as kopf and kubectl."""

from __future__ import annotations

from typing import Any

from tests.apiserver.kinds import Kind

VERBS = ["create", "delete", "get", "list", "patch", "update", "watch"]


def document(parts: list[str], kinds: list[Kind]) -> dict[str, Any] | None:
    """The response for /version, /api, /apis and their sub-paths without a kind. None for any other path."""
    match parts:
        case ["version"]:
            return {"major": "1", "minor": "37", "gitVersion": "v1.37.0-in-memory", "platform": "linux/amd64"}
        case ["api"]:
            return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}
        case ["apis"]:
            groups = sorted({k.group for k in kinds if k.group})
            return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(g, kinds) for g in groups]}
        case ["apis", group] if any(k.group == group for k in kinds):
            return {"kind": "APIGroup", "apiVersion": "v1"} | _group(group, kinds)
        case ["api", version]:
            return _resources("", version, kinds)
        case ["apis", group, version] if any((k.group, k.version) == (group, version) for k in kinds):
            return _resources(group, version, kinds)
    return None


def _group(group: str, kinds: list[Kind]) -> dict[str, Any]:
    versions = [
        {"groupVersion": f"{group}/{v}", "version": v} for v in sorted({k.version for k in kinds if k.group == group})
    ]
    return {"name": group, "versions": versions, "preferredVersion": versions[0]}


def _resources(group: str, version: str, kinds: list[Kind]) -> dict[str, Any]:
    resources: list[dict[str, Any]] = []
    for kind in (k for k in kinds if (k.group, k.version) == (group, version)):
        names = {
            "singularName": kind.kind.lower(),
            "shortNames": list(kind.short_names),
            "categories": list(kind.categories),
        }
        resources.append(
            {"name": kind.plural, "namespaced": kind.namespaced, "kind": kind.kind, "verbs": VERBS} | names
        )
        subs = [sub for sub, there in (("status", kind.status), ("scale", kind.scale)) if there]
        common = {
            "singularName": "",
            "namespaced": kind.namespaced,
            "kind": kind.kind,
            "verbs": ["get", "patch", "update"],
        }
        resources += [common | {"name": f"{kind.plural}/{sub}"} for sub in subs]
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": f"{group}/{version}" if group else version,
        "resources": resources,
    }
