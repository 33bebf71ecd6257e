"""The API server accepts or rejects objects of the three kinds with the expected messages, and kubectl shows them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from kindler.api.ignored import SPECS
from kindler.api.kinds import KINDS, Kind
from tests.e2e.objects.case import REFUSED, Case
from tests.e2e.objects.client import Client, connected
from tests.e2e.objects.table import CASES, complaint
from tests.e2e.support.kubectl import Kubectl, command


@pytest.fixture(scope="module")
def namespace(system: Kubectl) -> Iterator[str]:
    """A namespace for objects that are not served.

    It needs `system`, because the chart installs the CRDs and the warning policy.
    """
    name = f"objects-{os.urandom(2).hex()}"
    system("create", "namespace", name)
    yield name
    system("delete", "namespace", name)


@pytest.fixture(scope="module")
def client(namespace: str) -> Iterator[Client]:
    with connected(namespace) as connection:
        yield connection


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_api_server_accepts_or_rejects_with_the_expected_message(client: Client, case: Case) -> None:
    response = client.send(case)
    assert complaint(case, response) is None
    if case.verdict == REFUSED or case.change is not None:
        return
    assert response.stored is not None
    assert SPECS[case.kind].parse(response.stored["spec"]) == SPECS[case.kind].parse(case.spec or {}), (
        "the defaults of the schema and of the code must be equal"
    )
    assert response.stored["status"] == {"observedGeneration": -1}, "a new object must not look ready"


def test_the_rules_of_the_crds_are_within_the_cost_limit(system: Kubectl) -> None:
    """The API server rejects a CRD whose rules could cost too much, when it is created and when it is applied again."""
    output = system("apply", "--server-side", "--force-conflicts", "--dry-run=server", "-f", "crds/")
    assert output.count("serverside-applied") == len(KINDS)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
def test_a_crd_is_structural_and_established(system: Kubectl, kind: Kind) -> None:
    obj = json.loads(system("get", "crd", f"{kind.plural}.serving.kindler.dev", "-o", "json"))
    conditions = {c["type"]: c["status"] for c in obj["status"]["conditions"]}
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
    # With its default cache, kubectl could still use what it read before the CRDs were installed.
    output = system("explain", path, f"--cache-dir={tmp_path}")
    assert words in " ".join(output.split())


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
