"""The settings that identify a revision, the pod of a revision, and the content of a ControllerRevision."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from kindler.api import names
from kindler.api.endpointconfig import EndpointConfigSpec
from kindler.api.model import ModelSpec
from kindler.core.endpoint import manifests
from kindler.core.endpoint.podspec import pod_spec
from kindler.core.endpoint.revision import PodShape, limits_of, pod_shape_of, revision_of, route_of
from kindler.core.endpoint.state import DesiredPool
from tests.unit.builders import SETTINGS, observed, resolved, stored_revision, with_uid

IMAGE = {"image": "registry.local/iris:1"}


def shape(
    model: dict[str, Any] | None = None, serverless: dict[str, Any] | None = None, variant: dict[str, Any] | None = None
) -> PodShape:
    spec = ModelSpec.parse({"primaryContainer": IMAGE} | (model or {}))
    config = {"memorySizeInMB": 2048, "maxConcurrency": 5} | (serverless or {})
    made = EndpointConfigSpec.parse(
        {"productionVariants": [{"variantName": "A", "modelName": "m", "serverlessConfig": config} | (variant or {})]}
    )
    return pod_shape_of(spec, made.variant)


BASE = revision_of(shape())

SAME: list[Any] = [
    {"model": {"modelName": "another"}},
    {"model": {"tags": [{"key": "a"}]}},
    {"model": {"containers": [IMAGE], "primaryContainer": None}},
    {
        "model": {
            "primaryContainer": IMAGE | {"port": 8080, "args": ["serve"], "healthPath": "/ping", "drain": "Connections"}
        }
    },
    {"model": {"primaryContainer": IMAGE | {"environment": {}, "containerHostname": "x"}}},
    {
        "serverless": {
            "maxConcurrency": 9,
            "maxConcurrencyPerInstance": 3,
            "provisionedConcurrency": 2,
            "idleTimeoutInSeconds": 1,
        }
    },
    {"variant": {"variantName": "B", "modelName": "n"}},
]
OTHER: list[Any] = [
    {"model": {"primaryContainer": {"image": "registry.local/iris:2"}}},
    {"model": {"primaryContainer": IMAGE | {"environment": {"A": "1"}}}},
    {"model": {"primaryContainer": IMAGE | {"args": []}}},
    {"model": {"primaryContainer": IMAGE | {"command": ["x"]}}},
    {"model": {"primaryContainer": IMAGE | {"port": 9000}}},
    {"model": {"primaryContainer": IMAGE | {"drain": "Sleep"}}},
    {"model": {"primaryContainer": IMAGE | {"securityContext": {"runAsUser": 5}}}},
    {"model": {"imagePullSecrets": [{"name": "s"}]}},
    {"serverless": {"memorySizeInMB": 1024}},
    {"serverless": {"invocationTimeoutInSeconds": 9}},
    {"variant": {"containerStartupHealthCheckTimeoutInSeconds": 99}},
]


@pytest.mark.parametrize("changed", SAME, ids=str)
def test_names_limits_and_explicit_defaults_do_not_change_the_revision(changed: dict[str, Any]) -> None:
    assert revision_of(shape(**changed)) == BASE


@pytest.mark.parametrize("changed", OTHER, ids=str)
def test_everything_that_shapes_a_pod_changes_the_revision(changed: dict[str, Any]) -> None:
    assert revision_of(shape(**changed)) != BASE


def test_revisions_of_released_versions_never_change() -> None:
    """If an upgrade changed the hash of a revision, it would restart every pod."""
    assert BASE == "352f27d37f"
    assert revision_of(PodShape("a:1", 1024, environment=(("A", "1"),), command=("x",))) == "f32ad716be"


def test_the_order_of_environment_variables_does_not_matter() -> None:
    first, second = ({"environment": dict(items)} for items in ((("A", "1"), ("B", "2")), (("B", "2"), ("A", "1"))))
    assert shape({"primaryContainer": IMAGE | first}) == shape({"primaryContainer": IMAGE | second})


def test_a_shape_is_written_and_read_back() -> None:
    full = shape(
        {
            "primaryContainer": IMAGE | {"environment": {"B": "2", "A": "1"}, "command": ["x"], "args": []},
            "imagePullSecrets": [{"name": "s"}],
        }
    )
    assert PodShape.from_json(full.to_json() | {"of_a_newer_kindler": 1}) == full


def test_timeouts_are_stored_under_their_first_names() -> None:
    """The fields of the class were renamed. The stored keys stay, because the hash is computed from them."""
    timed = PodShape("a:1", 1024, invocation_timeout_in_seconds=7, startup_timeout_in_seconds=99)
    stored_keys = {"image": "a:1", "memory_size_in_mb": 1024, "invocation_timeout": 7, "startup_timeout": 99}
    assert timed.to_json() == stored_keys
    assert PodShape.from_json(stored_keys) == timed
    assert PodShape.from_json({"image": "a:1", "memory_size_in_mb": 1024, "startup_timeout_in_seconds": 5}) == PodShape(
        "a:1", 1024
    ), "a field's name is no key"


# --- The pod


def container(**changed: Any) -> dict[str, Any]:
    found: dict[str, Any] = pod_spec(shape(**changed), SETTINGS)["containers"][0]
    return found


def test_the_pod_meets_pod_security_restricted() -> None:
    spec = pod_spec(shape(), SETTINGS)
    one = spec["containers"][0]
    assert spec["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 10001,
        "runAsGroup": 0,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert one["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": False,
    }
    assert (spec["automountServiceAccountToken"], spec["enableServiceLinks"]) == (False, False)
    assert {t["tolerationSeconds"] for t in spec["tolerations"]} == {30}
    assert "volumes" not in spec
    assert "readinessProbe" not in one
    assert "livenessProbe" not in one


def test_a_read_only_root_file_system_has_a_writable_tmp() -> None:
    spec = pod_spec(
        shape({"primaryContainer": IMAGE | {"securityContext": {"readOnlyRootFilesystem": True}}}), SETTINGS
    )
    assert spec["volumes"] == [{"name": "tmp", "emptyDir": {}}]
    assert spec["containers"][0]["volumeMounts"] == [{"name": "tmp", "mountPath": "/tmp"}]
    assert spec["containers"][0]["securityContext"]["readOnlyRootFilesystem"]


def test_probe_and_grace_period_follow_the_timeouts() -> None:
    spec = pod_spec(
        shape(
            serverless={"invocationTimeoutInSeconds": 7}, variant={"containerStartupHealthCheckTimeoutInSeconds": 99}
        ),
        SETTINGS,
    )
    probe = spec["containers"][0]["startupProbe"]
    assert (probe["periodSeconds"], probe["failureThreshold"], probe["httpGet"]) == (
        1,
        99,
        {"path": "/ping", "port": 8080},
    )
    assert spec["terminationGracePeriodSeconds"] == 37


@pytest.mark.parametrize(
    ("memory", "ratios", "limits", "requests"),
    [
        (1024, (1, 1), ("1Gi", "579m"), ("1Gi", "579m")),
        (3072, (1, 1), ("3Gi", "1737m"), ("3Gi", "1737m")),
        (6144, (0.05, 0.05), ("6Gi", "3473m"), ("307Mi", "174m")),
        (6144, (0.5, 0.01), ("6Gi", "3473m"), ("3Gi", "35m")),
    ],
)
def test_cpu_follows_memory_and_requests_follow_their_ratios(
    memory: int, ratios: tuple[float, float], limits: tuple[str, str], requests: tuple[str, str]
) -> None:
    settings = replace(SETTINGS, memory_request_ratio=ratios[0], cpu_request_ratio=ratios[1])
    resources = pod_spec(shape(serverless={"memorySizeInMB": memory}), settings)["containers"][0]["resources"]
    assert (resources["limits"]["memory"], resources["limits"]["cpu"]) == limits
    assert (resources["requests"]["memory"], resources["requests"]["cpu"]) == requests
    assert (resources["limits"]["ephemeral-storage"], resources["requests"]["ephemeral-storage"]) == ("5Gi", "64Mi")


def test_environment_values_are_literal() -> None:
    environment = {"A": "$(HOME) costs $5", "B": ""}
    env = {
        e["name"]: e["value"]
        for e in container(model={"primaryContainer": IMAGE | {"environment": environment}})["env"]
    }
    assert env == {"HOME": "/tmp", "A": "$$(HOME) costs $$5", "B": ""}
    own = container(model={"primaryContainer": IMAGE | {"environment": {"HOME": "/home/me"}}})["env"]
    assert own == [{"name": "HOME", "value": "/home/me"}]


def test_how_the_pod_is_started_and_drained() -> None:
    assert container()["args"] == ["serve"]
    assert "args" not in container(model={"primaryContainer": IMAGE | {"args": []}}), "the image's own CMD applies"
    assert container()["lifecycle"]["preStop"]["exec"]["command"][:2] == ["/bin/sh", "-c"]
    assert container(model={"primaryContainer": IMAGE | {"drain": "Sleep"}})["lifecycle"] == {
        "preStop": {"sleep": {"seconds": 60}}
    }
    assert pod_spec(shape({"imagePullSecrets": [{"name": "s"}]}), SETTINGS)["imagePullSecrets"] == [{"name": "s"}]


# --- What is stored


def test_a_controller_revision_stores_all_fields() -> None:
    revision = stored_revision(resolved(), number=3)
    assert (
        manifests.stored_revision_from(with_uid(manifests.controller_revision(observed(), revision), revision.uid))
        == revision
    )
    first = stored_revision(resolved())
    assert (
        manifests.stored_revision_from(with_uid(manifests.controller_revision(observed(), first), first.uid)) == first
    )


def test_a_damaged_controller_revision_is_read_as_far_as_possible() -> None:
    raw = with_uid(manifests.controller_revision(observed(), stored_revision(resolved(), number=3)), "uid")
    raw["metadata"]["annotations"] = {manifests.ATTEMPT: "{", manifests.ROUTED: "[]"}
    read = manifests.stored_revision_from(raw)
    assert read is not None
    assert (read.attempt, read.routed, read.number) == (None, None, 3)
    assert manifests.stored_revision_from(raw | {"data": {}}) is None
    for shape in (None, [], "text", 1):
        assert manifests.stored_revision_from(raw | {"data": raw["data"] | {"shape": shape}}) is None, shape


def test_children_have_names_labels_and_an_owner() -> None:
    revision = stored_revision(resolved())
    desired = DesiredPool(
        names.pool_name("iris", revision.revision, names.WARM), revision.revision, names.WARM, 4, 4, "1-0"
    )
    made = manifests.new_replica_set(observed(), revision, desired)
    labels = made["spec"]["template"]["metadata"]["labels"]
    assert made["spec"]["selector"]["matchLabels"].items() <= labels.items()
    assert (labels[names.LABEL_ENDPOINT], labels[names.LABEL_REVISION], labels[names.LABEL_POOL]) == (
        "iris",
        revision.revision,
        "warm",
    )
    assert made["spec"]["replicas"] == 4
    assert manifests.is_ours(made, "uid-iris")
    assert not manifests.is_ours(made, "another")
    pool = manifests.pool_from(with_uid(made, "u"))
    assert (pool.name, pool.pool, pool.replicas, pool.attempt) == (desired.name, "warm", 4, "1-0")


def test_limits_become_the_route() -> None:
    config = {"memorySizeInMB": 2048, "maxConcurrency": 5, "provisionedConcurrency": 2, "idleTimeoutInSeconds": 9}
    made = EndpointConfigSpec.parse(
        {"productionVariants": [{"variantName": "A", "modelName": "m", "serverlessConfig": config}]}
    )
    route = route_of("iris", shape(), limits_of(made.variant))
    assert (
        route.variant_name,
        route.max_concurrency,
        route.provisioned_concurrency,
        route.idle_timeout_in_seconds,
    ) == ("A", 5, 2, 9)
    assert route.warm_pool == f"iris-{BASE}-warm"


def test_an_attempt_of_a_newer_kindler_is_read() -> None:
    revision = stored_revision(resolved())
    raw = with_uid(manifests.controller_revision(observed(), revision), revision.uid)
    notes = raw["metadata"]["annotations"]
    notes[manifests.ATTEMPT] = json.dumps(json.loads(notes[manifests.ATTEMPT]) | {"later": 1})
    found = manifests.stored_revision_from(raw)
    assert found is not None
    assert found.attempt == revision.attempt
