"""The pages for users are complete, their links work, their numbers were measured, and their words are plain."""

from __future__ import annotations

import json
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
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md"), *(ROOT / "examples").glob("*/README.md")])
GENERATED = {page for page in PAGES if page.read_text().startswith("<!--")}
WRITTEN = [page for page in PAGES if page not in GENERATED]
# Words that this project once used with a private meaning. The glossary has the words that replaced them.
PRIVATE_WORDS = re.compile(r"\b(asleep|told|telling|tells|mend|mends|mended|hopeless|doomed|in vain|made good)\b", re.I)


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


def prose(page: Path) -> list[str]:
    """The lines of a page without its code blocks."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.M | re.S)
    return [line for line in text.splitlines() if not line.startswith("    ")]


def targets(page: Path) -> list[str]:
    """The targets of the page's links: inline links, images and definitions of reference links."""
    text = re.sub(r"`[^`\n]*`", "code", "\n".join(prose(page)))
    return re.findall(r"\]\(([^)\s\[]+)\)", text) + re.findall(r"^\[[^\]]+\]: (\S+)$", text, re.M)


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub makes of the page's headings."""
    headings = [line.lstrip("#").strip().lower() for line in prose(page) if line.startswith("#")]
    return {re.sub(r"[^\w\- ]", "", heading).replace(" ", "-") for heading in headings}


def rows(page: Path, heading: str) -> list[list[str]]:
    """The cells of the table under a heading, without the header."""
    part = page.read_text().split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in part.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


def coded(page: Path) -> set[str]:
    """Every text between backticks, and each word of these texts."""
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
        r"^\| (`\w+`(?:, `\w+`)*) \|(.*)\| (\d+) \| (\d+) (\w+) \|$", (DOCS / "activator.md").read_text(), re.M
    )
    documented = {
        cause: (int(plain), int(sagemaker), error, "`Retry-After`" in when)
        for spans, when, plain, sagemaker, error in rows
        for cause in re.findall(r"\w+", spans)
    }
    assert documented == {
        cause.value: (row.plain, row.sagemaker, row.error_type, row.retry_after is not None)
        for cause, row in localreply._TABLE.items()
    }
    assert set(documented) == {cause.value for cause in Cause}


def test_every_metric_is_described() -> None:
    known = coded(DOCS / "metrics.md")
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
    outcomes = {
        *counters.STATUS_CLASSES,
        *(outcome.value for outcome in Outcome if outcome is not Outcome.ANSWERED),
        counters.CLIENT_LEFT,
    }
    assert outcomes - known == set()


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_lead_somewhere(page: Path) -> None:
    for target in targets(page):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        linked = page.parent / path if path else page
        assert linked.exists(), target
        if anchor:
            assert anchor in anchors(linked), target


@pytest.mark.parametrize("page", WRITTEN, ids=named)
def test_every_reference_link_is_defined_and_used(page: Path) -> None:
    text = re.sub(r"`[^`\n]*`", "code", "\n".join(prose(page)))
    defined = re.findall(r"^\[([^\]]+)\]: \S+$", text, re.M)
    used = re.findall(r"\]\[([^\]]+)\]", text)
    assert set(defined) == set(used)
    assert len(defined) == len(set(defined))


def test_the_index_names_every_page() -> None:
    linked = {(DOCS / target.partition("#")[0]).resolve() for target in targets(DOCS / "README.md")}
    every = {page.resolve() for page in [*DOCS.glob("*.md"), *(DOCS / "reference").glob("*.md")]}
    assert every - linked - {(DOCS / "README.md").resolve()} == set()


@pytest.mark.parametrize("page", WRITTEN, ids=named)
def test_prose_is_wrapped_and_has_no_private_words(page: Path) -> None:
    lines = prose(page)
    if page.name == "glossary.md":
        lines = lines[: lines.index("## Retired words")]
    for line in lines:
        wrappable = not line.startswith(("|", "![", "[", "#")) and not line.strip().startswith("|")
        assert not (wrappable and len(line) > 120), line
        assert PRIVATE_WORDS.search(line) is None, line


@pytest.mark.parametrize("heading", ["Words", "Names in the code"])
def test_the_glossary_explains_each_term_once(heading: str) -> None:
    table = rows(DOCS / "glossary.md", heading)
    assert len(table) > 30
    for row in table:
        assert len(row) == 3 and all(row), row
        assert row[1].endswith("."), row
    terms = [row[0] for row in table]
    assert terms == sorted(
        set(terms), key=lambda term: (heading == "Names in the code" and term[1].islower(), term.lower())
    )
    assert all(term.startswith("`") for term in terms) == (heading == "Names in the code")


def test_the_glossary_names_only_what_the_code_has() -> None:
    files = list((ROOT / "operator" / "kindler").rglob("*.py"))
    classes = {name for file in files for name in re.findall(r"^class (\w+)", file.read_text(), re.M)}
    modules = {file.stem for file in files}
    missing = {row[0] for row in rows(DOCS / "glossary.md", "Names in the code")} - {
        f"`{n}`" for n in classes | modules
    }
    assert missing == set()


def test_the_figures_of_the_simulated_day_are_those_of_the_last_run() -> None:
    day = json.loads((DOCS / "figures" / "day.json").read_text())
    table = {
        row[0]: row[1:]
        for row in rows(DOCS / "provisioned-concurrency.md", "How many units")
        if len(row) == 7 and row[0]
    }
    assert set(table) == set(day["arms"])
    readme = " ".join((ROOT / "README.md").read_text().split())
    assert f"{day['requests']:,}" in readme
    for arm, figures in day["arms"].items():
        provisioned, demand = figures["provisionedGBHours"], figures["demandGBHours"]
        together, cold = f"{provisioned + demand:,.0f}", f"{figures['coldStarts']:,}"
        spilled = "–" if arm == "on demand" else f"{figures['spilloverShare']:.1%}".replace("%", " %")
        assert table[arm] == [
            f"{provisioned:,.1f}",
            f"{demand:,.1f}",
            together,
            spilled,
            cold,
            f"{figures['throttled']:,}",
        ]
        assert f"| {together} | {cold} | {figures['throttled']:,} |" in readme, arm


@pytest.mark.parametrize("page", [DOCS / "development.md", *DOCS.glob("adr/*.md")], ids=named)
def test_files_that_the_pages_name_exist(page: Path) -> None:
    homes = (ROOT, ROOT / "operator", ROOT / "operator" / "kindler", ROOT / "charts" / "kindler", page.parent)
    spans = re.findall(r"`([\w./]+\.(?:py|tpl|yaml|json|toml|md))`", "\n".join(prose(page)))
    for span in spans:
        if "NAME" not in span and span not in ("__init__.py", "revision.py"):
            assert any((home / span).exists() for home in homes), span


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
            )  # the demo uses a short time
        assert o == example
