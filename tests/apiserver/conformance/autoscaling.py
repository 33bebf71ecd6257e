"""Cases: the kinds that autoscaling needs. HorizontalPodAutoscaler, APIService, ClusterRole."""

from __future__ import annotations

import uuid

import pytest

from kindler.clients.cluster import (
    API_SERVICES,
    AUTOSCALERS,
    CLUSTER_ROLES,
    ApiError,
    Conflict,
    Invalid,
    NotFound,
    Object,
)
from tests.apiserver.conformance.bodies import about, api_service, autoscaler, external
from tests.apiserver.conformance.world import World, case, existing

DOWN = {"selectPolicy": "Max", "policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}]}
UP = {
    "stabilizationWindowSeconds": 0,
    "selectPolicy": "Max",
    "policies": [
        {"type": "Pods", "value": 4, "periodSeconds": 15},
        {"type": "Percent", "value": 100, "periodSeconds": 15},
    ],
}


@case
async def an_autoscaler_gets_defaults_and_canonical_quantities(world: World) -> None:
    made = await world.cluster.create(
        AUTOSCALERS,
        world.namespace,
        autoscaler(metrics=[external("0.70"), external("0.0001"), about("2000"), about("1.50")]),
    )
    assert made["spec"]["minReplicas"] == 1 and "behavior" not in made["spec"]
    assert made["status"] == {"desiredReplicas": 0, "currentMetrics": None}
    values = [
        metric.get("external", metric.get("object"))["target"]["averageValue"] for metric in made["spec"]["metrics"]
    ]
    assert values == ["700m", "100u", "2k", "1500m"]
    without = await world.cluster.apply(
        AUTOSCALERS, world.namespace, "b", autoscaler(metrics=[]) | {"metadata": {"name": "b"}}, "me"
    )
    assert [metric["type"] for metric in without["spec"]["metrics"]] == ["Resource"], (
        "an autoscaler without metrics gets the default metric"
    )


@case
async def a_behavior_for_one_direction_gets_defaults_for_the_other(world: World) -> None:
    async def applied_behavior(behavior: Object) -> Object:
        applied = await world.cluster.apply(AUTOSCALERS, world.namespace, "a", autoscaler(behavior=behavior), "me")
        return dict(applied["spec"]["behavior"])

    assert await applied_behavior({"scaleDown": {"stabilizationWindowSeconds": 7}}) == {
        "scaleDown": DOWN | {"stabilizationWindowSeconds": 7},
        "scaleUp": UP,
    }
    policies = [{"type": "Pods", "value": 200, "periodSeconds": 15}]
    updated = await applied_behavior({"scaleUp": {"policies": policies}, "scaleDown": {"selectPolicy": "Disabled"}})
    assert updated == {"scaleUp": UP | {"policies": policies}, "scaleDown": DOWN | {"selectPolicy": "Disabled"}}
    assert "behavior" not in (await world.cluster.apply(AUTOSCALERS, world.namespace, "a", autoscaler(), "me"))["spec"]


@case
async def an_invalid_autoscaler_is_rejected(world: World) -> None:
    for wrong, message in (
        ({"minReplicas": -1}, "spec.minReplicas: Invalid value: -1: must be greater than or equal to 0"),
        ({"minReplicas": 4}, "spec.maxReplicas: Invalid value: 3: must be greater than or equal to `minReplicas`"),
        ({"maxReplicas": 0}, "must be greater than or equal to `minReplicas`, spec.maxReplicas: Required value"),
        (
            {"minReplicas": 0, "metrics": []},
            "spec.metrics: Forbidden: must specify at least one Object or External metric",
        ),
        (
            {"metrics": [external("0")]},
            'spec.metrics[0].external.target.averageValue: Invalid value: "0": must be positive',
        ),
        (
            {"metrics": [about("-1")]},
            'spec.metrics[0].object.target.averageValue: Invalid value: "-1": must be positive',
        ),
        ({"metrics": [{"type": "External"}]}, "spec.metrics[0].external: Required value"),
        ({"behavior": {"scaleDown": {"stabilizationWindowSeconds": 3601}}}, "must be less than or equal to 3600"),
        (
            {"behavior": {"scaleUp": {"policies": []}}},
            "spec.behavior.scaleUp.policies: Required value: must specify at least one Policy",
        ),
        ({"scaleTargetRef": {"kind": "ReplicaSet"}}, "spec.scaleTargetRef.name: Required value"),
    ):
        with pytest.raises(Invalid) as caught:
            await world.cluster.create(AUTOSCALERS, world.namespace, autoscaler(**wrong))
        assert message in caught.value.message
    with pytest.raises(ApiError, match="quantities must match") as unreadable:
        await world.cluster.create(AUTOSCALERS, world.namespace, autoscaler(metrics=[external("much")]))
    assert unreadable.value.status == 400


@case
async def an_apply_replaces_fields_of_the_manager_that_created_the_autoscaler(world: World) -> None:
    await world.cluster.create(
        AUTOSCALERS, world.namespace, autoscaler(minReplicas=2, metrics=[external("2")]), "maker"
    )
    changed = await world.cluster.apply(
        AUTOSCALERS, world.namespace, "a", autoscaler(minReplicas=1, metrics=[about("1")]), "one"
    )
    assert changed["metadata"]["generation"] == 2 and [metric["type"] for metric in changed["spec"]["metrics"]] == [
        "Object"
    ]
    left = await world.cluster.apply(AUTOSCALERS, world.namespace, "a", autoscaler(metrics=[about("1")]), "one")
    assert left["spec"]["minReplicas"] == 1 and left["metadata"]["generation"] == 2, (
        "a field that no manager applies any more gets its default"
    )
    status = {"desiredReplicas": 2, "currentMetrics": None}
    updated = await world.cluster.merge_patch(AUTOSCALERS, world.namespace, "a", {"status": status}, "status")
    assert updated["status"]["desiredReplicas"] == 2 and updated["metadata"]["generation"] == 2


@case
async def an_api_service_must_be_named_by_version_and_group(world: World) -> None:
    group = f"{uuid.uuid4().hex[:8]}.conformance.example.com"  # unique: other cases see this APIService too
    service = {"name": "no", "namespace": world.namespace}
    try:
        made = await world.cluster.create(
            API_SERVICES, None, api_service(f"v1.{group}", group, service=service, caBundle="eA=="), "maker"
        )
        assert (
            made["spec"]["service"] == service | {"port": 443}
            and made["spec"]["caBundle"] == "eA=="
            and made["status"] == {}
        )
        with pytest.raises(Conflict) as caught:
            await world.cluster.create(API_SERVICES, None, api_service(f"v1.{group}", group))
        assert caught.value.already_exists
        patched = await world.cluster.merge_patch(
            API_SERVICES, None, f"v1.{group}", {"spec": {"caBundle": "eQ=="}}, field_manager="one"
        )
        assert patched["spec"]["caBundle"] == "eQ==" and patched["spec"]["service"]["name"] == "no"
        with pytest.raises(Conflict):
            old = {"metadata": {"resourceVersion": made["metadata"]["resourceVersion"]}, "spec": {"caBundle": ""}}
            await world.cluster.merge_patch(API_SERVICES, None, f"v1.{group}", old)
    finally:
        await world.cluster.delete(API_SERVICES, None, f"v1.{group}")
    for wrong, name, message in (
        ({}, "v2", 'must be `spec.version+"."+spec.group`'),
        ({"groupPriorityMinimum": 0}, "v1", "spec.groupPriorityMinimum: Invalid value: 0"),
        ({"versionPriority": 0}, "v1", "spec.versionPriority: Invalid value: 0"),
        (
            {"service": service, "caBundle": "eA==", "insecureSkipTLSVerify": True},
            "v1",
            "may not be true if caBundle is present",
        ),
    ):
        with pytest.raises(Invalid) as refused:
            await world.cluster.create(API_SERVICES, None, api_service(f"{name}.{group}", group, **wrong))
        assert message in refused.value.message
    with pytest.raises(ApiError, match="illegal base64"):
        await world.cluster.create(API_SERVICES, None, api_service(f"v1.{group}", group, caBundle="%"))


@case
async def a_cluster_role_has_no_namespace(world: World) -> None:
    name = f"conformance-{uuid.uuid4().hex[:8]}"
    body = {
        "apiVersion": CLUSTER_ROLES.api_version,
        "kind": CLUSTER_ROLES.kind,
        "metadata": {"name": name},
        "rules": [],
    }
    made = await world.cluster.create(CLUSTER_ROLES, None, body)
    assert "namespace" not in made["metadata"] and await world.cluster.get(CLUSTER_ROLES, None, name) == made
    assert await world.cluster.delete(CLUSTER_ROLES, None, name)
    with pytest.raises(NotFound):
        await world.cluster.merge_patch(CLUSTER_ROLES, None, name, {"rules": []})
    with pytest.raises(AssertionError):
        await existing(world, CLUSTER_ROLES, name)
