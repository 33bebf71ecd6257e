"""Discovery: the documents from which the API server learns which resources we serve.

The API server builds its own tables from these documents. If it finds an error in one of them, it logs the error every
minute.
"""

from __future__ import annotations

from typing import Any, Final

from kindler.api import names

Json = dict[str, Any]

EXTERNAL: Final = "v1beta1"
CUSTOM: Final = "v1beta2"
VERSIONS: Final = {names.EXTERNAL_METRICS: EXTERNAL, names.CUSTOM_METRICS: CUSTOM}
METRICS: Final = (names.METRIC_EXECUTIONS, names.METRIC_CUSTOMIZED)
ENDPOINTS: Final = f"{names.ENDPOINTS}.{names.GROUP}"  # the resource's name in paths of custom metrics


def documents() -> dict[str, Json]:
    """The documents by path."""
    groups = [_group(group, version) for group, version in VERSIONS.items()]
    by_path: dict[str, Json] = {"/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}}
    for group in groups:
        by_path[f"/apis/{group['name']}"] = {"kind": "APIGroup", "apiVersion": "v1"} | group
    by_path[f"/apis/{names.EXTERNAL_METRICS}/{EXTERNAL}"] = _resources(
        names.EXTERNAL_METRICS, EXTERNAL, "{}", "ExternalMetricValueList"
    )
    by_path[f"/apis/{names.CUSTOM_METRICS}/{CUSTOM}"] = _resources(
        names.CUSTOM_METRICS, CUSTOM, ENDPOINTS + "/{}", "MetricValueList"
    )
    # The API server merges the schemas of all aggregated servers. Our schema is empty, so it adds nothing.
    by_path["/openapi/v2"] = {"swagger": "2.0", "info": {"title": "Kindler metrics", "version": "v1"}, "paths": {}}
    by_path["/openapi/v3"] = {"paths": {}}
    return by_path


def _group(name: str, version: str) -> Json:
    served = {"groupVersion": f"{name}/{version}", "version": version}
    return {"name": name, "versions": [served], "preferredVersion": served}


def _resources(group: str, version: str, name_format: str, kind: str) -> Json:
    resources = [
        {"name": name_format.format(metric), "singularName": "", "namespaced": True, "kind": kind, "verbs": ["get"]}
        for metric in METRICS
    ]
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": f"{group}/{version}", "resources": resources}
