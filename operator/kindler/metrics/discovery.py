"""What the API server asks to find out what we serve. Its own tables are made of these answers; an error in one of them is logged by it every minute."""

from __future__ import annotations

from typing import Any, Final

from kindler.api import names

Json = dict[str, Any]

EXTERNAL: Final = "v1beta1"
CUSTOM: Final = "v1beta2"
VERSIONS: Final = {names.EXTERNAL_METRICS: EXTERNAL, names.CUSTOM_METRICS: CUSTOM}
METRICS: Final = (names.METRIC_EXECUTIONS, names.METRIC_CUSTOMIZED)
ENDPOINTS: Final = f"{names.ENDPOINTS}.{names.GROUP}"  # as custom metrics name the resource that they describe


def documents() -> dict[str, Json]:
    """By path."""
    groups = [_group(group, version) for group, version in VERSIONS.items()]
    told: dict[str, Json] = {"/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}}
    for group in groups:
        told[f"/apis/{group['name']}"] = {"kind": "APIGroup", "apiVersion": "v1"} | group
    told[f"/apis/{names.EXTERNAL_METRICS}/{EXTERNAL}"] = _resources(
        names.EXTERNAL_METRICS, EXTERNAL, "{}", "ExternalMetricValueList"
    )
    told[f"/apis/{names.CUSTOM_METRICS}/{CUSTOM}"] = _resources(
        names.CUSTOM_METRICS, CUSTOM, ENDPOINTS + "/{}", "MetricValueList"
    )
    # The API server merges the schemas of all that it aggregates: ours has nothing to add.
    told["/openapi/v2"] = {"swagger": "2.0", "info": {"title": "Kindler metrics", "version": "v1"}, "paths": {}}
    told["/openapi/v3"] = {"paths": {}}
    return told


def _group(name: str, version: str) -> Json:
    served = {"groupVersion": f"{name}/{version}", "version": version}
    return {"name": name, "versions": [served], "preferredVersion": served}


def _resources(group: str, version: str, form: str, kind: str) -> Json:
    resources = [
        {"name": form.format(metric), "singularName": "", "namespaced": True, "kind": kind, "verbs": ["get"]}
        for metric in METRICS
    ]
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": f"{group}/{version}", "resources": resources}
