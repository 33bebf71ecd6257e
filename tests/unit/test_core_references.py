"""Names and references: the oldest object owns a name, and references use SageMaker names."""

from __future__ import annotations

from typing import Any

import pytest

from kindler.core.common.blockers import Blocker, BlockerKind
from kindler.core.endpoint.references import invalid_spec, name_conflict, name_owner, resolve_refs, sagemaker_name
from kindler.core.endpoint.state import ResolvedRefs

Json = dict[str, Any]


def raw(name: str, spec: Json | None = None, created: str = "2027-01-01T00:00:00Z", uid: str | None = None) -> Json:
    return {
        "metadata": {
            "name": name,
            "namespace": "team",
            "uid": uid or f"uid-{name}",
            "creationTimestamp": created,
            "generation": 1,
        },
        "spec": spec or {},
    }


MODEL = raw("m", {"primaryContainer": {"image": "a:1"}})
VARIANT = {"variantName": "A", "modelName": "m", "serverlessConfig": {"memorySizeInMB": 1024, "maxConcurrency": 1}}
CONFIG = raw("c", {"productionVariants": [VARIANT]})
ENDPOINT = raw("e", {"endpointConfigName": "c"})
LATE = "2027-02-01T00:00:00Z"


@pytest.mark.parametrize(
    ("kind", "spec", "name"),
    [
        ("Model", {}, "Obj"),
        ("Model", {"modelName": "Mine"}, "Mine"),
        ("EndpointConfig", {"endpointConfigName": "Mine"}, "Mine"),
        ("Endpoint", {"endpointName": "Mine"}, "mine"),
        ("Endpoint", {"modelName": "x"}, "obj"),
    ],
)
def test_the_sagemaker_name_defaults_to_the_objects_name(kind: str, spec: Json, name: str) -> None:
    assert sagemaker_name(kind, raw("Obj", spec)) == name


def test_the_oldest_object_owns_a_name_and_the_uid_breaks_a_tie() -> None:
    older, younger = raw("b"), raw("a", created=LATE)
    assert name_owner([younger, older]) is older
    assert name_owner([raw("x", uid="2"), raw("y", uid="1")])["metadata"]["uid"] == "1"  # type: ignore[index]
    assert name_owner([]) is None
    assert name_conflict("Model", older, [younger, older]) is None
    blocker = name_conflict("Endpoint", younger, [older, younger])
    assert blocker is not None
    assert (blocker.kind, blocker.reason) == (BlockerKind.STALLED, "NameTaken")
    assert blocker.message.startswith('Cannot create already existing endpoint "a"')


def resolve(
    endpoint: Json, configs: list[Json], models: list[Json], endpoints: list[Json] | None = None
) -> ResolvedRefs | Blocker:
    def named(kind: str, objects: list[Json]) -> Any:
        return lambda name: [o for o in objects if sagemaker_name(kind, o) == name]

    return resolve_refs(
        endpoint, named("Endpoint", endpoints or [endpoint]), named("EndpointConfig", configs), named("Model", models)
    )


def test_a_reference_resolves_to_shape_and_limits() -> None:
    found = resolve(ENDPOINT, [CONFIG], [MODEL])
    assert isinstance(found, ResolvedRefs)
    assert (found.config_name, found.shape.image, found.limits.max_concurrency) == ("c", "a:1", 1)
    assert found.sources == ("uid-e/1", "uid-c/1", "uid-m/1")


@pytest.mark.parametrize(
    ("configs", "models", "reason", "words"),
    [
        ([], [MODEL], "EndpointConfigNotFound", 'Could not find endpoint configuration "c"'),
        ([CONFIG], [], "ModelNotFound", 'Could not find model "m"'),
        ([CONFIG], [raw("m", {"modelName": "other"})], "ModelNotFound", "team"),
    ],
)
def test_the_blocker_names_the_missing_object(configs: list[Json], models: list[Json], reason: str, words: str) -> None:
    found = resolve(ENDPOINT, configs, models)
    assert isinstance(found, Blocker)
    assert (found.kind, found.reason) == (BlockerKind.WAITING, reason)
    assert words in found.message


@pytest.mark.parametrize(
    "spec",
    [{"productionVariants": []}, {"productionVariants": [VARIANT | {"serverlessConfig": {"memorySizeInMB": 7}}]}, {}],
)
def test_a_spec_that_only_older_rules_accepted_is_stalled(spec: Json) -> None:
    found = resolve(ENDPOINT, [raw("c", spec)], [MODEL])
    assert isinstance(found, Blocker)
    assert (found.kind, found.reason) == (BlockerKind.STALLED, "Invalid")
    assert invalid_spec("EndpointConfig", raw("c", spec)) is not None


def test_a_model_without_a_container_is_invalid() -> None:
    assert invalid_spec("Model", raw("m")) is not None
    assert invalid_spec("Model", MODEL) is None
    assert invalid_spec("EndpointConfig", CONFIG) is None


def test_the_older_of_two_configs_is_used_and_an_endpoint_whose_name_is_taken_resolves_nothing() -> None:
    younger = raw("d", CONFIG["spec"] | {"endpointConfigName": "c"}, created=LATE)
    found = resolve(ENDPOINT, [younger, CONFIG], [MODEL])
    assert isinstance(found, ResolvedRefs)
    assert "uid-c/1" in found.sources
    late = raw("late", {"endpointConfigName": "c", "endpointName": "E"}, created=LATE)
    assert isinstance(resolve(late, [CONFIG], [MODEL], [ENDPOINT, late]), Blocker)
