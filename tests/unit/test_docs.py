"""The pages for users are complete where they claim to be, and their links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from kindler.activator import metrics
from kindler.activator.endpoint import counters
from kindler.activator.endpoint.requests import Cause, Outcome
from kindler.activator.wire import localreply
from kindler.api import conditions, names
from kindler.controller.metrics import Metrics
from kindler.core.common import pods

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [*ROOT.glob("*.md"), *DOCS.glob("*.md"), *(ROOT / "examples").glob("*/README.md")]


def coded(page: Path) -> set[str]:
    """Everything between backticks, and each word of it."""
    spans = re.findall(r"`([^`\n]+)`", page.read_text())
    return {*spans, *(word for span in spans for word in re.findall(r"\w+", span))}


def test_troubleshooting_has_every_reason_and_every_cause() -> None:
    reasons = {value for name, value in vars(conditions).items() if name.isupper() and isinstance(value, str)}
    not_reasons = {
        *conditions.ENDPOINT_STATUSES,
        conditions.READY,
        conditions.AVAILABLE,
        conditions.RECONCILING,
        conditions.STALLED,
        conditions.SCALING_ACTIVE,
        *(conditions.IN_PROGRESS, conditions.SUCCESSFUL, conditions.OVERRIDDEN),
        *("True", "False", "Unknown"),
    }
    under_way = {conditions.CREATING, conditions.UPDATING, conditions.DELETING, conditions.IN_SERVICE}
    known = coded(DOCS / "troubleshooting.md")
    assert (reasons - not_reasons | under_way) - known == set()
    assert set(pods._SENTENCES) - known == set()


def test_the_table_of_answers_is_the_programs() -> None:
    rows = re.findall(
        r"^\| (`\w+`(?:, `\w+`)*) \|.*\| (\d+) \| (\d+) (\w+) \|$", (DOCS / "activator.md").read_text(), re.M
    )
    told = {
        cause: (int(plain), int(sagemaker), error)
        for spans, plain, sagemaker, error in rows
        for cause in re.findall(r"\w+", spans)
    }
    assert told == {cause.value: (row.plain, row.sagemaker, row.error_type) for cause, row in localreply._TABLE.items()}
    assert set(told) == {cause.value for cause in Cause}


def test_every_metric_is_described() -> None:
    known = coded(DOCS / "activator.md")
    registered = {
        family.name + ("_total" if family.type == "counter" else "") for family in Metrics().registry.collect()
    }
    source = (ROOT / "operator" / "kindler" / "activator" / "process.py").read_text()
    of_the_process = set(re.findall(r'"(kindler_activator_\w+)"', source))
    admin, process = (ROOT / "operator" / "kindler" / "metrics" / f"{file}.py" for file in ("admin", "process"))
    of_the_server = {
        f"{name}_total" if name.endswith("requests") else name
        for name in re.findall(r'"(kindler_metrics_\w+)"', admin.read_text() + process.read_text())
    }
    assert of_the_process and len(of_the_server) == 5
    assert {*metrics._HELP, *registered, *of_the_process, *of_the_server} - known == set()
    outcomes = {*counters._ANSWERED, *(outcome.value for outcome in Outcome if outcome is not Outcome.ANSWERED)}
    assert outcomes - known == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("name", ["echo", "iris"])
def test_examples_are_three_manifests_that_name_each_other(name: str) -> None:
    found = {path.stem: yaml.safe_load(path.read_text()) for path in (ROOT / "examples" / name).glob("*.yaml")}
    assert {stem: (o["kind"], o["apiVersion"], o["metadata"]["name"]) for stem, o in found.items()} == {
        kind.lower(): (kind, names.API_VERSION, name) for kind in ("Model", "EndpointConfig", "Endpoint")
    }
    (variant,) = found["endpointconfig"]["spec"]["productionVariants"]
    assert (variant["modelName"], found["endpoint"]["spec"]["endpointConfigName"]) == (name, name)
    assert found["model"]["spec"]["primaryContainer"]["image"] == f"localhost:5000/{name}:1"


def test_the_readmes_manifests_are_the_examples() -> None:
    (block,) = re.findall(r"```yaml\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    shown = {o["kind"]: o for o in yaml.safe_load_all(block)}
    for kind, o in shown.items():
        example = yaml.safe_load((ROOT / "examples" / "iris" / f"{kind.lower()}.yaml").read_text())
        if kind == "EndpointConfig":
            example["spec"]["productionVariants"][0]["serverlessConfig"].pop(
                "idleTimeoutInSeconds"
            )  # short, for the demo
        assert o == example
