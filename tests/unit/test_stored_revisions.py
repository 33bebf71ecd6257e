"""An upgrade restarts no pod: Kindler reads the objects that an earlier version stored, and does not change them.

tests/unit/stored holds Endpoints as that version stored them (see its README.md). Nobody regenerates the files. If
this test fails, a new version would change or replace objects of running endpoints, or could not read the stored
objects.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from kindler.api import names
from kindler.api.endpointconfig import EndpointConfigSpec
from kindler.api.model import ModelSpec
from kindler.api.route import Route
from kindler.api.stats import EndpointStats, Stats
from kindler.core.autoscaling.decision import ClusterCapabilities
from kindler.core.common import pods
from kindler.core.endpoint import manifests, references
from kindler.core.endpoint.plan import plan
from kindler.core.endpoint.podspec import pod_spec
from kindler.core.endpoint.revision import PodShape, limits_of, pod_shape_of, revision_of, route_of
from kindler.core.endpoint.rollout import decide
from kindler.core.endpoint.state import Observed, ResolvedRefs
from kindler.core.endpoint.status import status
from tests.unit.builders import ACTIVATOR, SETTINGS

Json = dict[str, Any]

FOLDER = Path(__file__).with_name("stored")

# The revision that serves, and the revision that is starting.
REVISIONS: dict[str, tuple[str, str | None]] = {
    "defaults": ("1a7f91f414", None),
    "every-field": ("a4aedbebdb", None),
    "provisioned": ("608394f054", None),
    "autoscaling": ("974519ad20", None),
    "updating": ("95831fddc3", "a8f42ab4cd"),
    "failed-update": ("e57002ec8d", "d1441a37c2"),
    "updated": ("90cc9f7600", None),
    "returned": ("126f6cf949", None),
    "unpinned": ("68477e8a7c", None),
}


class Cluster:
    """The objects of one Endpoint, as the API server returned them at the moment when they were stored."""

    def __init__(self, content: Json) -> None:
        self.now = float(content["now"])
        self.objects: list[Json] = content["objects"]
        (self.endpoint,) = self.of("Endpoint")

    def of(self, kind: str) -> list[Json]:
        return [raw for raw in self.objects if raw["kind"] == kind]

    def observed(self, activators: dict[str, Stats | None] | None = None) -> Observed:
        """The facts that a controller observes directly after its start, when it has not measured any load."""
        revisions, pools = self.of("ControllerRevision"), tuple(map(manifests.pool_from, self.of("ReplicaSet")))
        return Observed(
            endpoint=self.endpoint,
            refs=references.resolve_refs(
                self.endpoint, self._named("Endpoint"), self._named("EndpointConfig"), self._named("Model")
            ),
            revisions=tuple(kept for kept in map(manifests.stored_revision_from, revisions) if kept),
            revisions_found={raw["metadata"]["name"]: raw for raw in revisions},
            pools=pools,
            pods=tuple(
                (raw["metadata"]["ownerReferences"][0]["uid"], pods.read(raw, self.now)) for raw in self.of("Pod")
            ),
            service=next(iter(self.of("Service")), None),
            activators=activators,
            hpa=next(iter(self.of("HorizontalPodAutoscaler")), None),
            capabilities=ClusterCapabilities(),
            loads={},
            history=(),
            now=self.now,
        )

    def idle(self) -> Stats:
        """The statistics of an activator that serves the routed revision and has no request."""
        meta, revision = self.endpoint["metadata"], self.endpoint["status"]["route"]["revision"]
        return Stats(
            "boot", {f"{meta['namespace']}/{meta['name']}": EndpointStats(meta["uid"], True, revision, 0, 0, 0, 0, {})}
        )

    def spec_of(self, config_name: str) -> tuple[ModelSpec, EndpointConfigSpec]:
        """The specs that the user wrote: of the Model, and of the EndpointConfig with this name that refers to it."""
        (config,) = self._named("EndpointConfig")(config_name)
        parsed = EndpointConfigSpec.parse(config["spec"])
        (model,) = self._named("Model")(parsed.variant.model_name)
        return ModelSpec.parse(model["spec"]), parsed

    def _named(self, kind: str) -> Callable[[str], list[Json]]:
        return lambda name: [raw for raw in self.of(kind) if references.sagemaker_name(kind, raw) == name]


def stored(name: str) -> Cluster:
    return Cluster(json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8")))


every = pytest.mark.parametrize("name", REVISIONS)


def test_every_stored_endpoint_is_checked() -> None:
    assert {file.stem for file in FOLDER.glob("*.json")} == set(REVISIONS)


# --- The hash


@every
def test_what_the_user_wrote_gives_the_stored_hash(name: str) -> None:
    cluster = stored(name)
    serves, comes = REVISIONS[name]
    found = {
        raw["metadata"]["labels"][names.LABEL_REVISION]
        for kind in ("ControllerRevision", "ReplicaSet")
        for raw in cluster.of(kind)
    }
    assert found == {serves, comes} - {None}
    assert cluster.endpoint["status"]["route"]["revision"] == serves
    for revision, config_name in (
        (serves, cluster.endpoint["status"]["endpointConfigName"]),
        (comes, cluster.endpoint["spec"]["endpointConfigName"]),
    ):
        if revision:
            model, config = cluster.spec_of(config_name)
            assert revision_of(pod_shape_of(model, config.variant)) == revision


@every
def test_the_shape_that_a_revision_keeps_gives_its_hash_and_is_written_as_it_was(name: str) -> None:
    for raw in stored(name).of("ControllerRevision"):
        shape = PodShape.from_json(raw["data"]["shape"])
        assert revision_of(shape) == raw["metadata"]["labels"][names.LABEL_REVISION]
        assert as_json(shape.to_json()) == as_json(raw["data"]["shape"])


@every
def test_a_pod_spec_is_rendered_as_it_was(name: str) -> None:
    """If the objects of a revision were deleted, the controller creates the revision again.

    The new revision has the same Model and EndpointConfig, and so the same hash. So its pod spec must not change.
    """
    for raw in stored(name).of("ControllerRevision"):
        assert as_json(pod_spec(PodShape.from_json(raw["data"]["shape"]), SETTINGS)) == as_json(raw["data"]["podSpec"])


# --- Nothing is written


@every
@pytest.mark.parametrize("activators", ["not asked", "silent", "idle"])
def test_nothing_is_written_over_what_is_stored(name: str, activators: str) -> None:
    cluster = stored(name)
    responses: dict[str, dict[str, Stats | None] | None] = {
        "not asked": None,
        "silent": {"a": None},
        "idle": {"a": cluster.idle()},
    }
    seen = cluster.observed(responses[activators])
    assert isinstance(seen.refs, ResolvedRefs)
    course = decide(seen, partial(pod_spec, settings=SETTINGS), pin=name != "unpinned")
    assert plan(seen, course, ACTIVATOR) == ()
    assert course.remove == ()


@every
def test_the_status_stays_as_it_is(name: str) -> None:
    cluster = stored(name)
    seen = cluster.observed()
    assert as_json(status(seen, decide(seen, partial(pod_spec, settings=SETTINGS), pin=name != "unpinned"))) == as_json(
        cluster.endpoint["status"]
    )


@every
def test_manifests_are_rendered_as_they_were(name: str) -> None:
    """An empty plan does not show that the code lost a label, because the plan ignores labels that others may own."""
    cluster = stored(name)
    seen = cluster.observed()
    course = decide(seen, partial(pod_spec, settings=SETTINGS), pin=name != "unpinned")
    revisions = {kept.revision: kept for kept in seen.revisions}
    for wish in course.pools:
        found = seen.pool(wish.name)
        assert found is not None
        body = manifests.new_replica_set(seen, revisions[wish.revision], wish)
        assert body["metadata"]["labels"] == found.found["metadata"]["labels"]
        assert body["metadata"]["ownerReferences"] == found.found["metadata"]["ownerReferences"]
        assert body["spec"]["selector"] == found.found["spec"]["selector"]
        assert body["spec"]["template"]["metadata"] == found.found["spec"]["template"]["metadata"]


# --- Read and written again


@every
def test_annotations_are_read_and_written_again_byte_by_byte(name: str) -> None:
    cluster = stored(name)
    seen = cluster.observed()
    assert len(seen.revisions) == len(cluster.of("ControllerRevision")) > 0
    for kept in seen.revisions:
        raw = seen.revisions_found[kept.name]
        written = manifests.controller_revision(seen, kept)
        assert written["metadata"]["annotations"] == raw["metadata"]["annotations"]
        assert written["metadata"]["labels"] == raw["metadata"]["labels"]
        assert as_json(written["data"]) == as_json(raw["data"])
        assert written["revision"] == raw["revision"]
    for pool in seen.pools:
        assert pool.attempt == (pool.found["metadata"].get("annotations") or {}).get(manifests.ATTEMPT, "")


@every
def test_a_route_is_read_and_written_again(name: str) -> None:
    route = stored(name).endpoint["status"]["route"]
    assert as_json(Route.from_json(route).to_json()) == as_json(route)


@every
def test_what_the_user_wrote_gives_the_stored_route(name: str) -> None:
    """The limits must be the same too: a changed default would change the route of an endpoint that nobody updated."""
    cluster = stored(name)
    model, config = cluster.spec_of(cluster.endpoint["status"]["endpointConfigName"])
    route = cluster.endpoint["status"]["route"]
    made = route_of(
        cluster.endpoint["metadata"]["name"], pod_shape_of(model, config.variant), limits_of(config.variant)
    ).to_json()
    pools = (
        route["pools"] if cluster.endpoint["spec"].get("autoscaling") else made["pools"]
    )  # with autoscaling, the route also has a warm pool
    assert as_json(made | {"pools": pools}) == as_json(route)


def test_the_stored_endpoints_show_every_kind_of_memory() -> None:
    """If no file had a field, the tests would not notice a change of this field."""
    notes = [
        note
        for name in REVISIONS
        for raw in stored(name).of("ControllerRevision")
        for note in (raw["metadata"]["annotations"],)
    ]
    attempts = [json.loads(note[manifests.ATTEMPT]) for note in notes if manifests.ATTEMPT in note]
    resolved = [json.loads(note[manifests.RESOLVED]) for note in notes if manifests.RESOLVED in note]
    assert (
        {attempt["failed"] > 0 for attempt in attempts}
        == {attempt["number"] > 0 for attempt in attempts}
        == {True, False}
    )
    assert any(attempt["adopts"] for attempt in attempts)
    assert {image["pinned"] for image in resolved} == {True, False}
    assert any(manifests.ROUTED not in note for note in notes)
    shapes = [set(raw["data"]["shape"]) for name in REVISIONS for raw in stored(name).of("ControllerRevision")]
    assert set().union(*shapes) == set(PodShape.json_keys())
    assert {"image", "memory_size_in_mb"} in shapes, "one with the defaults alone"
    kinds = {raw["kind"] for name in REVISIONS for raw in stored(name).objects}
    assert kinds == {
        "Model",
        "EndpointConfig",
        "Endpoint",
        "ControllerRevision",
        "ReplicaSet",
        "Pod",
        "Service",
        "HorizontalPodAutoscaler",
    }


def as_json(value: Any) -> str:
    """The value as JSON text, in which a tuple and a list are equal."""
    return json.dumps(value, sort_keys=True)
