"""The three kinds as a user meets them: what the API server accepts and refuses, with which words, and what kubectl shows of them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from kindler.api.ignored import SPECS
from kindler.api.kinds import KINDS, Kind
from tests.e2e.objects.ask import Asker, asking
from tests.e2e.objects.case import REFUSED, Case
from tests.e2e.objects.table import CASES, complaint
from tests.e2e.support.kubectl import Kubectl, command


@pytest.fixture(scope="module")
def namespace(system: Kubectl) -> Iterator[str]:
    """A namespace for objects that nobody serves. (`system`: the CRDs and the warning policy come with the chart.)"""
    name = f"objects-{os.urandom(2).hex()}"
    system("create", "namespace", name)
    yield name
    system("delete", "namespace", name)


@pytest.fixture(scope="module")
def asker(namespace: str) -> Iterator[Asker]:
    with asking(namespace) as found:
        yield found


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_api_server_says_what_the_user_must_see(asker: Asker, case: Case) -> None:
    answer = asker.ask(case)
    assert complaint(case, answer) is None
    if case.verdict == REFUSED or case.change is not None:
        return
    assert answer.stored is not None
    assert SPECS[case.kind].parse(answer.stored["spec"]) == SPECS[case.kind].parse(case.spec or {}), (
        "defaults of the schema and of the code differ"
    )
    assert answer.stored["status"] == {"observedGeneration": -1}, "a new object must not look as if it were done"


def test_the_api_server_finds_the_rules_cheap_enough(system: Kubectl) -> None:
    """Creating a CRD is refused when its rules could cost too much; so is applying it again."""
    said = system("apply", "--server-side", "--force-conflicts", "--dry-run=server", "-f", "crds/")
    assert said.count("serverside-applied") == len(KINDS)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
def test_a_crd_is_structural_and_established(system: Kubectl, kind: Kind) -> None:
    found = json.loads(system("get", "crd", f"{kind.plural}.serving.kindler.dev", "-o", "json"))
    conditions = {c["type"]: c["status"] for c in found["status"]["conditions"]}
    assert conditions.get("Established") == "True"
    assert "NonStructuralSchema" not in conditions


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("kep.spec.endpointConfigName", "what this endpoint serves"),
        ("kep.status.endpointStatus", "InService"),
        ("kep.spec.autoscaling.scheduledActions.schedule", "cron(0 8 ? * MON-FRI *)"),
        (
            "kep.spec.autoscaling.scalingPolicies.targetTrackingScalingPolicyConfiguration.targetValue",
            "a ratio above 0 and at most 1",
        ),
        ("kep.status.autoscaling.nextScheduledAction", "acts next"),
        ("kepc.spec.productionVariants.serverlessConfig.memorySizeInMB", "1024, 2048, 3072"),
        ("kepc.spec.productionVariants.serverlessConfig.maxConcurrency", "throttled at once"),
        ("kmodel.spec.primaryContainer.image", "listens on port 8080"),
        ("kmodel.spec.enableNetworkIsolation", "Not available on serverless endpoints"),
    ],
)
def test_kubectl_explains_a_field(system: Kubectl, tmp_path: Path, path: str, words: str) -> None:
    said = system(
        "explain", path, f"--cache-dir={tmp_path}"
    )  # else kubectl may still go by what it saw before the CRDs came
    assert words in " ".join(said.split())


def test_short_names_and_the_category_find_the_kinds(namespace: str) -> None:
    kubectl = Kubectl(namespace)
    for name in ("kmodel", "kepc", "kep", "endpoint", "kindler"):
        assert "error" not in kubectl("get", name, "--ignore-not-found")
    listed = command(
        "kubectl",
        "api-resources",
        "--api-group=serving.kindler.dev",
        "--categories=kindler",
        "--no-headers",
        "-o",
        "name",
    )
    assert sorted(listed.split()) == sorted(f"{kind.plural}.serving.kindler.dev" for kind in KINDS)
